// The embedded engine: control planes as objects in this process. It owns their records and their lives.

import { createServer } from 'node:net'
import { join } from 'node:path'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type {
  ClusterEngine,
  ControlPlaneSpec,
  ControlPlaneStatus,
  CredentialRole,
  NodeCredentials,
} from '@aksel/provider/cluster-engine'
import { renderKubeconfig } from '@aksel/runtime/kubeconfig'
import { issue } from '@aksel/runtime/pki'
import type { Store } from '@aksel/store/store'
import { ClusterRecords, loopbackAddress, newClusterRecord, type ClusterRecord } from './cluster-record.ts'
import { startControlPlane, type ControlPlane, type ControlPlaneParts } from './control-plane.ts'

const API_PORT = 443
const NODE_CERTIFICATE_DAYS = 365

export interface EmbeddedEngineOptions extends ControlPlaneParts {
  readonly store: Store
  readonly dataDir: string
  /** Without root there is no port 443. */
  readonly privileged: boolean
}

export class EmbeddedEngine implements ClusterEngine, AsyncDisposable {
  readonly #scope: Scope
  readonly #options: EmbeddedEngineOptions
  readonly #files: ClusterRecords
  readonly #records = new Map<string, ClusterRecord>()
  readonly #running = new Map<string, Promise<ControlPlane>>()
  /** Creations that have an index and no record yet. */
  readonly #creating = new Map<string, Promise<ClusterRecord>>()
  readonly #indexes = new Set<number>()
  /** Those of `#running` that have started. */
  readonly #alivePlanes = new Map<string, ControlPlane>()

  private constructor(scope: Scope, options: EmbeddedEngineOptions) {
    this.#scope = childScope(scope, { component: 'engine' })
    this.#options = options
    this.#files = new ClusterRecords(join(options.dataDir, 'server', 'clusters'))
  }

  static async open(scope: Scope, options: EmbeddedEngineOptions): Promise<EmbeddedEngine> {
    const engine = new EmbeddedEngine(scope, options)
    for (const record of await engine.#files.readAll()) {
      engine.#records.set(record.spec.id, record)
      engine.#indexes.add(record.index)
    }
    return engine
  }

  /** Starts every control plane that ran before. */
  async resume(): Promise<void> {
    const wanted = [...this.#records.values()].filter(({ state }) => state === 'Running')
    await Promise.all(wanted.map((record) => this.#ensureRunning(record)))
  }

  async create(_scope: Scope, spec: ControlPlaneSpec): Promise<ControlPlaneStatus> {
    const record = this.#records.get(spec.id) ?? (await this.#record(spec))
    return this.#statusOf((await this.#ensureRunning(record)).record)
  }

  status(id: string): ControlPlaneStatus | undefined {
    const record = this.#records.get(id)
    return record === undefined ? undefined : this.#statusOf(record)
  }

  async stop(_scope: Scope, id: string): Promise<void> {
    const record = this.#known(id)
    await this.#save({ ...record, state: 'Stopped' })
    await this.#halt(id)
  }

  async start(_scope: Scope, id: string): Promise<ControlPlaneStatus> {
    const record = await this.#save({ ...this.#known(id), state: 'Running' })
    await this.#ensureRunning(record)
    return this.#statusOf(record)
  }

  async delete(_scope: Scope, id: string): Promise<void> {
    await this.#halt(id)
    const record = this.#records.get(id)
    if (record === undefined) return
    await removeObjects(this.#options.store, `clusters/${record.key}/`)
    await this.#files.remove(record.key)
    this.#records.delete(id)
    this.#indexes.delete(record.index)
  }

  async kubeconfig(id: string, role: CredentialRole): Promise<string> {
    const record = this.#known(id)
    const { certificatePem, keyPem } = role === 'admin' ? record.admin : record.user
    const { name } = record.spec
    const user = `${role === 'admin' ? 'clusterAdmin' : 'clusterUser'}_${resourceGroupOf(id)}_${name}`
    return renderKubeconfig(
      { server: this.#localUrl(record), caPem: record.authority.certificatePem, certPem: certificatePem, keyPem },
      { cluster: name, user, context: role === 'admin' ? `${name}-admin` : name },
    )
  }

  async nodeCredentials(
    id: string,
    node: { readonly name: string; readonly addresses: readonly string[] },
  ): Promise<NodeCredentials> {
    const record = this.#known(id)
    const commonName = `system:node:${node.name}`
    const [client, serving] = await Promise.all([
      issue(this.#scope, record.authority, {
        commonName,
        organizations: ['system:nodes'],
        usages: ['client'],
        days: NODE_CERTIFICATE_DAYS,
      }),
      issue(this.#scope, record.authority, {
        commonName,
        organizations: ['system:nodes'],
        dnsNames: [node.name],
        ipAddresses: node.addresses.filter((address) => address !== ''),
        usages: ['server'],
        days: NODE_CERTIFICATE_DAYS,
      }),
    ])
    const access = {
      server: this.#nodeUrl(record),
      caPem: record.authority.certificatePem,
      certPem: client.certificatePem,
      keyPem: client.keyPem,
    }
    return {
      kubeconfig: renderKubeconfig(access, { cluster: record.spec.name, user: commonName }),
      servingCertificate: serving.certificatePem,
      servingKey: serving.keyPem,
    }
  }

  client(id: string): Client {
    return this.#alive(id).client({ name: 'aksel:resource-provider', groups: ['system:masters'] })
  }

  /** Remembers the VNet that the cluster's load balancers are made in. */
  async useVirtualNetwork(id: string, virtualNetworkId: string): Promise<void> {
    const record = this.#known(id)
    if (record.virtualNetworkId !== virtualNetworkId) await this.#save({ ...record, virtualNetworkId })
  }

  /** A client with the rights of one node, for simulated machines. */
  nodeClient(id: string, nodeName: string): Client {
    return this.#alive(id).client({ name: `system:node:${nodeName}`, groups: ['system:nodes'] })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running.keys()].map((id) => this.#halt(id)))
  }

  #alive(id: string): ControlPlane {
    const plane = this.#alivePlanes.get(id)
    if (plane === undefined) throw new Error(`The control plane of "${id}" does not run`)
    return plane
  }

  #record(spec: ControlPlaneSpec): Promise<ClusterRecord> {
    const known = this.#creating.get(spec.id)
    if (known !== undefined) return known
    const creating = this.#newRecord(spec).finally(() => this.#creating.delete(spec.id))
    this.#creating.set(spec.id, creating)
    return creating
  }

  async #newRecord(spec: ControlPlaneSpec): Promise<ClusterRecord> {
    const index = await this.#takeIndex()
    try {
      return await this.#save(await newClusterRecord(this.#scope, { spec, index }))
    } catch (error) {
      this.#indexes.delete(index)
      throw error
    }
  }

