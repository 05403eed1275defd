// The embedded engine: control planes as objects in this process. It owns their records and their lives.

import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { AuthenticationConfiguration } from '@aksel/api/authentication-configuration'
import { configurationFaults } from '@aksel/apiserver/authentication/structured/configuration'
import { sleep } from '@aksel/base/clock'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { ArchiveFacts, ClusterArchives, ForkOptions, WrittenArchive } from '@aksel/provider/cluster-archives'
import { openAccess } from '@aksel/provider/cluster-engine'
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
import type { EntraProfile } from '@aksel/provider/entra'
import { renderKubeconfig } from '@aksel/runtime/kubeconfig'
import type { Guard, Store } from '@aksel/store/store'
import { checkSwitches, switchesKnownTo, type ApiSwitches } from './api-switches.ts'
import { Archives } from './archives.ts'
import { together } from './believed-issuers.ts'
import {
  FileRecords,
  newClusterRecord,
  resourceGroupOf,
  StoreRecords,
  type ClusterRecord,
  type ClusterRecords,
} from './cluster-record.ts'
import { issuerOf, type ControlPlane } from './control-plane.ts'
import { statusOf } from './control-plane-status.ts'
import { followRecords } from './followed-records.ts'
import { DeprecatedUses } from './deprecated-uses.ts'
import { BootstrapTokens } from './node-credentials.ts'
import { OwnStores } from './own-stores.ts'
import { Places, type PlaceOptions } from './places.ts'
import { tokenKeysOf, withRotatedKeys } from './rotate-keys.ts'
import { RunningPlanes, tunnelSocketOf, type Keyspace, type PlaneOptions } from './running-planes.ts'

const API_PORT = 443
const FOLLOW = { tries: 10, retryMs: 300 }

export interface EmbeddedEngineOptions extends PlaneOptions, PlaceOptions {
  readonly store: Store
  /** What the operator switched on or off: for clusters that are there, too. */
  readonly switches?: ApiSwitches
}

export class EmbeddedEngine implements ClusterEngine, ClusterArchives, AsyncDisposable {
  readonly #scope: Scope
  readonly #options: EmbeddedEngineOptions
  readonly #files: ClusterRecords
  /** Set where other servers keep their records in the same store. */
  readonly #shared: StoreRecords | undefined
  /** What was read of the records at the beginning is at least as new. */
  #readAt = 0
  readonly #own: OwnStores
  readonly #archives: Archives
  readonly #uses: DeprecatedUses
  readonly #places: Places
  readonly #planes: RunningPlanes
  readonly #tokens = new BootstrapTokens()
  readonly #records = new Map<string, ClusterRecord>()
  /** Creations that have an index and no record yet. */
  readonly #creating = new Map<string, Promise<ClusterRecord>>()

