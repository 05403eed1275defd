// The embedded engine: control planes as objects in this process. It owns their records and their lives.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { AuthenticationConfiguration } from '@aksel/api/authentication-configuration'
import { configurationFaults } from '@aksel/apiserver/authentication/structured/configuration'
import { sleep } from '@aksel/base/clock'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type {
  ClusterEngine,
  ControlPlaneSpec,
  ControlPlaneStatus,
  CredentialRole,
  NodeCredentials,
} from '@aksel/provider/cluster-engine'
import type { ClusterArchives } from '@aksel/provider/cluster-archives'
import { renderKubeconfig } from '@aksel/runtime/kubeconfig'
import { copyInto, readArchive, writeArchive } from '@aksel/store/archive'
import { nodeDisk } from '@aksel/store/node-disk'
import type { KeyValue, Store } from '@aksel/store/store'
import { checkSwitches, type ApiSwitches } from './api-switches.ts'
import {
  clusterKey,
  FileRecords,
  newClusterRecord,
  resourceGroupOf,
  StoreRecords,
  type ClusterRecord,
  type ClusterRecords,
} from './cluster-record.ts'
import { hostName } from './open-store.ts'
import { issueNodeCredentials } from './node-credentials.ts'
import { detach, OwnStores, removeObjects } from './own-stores.ts'
import { canListen, freePort, ownPlace, type Place } from './places.ts'
import { issuerOf, startControlPlane, type ControlPlane, type ControlPlaneParts } from './control-plane.ts'

const API_PORT = 443
const FOLLOW = { tries: 10, retryMs: 300 }

export interface EmbeddedEngineOptions extends ControlPlaneParts {
  readonly store: Store
  readonly dataDir: string
  /** Without root there is no port 443. */
  readonly privileged: boolean
  /** Set where other servers use the same store: this server's name among them. Then all of them serve every cluster. */
  readonly sharedAs?: string
  /** What the operator switched on or off: for clusters that are there, too. */
  readonly switches?: ApiSwitches
}

export class EmbeddedEngine implements ClusterEngine, ClusterArchives, AsyncDisposable {
  readonly #scope: Scope
  readonly #options: EmbeddedEngineOptions
  readonly #files: ClusterRecords
  readonly #own: OwnStores
  readonly #records = new Map<string, ClusterRecord>()
  readonly #running = new Map<string, Promise<ControlPlane>>()
  /** Creations that have an index and no record yet. */
  readonly #creating = new Map<string, Promise<ClusterRecord>>()
  readonly #indexes = new Set<number>()
  /** Those of `#running` that have started. */
  readonly #alivePlanes = new Map<string, ControlPlane>()
  /** Where those of `#running` listen. */
  readonly #places = new Map<string, Place>()

  private constructor(scope: Scope, options: EmbeddedEngineOptions) {
    this.#scope = childScope(scope, { component: 'engine' })
    this.#options = options
    this.#own = new OwnStores(this.#scope, options.dataDir)
    this.#files = options.sharedAs === undefined ? new FileRecords(options.dataDir) : new StoreRecords(options.store)
  }

  static async open(scope: Scope, options: EmbeddedEngineOptions): Promise<EmbeddedEngine> {
    const engine = new EmbeddedEngine(scope, options)
    const { switches = {} } = options
    const records = await engine.#files.readAll()
    await checkSwitches(switches)
    for (const { spec, switches: own } of records) await checkSwitches({ ...own, ...switches }, spec.kubernetesVersion)
    for (const record of records) {
      engine.#records.set(record.spec.id, record)
      engine.#indexes.add(record.index)
      if (Object.keys(switches).length > 0)
        await engine.#save({ ...record, switches: { ...record.switches, ...switches } })
    }
    return engine
  }

