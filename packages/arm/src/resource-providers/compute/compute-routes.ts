// The part of Azure's compute provider that clients of AKS use: sizes by region, and the scale sets of node resource groups, which are
// read and given identities.

import { resourceNotFound } from '../../azure-errors.ts'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { ClusterRecord, Json, MachineRecord, PoolRecord } from '../../records.ts'
import { regions } from '../../regions.ts'
import { normalLocation } from '../../resource-id.ts'
import { keys } from '../../store-keyspace.ts'
import { vmSizes } from '../container-service/vm-sizes.ts'
import { readGroup } from '../resources/groups.ts'
import { identityNotFound, readAssignment } from './identity-assignment.ts'
import { assignedIdentity, scaleSetIdentities } from './machine-identities.ts'
import { instanceBody, scaleSetBody, scaleSetName, sizeBody, skuBody, type ScaleSet } from './compute-views.ts'

const subscription = '/subscriptions/:subscription'
const compute = 'providers/Microsoft.Compute'

export function computeRoutes(hub: Hub): readonly Route[] {
  const sets = `${subscription}/resourcegroups/:group/${compute}/virtualMachineScaleSets`
  return [
    { method: 'GET', path: `${subscription}/${compute}/skus`, handle: skus },
    {
      method: 'GET',
      path: `${subscription}/${compute}/locations/:location/vmSizes`,
      handle: () => ok({ value: vmSizes.map(sizeBody) }),
    },
    {
      method: 'GET',
      path: `${subscription}/${compute}/virtualMachineScaleSets`,
      handle: async (request) => page(request, (await scaleSets(hub, request)).map(scaleSetBody)),
    },
    {
      method: 'GET',
      path: sets,
      handle: async (request) => page(request, (await scaleSetsOfGroup(hub, request)).map(scaleSetBody)),
    },
    { method: 'GET', path: `${sets}/:set`, handle: async (request) => ok(scaleSetBody(await scaleSet(hub, request))) },
    { method: 'PATCH', path: `${sets}/:set`, handle: async (request) => ok(await assign(hub, request)) },
    {
      method: 'GET',
      path: `${sets}/:set/virtualMachines`,
      handle: async (request) => {
        const set = await scaleSet(hub, request)
        return page(
          request,
          set.machines.map((machine) => instanceBody(set, machine)),
        )
      },
    },
    { method: 'GET', path: `${sets}/:set/virtualMachines/:instance`, handle: (request) => instance(hub, request) },
  ]
}

/** Of all regions, unless `$filter` names one: `location eq 'eastus'`. */
function skus(request: ArmRequest): ArmResponse {
  const wanted = /location eq '([^']+)'/i.exec(request.query['$filter'] ?? '')?.[1]
  const places = wanted === undefined ? regions.map(({ name }) => name) : [normalLocation(wanted)]
  return page(
    request,
    places.flatMap((place) => vmSizes.map((size) => skuBody(size, place))),
  )
}

async function scaleSets(hub: Hub, request: ArmRequest): Promise<readonly ScaleSet[]> {
  const below = keys.below(`/subscriptions/${param(request, 'subscription')}`)
  const all = (await hub.store.list<ClusterRecord | PoolRecord>(below)).map(({ value }) => value)
  const clusters = new Map(all.flatMap((one) => (one.kind === 'cluster' ? [[one.id.toLowerCase(), one] as const] : [])))
  const pools = all.filter((one) => one.kind === 'pool')
  const sets = await Promise.all(
    pools.map(async (pool): Promise<readonly ScaleSet[]> => {
      const cluster = clusters.get(pool.clusterId.toLowerCase())
      if (cluster === undefined || scaleSetName({ cluster, pool }) === undefined) return []
      const machines = await hub.store.list<MachineRecord>(keys.machines(cluster.id))
      const own = machines.map(({ value }) => value).filter((machine) => machine.pool === pool.name)
      const identities = await scaleSetIdentities(hub.store, { cluster, pool })
      return [{ cluster, pool, identities, machines: own.toSorted((a, b) => a.instance - b.instance) }]
    }),
  )
  return sets.flat()
}

async function scaleSetsOfGroup(hub: Hub, request: ArmRequest): Promise<readonly ScaleSet[]> {
  const group = param(request, 'group')
  await readGroup(hub.store, { subscriptionId: param(request, 'subscription'), resourceGroup: group })
  const all = await scaleSets(hub, request)
  return all.filter(({ cluster }) => cluster.properties.nodeResourceGroup.toLowerCase() === group.toLowerCase())
}

async function scaleSet(hub: Hub, request: ArmRequest): Promise<ScaleSet> {
  const name = param(request, 'set')
  const found = (await scaleSetsOfGroup(hub, request)).find(
    (set) => scaleSetName(set)?.toLowerCase() === name.toLowerCase(),
  )
  if (found !== undefined) return found
  throw resourceNotFound(`Microsoft.Compute/virtualMachineScaleSets/${name}`, param(request, 'group'))
}

/** Identities alone: everything else of a scale set is its pool's. */
async function assign(hub: Hub, request: ArmRequest): Promise<Json> {
  const { pool } = await scaleSet(hub, request)
  const assigned = readAssignment(request.body)
  const given = assigned.filter(({ isKept }) => isKept)
  for (const { id } of given) {
    if ((await assignedIdentity(hub.store, id)).length === 0) throw identityNotFound(request.url.split('?')[0]!, id)
  }
  const names = new Set(assigned.map(({ id }) => id.toLowerCase()))
  await hub.store.update<PoolRecord>(keys.resource(pool.id), (current) => {
    const others = (current.identities ?? []).filter((id) => !names.has(id.toLowerCase()))
    return { ...current, identities: [...others, ...given.map(({ id }) => id)] }
  })
  return scaleSetBody(await scaleSet(hub, request))
}

async function instance(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const set = await scaleSet(hub, request)
  const id = param(request, 'instance')
  const machine = set.machines.find((one) => String(one.instance) === id)
  if (machine !== undefined) return ok(instanceBody(set, machine))
  const name = `Microsoft.Compute/virtualMachineScaleSets/${param(request, 'set')}/virtualMachines/${id}`
  throw resourceNotFound(name, param(request, 'group'))
}
