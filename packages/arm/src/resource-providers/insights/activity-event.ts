// What the activity log tells of a request: who did what to which resource, how it ended, and what was only recorded.

import { uuid } from '@aksel/base/ids'
import { targetOf } from '../../front-door/request-target.ts'
import type { ArmRequest, ArmResponse } from '../../front-door/route.ts'
import type { Json } from '../../records.ts'
import { groupOfId } from '../../resource-id.ts'
import { isObject, objectAt, textAt } from '../body.ts'

export const eventStatuses = ['Started', 'Accepted', 'Succeeded', 'Failed', 'Canceled'] as const
export type EventStatus = (typeof eventStatuses)[number]

export interface ActivityEvent {
  readonly kind: 'activity'
  readonly id: string
  readonly subscriptionId: string
  readonly tenantId: string
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly correlationId: string
  readonly action: string
  readonly resourceId: string
  readonly caller: string
  readonly callerObjectId: string
  readonly method: string
  readonly url: string
  readonly clientRequestId?: string
  readonly statusCode: number
  readonly status: EventStatus
  readonly error?: { readonly code: string; readonly message: string }
  /** The long-running operation that the request began. */
  readonly operation?: string
  /** Paths of properties that were kept and change nothing. */
  readonly recorded?: string
}

/** Undefined for what changes nothing, and for what lies above subscriptions. */
export function eventOf(request: ArmRequest, response: ArmResponse, tenantId: string): ActivityEvent | undefined {
  const target = request.method === 'GET' || request.method === 'HEAD' ? undefined : targetOf(request)
  if (target === undefined || request.caller === undefined) return undefined
  const { scope, correlationId, method, url, caller, headers } = request
  const operation = response.headers?.['x-ms-operation-identifier']
  const error = response.status >= 400 ? errorOf(response.body) : undefined
  const clientRequestId = headers['x-ms-client-request-id']
  const recorded = /"recorded without effect: (.*)"$/.exec(response.headers?.['warning'] ?? '')?.[1]
  return {
    kind: 'activity',
    id: uuid(scope.random),
    subscriptionId: target.scopeId.split('/')[2]!.toLowerCase(),
    tenantId,
    atMs: scope.clock.now(),
    correlationId: deploymentCorrelation(target.action, response.body) ?? correlationId,
    action: target.action,
    resourceId: target.scopeId,
    caller: caller.clientId,
    callerObjectId: caller.objectId,
    method,
    url,
    ...(clientRequestId === undefined ? {} : { clientRequestId }),
    statusCode: response.status,
    status: error !== undefined ? 'Failed' : operation === undefined ? 'Succeeded' : 'Started',
    ...(error === undefined ? {} : { error }),
    ...(operation === undefined ? {} : { operation }),
    ...(recorded === undefined ? {} : { recorded }),
  }
}

/** A deployment and everything that it orders go by one id, its own. */
function deploymentCorrelation(action: string, body: unknown): string | undefined {
  if (!/^microsoft\.resources\/deployments\/write$/i.test(action) || !isObject(body)) return undefined
  return textAt(objectAt(body, 'properties'), 'correlationId')
}

function errorOf(body: unknown): { readonly code: string; readonly message: string } {
  const inner = isObject(body) && isObject(body['error']) ? body['error'] : body
  if (!isObject(inner)) return { code: 'InternalServerError', message: '' }
  return { code: String(inner['code']), message: String(inner['message']) }
}

const word = (value: string): Json => ({ value, localizedValue: value })

const codes: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'NoContent',
  400: 'BadRequest',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  412: 'PreconditionFailed',
}

/** 100 ns since the year 1, as .NET counts. */
const ticksOf = (ms: number): string => String(BigInt(ms) * 10_000n + 621_355_968_000_000_000n)

/** The body of an event, with Azure's members. */
export function eventBody(event: ActivityEvent): Json {
  const at = new Date(event.atMs).toISOString()
  const namespace = event.action.split('/')[0]!
  const subStatus = codes[event.statusCode] ?? String(event.statusCode)
  const group = groupOfId(event.resourceId)?.resourceGroup
  return {
    authorization: { action: event.action, scope: event.resourceId },
    caller: event.caller,
    channels: 'Operation',
    claims: {
      appid: event.caller,
      'http://schemas.microsoft.com/identity/claims/objectidentifier': event.callerObjectId,
      'http://schemas.microsoft.com/identity/claims/tenantid': event.tenantId,
    },
    category: word('Administrative'),
    correlationId: event.correlationId,
    description: event.recorded === undefined ? '' : `Recorded without effect: ${event.recorded}`,
    eventDataId: event.id,
    eventName: word(event.status === 'Started' ? 'BeginRequest' : 'EndRequest'),
    eventTimestamp: at,
    httpRequest: {
      clientRequestId: event.clientRequestId ?? null,
      clientIpAddress: '127.0.0.1',
      method: event.method,
      uri: event.url,
    },
    id: `${event.resourceId}/events/${event.id}/ticks/${ticksOf(event.atMs)}`,
    level: event.status === 'Failed' ? 'Error' : event.recorded === undefined ? 'Informational' : 'Warning',
    operationId: event.operation ?? event.correlationId,
    operationName: word(event.action),
    ...(group === undefined ? {} : { resourceGroupName: group }),
    resourceId: event.resourceId,
    resourceProviderName: word(namespace),
    resourceType: word(event.action.split('/').slice(0, -1).join('/')),
    status: word(event.status),
    subStatus: { value: subStatus, localizedValue: `${subStatus} (HTTP Status Code: ${event.statusCode})` },
    submissionTimestamp: at,
    subscriptionId: event.subscriptionId,
    tenantId: event.tenantId,
    properties: {
      statusCode: subStatus,
      eventCategory: 'Administrative',
      entity: event.resourceId,
      message: event.action,
      ...(event.error === undefined ? {} : { statusMessage: JSON.stringify({ error: event.error }) }),
      ...(event.recorded === undefined ? {} : { recordedWithoutEffect: event.recorded }),
    },
  }
}
