// Accepts, judges, cancels and ends deployments: what is written down of them.

import { ArmError } from '@aksel/base/errors'
import { uuid } from '@aksel/base/ids'
import { judgeApiVersion } from '../../front-door/api-versions.ts'
import type { Dispatcher } from '../../front-door/dispatcher.ts'
import { callerOf, param, type ArmRequest } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { endOf, newOperation, startOf } from '../../operations.ts'
import type { DeploymentRecord, Json, OperationRecord, Progress } from '../../records.ts'
import { groupOfId } from '../../resource-id.ts'
import { keys, type Change } from '../../store-keyspace.ts'
import { prepare, type Prepared } from '../../templates/prepared.ts'
import { isObject, objectAt, readObject, textAt } from '../body.ts'
import { readLiveGroup } from '../resources/groups.ts'
import { readGroupLocation, readTags } from '../resources/names.ts'
import { deploymentType, shownOf } from './deployment-bodies.ts'
import { frameOptions, withoutSecrets, type DeploymentWish } from './deployment-facts.ts'
import type { DeploymentParts } from './deployment-parts.ts'
import type { Outcome } from './deployment-run.ts'
import { linkedContent, linkedTemplate, resolvedParameters, type LinkParts } from './linked-content.ts'

/** Azure keeps as many in a scope; the oldest go first. */
const historyMax = 800

export interface DeploymentRef {
  readonly scopeId: string
  readonly name: string
}

export function deploymentId({ scopeId, name }: DeploymentRef): string {
  return `${scopeId}/providers/${deploymentType}/${name}`
}

/** The group or subscription of the request, and the name in it. */
export function refOf(request: ArmRequest): DeploymentRef {
  const subscription = `/subscriptions/${param(request, 'subscription')}`
  const group = request.params['group']
  return {
    scopeId: group === undefined ? subscription : `${subscription}/resourceGroups/${group}`,
    name: param(request, 'deployment'),
  }
}

/** Throws DeploymentNotFound. */
export async function readDeployment(hub: Hub, ref: DeploymentRef): Promise<DeploymentRecord> {
  const stored = await hub.store.get<DeploymentRecord>(keys.resource(deploymentId(ref)))
  if (stored?.value.kind === 'deployment') return stored.value
  throw new ArmError(404, 'DeploymentNotFound', `Deployment '${ref.name}' could not be found.`)
}

export async function listDeployments(hub: Hub, scopeId: string): Promise<readonly DeploymentRecord[]> {
  const prefix = keys.below(`${scopeId}/providers/${deploymentType}`)
  const all = await hub.store.list<DeploymentRecord>(prefix)
  return all.map(({ value }) => value).toSorted((left, right) => right.startedMs - left.startedMs)
}

export interface Wish {
  readonly wish: DeploymentWish
  readonly location?: string
  readonly tags?: DeploymentRecord['tags']
}

/** What a body asks for. Throws where it is no deployment. */
export async function readWish(
  { hub, dispatcher }: Pick<DeploymentParts, 'hub' | 'dispatcher'>,
  request: ArmRequest,
  ref: DeploymentRef,
): Promise<Wish> {
  if (!/^[-\w.()]{1,64}$/.test(ref.name)) {
    throw new ArmError(
      400,
      'InvalidDeploymentName',
      `The deployment name '${ref.name}' is not valid: it has 1 to 64 letters, digits, '-', '_', '.', '(' and ')'.`,
    )
  }
  const group = groupOfId(ref.scopeId)
  const { scopeId } = group === undefined ? ref : { scopeId: (await readLiveGroup(hub.store, group)).id }
  const body = readObject(request.body)
  const properties = objectAt(body, 'properties')
  const location = locationOf(body, group === undefined, ref.name)
  const tags = readTags(body['tags'])
  const id = deploymentId({ scopeId, name: ref.name })
  const links = { hub, ask: dispatcher.ask }
  const { template, templateLink } = await templateOf(links, request, properties)
  const wish: DeploymentWish = {
    id,
    name: ref.name,
    scopeId,
    ...(location === undefined ? {} : { location }),
    mode: modeOf(properties, group === undefined),
    template,
    ...(templateLink === undefined ? {} : { templateLink }),
    parameters: await parametersOf(links, request, properties),
    correlationId: uuid(request.scope.random),
    origin: request.origin,
    caller: callerOf(request),
    startedMs: request.scope.clock.now(),
  }
  return { wish, ...(location === undefined ? {} : { location }), ...(tags === undefined ? {} : { tags }) }
}

