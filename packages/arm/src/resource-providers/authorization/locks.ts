// Management locks: what they are, and whether one of them stands in a request's way.

import { ArmError } from '@aksel/base/errors'
import { targetOf, type RequestTarget } from '../../front-door/request-target.ts'
import type { ArmRequest, Route } from '../../front-door/route.ts'
import type { ClusterRecord, Json } from '../../records.ts'
import { keys, type ResourceStore, type Stored } from '../../store-keyspace.ts'
import { textAt } from '../body.ts'
import { listClusters } from '../container-service/cluster-store.ts'

export const lockLevels = ['CanNotDelete', 'ReadOnly'] as const
export type LockLevel = (typeof lockLevels)[number]

export interface LockRecord {
  readonly kind: 'lock'
  readonly id: string
  readonly name: string
  readonly scopeId: string
  readonly level: LockLevel
  readonly notes?: string
}

/** The same rows; those that change something ask first whether a lock stands in the way. */
export function withLocks(store: ResourceStore, routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    if (route.open === true || route.method === 'GET' || route.method === 'HEAD') return route
    return {
      ...route,
      handle: async (request: ArmRequest) => {
        const target = targetOf(request)
        const subscriptionId = target?.scopeId.split('/')[2]
        if (target !== undefined && subscriptionId !== undefined) {
          const locks = (await allLocks(store, subscriptionId)).map(({ value }) => value)
          const along = target.kind === 'delete' && locks.length > 0 ? await nodeGroupsOf(store, target.scopeId) : []
          for (const scopeId of [target.scopeId, ...along]) judgeLocks(locks, { ...target, scopeId })
        }
        return route.handle(request)
      },
    }
  })
}

/** The groups of machines that go when clusters at or below the id go. */
async function nodeGroupsOf(store: ResourceStore, id: string): Promise<readonly string[]> {
  const [one, below] = [await store.get<ClusterRecord>(keys.resource(id)), await listClusters(store, id)]
  const clusters = one?.value.kind === 'cluster' ? [one.value] : below
  return clusters.map(
    (cluster) => `/subscriptions/${cluster.id.split('/')[2]}/resourceGroups/${cluster.properties.nodeResourceGroup}`,
  )
}

/** Throws Azure's refusal of a level that is none. */
export function readLock(properties: Json): Pick<LockRecord, 'level' | 'notes'> {
  const level = lockLevels.find((one) => one.toLowerCase() === textAt(properties, 'level')?.toLowerCase())
  const notes = textAt(properties, 'notes')
  if (level === undefined)
    throw new ArmError(
      400,
      'InvalidLockLevel',
      `The lock level '${textAt(properties, 'level') ?? ''}' is not one of ${lockLevels.join(', ')}.`,
    )
  if ((notes ?? '').length > 512)
    throw new ArmError(
      400,
      'LockNotesTooLong',
      `The notes of a lock have at most 512 characters, not ${notes!.length}.`,
    )
  return { level, ...(notes === undefined ? {} : { notes }) }
}

export async function allLocks(store: ResourceStore, subscriptionId: string): Promise<readonly Stored<LockRecord>[]> {
  return store.list<LockRecord>(keys.locks(`/subscriptions/${subscriptionId}`))
}

/** Actions that judge and foresee, and change nothing. */
const harmless = /\/(validate|whatIf|validateMoveResources|checkNameAvailability|register)\/action$/i

const holds = (scopeId: string, id: string): boolean => `${id}/`.toLowerCase().startsWith(`${scopeId}/`.toLowerCase())

/** Throws ScopeLocked. A delete is held up by locks below, too: what is deleted takes them along. */
export function judgeLocks(locks: readonly LockRecord[], { scopeId, kind, action }: RequestTarget): void {
  if (kind === 'read' || harmless.test(action) || /^microsoft\.authorization\/locks\//i.test(action)) return
  const inTheWay = locks.filter((lock) => {
    const above = holds(lock.scopeId, scopeId)
    if (kind === 'delete') return above || holds(scopeId, lock.scopeId)
    return above && lock.level === 'ReadOnly'
  })
  if (inTheWay.length === 0) return
  const scopes = [...new Set(inTheWay.map((lock) => lock.scopeId))].join(',')
  const verb = kind === 'delete' ? 'delete' : 'write'
  throw new ArmError(
    409,
    'ScopeLocked',
    `The scope '${scopeId}' cannot perform ${verb} operation because following scope(s) are locked: '${scopes}'. Please remove the lock and try again.`,
  )
}
