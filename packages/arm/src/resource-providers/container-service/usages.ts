// Quotas of a subscription in a region: clusters, and processors in all and by family of sizes. None but Azure's own limit stands
// until somebody orders one, for there is nothing to run out of here; whoever rehearses orders the one that he has in Azure.

import { AksError, badRequest } from '../../azure-errors.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { ClusterRecord, PoolRecord } from '../../records.ts'
import { keys, type ResourceStore } from '../../store-keyspace.ts'
import { readObject } from '../body.ts'
import { readLocation } from '../resources/names.ts'
import { listClusters, poolsOf } from './cluster-store.ts'
import { findVmSize } from './vm-sizes.ts'
import { sizesOf } from './virtual-machines-pool.ts'

export interface QuotaRecord {
  readonly kind: 'quota'
  readonly name: string
  readonly limit: number
}

interface Usage {
  readonly name: string
  readonly localizedValue: string
  readonly currentValue: number
}

interface Place {
  readonly subscriptionId: string
  readonly location: string
}

/** Of a subscription. */
const clustersMax = 5000
/** What is shown where nobody ordered a limit for processors. */
const coresMax = 100_000
const clustersName = 'ManagedClusters'
const coresName = 'cores'

const clusterUsages = '/subscriptions/:subscription/providers/Microsoft.ContainerService/locations/:location/usages'
const computeUsages = '/subscriptions/:subscription/providers/Microsoft.Compute/locations/:location/usages'

export function usageRoutes(hub: Hub): readonly Route[] {
  const list =
    (isOurs: (name: string) => boolean): Route['handle'] =>
    (request) =>
      listUsages(hub, request, isOurs)
  return [
    { method: 'GET', path: clusterUsages, handle: list((name) => name === clustersName) },
    { method: 'GET', path: computeUsages, handle: list((name) => name !== clustersName) },
    { method: 'PUT', path: `${clusterUsages}/:name`, handle: (request) => order(hub, request) },
    { method: 'PUT', path: `${computeUsages}/:name`, handle: (request) => order(hub, request) },
  ]
}

async function listUsages(hub: Hub, request: ArmRequest, isOurs: (name: string) => boolean): Promise<ArmResponse> {
  const place = placeOf(request)
  const quotas = await quotasOf(hub.store, place)
  const usages = usagesOf(await poolsByCluster(hub.store, place))
  const value = usages
    .filter(({ name }) => isOurs(name))
    .map(({ name, localizedValue, currentValue }) => ({
      unit: 'Count',
      currentValue,
      limit: quotas.get(name) ?? (name === clustersName ? clustersMax : coresMax),
      name: { value: name, localizedValue },
    }))
  return ok({ value })
}

/** A path of our own: Azure takes such an order as a support request. */
async function order(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const place = placeOf(request)
  const name = param(request, 'name')
  const { limit } = readObject(request.body)
  if (limit !== null && (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 0)) {
    throw badRequest('"limit" is to be a whole number that is not negative, or null for no limit.', 'limit')
  }
  await hub.store.decide(async () => {
    const key = `${quotasKey(place)}${name.toLowerCase()}`
    const before = await hub.store.get<QuotaRecord>(key)
    if (limit === null) {
      return {
        changes: before === undefined ? [] : [{ kind: 'delete' as const, key, expected: before.modRevision }],
        result: undefined,
      }
    }
    const value: QuotaRecord = { kind: 'quota', name, limit: limit as number }
    return { changes: [{ kind: 'put' as const, key, value, expected: before?.modRevision ?? 0 }], result: undefined }
  })
  return ok({ name, location: place.location, limit })
}

function placeOf(request: ArmRequest): Place {
  return {
    subscriptionId: param(request, 'subscription'),
    location: readLocation(param(request, 'location'), 'Microsoft.ContainerService/managedClusters'),
  }
}

function quotasKey({ subscriptionId, location }: Place): string {
  return keys.below(`/subscriptions/${subscriptionId}/providers/Microsoft.Quota/locations/${location}/quotas`)
}

/** Limits that were ordered, by name in the words of their order. */
async function quotasOf(store: ResourceStore, place: Place): Promise<ReadonlyMap<string, number>> {
  const all = await store.list<QuotaRecord>(quotasKey(place))
  return new Map(all.map(({ value: { name, limit } }) => [name, limit]))
}