  /** The lowest index that is free here and whose address no other server of this host listens on. */
  async #takeIndex(): Promise<number> {
    for (let index = 0; ; index += 1) {
      if (this.#indexes.has(index)) continue
      this.#indexes.add(index)
      if (await canListen({ host: loopbackAddress(index), port: portOf(this.#options, index) })) return index
      this.#indexes.delete(index)
    }
  }

  #ensureRunning(record: ClusterRecord): Promise<ControlPlane> {
    const { id } = record.spec
    const known = this.#running.get(id)
    if (known !== undefined) return known
    const starting = startControlPlane(childScope(this.#scope, { cluster: record.spec.name }), {
      ...this.#options,
      record,
      keyPrefix: `clusters/${record.key}/`,
      localAddress: loopbackAddress(record.index),
      localPort: this.#portOf(record),
      tunnelSocket: this.#tunnelSocket(record),
      virtualNetworkId: () => this.#records.get(id)?.virtualNetworkId,
    })
    this.#running.set(id, starting)
    starting.then(
      (plane) => this.#alivePlanes.set(id, plane),
      () => this.#running.delete(id),
    )
    return starting
  }

  async #halt(id: string): Promise<void> {
    const starting = this.#running.get(id)
    if (starting === undefined) return
    this.#running.delete(id)
    this.#alivePlanes.delete(id)
    const plane = await starting
    await plane[Symbol.asyncDispose]()
  }

  #known(id: string): ClusterRecord {
    const record = this.#records.get(id)
    if (record === undefined) throw new Error(`There is no control plane for "${id}"`)
    return record
  }

  async #save(record: ClusterRecord): Promise<ClusterRecord> {
    await this.#files.write(record)
    this.#records.set(record.spec.id, record)
    return record
  }

  #portOf(record: ClusterRecord): number {
    return portOf(this.#options, record.index)
  }

  #localUrl(record: ClusterRecord): string {
    return `https://${loopbackAddress(record.index)}:${this.#portOf(record)}`
  }

  #nodeUrl(record: ClusterRecord): string {
    return record.spec.fabricAddress === undefined
      ? this.#localUrl(record)
      : `https://${record.spec.fabricAddress}:${API_PORT}`
  }

  #tunnelSocket(record: ClusterRecord): string {
    return join(this.#options.dataDir, 'server', `tunnel-${record.key}.sock`)
  }

  #statusOf(record: ClusterRecord): ControlPlaneStatus {
    return {
      id: record.spec.id,
      state: record.state,
      kubernetesVersion: record.spec.kubernetesVersion,
      localUrl: this.#localUrl(record),
      nodeUrl: this.#nodeUrl(record),
      tunnelSocket: this.#tunnelSocket(record),
      certificateAuthority: record.authority.certificatePem,
    }
  }
}

function portOf(options: EmbeddedEngineOptions, index: number): number {
  return options.privileged ? API_PORT : 16_443 + index
}

/** Rejects for any failure but a taken address. */
function canListen(address: { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    )
    server.listen(address, () => server.close(() => resolve(true)))
  })
}

function resourceGroupOf(id: string): string {
  return /\/resourcegroups\/([^/]+)/i.exec(id)?.[1] ?? 'aksel'
}

const DELETE_BATCH = 500

/** A control plane that is gone leaves no key behind. */
async function removeObjects(store: Store, prefix: string): Promise<void> {
  for (;;) {
    const { items } = await store.range({ prefix, limit: DELETE_BATCH })
    if (items.length === 0) return
    await store.transact({ guards: [], writes: items.map(({ key }) => ({ kind: 'delete', key })) })
  }
}
