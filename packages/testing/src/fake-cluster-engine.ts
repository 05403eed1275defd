// Control planes in memory: each a fake client. For tests of what stands above the engine.

import type { AuthenticationConfiguration } from '@aksel/api/authentication-configuration'
import type { Clock } from '@aksel/base/clock'
import type { Random } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { noRotations, openAccess } from '@aksel/provider/cluster-engine'
import type { EntraProfile } from '@aksel/provider/entra'
import type {
  ApiAccess,
  ClusterEngine,
  ControlPlaneSpec,
  ControlPlaneStatus,
  CredentialRole,
  DeprecatedUse,
  KeyRotations,
  NodeCredentials,
} from '@aksel/provider/cluster-engine'
import { renderKubeconfig } from '@aksel/runtime/kubeconfig'
import { FakeClient } from './fake-client.ts'
import { interfered, type Interference } from './interference.ts'

export interface FakeControlPlane {
  readonly spec: ControlPlaneSpec
  readonly client: FakeClient
  readonly status: ControlPlaneStatus
}

const pem = (label: string): string => `-----BEGIN ${label}-----\nZmFrZQ==\n-----END ${label}-----\n`

export class FakeClusterEngine implements ClusterEngine {
  readonly clusters = new Map<string, FakeControlPlane>()
  readonly authentication = new Map<string, AuthenticationConfiguration>()
  /** Of every cluster, as a test sets it. */
  uses: readonly DeprecatedUse[] = []
  /** Of every cluster, as a test sets them. */
  keys: readonly Readonly<Record<string, unknown>>[] = []
  readonly #options: { readonly clock: Clock; readonly random: Random }
  readonly #interference: Interference
  #made = 0

  constructor(options: { readonly clock: Clock; readonly random: Random }, interference: Interference = {}) {
    this.#options = options
    this.#interference = interference
  }

  create(_scope: Scope, spec: ControlPlaneSpec): Promise<ControlPlaneStatus> {
    return interfered(this.#interference, `engine.create ${spec.name}`, () => {
      const known = this.clusters.get(spec.id)
      if (known !== undefined) return this.#set(spec.id, 'Running')
      this.#made += 1
      const localUrl = `https://127.7.0.${this.#made}:443`
      const status: ControlPlaneStatus = {
        id: spec.id,
        state: 'Running',
        kubernetesVersion: spec.kubernetesVersion,
        rotations: noRotations,
        access: openAccess,
        localUrl,
        nodeUrl: spec.fabricAddress === undefined ? localUrl : `https://${spec.fabricAddress}:443`,
        tunnelSocket: `/run/fake/${this.#made}.sock`,
        certificateAuthority: pem('CERTIFICATE'),
      }
      this.clusters.set(spec.id, { spec, client: this.#newClient(), status })
      return status
    })
  }

  status(id: string): ControlPlaneStatus | undefined {
    return this.clusters.get(id)?.status
  }

  stop(_scope: Scope, id: string): Promise<void> {
    return interfered(this.#interference, 'engine.stop', () => void this.#set(id, 'Stopped'))
  }

  start(_scope: Scope, id: string): Promise<ControlPlaneStatus> {
    return interfered(this.#interference, 'engine.start', () => this.#set(id, 'Running'))
  }

  upgrade(_scope: Scope, id: string, kubernetesVersion: string): Promise<ControlPlaneStatus> {
    return interfered(this.#interference, 'engine.upgrade', () => {
      const known = this.#known(id)
      const status = { ...known.status, kubernetesVersion }
      this.clusters.set(id, { ...known, status, spec: { ...known.spec, kubernetesVersion } })
      return status
    })
  }

  rotateKeys(_scope: Scope, id: string, rotations: KeyRotations): Promise<ControlPlaneStatus> {
    return interfered(this.#interference, 'engine.rotateKeys', () => {
      const known = this.#known(id)
      const { certificates } = rotations
      const renewed = certificates !== known.status.rotations.certificates
      const certificateAuthority = renewed ? pem(`CERTIFICATE ${certificates}`) : known.status.certificateAuthority
      const status = { ...known.status, rotations, certificateAuthority }
      this.clusters.set(id, { ...known, status })
      return status
    })
  }

  restrictAccess(_scope: Scope, id: string, access: ApiAccess): Promise<ControlPlaneStatus> {
    return interfered(this.#interference, 'engine.restrictAccess', () => {
      const known = this.#known(id)
      const status = { ...known.status, access }
      this.clusters.set(id, { ...known, status })
      return status
    })
  }

