// Orders to the spot market, which Azure takes from nobody: price and capacity of a size in a region, and the eviction of one
// machine. Paths of our own, for the command line and for tests.

import { AksError, badRequest, notAllowed } from '../../azure-errors.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { MachineRecord } from '../../records.ts'
import { judgeMarket, type SpotMarket } from '../../spot.ts'
import { keys, type Change } from '../../store-keyspace.ts'
import { isSpot } from '../../upgrade-plan.ts'
import { readObject } from '../body.ts'
import { readLocation } from '../resources/names.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { poolsOf, readCluster } from './cluster-store.ts'
import {
  evictionChanges,
  marketKey,
  marketsKey,
  spotMachines,
  type MarketPlace,
  type MarketRecord,
  type Standing,
} from './spot-market.ts'
import { findVmSize } from './vm-sizes.ts'

const markets = '/subscriptions/:subscription/providers/Microsoft.ContainerService/locations/:location/spotMarket'

export function spotRoutes(hub: Hub): readonly Route[] {
  return [
    { method: 'GET', path: markets, handle: (request) => list(hub, request) },
    { method: 'PUT', path: `${markets}/:size`, handle: (request) => put(hub, request) },
    { method: 'POST', path: `${clusterPath}/machines/:machine/evict`, handle: (request) => evict(hub, request) },
  ]
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const place = { subscriptionId: param(request, 'subscription'), location: locationOf(request) }
  const all = await hub.store.list<MarketRecord>(marketsKey(place))
  return ok({ value: all.map(({ value }) => marketBody(value)) })
}

function marketBody({ vmSize, location, pricePerHour, capacity }: MarketRecord): unknown {
  return { vmSize, location, pricePerHour, capacity }
}

function locationOf(request: ArmRequest): string {
  return readLocation(param(request, 'location'), 'Microsoft.ContainerService/managedClusters')
}

/** Replaces what was ordered for the size, and tells those to go for whom there is no place any more. */
async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const size = findVmSize(param(request, 'size'))
  if (size === undefined) throw badRequest(`There is no VM size '${param(request, 'size')}'.`)
  const location = locationOf(request)
  const place: MarketPlace = { subscriptionId: param(request, 'subscription'), location, vmSize: size.name }
  const market = readMarketWish(request.body, size.name)
  const evicted = await hub.store.decide(async () => {
    const key = marketKey(place)
    const before = await hub.store.get<MarketRecord>(key)
    const standing = await spotMachines(hub.store, hub.suppliers, place)
    const existing = standing.filter(({ spot }) => spot.exists)
    const gone = judgeMarket(
      market,
      existing.map(({ spot }) => spot),
    ).map(({ machine, why }) => ({ ...existing.find(({ spot }) => spot === machine)!, why }))
    const record: MarketRecord = { kind: 'spotMarket', location, ...market }
    const changes: Change[] = [
      { kind: 'put', key, value: record, expected: before?.modRevision ?? 0 },
      ...byPool(gone).flatMap((of) => evictionChanges(of[0]!.pool, of, request.scope.clock.now())),
    ]
    return { changes, result: gone }
  })
  // Those that wait for a place may have one now.
  const clusters = [...evicted, ...(await spotMachines(hub.store, hub.suppliers, place))].map(
    ({ cluster }) => cluster.id,
  )
  for (const id of new Set(clusters)) hub.wake(id)
  return ok({ location, ...market, evicted: evicted.map(({ machine }) => machine.value.name) })
}

function byPool<T extends Standing>(gone: readonly T[]): readonly (readonly T[])[] {
  return [...Map.groupBy(gone, ({ pool }) => pool.key).values()]
}

function readMarketWish(given: unknown, vmSize: string): SpotMarket {
  const { pricePerHour, capacity } = readObject(given)
  const number = (name: string, value: unknown, isGood: (value: number) => boolean): number | undefined => {
    if (value === undefined || value === null) return undefined
    if (typeof value === 'number' && isGood(value)) return value
    throw badRequest(`"${name}" is to be a number that is not negative, not ${JSON.stringify(value)}.`, name)
  }
  const price = number('pricePerHour', pricePerHour, (value) => value >= 0)
  const room = number('capacity', capacity, (value) => Number.isInteger(value) && value >= 0)
  return {
    vmSize,
    ...(price === undefined ? {} : { pricePerHour: price }),
    ...(room === undefined ? {} : { capacity: room }),
  }
}

/** Azure's simulateEviction, for one machine of a spot pool. */
async function evict(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const cluster = (await readCluster(hub.store, clusterRef(request))).value
  const name = param(request, 'machine')
  await hub.store.decide(async () => {
    const machine = await hub.store.get<MachineRecord>(keys.machine(cluster.id, name))
    const pools = await poolsOf(hub.store, cluster.id)
    const pool = pools.find(({ value }) => value.name === machine?.value.pool)
    if (machine === undefined || pool === undefined) {
      throw new AksError(404, 'NotFound', `There is no machine "${name}" in managed cluster '${cluster.name}'.`)
    }
    if (!isSpot(pool.value.properties)) {
      throw notAllowed(
        `Machine "${name}" belongs to agent pool '${pool.value.name}', which is no spot pool: nobody evicts it.`,
      )
    }
    if (machine.value.leavingSinceMs !== undefined || machine.value.eviction !== undefined) {
      throw notAllowed(`Machine "${name}" has been told to go already.`)
    }
    const why = 'it was ordered'
    return { changes: evictionChanges(pool, [{ machine, why }], request.scope.clock.now()), result: undefined }
  })
  hub.wake(cluster.id)
  return { status: 202 }
}
