// What a deployment would change: every resource of the template held against what stands, nothing written.

import { ArmError } from '@aksel/base/errors'
import { callerOf, ok, type ArmRequest, type ArmResponse } from '../../front-door/route.ts'
import { newestVersion } from '../../front-door/api-versions.ts'
import type { Json } from '../../records.ts'
import { StateNeeded, type StateRequest } from '../../templates/frame.ts'
import type { ObjectValue } from '../../templates/values.ts'
import type { DeclaredResource } from '../../templates/declared.ts'
import { resourceBody, type Prepared } from '../../templates/prepared.ts'
import { isObject, objectAt, readObject, textAt } from '../body.ts'
import { listResources } from '../resources/groups.ts'
import type { DeploymentParts } from './deployment-parts.ts'
import { unnamed } from './deployment-plan.ts'
import { prepared, readWish, refOf } from './deployment-writes.ts'
import { changesOf } from './what-if-changes.ts'

export async function whatIf(parts: DeploymentParts, request: ArmRequest): Promise<ArmResponse> {
  const { hub, dispatcher } = parts
  const { wish } = await readWish(parts, request, refOf(request))
  const ready = await prepared(hub, dispatcher, wish)
  const settings = objectAt(objectAt(readObject(request.body), 'properties'), 'whatIfSettings')
  const isWhole = (textAt(settings, 'resultFormat') ?? 'FullResourcePayloads').toLowerCase() !== 'resourceidonly'
  const changes = await Promise.all(
    ready.resources
      .filter(({ skipped, existing }) => !skipped && !existing)
      .map((one) => changeOf(parts, request, ready, one, isWhole)),
  )
  const others = wish.scopeId.toLowerCase().includes('/resourcegroups/')
    ? await listResources(hub.store, wish.scopeId)
    : []
  const left = unnamed(
    ready,
    others.map(({ id }) => id),
  )
  const changeType = wish.mode === 'Complete' ? 'Delete' : 'Ignore'
  const rest = await Promise.all(
    left.map(async (resourceId) => ({
      resourceId,
      changeType,
      ...(isWhole ? { before: await current(parts, request, resourceId, newestVersion(resourceId)) } : {}),
    })),
  )
  return ok({ status: 'Succeeded', properties: { changes: [...changes, ...rest] } })
}

async function changeOf(
  parts: DeploymentParts,
  request: ArmRequest,
  ready: Prepared,
  one: DeclaredResource,
  isWhole: boolean,
): Promise<Json> {
  const head = { resourceId: one.id, ...(one.symbol === undefined ? {} : { symbolicName: one.symbol }) }
  const before = await current(parts, request, one.id, one.apiVersion)
  const body = await wantedBody(parts, request, ready, one)
  if (body === undefined) {
    const unsupportedReason = 'The resource uses the state of one that is not deployed yet.'
    return before === undefined
      ? { ...head, changeType: 'Create' }
      : { ...head, changeType: 'Unsupported', unsupportedReason }
  }
  const after = { ...body, apiVersion: one.apiVersion, id: one.id, name: one.name.split('/').at(-1)!, type: one.type }
  if (before === undefined) return { ...head, changeType: 'Create', ...(isWhole ? { after } : {}) }
  if (!isWhole) return { ...head, changeType: 'Deploy' }
  const delta = changesOf(before, body)
  return {
    ...head,
    changeType: delta.length === 0 ? 'NoChange' : 'Modify',
    before,
    after,
    ...(delta.length === 0 ? {} : { delta }),
  }
}

/** Undefined where it hangs on states that only the deployment brings about. */
async function wantedBody(
  parts: DeploymentParts,
  request: ArmRequest,
  ready: Prepared,
  one: DeclaredResource,
): Promise<Json | undefined> {
  const known = new Map<string, ObjectValue>()
  while (true) {
    try {
      return resourceBody(ready, one, (state) => known.get(JSON.stringify(state)))
    } catch (error) {
      if (!(error instanceof StateNeeded)) throw error
      const state = await stateNow(parts, request, ready, error.request)
      if (state === undefined) return undefined
      known.set(JSON.stringify(error.request), state)
    }
  }
}

/** The state that stands; keys are not asked for when nothing is deployed. */
async function stateNow(
  parts: DeploymentParts,
  request: ArmRequest,
  ready: Prepared,
  state: StateRequest,
): Promise<ObjectValue | undefined> {
  const named = ready.named(state.target)
  const id = named?.id ?? state.target
  if (state.kind === 'list' || !id.startsWith('/')) return undefined
  const found = await current(parts, request, id, state.apiVersion ?? named?.apiVersion ?? newestVersion(id))
  if (found === undefined) return undefined
  return (state.full ? found : objectAt(found, 'properties')) as ObjectValue
}

/** The resource as it stands; undefined where there is none. */
async function current(
  { dispatcher }: DeploymentParts,
  request: ArmRequest,
  id: string,
  version: string,
): Promise<Json | undefined> {
  const answer = await dispatcher.ask({
    method: 'GET',
    url: `${id}?api-version=${version}`,
    caller: callerOf(request),
    origin: request.origin,
    correlationId: request.correlationId,
  })
  if (answer.status === 404) return undefined
  if (answer.status < 400 && isObject(answer.body)) return answer.body
  throw new ArmError(answer.status, 'WhatIfFailed', `The state of '${id}' could not be read.`)
}
