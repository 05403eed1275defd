// The audit trail: one entry per request, when its answer begins. Bodies stay out: they may hold secrets.

import { formatMicroTime } from '@aksel/base/clock'
import { uuid, type Random } from '@aksel/base/ids'
import type { UserInfo } from './authentication/user-info.ts'
import { wireUser } from './authentication/user-info.ts'
import type { IncomingCall } from './http/message.ts'
import type { RequestInfo } from './request-info.ts'

export type AuditSink = (entry: Readonly<Record<string, unknown>>) => void

export interface AuditedRequest {
  readonly call: IncomingCall
  readonly info: RequestInfo
  readonly receivedMs: number
  readonly user: UserInfo | undefined
  /** Who authentication found, where the user is an impersonated one. */
  readonly actor: UserInfo | undefined
  readonly reason: string
  /** What stages have to say: policies, webhooks. */
  readonly annotations?: ReadonlyMap<string, string>
  readonly status: number
  readonly nowMs: number
}

/** An entry as upstream's `audit.k8s.io/v1 Event` at level Metadata. */
export function auditEntry(random: Random, request: AuditedRequest): Readonly<Record<string, unknown>> {
  const { call, info, user, actor, status, reason } = request
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: uuid(random),
    stage: 'ResponseComplete',
    requestURI: call.url,
    verb: info.verb,
    user: actor === undefined ? (user === undefined ? {} : wireUser(user)) : wireUser(actor),
    ...(actor === undefined || user === undefined ? {} : { impersonatedUser: wireUser(user) }),
    sourceIPs: [call.remoteAddress],
    userAgent: call.headers['user-agent'] ?? '',
    ...(info.isResource ? { objectRef: objectRef(info) } : {}),
    responseStatus: { metadata: {}, code: status },
    requestReceivedTimestamp: formatMicroTime(request.receivedMs),
    stageTimestamp: formatMicroTime(request.nowMs),
    annotations: {
      'authorization.k8s.io/decision': status === 403 ? 'forbid' : 'allow',
      'authorization.k8s.io/reason': reason,
      ...Object.fromEntries(request.annotations ?? []),
    },
  }
}

function objectRef({ resource, namespace, name, group, version, subresource }: RequestInfo): unknown {
  return {
    resource,
    ...(namespace === '' ? {} : { namespace }),
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { apiGroup: group }),
    apiVersion: version,
    ...(subresource === '' ? {} : { subresource }),
  }
}