  configureEntra(_scope: Scope, id: string, profile: EntraProfile | undefined): Promise<ControlPlaneStatus> {
    return interfered(this.#interference, 'engine.configureEntra', () => {
      const known = this.#known(id)
      const { entra: _, ...rest } = known.status
      const status = profile === undefined ? rest : { ...rest, entra: profile }
      this.clusters.set(id, { ...known, status })
      return status
    })
  }

  deprecatedUses(id: string): readonly DeprecatedUse[] {
    this.#known(id)
    return this.uses
  }

  delete(_scope: Scope, id: string): Promise<void> {
    return interfered(this.#interference, 'engine.delete', () => void this.clusters.delete(id))
  }

  tokenKeys(id: string): readonly Readonly<Record<string, unknown>>[] {
    this.#known(id)
    return this.keys
  }

  async kubeconfig(id: string, role: CredentialRole): Promise<string> {
    const { spec, status } = this.#known(id)
    const access = { server: status.localUrl, caPem: status.certificateAuthority, token: `fake-${role}` }
    const admin = role === 'admin'
    return renderKubeconfig(access, {
      cluster: spec.name,
      user: `${admin ? 'clusterAdmin' : 'clusterUser'}_fake_${spec.name}`,
      context: admin ? `${spec.name}-admin` : spec.name,
    })
  }

  async nodeCredentials(id: string, node: { readonly name: string }): Promise<NodeCredentials> {
    const { spec, status } = this.#known(id)
    const access = { server: status.nodeUrl, caPem: status.certificateAuthority, token: 'abcdef.0123456789abcdef' }
    return { kubeconfig: renderKubeconfig(access, { cluster: spec.name, user: `bootstrap-${node.name}` }) }
  }

  /** Finds fault with issuers of the host `faulty.example`. */
  authenticationFaults(id: string, { jwt = [] }: AuthenticationConfiguration): readonly string[] {
    this.#known(id)
    return jwt
      .filter(({ issuer }) => issuer.url.includes('faulty.example'))
      .map(({ issuer }) => `bad issuer ${issuer.url}`)
  }

  configureAuthentication(_scope: Scope, id: string, configuration: AuthenticationConfiguration): Promise<void> {
    return interfered(this.#interference, 'engine.configureAuthentication', () => {
      this.#known(id)
      this.authentication.set(id, configuration)
    })
  }

  client(id: string): FakeClient {
    return this.#known(id).client
  }

  /** Calls on a cluster's client are interfered with as well; there the hooks must not wait. */
  #newClient(): FakeClient {
    const { before, after } = this.#interference
    return new FakeClient({
      ...this.#options,
      before: ({ verb, type, name }) => void before?.(`client.${verb} ${type.plural} ${name}`),
      after: ({ verb, type, name }) => void after?.(`client.${verb} ${type.plural} ${name}`),
    })
  }

  #known(id: string): FakeControlPlane {
    const known = this.clusters.get(id)
    if (known === undefined) throw new Error(`There is no control plane "${id}"`)
    return known
  }

  #set(id: string, state: ControlPlaneStatus['state']): ControlPlaneStatus {
    const known = this.#known(id)
    const status = { ...known.status, state }
    this.clusters.set(id, { ...known, status })
    return status
  }
}
