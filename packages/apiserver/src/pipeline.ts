// The one way a request takes, whoever sent it: who are you, may you, is there a seat, then the resource or the document.

import type { Scope } from '@aksel/base/scope'
import { ApiError } from '@aksel/base/errors'
import { auditEntry, type AuditSink } from './audit.ts'
import { authenticate, type Authenticators } from './authentication/authenticate.ts'
import { masters, type UserInfo } from './authentication/user-info.ts'
import { attributesOf, type Authorizer } from './authorization/attributes.ts'
import { assertAllowed } from './authorization/authorize.ts'
import { impersonated } from './authorization/impersonation.ts'
import { inWantedForm } from './http/answer-form.ts'
import { compressed, errorAnswer, textAnswer, withWarnings } from './http/answer.ts'
import { isPushed, type Answer, type IncomingCall } from './http/message.ts'
import type { RequestMetrics } from './request-metrics.ts'
import type { ProtobufEncoder } from './protobuf/encode.ts'
import { requestInfoOf, type RequestInfo } from './request-info.ts'
import type { Seats } from './seat.ts'
import type { CallContext, Waits } from './call-context.ts'

export type Outcome = Answer | 'upgraded'

/** What answers once the stages are passed; undefined for a path that nobody knows. */
export type Route = (context: CallContext) => Promise<Outcome | undefined>

export interface PipelineOptions {
  readonly scope: Scope
  readonly authenticators: Authenticators
  readonly authorizer: Authorizer
  readonly seats: Seats
  readonly metrics: RequestMetrics
  readonly audit: AuditSink | undefined
  readonly protobuf: ProtobufEncoder
  readonly route: Route
}

/** What the stages found so far, for the audit entry of a request that failed in the middle. */
interface Progress {
  readonly annotations: Map<string, string>
  readonly waits: Waits
  user: UserInfo | undefined
  actor: UserInfo | undefined
  reason: string
}

export class Pipeline {
  readonly #options: PipelineOptions

  constructor(options: PipelineOptions) {
    this.#options = options
  }

  /** Never rejects: every error is an answer. */
  async run(call: IncomingCall): Promise<Outcome> {
    const { scope } = this.#options
    const receivedMs = scope.clock.now()
    const startMs = scope.clock.monotonicMs()
    const progress: Progress = {
      annotations: new Map(),
      waits: { webhookMs: 0 },
      user: undefined,
      actor: undefined,
      reason: '',
    }
    const warnings = new Set<string>()
    let info: RequestInfo | undefined
    let outcome: Outcome
    try {
      info = requestInfoOf(call.method, call.url)
      outcome = await this.#stages(call, info, progress, warnings)
    } catch (error) {
      outcome = this.#failure(error, call)
    }
    if (info !== undefined) this.#record(call, info, progress, outcome, { receivedMs, startMs })
    if (outcome === 'upgraded') return outcome
    const wanted = await inWantedForm(outcome, call, this.#options.protobuf)
    return await compressed(withWarnings(wanted, warnings), call.headers['accept-encoding'])
  }

  async #stages(call: IncomingCall, info: RequestInfo, progress: Progress, warnings: Set<string>): Promise<Outcome> {
    const { authenticators, authorizer, seats, route } = this.#options
    const actor = await authenticate(call, authenticators)
    progress.user = actor
    const user = await impersonated(authorizer, actor, call)
    progress.user = user
    if (user !== actor) progress.actor = actor
    const decision = await assertAllowed(authorizer, attributesOf(user, info))
    progress.reason = decision.reason
    using _seat = isLongRunning(info) || user.groups.includes(masters) ? undefined : seats.take(mutates(info))
    const { annotations, waits } = progress
    const outcome = await route({ call, info, user, authorizer, warnings, annotations, waits })
    return outcome ?? textAnswer(404, '404 page not found\n')
  }

  #failure(error: unknown, call: IncomingCall): Answer {
    if (error instanceof ApiError) return errorAnswer(error)
    if (call.signal.aborted) return errorAnswer(new ApiError('Timeout', 'the client went away'))
    this.#options.scope.log.error('request failed', { method: call.method, url: call.url, error })
    return errorAnswer(new ApiError('InternalError', `Internal error occurred: ${(error as Error).message}`))
  }

  #record(
    call: IncomingCall,
    info: RequestInfo,
    progress: Progress,
    outcome: Outcome,
    times: { receivedMs: number; startMs: number },
  ): void {
    const { scope, metrics, audit } = this.#options
    const status = outcome === 'upgraded' ? 101 : outcome.status
    const { group, version, resource, subresource } = info
    const scopeWord = !info.isResource
      ? ''
      : info.name !== ''
        ? 'resource'
        : info.namespace === ''
          ? 'cluster'
          : 'namespace'
    const seconds = (scope.clock.monotonicMs() - times.startMs) / 1000
    const verb = metricVerb(info, call.headers['content-type'])
    const measured = { verb, group, version, resource, subresource, scope: scopeWord }
    const body = outcome === 'upgraded' ? undefined : outcome.body
    metrics.observe({
      ...measured,
      code: status,
      dryRun: dryRunOf(info),
      seconds,
      ownSeconds: Math.max(0, seconds - progress.waits.webhookMs / 1000),
      sizeBytes: body instanceof Uint8Array ? body.length : undefined,
    })
    if (body !== undefined && isPushed(body)) metrics.follow(measured, call.signal)
    audit?.(
      auditEntry(scope.random, {
        call,
        info,
        ...progress,
        status,
        receivedMs: times.receivedMs,
        nowMs: scope.clock.now(),
      }),
    )
  }
}

const verbNames: Readonly<Record<string, string>> = { update: 'PUT', create: 'POST' }

function metricVerb(info: RequestInfo, contentType: string | undefined): string {
  if (connectSubresources.has(info.subresource)) return 'CONNECT'
  if (info.verb === 'patch' && contentType?.startsWith('application/apply-patch+') === true) return 'APPLY'
  return verbNames[info.verb] ?? info.verb.toUpperCase()
}

/** As a label: what a caller wrote is not to make labels without end. */
function dryRunOf({ query }: RequestInfo): string {
  const values = query.getAll('dryRun')
  if (values.length === 0) return ''
  return values.every((value) => value === 'All') ? 'All' : 'invalid'
}

const connectSubresources: ReadonlySet<string> = new Set(['log', 'exec', 'attach', 'portforward', 'proxy'])

function isLongRunning(info: RequestInfo): boolean {
  return info.verb === 'watch' || connectSubresources.has(info.subresource)
}

function mutates(info: RequestInfo): boolean {
  return !['get', 'list', 'watch'].includes(info.verb)
}