type Pools = readonly Pick<PoolRecord, 'properties' | 'power'>[]

async function poolsByCluster(store: ResourceStore, place: Place): Promise<ReadonlyMap<string, Pools>> {
  const clusters = await listClusters(store, `/subscriptions/${place.subscriptionId}`)
  const here = clusters.filter(({ location }) => location === place.location)
  const pools = await Promise.all(
    here.map(async ({ id, power }) => {
      const all = (await poolsOf(store, id)).map(({ value }) => value)
      return [id.toLowerCase(), power === 'Stopped' ? [] : all] as const
    }),
  )
  return new Map(pools)
}

export function usagesOf(clusters: ReadonlyMap<string, Pools>): readonly Usage[] {
  const families = new Map<string, number>()
  for (const pool of [...clusters.values()].flat()) {
    // What is deallocated uses no processors.
    if (pool.power === 'Stopped') continue
    for (const { size, count } of sizesOf(pool.properties)) {
      const vcpus = (findVmSize(size)?.vcpus ?? 0) * count
      families.set(familyOf(size), (families.get(familyOf(size)) ?? 0) + vcpus)
    }
  }
  const cores = [...families.values()].reduce((sum, vcpus) => sum + vcpus, 0)
  return [
    { name: clustersName, localizedValue: 'Managed Clusters', currentValue: clusters.size },
    { name: coresName, localizedValue: 'Total Regional vCPUs', currentValue: cores },
    ...[...families].map(([name, vcpus]) => ({
      name,
      localizedValue: `${name.replace(/^standard/, 'Standard ').replace(/Family$/, ' Family')} vCPUs`,
      currentValue: vcpus,
    })),
  ]
}

/** `Standard_D2s_v5` is of `standardDSv5Family`. */
export function familyOf(size: string): string {
  const match = /^standard_([a-z]+)\d+([a-z]*)(?:_(?!v\d)[a-z0-9]+)?(?:_v(\d+))?$/i.exec(size)
  if (match === null) return `${size}Family`
  const [, letters, features, version] = match as unknown as [string, string, string, string | undefined]
  return `standard${letters.toUpperCase()}${features.toUpperCase()}${version === undefined ? '' : `v${version}`}Family`
}

/** Throws what Azure answers where the write would go past a limit that was ordered. */
export async function judgeQuota(
  hub: Pick<Hub, 'store'>,
  write: {
    readonly subscriptionId: string
    readonly cluster: Pick<ClusterRecord, 'id' | 'location'>
    /** All of the cluster's, as they would be. */
    readonly pools: Pools
  },
): Promise<void> {
  const { cluster, subscriptionId, pools } = write
  const place = { subscriptionId, location: cluster.location }
  const quotas = await quotasOf(hub.store, place)
  if (quotas.size === 0) return
  const before = await poolsByCluster(hub.store, place)
  const after = new Map([...before, [cluster.id.toLowerCase(), pools] as const])
  const used = new Map(usagesOf(before).map(({ name, currentValue }) => [name, currentValue]))
  for (const { name, currentValue } of usagesOf(after)) {
    const limit = quotas.get(name)
    const had = used.get(name) ?? 0
    if (limit === undefined || currentValue <= limit || currentValue <= had) continue
    throw exceeded(name, { limit, had, wanted: currentValue, location: cluster.location })
  }
}

function exceeded(
  name: string,
  {
    limit,
    had,
    wanted,
    location,
  }: { readonly limit: number; readonly had: number; readonly wanted: number; readonly location: string },
): AksError {
  if (name === clustersName) {
    return new AksError(
      400,
      'ManagedClusterCountExceedsQuotaLimit',
      `The number of managed clusters in region ${location} has reached the quota limit of ${limit}. Please delete unused clusters or request a higher limit.`,
    )
  }
  const left = Math.max(0, limit - had)
  const family = name === coresName ? 'regional' : `family ${name}`
  return new AksError(
    400,
    'ErrCode_InsufficientVCPUQuota',
    `Insufficient vcpu quota requested ${wanted - had}, remaining ${left} for ${family} for region ${location}. For more information, please visit https://aka.ms/aks/quotas-skus-regions`,
  )
}