  /** Starts every control plane that ran before. */
  async resume(): Promise<void> {
    const wanted = [...this.#records.values()].filter(({ state }) => state === 'Running')
    await Promise.all(wanted.map((record) => this.#ensureRunning(record)))
    if (this.#options.sharedAs !== undefined) this.#follow()
  }

  /** What other servers make, stop and delete, happens here too. */
  #follow(): void {
    const { store } = this.#options
    const log = (error: unknown): void =>
      this.#scope.log.error('a cluster of another server was not followed', { error })
    store.watch({
      prefix: StoreRecords.prefix,
      afterRevision: store.revision,
      signal: this.#scope.signal,
      deliver: ({ events }) => {
        for (const event of events) {
          const { value } = event.kind === 'put' ? event.item : event.previous
          const record = JSON.parse(Buffer.from(value).toString()) as ClusterRecord
          this.#take(record, event.kind === 'delete').catch(log)
        }
      },
      ended: (error) => {
        if (error.kind === 'Compacted') this.#follow()
      },
    })
  }

  async #take(record: ClusterRecord, isGone: boolean): Promise<void> {
    const { id } = record.spec
    if (isGone || record.state === 'Stopped') await this.#halt(id)
    if (isGone) {
      this.#records.delete(id)
      this.#indexes.delete(record.index)
      return
    }
    this.#records.set(id, record)
    this.#indexes.add(record.index)
    this.#alivePlanes.get(id)?.configureAuthentication(record.authentication ?? {})
    for (let attempt = 1; record.state === 'Running' && !this.#scope.signal.aborted; attempt++) {
      try {
        return void (await this.#ensureRunning(record))
      } catch (error) {
        // The server that makes it is writing the first objects at this very moment, and so did we.
        if (attempt === FOLLOW.tries) throw error
        await sleep(this.#scope.clock, FOLLOW.retryMs, this.#scope.signal)
      }
    }
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
    if (record.ownStore === true) await this.#own.remove(record.key)
    else await removeObjects(this.#options.store, `clusters/${record.key}/`)
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

  nodeCredentials(
    id: string,
    node: { readonly name: string; readonly addresses: readonly string[] },
  ): Promise<NodeCredentials> {
    const record = this.#known(id)
    return issueNodeCredentials(this.#scope, record, this.#nodeUrl(record), node)
  }

  async snapshot(scope: Scope, id: string, path: string): Promise<{ readonly objects: number }> {
    const { store, keyPrefix } = await this.#keyspace(this.#known(id))
    const { keys } = await writeArchive({ disk: nodeDisk(), path, store, prefix: keyPrefix, random: scope.random })
    return { objects: keys }
  }

  restore(scope: Scope, spec: ControlPlaneSpec, path: string): Promise<ControlPlaneStatus> {
    return this.#fromArchive(scope, spec, path, async () => undefined)
  }

  async fork(scope: Scope, id: string, spec: ControlPlaneSpec): Promise<ControlPlaneStatus> {
    const path = join(this.#options.dataDir, 'server', `fork-${clusterKey(spec.id)}`)
    await this.snapshot(scope, id, path)
    try {
      return await this.#fromArchive(scope, spec, path, detach, this.#known(id).switches)
    } finally {
      await rm(path, { force: true })
    }
  }

  /** The record is written last: until then there is no such cluster, and a second try begins anew. */
  async #fromArchive(
    scope: Scope,
    spec: ControlPlaneSpec,
    path: string,
    prepare: (store: Store, prefix: string) => Promise<void>,
    switches: ApiSwitches | undefined = this.#options.switches,
  ): Promise<ControlPlaneStatus> {
    if (this.#records.has(spec.id)) throw new Error(`There is a control plane for "${spec.id}" already`)
    const { sharedAs, store } = this.#options
    const index = await this.#takeIndex()
    const made = await newClusterRecord(this.#scope, { spec, index, madeBy: sharedAs, switches })
    const record: ClusterRecord = sharedAs === undefined ? { ...made, ownStore: true } : made
    if (sharedAs === undefined) await this.#own.restore(record.key, path)
    else {
      const items: KeyValue[] = []
      await readArchive(nodeDisk(), path, (item) => void items.push(item))
      await copyInto(store, `clusters/${record.key}/`, items)
    }
    const keyspace = await this.#keyspace(record)
    await prepare(keyspace.store, keyspace.keyPrefix)
    await this.#save(record)
    return this.create(scope, spec)
  }

  async #keyspace(record: ClusterRecord): Promise<{ readonly store: Store; readonly keyPrefix: string }> {
    if (record.ownStore === true) return { store: await this.#own.open(record.key), keyPrefix: '' }
    return { store: this.#options.store, keyPrefix: `clusters/${record.key}/` }
  }

  authenticationFaults(id: string, configuration: AuthenticationConfiguration): readonly string[] {
    return configurationFaults(configuration, issuerOf(this.#known(id)))
  }

  async configureAuthentication(_scope: Scope, id: string, authentication: AuthenticationConfiguration): Promise<void> {
    const record = this.#known(id)
    if (isDeepStrictEqual(record.authentication ?? {}, authentication)) return
    const [fault] = this.authenticationFaults(id, authentication)
    if (fault !== undefined) throw new Error(`Cannot believe these issuers: ${fault}`)
    await this.#save({ ...record, authentication })
    this.#alivePlanes.get(id)?.configureAuthentication(authentication)
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
      const { sharedAs, switches } = this.#options
      return await this.#save(await newClusterRecord(this.#scope, { spec, index, madeBy: sharedAs, switches }))
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
      if (await canListen(ownPlace(this.#options, index))) return index
      this.#indexes.delete(index)
    }
  }

  #ensureRunning(record: ClusterRecord): Promise<ControlPlane> {
    const { id } = record.spec
    const known = this.#running.get(id)
    if (known !== undefined) return known
    const starting = this.#start(record)
    this.#running.set(id, starting)
    starting.then(
      (plane) => this.#alivePlanes.set(id, plane),
      () => this.#running.delete(id),
    )
    return starting
  }

  async #start(record: ClusterRecord): Promise<ControlPlane> {
    const { id } = record.spec
    const { fabric, diskImages, sharedAs, dataDir, ...rest } = this.#options
    // Machines and fabric belong to the host that made them: elsewhere the cluster is served without.
    const isOurs = sharedAs === undefined || record.madeBy === sharedAs
    const ours = { ...(fabric === undefined ? {} : { fabric }), ...(diskImages === undefined ? {} : { diskImages }) }
    const { fabricAddress: _, ...spec } = record.spec
    const place = await this.#place(record, isOurs)
    return await startControlPlane(childScope(this.#scope, { cluster: record.spec.name }), {
      ...rest,
      ...(isOurs ? ours : {}),
      candidate: sharedAs ?? hostName(dataDir),
      isAlone: sharedAs === undefined,
      record: isOurs ? record : { ...record, spec },
      ...(await this.#keyspace(record)),
      localAddress: place.host,
      localPort: place.port,
      tunnelSocket: this.#tunnelSocket(record),
      virtualNetworkId: () => this.#records.get(id)?.virtualNetworkId,
    })
  }

  /** The address of its own; one that another server made, and perhaps serves on this host, gets a port of 127.0.0.1. */
  async #place(record: ClusterRecord, isOurs: boolean): Promise<Place> {
    const place = isOurs ? ownPlace(this.#options, record.index) : { host: '127.0.0.1', port: await freePort() }
    this.#places.set(record.spec.id, place)
    return place
  }

  async #halt(id: string): Promise<void> {
    const starting = this.#running.get(id)
    if (starting === undefined) return
    this.#running.delete(id)
    this.#alivePlanes.delete(id)
    const plane = await starting
    await plane[Symbol.asyncDispose]()
    if (plane.record.ownStore === true) await this.#own.close(plane.record.key)
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

  #localUrl(record: ClusterRecord): string {
    const { host, port } = this.#places.get(record.spec.id) ?? ownPlace(this.#options, record.index)
    return `https://${host}:${port}`
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
