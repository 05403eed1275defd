// Deployments over HTTP, at the scope of a resource group or of a subscription.

import { ArmError } from '@aksel/base/errors'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { heldOperation, retryAfterSeconds, statusDocument } from '../../operations.ts'
import type { DeploymentRecord } from '../../records.ts'
import { keys } from '../../store-keyspace.ts'
import { readObject } from '../body.ts'
import { deploymentBody, operationBody, shownOf } from './deployment-bodies.ts'
import { templateHash } from './deployment-facts.ts'
import type { DeploymentParts } from './deployment-parts.ts'
import {
  beginDeployment,
  cancelDeployment,
  deleteDeployment,
  deploymentId,
  listDeployments,
  prepared,
  readDeployment,
  readWish,
  refOf,
  type DeploymentRef,
} from './deployment-writes.ts'
import { whatIf } from './what-if.ts'

export function deploymentRoutes(parts: DeploymentParts): readonly Route[] {
  const scopes = ['/subscriptions/:subscription', '/subscriptions/:subscription/resourcegroups/:group']
  return [
    ...scopes.flatMap((scope) => routesAt(parts, `${scope}/providers/Microsoft.Resources/deployments`)),
    {
      method: 'POST',
      path: '/providers/Microsoft.Resources/calculateTemplateHash',
      handle: ({ body }) =>
        ok({ minifiedTemplate: JSON.stringify(body), templateHash: templateHash(readObject(body)) }),
    },
  ]
}

function routesAt(parts: DeploymentParts, all: string): readonly Route[] {
  const { hub } = parts
  const one = `${all}/:deployment`
  const now = (request: ArmRequest): number => request.scope.clock.now()
  return [
    { method: 'GET', path: all, handle: (request) => list(hub, request) },
    { method: 'PUT', path: one, handle: (request) => put(parts, request) },
    {
      method: 'GET',
      path: one,
      handle: async (request) => ok(deploymentBody(await readDeployment(hub, refOf(request)), now(request))),
    },
    {
      method: 'HEAD',
      path: one,
      handle: async (request) => {
        const found = await hub.store.get(keys.resource(deploymentId(refOf(request))))
        return { status: found === undefined ? 404 : 204 }
      },
    },
    {
      method: 'DELETE',
      path: one,
      handle: async (request) => {
        await deleteDeployment(hub, refOf(request))
        return { status: 204 }
      },
    },
    {
      method: 'POST',
      path: `${one}/cancel`,
      handle: async (request) => {
        await cancelDeployment(hub, refOf(request))
        return { status: 204 }
      },
    },
    { method: 'POST', path: `${one}/validate`, handle: (request) => validate(parts, request) },
    { method: 'POST', path: `${one}/whatIf`, handle: (request) => whatIf(parts, request) },
    {
      method: 'POST',
      path: `${one}/exportTemplate`,
      handle: async (request) => ok({ template: (await readDeployment(hub, refOf(request))).template }),
    },
    ...[one, one.replace('/providers/Microsoft.Resources', '')].flatMap((at): readonly Route[] => [
      { method: 'GET', path: `${at}/operations`, handle: (request) => operations(hub, request) },
      { method: 'GET', path: `${at}/operations/:operation`, handle: (request) => operation(hub, request) },
    ]),
    { method: 'GET', path: `${one}/operationStatuses/:operation`, handle: (request) => status(hub, request) },
  ]
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { scopeId } = refOf({ ...request, params: { ...request.params, deployment: '' } })
  const wanted = /^provisioningState eq '(\w+)'$/i.exec(request.query['$filter'] ?? '')?.[1]?.toLowerCase()
  const all = await listDeployments(hub, scopeId)
  const found = all.filter(
    ({ progress }) => wanted === undefined || progress.provisioningState.toLowerCase() === wanted,
  )
  return page(
    request,
    found.map((record) => deploymentBody(record, request.scope.clock.now())),
  )
}

async function put(parts: DeploymentParts, request: ArmRequest): Promise<ArmResponse> {
  const { hub, dispatcher, runner } = parts
  const wish = await readWish(parts, request, refOf(request))
  const ready = await prepared(hub, dispatcher, wish.wish)
  const { created, record, operation: begun } = await beginDeployment(hub, request, wish, ready)
  runner.start(record)
  return {
    status: created ? 201 : 200,
    body: deploymentBody({ ...record, progress: { provisioningState: 'Accepted' } }, request.scope.clock.now()),
    headers: {
      'azure-asyncoperation': `${request.origin}${record.id}/operationStatuses/${begun.id}?api-version=${request.query['api-version']}`,
      'retry-after': String(retryAfterSeconds),
    },
  }
}

/** 400 with the error is a normal answer here. */
async function validate(parts: DeploymentParts, request: ArmRequest): Promise<ArmResponse> {
  const { hub, dispatcher } = parts
  const ref: DeploymentRef = refOf(request)
  const { wish } = await readWish(parts, request, ref)
  const ready = await prepared(hub, dispatcher, wish)
  const record: DeploymentRecord = {
    kind: 'deployment',
    ...wish,
    shown: shownOf(ready),
    steps: [],
    endedMs: wish.startedMs,
    progress: { provisioningState: 'Succeeded' },
  }
  const body = deploymentBody(record, wish.startedMs) as { readonly properties: object }
  const validatedResources = ready.resources.filter(({ skipped }) => !skipped).map(({ id }) => ({ id }))
  return ok({ ...body, properties: { ...body.properties, validatedResources } })
}

async function operations(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const record = await readDeployment(hub, refOf(request))
  return page(
    request,
    record.steps.map((step) => operationBody(record, step, request.scope.clock.now())),
  )
}

async function operation(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const record = await readDeployment(hub, refOf(request))
  const id = param(request, 'operation')
  const step = record.steps.find((one) => one.id.toLowerCase() === id.toLowerCase())
  if (step !== undefined) return ok(operationBody(record, step, request.scope.clock.now()))
  throw new ArmError(
    404,
    'DeploymentOperationNotFound',
    `The deployment operation '${id}' of the deployment '${record.name}' could not be found.`,
  )
}

async function status(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const id = param(request, 'operation')
  const subscription = param(request, 'subscription')
  const found = await heldOperation(request.scope, hub.store, subscription, id, request.headers['prefer'])
  if (found === undefined) {
    throw new ArmError(404, 'DeploymentOperationNotFound', `The deployment operation '${id}' could not be found.`)
  }
  // Its own address, where those of other operations lie below their provider's locations.
  const document = { ...statusDocument(found), id: request.url.split('?')[0]! }
  return ok(document, found.status === 'InProgress' ? { 'retry-after': String(retryAfterSeconds) } : {})
}
