// Locks over HTTP, at every scope.

import { ArmError } from '@aksel/base/errors'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Json } from '../../records.ts'
import { keys, type Stored } from '../../store-keyspace.ts'
import { objectAt, readObject } from '../body.ts'
import { allLocks, readLock, type LockRecord } from './locks.ts'
import { readScope, scopePaths } from './scopes.ts'

export function lockRoutes(hub: Hub): readonly Route[] {
  return scopePaths.flatMap((scope): readonly Route[] => {
    const all = `${scope}/providers/Microsoft.Authorization/locks`
    const one = `${all}/:lock`
    return [
      { method: 'GET', path: all, handle: (request) => list(hub, request) },
      { method: 'GET', path: one, handle: async (request) => ok(body((await read(hub, request)).value)) },
      { method: 'PUT', path: one, handle: (request) => put(hub, request) },
      { method: 'DELETE', path: one, handle: (request) => remove(hub, request) },
    ]
  })
}

/** Those at the scope and below it. */
async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const scopeId = await readScope(hub, request)
  const below = `${scopeId}/`.toLowerCase()
  const locks = await allLocks(hub.store, param(request, 'subscription'))
  const found = locks.filter(({ value }) => `${value.scopeId}/`.toLowerCase().startsWith(below))
  return page(
    request,
    found.map(({ value }) => body(value)),
  )
}

async function find(
  hub: Hub,
  request: ArmRequest,
): Promise<{ readonly scopeId: string; readonly stored: Stored<LockRecord> | undefined }> {
  const scopeId = await readScope(hub, request)
  return { scopeId, stored: await hub.store.get<LockRecord>(keyOf(scopeId, param(request, 'lock'))) }
}

async function read(hub: Hub, request: ArmRequest): Promise<Stored<LockRecord>> {
  const { stored } = await find(hub, request)
  if (stored !== undefined) return stored
  throw new ArmError(404, 'LockNotFound', `The lock '${param(request, 'lock')}' could not be found.`)
}

async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const wanted = param(request, 'lock')
  if (wanted.length > 260 || /[<>%&\\?/]/.test(wanted))
    throw new ArmError(
      400,
      'InvalidLockName',
      `The lock name '${wanted}' is longer than 260 characters or holds one of <,>,%,&,\\,?,/.`,
    )
  const lock = readLock(objectAt(readObject(request.body), 'properties'))
  return hub.store.decide(async () => {
    const { scopeId, stored } = await find(hub, request)
    const name = stored?.value.name ?? wanted
    const id = `${scopeId}/providers/Microsoft.Authorization/locks/${name}`
    const value: LockRecord = { kind: 'lock', id, name, scopeId, ...lock }
    return {
      changes: [{ kind: 'put', key: keyOf(scopeId, name), value, expected: stored?.modRevision ?? 0 }],
      result: { status: stored === undefined ? 201 : 200, body: body(value) },
    }
  })
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { stored } = await find(hub, request)
  if (stored === undefined) return { status: 204 }
  await hub.store.commit([{ kind: 'delete', key: stored.key, expected: stored.modRevision }])
  return { status: 200 }
}

function keyOf(scopeId: string, name: string): string {
  return `${keys.locks(scopeId)}${name.toLowerCase()}`
}

function body({ id, name, level, notes }: LockRecord): Json {
  return {
    id,
    name,
    type: 'Microsoft.Authorization/locks',
    properties: { level, ...(notes === undefined ? {} : { notes }) },
  }
}
