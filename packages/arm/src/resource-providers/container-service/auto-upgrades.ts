// Upgrades that nobody orders: what a channel wants is ordered in a cluster's maintenance window, by the requests of a client.

import { uuid } from '@aksel/base/ids'
import { sleep } from '@aksel/base/clock'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Ask } from '../../front-door/dispatcher.ts'
import type { ArmResponse } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { ClusterRecord, Json, PoolRecord } from '../../records.ts'
import { keys } from '../../store-keyspace.ts'
import { isObject, objectAt } from '../body.ts'
import { listWithPools, type ClusterWithPools } from './cluster-store.ts'
import { isOpen } from './maintenance-window.ts'
import { nextVersion, stalePools } from './upgrade-channels.ts'

const lookEveryMs = 10 * 60_000
const version = 'api-version=2026-05-01'

/** Who orders: known to the activity log, and let through access control, because the cluster's owner chose the channel. */
const caller = { clientId: 'aks-auto-upgrade', objectId: 'aks-auto-upgrade', isService: true } as const

export class AutoUpgrades {
  readonly #scope: Scope
  readonly #hub: Hub
  readonly #ask: Ask

  constructor(scope: Scope, parts: { readonly hub: Hub; readonly ask: Ask }) {
    this.#scope = childScope(scope, { component: 'auto-upgrades' })
    this.#hub = parts.hub
    this.#ask = parts.ask
  }

  /** Until the scope's signal. */
  async run(): Promise<void> {
    const { clock, signal } = this.#scope
    while (!signal.aborted) {
      await sleep(clock, lookEveryMs, signal).catch(() => {})
      if (signal.aborted) return
      await this.look().catch((error: unknown) =>
        this.#scope.log.warn('upgrades by channel could not be looked for', { error }),
      )
    }
  }

  /** Orders what is due now: one upgrade a cluster at most. */
  async look(): Promise<void> {
    for (const { subscriptionId } of this.#hub.subscriptions)
      for (const each of await listWithPools(this.#hub.store, `/subscriptions/${subscriptionId}`))
        await this.#lookAt(each)
  }

  async #lookAt({ cluster, pools }: ClusterWithPools): Promise<void> {
    const isIdle = [cluster, ...pools].every(({ progress }) => progress.operationId === undefined)
    if (!isIdle || cluster.power === 'Stopped' || cluster.progress.deleting === true) return
    const target = nextVersion(cluster, pools)
    if (target !== undefined && (await this.#isOpen(cluster, 'aksManagedAutoUpgradeSchedule', true))) {
      await this.#tell(cluster, target, await this.#upgrade(cluster, pools, target))
      return
    }
    // Nodes are made anew only in a window of the owner's own: a machine of his is not to restart because a Monday came.
    const [stale] = stalePools(cluster, pools, this.#scope.clock.now())
    if (stale === undefined || !(await this.#isOpen(cluster, 'aksManagedNodeOSUpgradeSchedule', false))) return
    await this.#tell(cluster, 'the newest node image', await this.#order('POST', `${stale.id}/upgradeNodeImageVersion`))
  }

  async #isOpen(cluster: ClusterRecord, name: string, otherwise: boolean): Promise<boolean> {
    const key = keys.resource(`${cluster.id}/maintenanceConfigurations/${name}`)
    const stored = await this.#hub.store.get<{ readonly properties: Json }>(key)
    const window = stored === undefined ? undefined : stored.value.properties['maintenanceWindow']
    return isObject(window) ? isOpen(window, this.#scope.clock.now()) : otherwise
  }

  /** The whole cluster: the control plane, then every pool. */
  async #upgrade(cluster: ClusterRecord, pools: readonly PoolRecord[], target: string): Promise<ArmResponse> {
    const read = (await this.#order('GET', cluster.id)).body as Json
    const properties = objectAt(read, 'properties')
    const given = Array.isArray(properties['agentPoolProfiles'])
      ? (properties['agentPoolProfiles'] as readonly Json[])
      : []
    const agentPoolProfiles = given.map((pool) => ({ ...pool, orchestratorVersion: target }))
    return this.#order('PUT', cluster.id, {
      ...read,
      properties: { ...properties, kubernetesVersion: target, ...(pools.length === 0 ? {} : { agentPoolProfiles }) },
    })
  }

  async #order(method: 'GET' | 'PUT' | 'POST', id: string, body?: unknown): Promise<ArmResponse> {
    return this.#ask({
      method,
      url: `${id}?${version}`,
      ...(body === undefined ? {} : { body }),
      caller: { ...caller, tenantId: this.#hub.tenantId },
      origin: 'https://localhost',
      correlationId: uuid(this.#scope.random),
    })
  }

  async #tell(cluster: ClusterRecord, target: string, { status, body }: ArmResponse): Promise<void> {
    if (status < 400) this.#scope.log.info('a channel began an upgrade', { cluster: cluster.id, target })
    // Tried again at the next look: what stands in the way may be gone by then.
    else this.#scope.log.warn('a channel could not upgrade', { cluster: cluster.id, target, answer: body })
  }
}
