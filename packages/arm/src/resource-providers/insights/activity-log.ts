// The activity log in the store: an event for every request that would change something, refused ones included.

import { ArmError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { ArmRequest, ArmResponse, Route } from '../../front-door/route.ts'
import { AksError } from '../../azure-errors.ts'
import type { OperationRecord } from '../../records.ts'
import { keys, type ResourceStore } from '../../store-keyspace.ts'
import { eventOf, type ActivityEvent } from './activity-event.ts'

/** As long as Azure keeps it. */
export const keptMs = 90 * 86_400_000
/** Events of one subscription at most: the oldest go. */
const keptMax = 50_000

/** The same rows; what each did is written down before it is answered. */
export function withActivityLog(store: ResourceStore, tenantId: string, routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    if (route.open === true || route.method === 'GET' || route.method === 'HEAD') return route
    return {
      ...route,
      handle: async (request) => {
        try {
          const response = await route.handle(request)
          await note(store, tenantId, request, response)
          return response
        } catch (error) {
          if (error instanceof ArmError) await note(store, tenantId, request, refusalOf(error))
          throw error
        }
      },
    }
  })
}

function refusalOf(error: ArmError): ArmResponse {
  return { status: error.status, body: error instanceof AksError ? error.toFlatBody() : error.toBody() }
}

async function note(store: ResourceStore, tenantId: string, request: ArmRequest, response: ArmResponse): Promise<void> {
  const event = eventOf(request, response, tenantId)
  if (event !== undefined) await store.commit([{ kind: 'put', key: keyOf(event), value: event, expected: 0 }])
}

/** Keys sort by time. */
const keyOf = ({ subscriptionId, atMs, id }: ActivityEvent): string =>
  `${keys.activity(subscriptionId)}${String(atMs).padStart(15, '0')}-${id}`

/** Newest first; an operation that has ended has an event of its own for that. */
export async function readEvents(store: ResourceStore, subscriptionId: string): Promise<readonly ActivityEvent[]> {
  const stored = await store.list<ActivityEvent>(keys.activity(subscriptionId))
  const all: ActivityEvent[] = []
  for (const { value } of stored) {
    all.push(value)
    const end = await endOf(store, value)
    if (end !== undefined) all.push(end)
  }
  // What began and ended within a millisecond began first.
  const order = ({ status }: ActivityEvent): number => (status === 'Started' ? 0 : 1)
  return all.toSorted((left, right) => right.atMs - left.atMs || order(right) - order(left))
}

async function endOf(store: ResourceStore, begun: ActivityEvent): Promise<ActivityEvent | undefined> {
  if (begun.status !== 'Started' || begun.operation === undefined) return undefined
  const key = keys.operation(begun.subscriptionId, begun.operation)
  const operation = (await store.get<OperationRecord>(key))?.value
  return operation?.endTime === undefined ? undefined : endedEvent(begun, operation)
}

function endedEvent(begun: ActivityEvent, { status, endTime, error }: OperationRecord): ActivityEvent {
  const failed = status === 'Failed' && error !== undefined
  return {
    ...begun,
    // The id of the end follows from that of the beginning: every reader is told the same.
    id: `${begun.id.slice(0, -1)}${begun.id.endsWith('0') ? '1' : '0'}`,
    atMs: Date.parse(endTime!),
    status: status === 'InProgress' ? 'Started' : status,
    statusCode: failed ? 409 : 200,
    ...(failed ? { error: { code: error.code, message: error.message } } : {}),
  }
}

/** Operations are forgotten before the log is: what it tells of their end is written down first. */
export async function keepEnd(store: ResourceStore, operation: OperationRecord): Promise<void> {
  const begun = (await store.list<ActivityEvent>(keys.activity(operation.subscriptionId))).find(
    ({ value }) => value.operation === operation.id && value.status === 'Started',
  )
  if (begun === undefined) return
  const end = endedEvent(begun.value, operation)
  await store.commit([{ kind: 'put', key: keyOf(end), value: end, expected: 0 }])
}

export async function pruneEvents(scope: Scope, store: ResourceStore): Promise<void> {
  const before = scope.clock.now() - keptMs
  const all = await store.list<ActivityEvent>(keys.activities)
  const excess = Math.max(0, all.length - keptMax)
  for (const [index, { key, value, modRevision }] of all.entries())
    if (value.atMs < before || index < excess) await store.commit([{ kind: 'delete', key, expected: modRevision }])
}