function locationOf(body: Json, isWide: boolean, name: string): string | undefined {
  if (isWide) return readGroupLocation(body['location'], name)
  if (body['location'] === undefined || body['location'] === null) return undefined
  throw new ArmError(
    400,
    'InvalidDeploymentLocation',
    "The 'location' property is not allowed for this deployment: it takes the location of its resource group.",
  )
}

function modeOf(properties: Json, isWide: boolean): DeploymentRecord['mode'] {
  const mode = (textAt(properties, 'mode') ?? '').toLowerCase()
  if (mode === 'incremental') return 'Incremental'
  if (mode === 'complete' && !isWide) return 'Complete'
  throw new ArmError(
    400,
    'InvalidDeploymentMode',
    isWide && mode === 'complete'
      ? "The deployment mode 'Complete' is not supported at subscription scope. Please use 'Incremental'."
      : `The deployment mode '${textAt(properties, 'mode') ?? ''}' is not valid. Please use 'Incremental' or 'Complete'.`,
  )
}

async function templateOf(
  links: LinkParts,
  request: ArmRequest,
  properties: Json,
): Promise<{ readonly template: unknown; readonly templateLink?: Json }> {
  const { template, templateLink } = properties
  if (isObject(template) && isObject(templateLink))
    throw new ArmError(400, 'InvalidTemplate', "The request content has both 'template' and 'templateLink'.")
  if (isObject(template)) return { template }
  if (!isObject(templateLink)) throw new ArmError(400, 'InvalidTemplate', "The request content has no 'template'.")
  const linked = await linkedTemplate(links, request, templateLink)
  return { template: linked.content, templateLink: linked.link }
}

async function parametersOf(links: LinkParts, request: ArmRequest, properties: Json): Promise<Json> {
  const link = properties['parametersLink']
  const written = objectAt(properties, 'parameters')
  if (isObject(link) && Object.keys(written).length > 0)
    throw new ArmError(400, 'InvalidParametersLink', "The request content has both 'parameters' and 'parametersLink'.")
  const given = isObject(link) ? (await linkedContent(links, request, link, 'parameters')).content : written
  // A whole parameter file instead of its parameters, as people send it.
  const isFile = isObject(given['parameters']) && given['contentVersion'] !== undefined
  return resolvedParameters(links.hub, request, isFile ? (given['parameters'] as Json) : given)
}

/** Prepares, and asks whether somebody answers for each resource. Throws InvalidTemplate, InvalidTemplateDeployment. */
export async function prepared(hub: Hub, dispatcher: Dispatcher, wish: DeploymentWish): Promise<Prepared> {
  const result = prepare(wish.template, await frameOptions(hub, wish))
  const details = result.resources.flatMap(({ skipped, existing, id, apiVersion }) => {
    if (skipped) return []
    const wrong = unserved(dispatcher, existing ? 'GET' : 'PUT', id, apiVersion)
    return wrong === undefined ? [] : [wrong.toBody().error]
  })
  if (details.length === 0) return result
  throw new ArmError(
    400,
    'InvalidTemplateDeployment',
    `The template deployment '${wish.name}' is not valid according to the validation procedure. The tracking id is '${wish.correlationId}'. See inner errors for details.`,
    { details },
  )
}

function unserved(dispatcher: Dispatcher, method: 'GET' | 'PUT', id: string, version: string): ArmError | undefined {
  try {
    judgeApiVersion(version, id)
  } catch (error) {
    if (error instanceof ArmError) return error
    throw error
  }
  if (dispatcher.serves(method, id)) return undefined
  return new ArmError(
    404,
    'InvalidResourceType',
    `The resource type of '${id}' could not be found: nothing here serves it.`,
  )
}

