// A written network resource is followed: public addresses are reserved, the fabric is told, and the operation ends.

import type { ArmErrorBody } from '@aksel/base/errors'
import { firstFreePart } from '@aksel/base/ipv4'
import { endOf } from '../../operations.ts'
import type { DocumentRecord } from '../../records.ts'
import { keys, type Change } from '../../store-keyspace.ts'
import type { Pass } from '../container-service/pass.ts'
import { affectedNetworks, fabricNetwork } from './fabric-plan.ts'
import { refused } from './network-errors.ts'
import { readWorld, type NetworkWorld } from './network-world.ts'
import { wantedRange } from './public-addresses.ts'

export function isNetworkId(id: string): boolean {
  return /\/providers\/microsoft\.network\/[^/]+\/[^/]+$/i.test(id)
}

/** Every step may have been done before. `again`: it was written anew meanwhile. */
export async function reconcileNetworkResource(pass: Pass, id: string): Promise<'done' | 'again'> {
  const key = keys.resource(id)
  const stored = await pass.store.get<DocumentRecord>(key)
  if (stored?.value.kind !== 'document') return 'done'
  const { value } = stored
  if (value.progress?.deleting === true) {
    await releaseAddresses(pass, [value])
    return (await end(pass, value, { kind: 'delete', key, expected: stored.modRevision })) ? 'done' : 'again'
  }
  const reserved = await reservedDocument(pass, value)
  const { progress: _, ...rest } = reserved
  const finished: DocumentRecord = { ...rest, progress: { provisioningState: 'Succeeded' } }
  // The fabric is told of what will stand when the operation has ended.
  const world = withDocument(await readWorld(pass, id.split('/')[2]!), key, finished)
  await tellFabric(pass, world, id)
  if (value.progress?.operationId === undefined && reserved === value) return 'done'
  return (await end(pass, value, { kind: 'put', key, value: finished, expected: stored.modRevision }))
    ? 'done'
    : 'again'
}

function withDocument(world: NetworkWorld, key: string, value: DocumentRecord): NetworkWorld {
  const documents = new Map(world.documents).set(value.id.toLowerCase(), { key, value, modRevision: 0 })
  return { ...world, documents }
}

/** Puts the networks that a change of this resource touches in force where they stand. */
export async function tellFabric(pass: Pass, world: NetworkWorld, id: string): Promise<void> {
  const { fabric } = pass.suppliers
  if (fabric === undefined) return
  for (const network of affectedNetworks(world, id)) {
    await fabric.updateVirtualNetwork(pass.scope, fabricNetwork(network, world))
  }
}

/** With its public address or range, where it is to have one and has none yet. */
export async function reservedDocument(pass: Pass, value: DocumentRecord): Promise<DocumentRecord> {
  const wanted = wantedRange(value)
  if (wanted === undefined) return value
  const { fabric } = pass.suppliers
  const request = { id: value.id.toLowerCase(), prefixLength: wanted.prefixLength }
  const range =
    fabric === undefined ? await standIn(pass, request) : await fabric.reservePublicRange(pass.scope, request)
  const text = wanted.prefixLength === 32 ? range.replace(/\/32$/, '') : range
  return { ...value, properties: { ...value.properties, [wanted.field]: text } }
}

/** Where there is no fabric, nothing is ever reached at the address: it is one that RFC 5737 keeps for documentation. */
async function standIn(
  pass: Pass,
  { id, prefixLength }: { readonly id: string; readonly prefixLength: number },
): Promise<string> {
  const world = await readWorld(pass, id.split('/')[2]!)
  const used = new Set(
    [...world.documents.values()].flatMap(({ value }) => {
      const { ipAddress, ipPrefix } = value.properties as { readonly ipAddress?: string; readonly ipPrefix?: string }
      return ipAddress === undefined ? (ipPrefix ?? []) : `${ipAddress}/32`
    }),
  )
  const part = firstFreePart(prefixLength === 32 ? '203.0.113.0/24' : '198.51.100.0/24', prefixLength, used)
  if (part === undefined)
    throw refused('PublicIPCountLimitReached', 'Cannot create more public IP addresses: the range is used up.')
  return part
}

/** Gives public addresses back: those resources are going. */
export async function releaseAddresses(pass: Pass, gone: readonly DocumentRecord[]): Promise<void> {
  for (const { id, type } of gone) {
    if (!type.startsWith('Microsoft.Network/publicIP')) continue
    await pass.suppliers.fabric?.releasePublicRange(pass.scope, id.toLowerCase())
  }
}

async function end(pass: Pass, { id, progress }: DocumentRecord, change: Change): Promise<boolean> {
  const { operationId } = progress ?? {}
  if (operationId === undefined) return pass.store.commit([change])
  const ended = await endOf(pass.scope, pass.store, id.split('/')[2]!, operationId)
  return pass.store.commit(ended === undefined ? [change] : [change, ended])
}

/** The operation ends as failed, and the resource says so until it is written again. */
export async function failNetworkResource(pass: Pass, id: string, error: ArmErrorBody): Promise<void> {
  await pass.store.decide(async () => {
    const stored = await pass.store.get<DocumentRecord>(keys.resource(id))
    const operationId = stored?.value.progress?.operationId
    if (stored === undefined || operationId === undefined) return { changes: [], result: undefined }
    const ended = await endOf(pass.scope, pass.store, stored.value.id.split('/')[2]!, operationId, { error })
    const value: DocumentRecord = { ...stored.value, progress: { provisioningState: 'Failed', error } }
    const change: Change = { kind: 'put', key: stored.key, value, expected: stored.modRevision }
    return { changes: ended === undefined ? [change] : [change, ended], result: undefined }
  })
}