  private constructor(scope: Scope, options: EmbeddedEngineOptions) {
    this.#scope = childScope(scope, { component: 'engine' })
    this.#options = options
    this.#own = new OwnStores(this.#scope, options.dataDir)
    this.#archives = new Archives(this.#own, options)
    this.#places = new Places(options)
    this.#uses = new DeprecatedUses(this.#scope, options.dataDir)
    const onDeprecatedUse = (record: ClusterRecord, use: DeprecatedUse): void => this.#uses.note(record.key, use)
    this.#planes = new RunningPlanes(
      this.#scope,
      { ...options, onDeprecatedUse },
      {
        places: this.#places,
        records: {
          current: (id) => this.#records.get(id),
          keyspace: (record) => this.#keyspace(record),
          closeKeyspace: (record) => this.#own.close(record.key),
        },
      },
    )
    this.#shared = options.sharedAs === undefined ? undefined : new StoreRecords(options.store)
    this.#files = this.#shared ?? new FileRecords(options.dataDir)
  }

  static async open(scope: Scope, options: EmbeddedEngineOptions): Promise<EmbeddedEngine> {
    const engine = new EmbeddedEngine(scope, options)
    const { switches = {} } = options
    engine.#readAt = options.store.revision
    const records = await engine.#files.readAll()
    await checkSwitches(switches)
    for (const { spec, switches: own } of records) await checkSwitches({ ...own, ...switches }, spec.kubernetesVersion)
    for (const record of records) {
      engine.#records.set(record.spec.id, record)
      engine.#places.know(record.index)
      if (Object.keys(switches).length > 0)
        await engine.#save({ ...record, switches: { ...record.switches, ...switches } })
    }
    return engine
  }

  /** Starts every control plane that ran before. One that does not start says why in its status, and is tried again. */
  async resume(): Promise<void> {
    const wanted = [...this.#records.values()].filter(({ state }) => state === 'Running')
    await Promise.all(wanted.map((record) => this.#planes.keep(record)))
    if (this.#shared === undefined) return
    const known = (): Iterable<ClusterRecord> => [...this.#records.values()]
    const take = (record: ClusterRecord, isGone: boolean): Promise<void> => this.#take(record, isGone)
    followRecords(this.#scope, { store: this.#options.store, records: this.#shared, known, take }, this.#readAt)
  }

  /** What other servers make, stop and delete, happens here too. */
  async #take(record: ClusterRecord, isGone: boolean): Promise<void> {
    const { id } = record.spec
    if (isGone) {
      this.#shared?.gone(record.key)
      this.#records.delete(id)
      this.#places.free(record.index)
      return this.#planes.halt(id)
    }
    this.#records.set(id, record)
    this.#places.know(record.index)
    if (record.state === 'Stopped') return this.#planes.halt(id)
    const plane = this.#planes.find(id)
    plane?.configureAuthentication(record.authentication ?? {})
    plane?.recheckPeers()
    await this.#planes.haltOlder(record)
    const isWanted = (): boolean => this.#records.get(id)?.state === 'Running' && !this.#scope.signal.aborted
    for (let attempt = 1; isWanted(); attempt++) {
      try {
        return void (await this.#planes.ensure(record))
      } catch {
        // The server that makes it is writing the first objects at this very moment, and so did we.
        if (attempt === FOLLOW.tries) return await this.#planes.keep(record)
        await sleep(this.#scope.clock, FOLLOW.retryMs, this.#scope.signal)
      }
    }
  }

  async create(_scope: Scope, spec: ControlPlaneSpec): Promise<ControlPlaneStatus> {
    const record = this.#records.get(spec.id) ?? (await this.#record(spec))
    return this.#statusOf((await this.#planes.ensure(record)).record)
  }

  get ids(): readonly string[] {
    return [...this.#records.keys()]
  }

  status(id: string): ControlPlaneStatus | undefined {
    const record = this.#records.get(id)
    return record === undefined ? undefined : this.#statusOf(record)
  }

  /** What it was made with, its keys included: for those who set it up. */
  recordOf(id: string): ClusterRecord {
    return this.#known(id)
  }

  async stop(_scope: Scope, id: string): Promise<void> {
    const record = this.#known(id)
    await this.#save({ ...record, state: 'Stopped' })
    await this.#planes.halt(id)
  }

  async start(_scope: Scope, id: string): Promise<ControlPlaneStatus> {
    const record = await this.#save({ ...this.#known(id), state: 'Running' })
    await this.#planes.ensure(record)
    return this.#statusOf(record)
  }

  async upgrade(_scope: Scope, id: string, kubernetesVersion: string): Promise<ControlPlaneStatus> {
    const record = this.#known(id)
    if (record.spec.kubernetesVersion !== kubernetesVersion) {
      const switches = await switchesKnownTo(kubernetesVersion, record.switches ?? {})
      await this.#save({ ...record, switches, spec: { ...record.spec, kubernetesVersion } })
    }
    await this.#planes.renew(this.#known(id))
    return this.#statusOf(this.#known(id))
  }

  async rotateKeys(_scope: Scope, id: string, rotations: KeyRotations): Promise<ControlPlaneStatus> {
    const record = this.#known(id)
    const rotated = await withRotatedKeys(this.#scope, record, rotations)
    if (rotated !== record) await this.#save({ ...this.#known(id), ...rotated })
    await this.#planes.renew(this.#known(id))
    return this.#statusOf(this.#known(id))
  }

  async restrictAccess(_scope: Scope, id: string, access: ApiAccess): Promise<ControlPlaneStatus> {
    const record = this.#known(id)
    if (!isDeepStrictEqual(record.access ?? openAccess, access)) await this.#save({ ...record, access })
    this.#planes.find(id)?.recheckPeers()
    return this.#statusOf(this.#known(id))
  }

  async configureEntra(_scope: Scope, id: string, profile: EntraProfile | undefined): Promise<ControlPlaneStatus> {
    const { entra, ...rest } = this.#known(id)
    if (!isDeepStrictEqual(entra, profile)) await this.#save(profile === undefined ? rest : { ...rest, entra: profile })
    return this.#statusOf(this.#known(id))
  }

  deprecatedUses(id: string): readonly DeprecatedUse[] {
    return this.#uses.of(this.#known(id).key)
  }

  async delete(_scope: Scope, id: string): Promise<void> {
    await this.#planes.halt(id)
    this.#tokens.forget(id)
    const record = this.#records.get(id)
    if (record === undefined) return
    // The others stop serving it, before it is taken away under them.
    if (this.#shared !== undefined && record.state === 'Running') await this.#save({ ...record, state: 'Stopped' })
    await this.#archives.remove(record, this.#guards(record))
    await this.#files.remove(record.key)
    await this.#uses.forget(record.key)
    this.#records.delete(id)
    this.#places.free(record.index)
  }

  tokenKeys(id: string): readonly Readonly<Record<string, unknown>>[] {
    return tokenKeysOf(this.#known(id), this.#scope.clock.now())
  }

  async kubeconfig(id: string, role: CredentialRole): Promise<string> {
    const record = this.#known(id)
    const { certificatePem, keyPem } = role === 'admin' ? record.admin : record.user
    const { name } = record.spec
    const server = record.access?.private === true ? this.#nodeUrl(record) : this.#localUrl(record)
    const user = `${role === 'admin' ? 'clusterAdmin' : 'clusterUser'}_${resourceGroupOf(id)}_${name}`
    return renderKubeconfig(
      { server, caPem: record.authority.certificatePem, certPem: certificatePem, keyPem },
      { cluster: name, user, context: role === 'admin' ? `${name}-admin` : name },
    )
  }

  async nodeCredentials(id: string): Promise<NodeCredentials> {
    const record = this.#known(id)
    return this.#tokens.credentials(this.#scope, { record, server: this.#nodeUrl(record), client: this.client(id) })
  }

  async snapshot(scope: Scope, id: string, path: string): Promise<WrittenArchive> {
    const record = this.#known(id)
    return this.#archives.write(scope, record, await this.#keyspace(record), path)
  }

  readArchive(path: string): Promise<ArchiveFacts> {
    return this.#archives.read(path)
  }

  restore(scope: Scope, spec: ControlPlaneSpec, path: string): Promise<ControlPlaneStatus> {
    return this.#copied(scope, spec, (record) => this.#archives.restore(record, path))
  }

  fork(scope: Scope, id: string, spec: ControlPlaneSpec, options: ForkOptions = {}): Promise<ControlPlaneStatus> {
    const of = this.#known(id)
    const fork = { of: id, clockOffsetMs: options.clockOffsetMs ?? 0 }
    const fill = async (record: ClusterRecord): Promise<ClusterRecord> => {
      const path = join(this.#options.dataDir, 'server', `fork-${record.key}`)
      return this.#archives.fork(scope, { of, keyspace: await this.#keyspace(of), record: { ...record, fork }, path })
    }
    return this.#copied(scope, spec, fill, of.switches)
  }

  /** The record is written last: until then there is no such cluster, and a second try begins anew. */
  async #copied(
    scope: Scope,
    spec: ControlPlaneSpec,
    fill: (record: ClusterRecord) => Promise<ClusterRecord>,
    switches: ApiSwitches | undefined = this.#options.switches,
  ): Promise<ControlPlaneStatus> {
    if (this.#records.has(spec.id)) throw new Error(`There is a control plane for "${spec.id}" already`)
    const index = await this.#places.take()
    const { sharedAs: madeBy } = this.#options
    const record = await newClusterRecord(this.#scope, { spec, index, madeBy, switches })
    try {
      await this.#save(await fill(record))
    } catch (error) {
      this.#places.free(index)
      await this.#archives.remove(record)
      throw error
    }
    return this.create(scope, spec)
  }

  async #keyspace(record: ClusterRecord): Promise<Keyspace> {
    if (record.ownStore === true) return { store: await this.#own.open(record.key), keyPrefix: '' }
    return { store: this.#options.store, keyPrefix: `clusters/${record.key}/` }
  }

  authenticationFaults(id: string, configuration: AuthenticationConfiguration): readonly string[] {
    const file = this.#options.files?.authentication?.current ?? {}
    return configurationFaults(together(file, configuration), issuerOf(this.#known(id)))
  }

  async configureAuthentication(_scope: Scope, id: string, authentication: AuthenticationConfiguration): Promise<void> {
    const record = this.#known(id)
    if (isDeepStrictEqual(record.authentication ?? {}, authentication)) return
    const [fault] = this.authenticationFaults(id, authentication)
    if (fault !== undefined) throw new Error(`Cannot believe these issuers: ${fault}`)
    await this.#save({ ...record, authentication })
    this.#planes.find(id)?.configureAuthentication(authentication)
  }

  client(id: string): Client {
    return this.#alive(id).client({ name: 'aksel:resource-provider', groups: ['system:masters'] })
  }

  /** Remembers the VNet that the cluster's load balancers are made in. */
  async useVirtualNetwork(id: string, virtualNetworkId: string): Promise<void> {
    const record = this.#known(id)
    if (record.virtualNetworkId !== virtualNetworkId) await this.#save({ ...record, virtualNetworkId })
  }

  /** With the rights of one node, for simulated machines. */
  nodeClient(id: string, nodeName: string): Client {
    return this.#alive(id).client({ name: `system:node:${nodeName}`, groups: ['system:nodes'] })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#planes.ids.map((id) => this.#planes.halt(id)))
    await this.#uses.flushed()
    this.#places.close()
  }

  #alive(id: string): ControlPlane {
    return this.#planes.alive(id)
  }

  #record(spec: ControlPlaneSpec): Promise<ClusterRecord> {
    const known = this.#creating.get(spec.id)
    if (known !== undefined) return known
    const creating = this.#newRecord(spec).finally(() => this.#creating.delete(spec.id))
    this.#creating.set(spec.id, creating)
    return creating
  }

  async #newRecord(spec: ControlPlaneSpec): Promise<ClusterRecord> {
    const index = await this.#places.take()
    try {
      const { sharedAs, switches } = this.#options
      const record = await newClusterRecord(this.#scope, { spec, index, madeBy: sharedAs, switches })
      // Another server may have written to an earlier cluster of this id while that was deleted.
      if (this.#shared !== undefined) await this.#archives.remove(record, this.#guards(record))
      return await this.#save(record)
    } catch (error) {
      this.#places.free(index)
      throw error
    }
  }

  #known(id: string): ClusterRecord {
    const record = this.#records.get(id)
    if (record === undefined) throw new Error(`There is no control plane for "${id}"`)
    return record
  }

  /** Whoever was stopped in between and wakes must not take away what another server has made meanwhile. */
  #guards({ key }: ClusterRecord): readonly Guard[] {
    return this.#shared === undefined ? [] : [this.#shared.guardOf(key)]
  }

  async #save(record: ClusterRecord): Promise<ClusterRecord> {
    await this.#files.write(record)
    this.#records.set(record.spec.id, record)
    return record
  }

  #localUrl(record: ClusterRecord): string {
    const { host, port } = this.#planes.placeOf(record)
    return `https://${host}:${port}`
  }

  #nodeUrl(record: ClusterRecord): string {
    return record.spec.fabricAddress === undefined || record.fork !== undefined
      ? this.#localUrl(record)
      : `https://${record.spec.fabricAddress}:${API_PORT}`
  }

  #statusOf(record: ClusterRecord): ControlPlaneStatus {
    return statusOf(record, {
      failure: this.#planes.failureOf(record.spec.id),
      localUrl: this.#localUrl(record),
      nodeUrl: this.#nodeUrl(record),
      tunnelSocket: tunnelSocketOf(this.#options.dataDir, record),
    })
  }
}
