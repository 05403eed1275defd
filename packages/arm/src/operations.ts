// Long-running operations: a status document that outlives its resource, and the two addresses clients poll.

import { anySignal } from '@aksel/base/any-signal'
import { uuid } from '@aksel/base/ids'
import type { ArmErrorBody } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { keys, type Change, type ResourceStore, type Stored } from './store-keyspace.ts'
import type { Json, OperationRecord } from './records.ts'

/** Seconds a client is told to wait between polls; the status address itself answers as soon as the operation ends. */
export const retryAfterSeconds = 1

/** How long a poll is held open for the end of the operation, unless it says `Prefer: wait=SECONDS`. */
const pollHoldSeconds = 5
const pollHoldSecondsMax = 50

/** Status documents are kept this long after the end. */
const keptMs = 48 * 3_600_000

export function newOperation(
  scope: Scope,
  about: Pick<OperationRecord, 'subscriptionId' | 'location' | 'resourceId' | 'outcome'>,
): OperationRecord {
  return {
    ...about,
    id: uuid(scope.random),
    status: 'InProgress',
    startTime: new Date(scope.clock.now()).toISOString(),
  }
}

export function startOf(operation: OperationRecord): Change {
  return { kind: 'put', key: keys.operation(operation.subscriptionId, operation.id), value: operation, expected: 0 }
}

/** The change that ends an operation; undefined where it has ended already or is unknown. */
export async function endOf(
  scope: Scope,
  store: ResourceStore,
  subscriptionId: string,
  id: string,
  failure?: { readonly error: ArmErrorBody; readonly status?: 'Failed' | 'Canceled' },
): Promise<Change | undefined> {
  const key = keys.operation(subscriptionId, id)
  const stored = await store.get<OperationRecord>(key)
  if (stored === undefined || stored.value.status !== 'InProgress') return undefined
  const ended: OperationRecord = {
    ...stored.value,
    status: failure === undefined ? 'Succeeded' : (failure.status ?? 'Failed'),
    endTime: new Date(scope.clock.now()).toISOString(),
    ...(failure === undefined ? {} : { error: failure.error }),
  }
  return { kind: 'put', key, value: ended, expected: stored.modRevision }
}

/** The body of an Azure-AsyncOperation address. While it runs, `properties.step` says in words what is being done. */
export function statusDocument(operation: OperationRecord, step?: string): Json {
  const { id, subscriptionId, location, status, startTime, endTime, error } = operation
  return {
    id: `/subscriptions/${subscriptionId}/providers/${namespaceOf(operation)}/locations/${location}/operations/${id}`,
    name: id,
    status,
    startTime,
    ...(endTime === undefined ? {} : { endTime }),
    ...(error === undefined ? {} : { error }),
    ...(step === undefined || status !== 'InProgress' ? {} : { properties: { step } }),
  }
}

/** Headers of an answer that starts an operation. `origin` is the scheme and host that the caller used. */
export function operationHeaders(operation: OperationRecord, origin: string): Readonly<Record<string, string>> {
  const { id, subscriptionId, location } = operation
  const base = `${origin}/subscriptions/${subscriptionId}/providers/${namespaceOf(operation)}/locations/${location}`
  const version = 'api-version=2016-03-30'
  return {
    'azure-asyncoperation': `${base}/operations/${id}?${version}`,
    ...(operation.outcome === 'nothing' ? { location: `${base}/operationresults/${id}?${version}` } : {}),
    'retry-after': String(retryAfterSeconds),
    'x-ms-operation-identifier': id,
  }
}

/** Whose addresses clients poll: the provider's that the operation's resource belongs to. */
function namespaceOf({ resourceId }: OperationRecord): string {
  return /\/providers\/microsoft\.network\//i.test(resourceId) ? 'Microsoft.Network' : 'Microsoft.ContainerService'
}

/** The operation, once it has ended or the hold is over. */
export async function heldOperation(
  scope: Scope,
  store: ResourceStore,
  subscriptionId: string,
  id: string,
  prefer: string | undefined,
): Promise<OperationRecord | undefined> {
  const key = keys.operation(subscriptionId, id)
  const read = (): Promise<Stored<OperationRecord> | undefined> => store.get<OperationRecord>(key)
  const hold = new AbortController()
  using timer = scope.clock.after(holdSeconds(prefer) * 1_000, () => hold.abort())
  await store.changed(
    key,
    async () => (await read())?.value.status !== 'InProgress',
    anySignal([scope.signal, hold.signal]),
  )
  timer[Symbol.dispose]()
  return (await read())?.value
}

function holdSeconds(prefer: string | undefined): number {
  const asked = /\bwait=(\d{1,4})\b/.exec(prefer ?? '')?.[1]
  return asked === undefined ? pollHoldSeconds : Math.min(Number(asked), pollHoldSecondsMax)
}

/** Forgets operations that ended long ago; `keep` hears of each before. */
export async function pruneOperations(
  scope: Scope,
  store: ResourceStore,
  keep: (operation: OperationRecord) => Promise<void> = async () => {},
): Promise<void> {
  const before = scope.clock.now() - keptMs
  for (const { key, value, modRevision } of await store.list<OperationRecord>(keys.operations)) {
    if (value.endTime === undefined || Date.parse(value.endTime) > before) continue
    await keep(value)
    await store.commit([{ kind: 'delete', key, expected: modRevision }])
  }
}
