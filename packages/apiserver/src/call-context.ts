// One request on its way through the pipeline: what earlier stages found, for later ones to use.

import type { KindRow } from '@aksel/api/kind-row'
import type { UserInfo } from './authentication/user-info.ts'
import type { Authorizer } from './authorization/attributes.ts'
import type { IncomingCall } from './http/message.ts'
import type { RequestInfo } from './request-info.ts'

export interface CallContext {
  readonly call: IncomingCall
  readonly info: RequestInfo
  /** After impersonation. */
  readonly user: UserInfo
  readonly authorizer: Authorizer
  /** Sentences for the Warning header. */
  readonly warnings: Set<string>
  /** For the audit entry. */
  readonly annotations?: Map<string, string>
  readonly waits?: Waits
}

/** What a request waited for that is not this server's to answer for, in milliseconds. */
export interface Waits {
  webhookMs: number
  /** Monotonic time of the clock until which webhooks are waited for. */
  readonly webhooksUntilMs: number
}

/** A request for a resource that is served. */
export interface ResourceCall extends CallContext {
  readonly row: KindRow
}
