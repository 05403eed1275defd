// The spot market of a region as people order it: what a size costs and how much of it there is. Read by whoever starts or ends
// spot machines; kept in the store, so that a restart changes nothing.

import { AksError } from '../../azure-errors.ts'
import type { Suppliers } from '../../hub.ts'
import type { ClusterRecord, MachineRecord, PoolRecord } from '../../records.ts'
import { judgeBegin, type SpotMachine, type SpotMarket } from '../../spot.ts'
import { keys, type Change, type ResourceStore, type Stored } from '../../store-keyspace.ts'
import { isSpot } from '../../upgrade-plan.ts'
import { listClusters, machinesOf, poolsOf } from './cluster-store.ts'
import { engineId, subscriptionOf } from './pass.ts'

/** A size in a region of a subscription. */
export interface MarketPlace {
  readonly subscriptionId: string
  readonly location: string
  readonly vmSize: string
}

export interface MarketRecord extends SpotMarket {
  readonly kind: 'spotMarket'
  readonly location: string
}

/** A spot machine with everything that it belongs to. */
export interface Standing {
  readonly cluster: ClusterRecord
  readonly pool: Stored<PoolRecord>
  readonly machine: Stored<MachineRecord>
  readonly spot: SpotMachine
}

export function marketsKey({ subscriptionId, location }: Omit<MarketPlace, 'vmSize'>): string {
  return keys.below(
    `/subscriptions/${subscriptionId}/providers/Microsoft.ContainerService/locations/${location}/spotMarket`,
  )
}

export function marketKey(place: MarketPlace): string {
  return `${marketsKey(place)}${place.vmSize.toLowerCase()}`
}

/** Without bounds where nobody ordered any. */
export async function readMarket(store: ResourceStore, place: MarketPlace): Promise<SpotMarket> {
  return (await store.get<MarketRecord>(marketKey(place)))?.value ?? { vmSize: place.vmSize }
}

/** All spot machines of the size that nobody has told to go. */
export async function spotMachines(
  store: ResourceStore,
  suppliers: Pick<Suppliers, 'machines'>,
  place: MarketPlace,
): Promise<readonly Standing[]> {
  const standing: Standing[] = []
  for (const cluster of await listClusters(store, `/subscriptions/${place.subscriptionId}`)) {
    if (cluster.location !== place.location || cluster.progress.deleting === true) continue
    const pools = (await poolsOf(store, cluster.id)).filter(({ value }) => isSpotOf(value, place.vmSize))
    if (pools.length === 0) continue
    const machines = await machinesOf(store, cluster.id)
    for (const pool of pools) {
      const there = new Set(
        suppliers
          .machines(pool.value.simulated)
          .list(engineId(cluster))
          .map(({ name }) => name),
      )
      for (const machine of machines) {
        const { value } = machine
        if (value.pool !== pool.value.name || value.leavingSinceMs !== undefined || value.eviction !== undefined)
          continue
        standing.push({ cluster, pool, machine, spot: spotMachine(pool.value, value, there.has(value.name)) })
      }
    }
  }
  return standing
}

function isSpotOf({ properties }: PoolRecord, vmSize: string): boolean {
  return isSpot(properties) && properties.vmSize.toLowerCase() === vmSize.toLowerCase()
}

function spotMachine(pool: PoolRecord, { name, clusterId, instance }: MachineRecord, exists: boolean): SpotMachine {
  const maxPrice = pool.properties['spotMaxPrice']
  return { name, clusterId, instance, maxPrice: typeof maxPrice === 'number' ? maxPrice : -1, exists }
}

/** Throws what Azure answers where a spot machine may not begin. */
export async function judgeSpotBegin(
  store: ResourceStore,
  suppliers: Pick<Suppliers, 'machines'>,
  {
    cluster,
    pool,
    machine,
  }: { readonly cluster: ClusterRecord; readonly pool: PoolRecord; readonly machine: MachineRecord },
): Promise<void> {
  if (!isSpot(pool.properties)) return
  const { vmSize } = pool.properties
  const place = { subscriptionId: subscriptionOf(cluster.id), location: cluster.location, vmSize }
  const market = await readMarket(store, place)
  if (market.pricePerHour === undefined && market.capacity === undefined) return
  const all = (await spotMachines(store, suppliers, place)).map(({ spot }) => spot)
  switch (judgeBegin(market, machine.name, all)) {
    case 'price':
      throw new AksError(
        409,
        'OperationNotAllowed',
        `Unable to perform operation 'Create VM' since the provided max price '${String(pool.properties['spotMaxPrice'])} USD' is lower than the current spot price '${market.pricePerHour} USD' for Azure Spot VM size '${vmSize}'. For more information, see https://aka.ms/azurespot`,
      )
    case 'capacity':
      throw new AksError(
        409,
        'AllocationFailed',
        `Allocation failed. We do not have sufficient capacity for the requested VM size '${vmSize}' with priority Spot in this region.`,
      )
    case undefined:
      return
  }
}

/** The changes that tell these machines of a pool to go. With the policy Delete the pool has so many fewer from now on. */
export function evictionChanges(
  pool: Stored<PoolRecord>,
  evicted: readonly { readonly machine: Stored<MachineRecord>; readonly why: string }[],
  nowMs: number,
): readonly Change[] {
  const deletes = pool.value.properties['scaleSetEvictionPolicy'] !== 'Deallocate'
  const { properties } = pool.value
  const counted = { ...pool.value, properties: { ...properties, count: properties.count - evicted.length } }
  return [
    ...(deletes ? [{ kind: 'put' as const, key: pool.key, value: counted, expected: pool.modRevision }] : []),
    ...evicted.map(({ machine: { key, value, modRevision }, why }) => ({
      kind: 'put' as const,
      key,
      value: {
        ...value,
        eviction: { sinceMs: nowMs, why },
        ...(deletes ? { leavingSinceMs: nowMs, undrained: true } : {}),
      },
      expected: modRevision,
    })),
  ]
}
