// An operation of the front door as a row: method, path, and a function from a request to an answer.

import type { Scope } from '@aksel/base/scope'

export interface Caller {
  readonly clientId: string
  readonly objectId: string
  readonly tenantId: string
  /** The service itself, by order of a resource's owner: never set from a token. */
  readonly isService?: true
}

/** A machine that showed its node's certificate. */
export interface MachineCaller {
  /** In lower case. */
  readonly clusterId: string
  readonly nodeName: string
}

export interface ArmRequest {
  readonly scope: Scope
  readonly method: string
  /** Named parts of the path, decoded, in the caller's own casing. */
  readonly params: Readonly<Record<string, string>>
  /** Names in lower case. */
  readonly query: Readonly<Record<string, string>>
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: unknown
  /** Scheme and host that the caller used, without a slash at the end. */
  readonly origin: string
  /** Path and query as they came. */
  readonly url: string
  readonly caller: Caller | undefined
  /** Set on listeners that know machines, for one that proved itself. */
  readonly machine?: MachineCaller
  /** What this request and all that it leads to go by in logs: the caller's own, or one made for it. */
  readonly correlationId: string
}

export interface ArmResponse {
  readonly status: number
  readonly body?: unknown
  /** HTML, in place of a body. */
  readonly page?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE' | 'HEAD'
  /** `:name` stands for one part of the path. */
  readonly path: string
  /** Needs neither token nor api-version: metadata and tokens. */
  readonly open?: boolean
  /** Needs a token, and knows no api-version: Microsoft Graph. */
  readonly versionless?: boolean
  readonly handle: (request: ArmRequest) => Promise<ArmResponse> | ArmResponse
}

/** A part of the path that the route's own path promises. */
export function param(request: ArmRequest, name: string): string {
  const value = request.params[name]
  if (value === undefined) throw new Error(`Route has no parameter "${name}" (${request.url})`)
  return value
}

export function ok(body: unknown, headers?: Readonly<Record<string, string>>): ArmResponse {
  return { status: 200, body, ...(headers === undefined ? {} : { headers }) }
}

export function callerOf(request: ArmRequest): Caller {
  if (request.caller === undefined) throw new Error(`Request to "${request.url}" was let through without a caller`)
  return request.caller
}
