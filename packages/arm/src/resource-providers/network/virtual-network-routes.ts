// Virtual networks as Azure shows them: those that clusters were given, their subnets, and which addresses are left.

import { ArmError } from '@aksel/base/errors'
import { contains, formatAddress, lowestFree, parseAddress, parseRange, readAddress } from '@aksel/base/ipv4'
import { resourceNotFound } from '../../azure-errors.ts'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { virtualNetworkType } from '../../machine-spec.ts'
import type { DocumentRecord, GroupRecord, Json } from '../../records.ts'
import { groupId, type GroupRef } from '../../resource-id.ts'
import { keys, type Stored } from '../../store-keyspace.ts'
import { readGroup } from '../resources/groups.ts'

interface SubnetDocument {
  readonly id: string
  readonly name: string
  readonly properties: { readonly addressPrefix: string; readonly provisioningState: string }
}

/** Azure keeps the first four addresses of a subnet and the last. */
const reservedFirst = 4
const reservedCount = 5

export function virtualNetworkRoutes(hub: Hub): readonly Route[] {
  const subscription = '/subscriptions/:subscription'
  const all = `${subscription}/resourcegroups/:group/providers/${virtualNetworkType}`
  const one = `${all}/:network`
  return [
    { method: 'GET', path: `${subscription}/providers/${virtualNetworkType}`, handle: (request) => list(hub, request) },
    { method: 'GET', path: all, handle: (request) => listInGroup(hub, request) },
    { method: 'GET', path: one, handle: async (request) => ok(networkBody(await read(hub, request))) },
    {
      method: 'GET',
      path: `${one}/subnets`,
      handle: async (request) => {
        const network = await read(hub, request)
        const bodies = subnetsOf(network).map((subnet) => subnetBody(subnet, etagOf(network)))
        return page(request, bodies)
      },
    },
    { method: 'GET', path: `${one}/subnets/:subnet`, handle: (request) => subnet(hub, request) },
    { method: 'GET', path: `${one}/usages`, handle: (request) => usages(hub, request) },
    { method: 'GET', path: `${one}/checkIPAddressAvailability`, handle: (request) => availability(hub, request) },
  ]
}

function refOf(request: ArmRequest): GroupRef {
  return { subscriptionId: param(request, 'subscription'), resourceGroup: param(request, 'group') }
}

async function read(hub: Hub, request: ArmRequest): Promise<Stored<DocumentRecord>> {
  const ref = refOf(request)
  await readGroup(hub.store, ref)
  const name = param(request, 'network')
  const id = `${groupId(ref)}/providers/${virtualNetworkType}/${name}`
  const stored = await hub.store.get<DocumentRecord>(keys.resource(id))
  if (stored?.value.kind === 'document') return stored
  throw resourceNotFound(`${virtualNetworkType}/${name}`, ref.resourceGroup)
}

async function listInGroup(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { value } = await readGroup(hub.store, refOf(request))
  return page(request, await networksBelow(hub, value.id))
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return page(request, await networksBelow(hub, `/subscriptions/${param(request, 'subscription')}`))
}

async function networksBelow(hub: Hub, id: string): Promise<readonly Json[]> {
  const all = await hub.store.list<DocumentRecord>(keys.below(id))
  return all.filter(({ value }) => value.kind === 'document' && value.type === virtualNetworkType).map(networkBody)
}

/** Changes with every write of the record, and with nothing else. */
function etagOf({ modRevision }: Stored<DocumentRecord>): string {
  return `W/"00000000-0000-0000-0000-${modRevision.toString(16).padStart(12, '0')}"`
}

function subnetsOf({ value }: Stored<DocumentRecord>): readonly SubnetDocument[] {
  return value.properties['subnets'] as readonly SubnetDocument[]
}

function networkBody(network: Stored<DocumentRecord>): Json {
  const { kind: _, properties, ...envelope } = network.value
  const etag = etagOf(network)
  const subnets = subnetsOf(network).map((each) => subnetBody(each, etag))
  return {
    ...envelope,
    etag,
    properties: { ...properties, subnets, virtualNetworkPeerings: [], enableDdosProtection: false },
  }
}

function subnetBody({ id, name, properties }: SubnetDocument, etag: string): Json {
  return { id, name, etag, type: `${virtualNetworkType}/subnets`, properties: { ...properties, delegations: [] } }
}

async function subnet(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const network = await read(hub, request)
  const name = param(request, 'subnet')
  const found = subnetsOf(network).find((each) => each.name.toLowerCase() === name.toLowerCase())
  if (found !== undefined) return ok(subnetBody(found, etagOf(network)))
  throw new ArmError(404, 'NotFound', `Resource ${network.value.id}/subnets/${name} not found.`)
}

async function usages(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const network = await read(hub, request)
  const taken = await takenAddresses(hub, refOf(request))
  const value = subnetsOf(network).map(({ id, properties }) => {
    const range = parseRange(properties.addressPrefix)
    return {
      id,
      currentValue: [...taken].filter((address) => contains(range, address)).length,
      limit: range.size - reservedCount,
      name: { localizedValue: 'Subnet size and usage', value: 'SubnetSpace' },
      unit: 'Count',
    }
  })
  return page(request, value)
}

async function availability(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const network = await read(hub, request)
  const text = request.query['ipaddress'] ?? ''
  const address = readAddress(text)
  if (address === undefined) {
    throw new ArmError(400, 'InvalidIPAddressFormat', `Value '${text}' is not a valid IP address.`)
  }
  const range = subnetsOf(network)
    .map(({ properties }) => parseRange(properties.addressPrefix))
    .find((each) => contains(each, address))
  if (range === undefined) {
    const message = `Private static IP address ${text} does not belong to the range of any subnet of virtual network ${network.value.id}.`
    throw new ArmError(400, 'PrivateIPAddressNotInAnySubnet', message)
  }
  const taken = await takenAddresses(hub, refOf(request))
  const last = range.first + range.size - 1
  const isReserved = address < range.first + reservedFirst || address === last
  if (!isReserved && !taken.has(address)) return ok({ available: true, isPlatformReserved: false })
  return ok({
    available: false,
    availableIPAddresses: nextFree(isReserved ? range.first + reservedFirst : address, last, taken),
    isPlatformReserved: isReserved,
  })
}

/** Up to five, as Azure proposes them. */
function nextFree(from: number, end: number, taken: ReadonlySet<number>): readonly string[] {
  const free: string[] = []
  for (let at: number | undefined = from; free.length < 5;) {
    at = lowestFree(at, end, (candidate) => taken.has(candidate))
    if (at === undefined) break
    free.push(formatAddress(at))
    at += 1
  }
  return free
}

/** Addresses of the machines of the cluster that the network's group is managed by. */
async function takenAddresses(hub: Hub, ref: GroupRef): Promise<ReadonlySet<number>> {
  const group = await hub.store.get<GroupRecord>(keys.resource(groupId(ref)))
  const clusterId = group?.value.managedBy?.toLowerCase()
  if (clusterId === undefined) return new Set()
  const machines = [false, true].flatMap((simulated) => hub.suppliers.machines(simulated).list(clusterId))
  return new Set(machines.filter(({ address }) => address !== '').map(({ address }) => parseAddress(address)))
}
