// What the audit log says of a request: upstream's `audit.k8s.io/v1 Event`.

import type { AuditLevel, AuditStage } from '@aksel/api/audit-policy'
import { formatMicroTime } from '@aksel/base/clock'
import type { Status } from '@aksel/base/errors'
import { wireUser, type UserInfo } from '../authentication/user-info.ts'
import type { IncomingCall } from '../http/message.ts'
import type { RequestInfo } from '../request-info.ts'

export type AuditEvent = Readonly<Record<string, unknown>>

/** Takes events. Where it answers with a promise, requests wait for it; false: the event was lost, and a request may not go on. */
export interface AuditSink {
  (event: AuditEvent): Promise<boolean> | void
  /** Absent: nobody waits for it. */
  readonly isAwaited?: boolean
}

/** Upstream's `--audit-log-mode` and `--audit-webhook-mode`. */
export const auditModes = ['batch', 'blocking', 'blocking-strict'] as const
export type AuditMode = (typeof auditModes)[number]

/** `keep` resolves to false where the event was lost. */
export function waitingSink(mode: AuditMode, keep: (event: AuditEvent) => Promise<boolean>): AuditSink {
  const isStrict = mode === 'blocking-strict'
  const sink = async (event: AuditEvent): Promise<boolean> => (await keep(event)) || !isStrict
  return Object.assign(sink, { isAwaited: true })
}

/** Both take every event. */
export function bothSinks(first: AuditSink, second: AuditSink): AuditSink {
  const sink = (event: AuditEvent): Promise<boolean> | void => {
    const kept = [first(event), second(event)].filter((one) => one !== undefined)
    if (kept.length > 0) return Promise.all(kept).then((all) => all.every(Boolean))
  }
  return Object.assign(sink, { isAwaited: first.isAwaited === true || second.isAwaited === true })
}

/** What is known of a request at one of its stages. Times are milliseconds since the Unix epoch. */
export interface AuditedRequest {
  readonly auditId: string
  readonly level: AuditLevel
  readonly stage: AuditStage
  readonly call: IncomingCall
  readonly info: RequestInfo
  readonly receivedMs: number
  readonly nowMs: number
  /** Who authentication found; undefined where it found nobody. */
  readonly actor: UserInfo | undefined
  /** Whom the actor acts for. */
  readonly impersonated?: { readonly user: UserInfo; readonly constraint: string | undefined } | undefined
  /** The HTTP status; undefined before there is an answer. */
  readonly code?: number | undefined
  /** Of an answer that is a Status. */
  readonly status?: Partial<Status> | undefined
  readonly annotations: ReadonlyMap<string, string>
  readonly requestObject?: unknown
  readonly responseObject?: unknown
  /** Found in the body: uid, version and the name that a POST gives. */
  readonly identity?: ObjectIdentity | undefined
}

export interface ObjectIdentity {
  readonly name?: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
}

export function auditEvent(request: AuditedRequest): AuditEvent {
  const { call, info, actor, impersonated, code, status, annotations, requestObject, responseObject } = request
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: request.level,
    auditID: request.auditId,
    stage: request.stage,
    requestURI: call.url,
    verb: info.verb,
    user: actor === undefined ? {} : wireUser(actor),
    ...(impersonated === undefined ? {} : { impersonatedUser: wireUser(impersonated.user) }),
    ...(impersonated?.constraint === undefined
      ? {}
      : { authenticationMetadata: { impersonationConstraint: impersonated.constraint } }),
    sourceIPs: sourceAddresses(call),
    userAgent: call.headers['user-agent'] ?? '',
    ...(info.isResource ? { objectRef: objectRef(info, request.identity) } : {}),
    ...(code === undefined ? {} : { responseStatus: responseStatus(code, status) }),
    ...(requestObject === undefined ? {} : { requestObject }),
    ...(responseObject === undefined ? {} : { responseObject }),
    requestReceivedTimestamp: formatMicroTime(request.receivedMs),
    stageTimestamp: formatMicroTime(request.nowMs),
    ...(annotations.size === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
  }
}

function responseStatus(code: number, status: Partial<Status> | undefined): unknown {
  if (status === undefined) return { metadata: {}, code }
  const { status: word, message, reason, details } = status
  return {
    metadata: {},
    ...(word === undefined ? {} : { status: word }),
    ...(message === undefined ? {} : { message }),
    ...(reason === undefined ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
    code,
  }
}

const address = /^[0-9a-f.:]+$/i

/** Upstream's order: what proxies say first, as far as it is addresses; the connection's own last. */
function sourceAddresses({ headers, remoteAddress }: IncomingCall): readonly string[] {
  const forwarded = headers['x-forwarded-for']
  const real = headers['x-real-ip']
  if (forwarded === undefined && real === undefined) return [remoteAddress]
  const said = [...(forwarded ?? '').split(','), real ?? ''].map((one) => one.trim())
  return [...new Set([...said.filter((one) => address.test(one)), remoteAddress])]
}

function objectRef(info: RequestInfo, identity: ObjectIdentity = {}): unknown {
  const { resource, group, version, subresource } = info
  const name = info.name === '' ? (identity.name ?? '') : info.name
  const namespace = info.namespace === '' ? (identity.namespace ?? '') : info.namespace
  const { uid, resourceVersion } = identity
  return {
    resource,
    ...(namespace === '' ? {} : { namespace }),
    ...(name === '' ? {} : { name }),
    ...(uid === undefined ? {} : { uid }),
    ...(group === '' ? {} : { apiGroup: group }),
    apiVersion: version,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(subresource === '' ? {} : { subresource }),
  }
}
