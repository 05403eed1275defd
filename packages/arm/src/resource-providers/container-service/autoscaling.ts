// Which clusters have an autoscaler running: those that run and have a pool that is scaled by it.

import type { Client } from '@aksel/client/client'
import { anySignal } from '@aksel/base/any-signal'
import { childScope, type Scope } from '@aksel/base/scope'
import type { NodeGroups } from '@aksel/provider/node-groups'
import type { ClusterRecord, Json } from '../../records.ts'
import { keys, type ResourceStore } from '../../store-keyspace.ts'
import { readableProfile } from './autoscaler-profile.ts'
import { poolsOf } from './cluster-store.ts'
import { isAutoscaled, nodeGroupsOf } from './node-groups.ts'

/** Runs the autoscaler of one cluster until the scope's signal. */
export type Autoscale = (
  scope: Scope,
  cluster: {
    readonly id: string
    readonly client: Client
    readonly groups: NodeGroups
    /** As it stands now: `autoScalerProfile` of the cluster. */
    readonly profile: () => Json
  },
) => Promise<void>

/** With what, and how long: a term of this server, where one bounds it. */
interface Bounds {
  readonly store: ResourceStore
  readonly signal?: AbortSignal
}

interface Parts {
  readonly autoscale: Autoscale
  readonly client: (id: string) => Client
  readonly wake: (id: string) => void
}

interface Running {
  readonly stop: AbortController
  profile: Json
}

export class Autoscalers {
  readonly #scope: Scope
  readonly #parts: Parts
  readonly #running = new Map<string, Running>()

  constructor(scope: Scope, parts: Parts) {
    this.#scope = childScope(scope, { component: 'autoscalers' })
    this.#parts = parts
  }

  /** Starts, goes on with or ends the autoscaler of a cluster, as its records now stand. */
  async sync(clusterId: string, bounds: Bounds): Promise<void> {
    const id = clusterId.toLowerCase()
    const cluster = (await bounds.store.get<ClusterRecord>(keys.resource(id)))?.value
    const profile = await this.#wanted(bounds.store, cluster)
    const known = this.#running.get(id)
    if (profile === undefined) {
      known?.stop.abort(new Error('no pool of the cluster is scaled by itself'))
      this.#running.delete(id)
    } else if (known !== undefined) known.profile = profile
    else this.#start(id, profile, bounds)
  }

  async #wanted(store: ResourceStore, cluster: ClusterRecord | undefined): Promise<Json | undefined> {
    if (cluster === undefined || cluster.power === 'Stopped' || cluster.progress.deleting === true) return undefined
    const pools = await poolsOf(store, cluster.id)
    if (!pools.some(({ value }) => isAutoscaled(value))) return undefined
    return readableProfile(cluster.properties['autoScalerProfile'])
  }

  #start(id: string, profile: Json, { store, signal }: Bounds): void {
    const { autoscale, client, wake } = this.#parts
    const running: Running = { stop: new AbortController(), profile }
    this.#running.set(id, running)
    const stop = running.stop.signal
    const scope = childScope(this.#scope, { cluster: id }, signal === undefined ? stop : anySignal([stop, signal]))
    const groups = nodeGroupsOf(scope, { store, clusterId: id, wake })
    autoscale(scope, { id, client: client(id), groups, profile: () => running.profile })
      .catch((error: unknown) => {
        if (!scope.signal.aborted) scope.log.error('the autoscaler has ended', { error })
      })
      .finally(() => {
        if (this.#running.get(id) === running) this.#running.delete(id)
      })
  }
}