/** Writes the deployment down as running. Throws DeploymentActive. */
export async function beginDeployment(
  hub: Hub,
  request: ArmRequest,
  { wish, location, tags }: Wish,
  preparedTemplate: Prepared,
): Promise<{ readonly created: boolean; readonly record: DeploymentRecord; readonly operation: OperationRecord }> {
  const key = keys.resource(wish.id)
  const operation = newOperation(request.scope, {
    subscriptionId: wish.scopeId.split('/')[2]!,
    location: location ?? 'global',
    resourceId: wish.id,
    outcome: 'resource',
  })
  const record: DeploymentRecord = {
    kind: 'deployment',
    ...wish,
    ...(tags === undefined ? {} : { tags }),
    shown: shownOf(preparedTemplate),
    steps: [],
    progress: { provisioningState: 'Running', operationId: operation.id },
  }
  const created = await hub.store.decide(async () => {
    const before = await hub.store.get<DeploymentRecord>(key)
    if (before?.value.progress.operationId !== undefined) throw active(wish.name)
    const change: Change = { kind: 'put', key, value: record, expected: before?.modRevision ?? 0 }
    return { changes: [startOf(operation), change], result: before === undefined }
  })
  if (created) await forgetOldest(hub, wish.scopeId)
  return { created, record, operation }
}

async function forgetOldest(hub: Hub, scopeId: string): Promise<void> {
  for (const { id, progress } of (await listDeployments(hub, scopeId)).slice(historyMax)) {
    if (progress.operationId !== undefined) continue
    const stored = await hub.store.get(keys.resource(id))
    if (stored !== undefined)
      await hub.store.commit([{ kind: 'delete', key: stored.key, expected: stored.modRevision }])
  }
}

function active(name: string): ArmError {
  return new ArmError(
    409,
    'DeploymentActive',
    `Unable to edit or replace deployment '${name}': previous deployment is still active. Please see https://aka.ms/arm-deploy for usage details.`,
  )
}

/** Nothing new is begun; what runs is let run to its end. Throws where nothing runs. */
export async function cancelDeployment(hub: Hub, ref: DeploymentRef): Promise<void> {
  await readDeployment(hub, ref)
  await hub.store.update<DeploymentRecord>(keys.resource(deploymentId(ref)), (record) => {
    if (record.progress.operationId === undefined) {
      throw new ArmError(
        409,
        'DeploymentCannotBeCancelled',
        `The deployment '${ref.name}' cannot be cancelled because the provisioning state is '${record.progress.provisioningState}'.`,
      )
    }
    return { ...record, progress: { ...record.progress, canceling: true } }
  })
}

/** Forgets the deployment; what it deployed stays. */
export async function deleteDeployment(hub: Hub, ref: DeploymentRef): Promise<boolean> {
  return hub.store.decide(async () => {
    const stored = await hub.store.get<DeploymentRecord>(keys.resource(deploymentId(ref)))
    if (stored === undefined) return { changes: [], result: false }
    if (stored.value.progress.operationId !== undefined) throw active(ref.name)
    return { changes: [{ kind: 'delete', key: stored.key, expected: stored.modRevision }], result: true }
  })
}

/** The deployment and its operation end together; secrets are forgotten. */
export async function endDeployment(
  hub: Hub,
  request: Pick<ArmRequest, 'scope'>,
  id: string,
  outcome: Outcome,
): Promise<void> {
  const { scope } = request
  await hub.store.decide(async () => {
    const stored = await hub.store.get<DeploymentRecord>(keys.resource(id))
    const operationId = stored?.value.progress.operationId
    if (stored === undefined || operationId === undefined) return { changes: [], result: undefined }
    const error = errorOf(outcome)
    const progress: Progress = {
      provisioningState: outcome.state,
      ...(error === undefined ? {} : { error }),
    }
    const { value } = stored
    const next: DeploymentRecord = {
      ...value,
      parameters: withoutSecrets(value.parameters, value.shown),
      endedMs: scope.clock.now(),
      ...(outcome.state === 'Succeeded' ? { outputs: outcome.outputs, outputResources: outcome.outputResources } : {}),
      progress,
    }
    const failure =
      error === undefined
        ? undefined
        : ({ error, status: outcome.state === 'Canceled' ? 'Canceled' : 'Failed' } as const)
    const end = await endOf(scope, hub.store, value.scopeId.split('/')[2]!, operationId, failure)
    const change: Change = { kind: 'put', key: stored.key, value: next, expected: stored.modRevision }
    return { changes: end === undefined ? [change] : [change, end], result: undefined }
  })
}

function errorOf(outcome: Outcome): Progress['error'] {
  switch (outcome.state) {
    case 'Succeeded':
      return undefined
    case 'Failed':
      return outcome.error
    case 'Canceled':
      return { code: 'DeploymentCanceled', message: 'The deployment was canceled.' }
    default:
      return outcome satisfies never
  }
}
