// The one way a request takes, whoever sent it: who are you, may you, is there a seat, then the resource or the document.

import type { Scope } from '@aksel/base/scope'
import { ApiError } from '@aksel/base/errors'
import { uuid } from '@aksel/base/ids'
import type { Auditor, AuditTrail } from './audit/auditor.ts'
import type { AuthenticationMetrics } from './authentication/authentication-metrics.ts'
import { attemptsOf, authenticate, type Authenticators } from './authentication/authenticate.ts'
import { anonymous, masters, type UserInfo } from './authentication/user-info.ts'
import { attributesOf, type Attributes, type Authorizer } from './authorization/attributes.ts'
import type { AuthorizationMetrics } from './authorization/authorization-metrics.ts'
import { deniedError } from './authorization/authorize.ts'
import { actingAs } from './authorization/constrained-impersonation.ts'
import type { ImpersonationMetrics } from './authorization/impersonation-metrics.ts'
import { impersonated } from './authorization/impersonation.ts'
import { inWantedForm } from './http/answer-form.ts'
import { compressed, errorAnswer, headerText, textAnswer, withHeaders, withWarnings } from './http/answer.ts'
import { isPushed, type Answer, type IncomingCall } from './http/message.ts'
import type { RequestMetrics } from './request-metrics.ts'
import type { ProtobufEncoder } from './protobuf/encode.ts'
import { requestInfoOf, type RequestInfo } from './request-info.ts'
import type { FlowControl, Seat } from './flow-control/flow-control.ts'
import { heldBody } from './http/held-body.ts'
import type { InFlight } from './in-flight.ts'
import type { CallContext, Waits } from './call-context.ts'
import { Deadlines, type Deadline } from './deadlines.ts'
import { durationMs } from './configuration-file.ts'

export type Outcome = Answer | 'upgraded'

/** What answers once the stages are passed; undefined for a path that nobody knows. */
export type Route = (context: CallContext) => Promise<Outcome | undefined>

export interface PipelineOptions {
  readonly scope: Scope
  readonly authenticators: Authenticators
  readonly authentication: AuthenticationMetrics
  readonly authorizer: Authorizer
  readonly decisions: AuthorizationMetrics
  /** Where acting for another may be allowed for some verbs alone, upstream's ConstrainedImpersonation: what counts it. */
  readonly impersonation: ImpersonationMetrics | undefined
  readonly flow: FlowControl
  readonly inFlight: InFlight
  readonly metrics: RequestMetrics
  readonly audit: Auditor | undefined
  readonly protobuf: ProtobufEncoder
  readonly route: Route
  /** Absent: requests take as long as they take. */
  readonly requestMaxMs: number | undefined
}

/** For which a list in pieces keeps its seats. */
const REQUEST_MAX_MS = 60_000
/** From its arrival, however many webhooks a request has: as long as the longest that one may ask for. */
const WEBHOOKS_MAX_MS = 30_000
/** Upstream's bound for what a client may call its request. */
const AUDIT_ID_MAX = 64

/** What the stages found so far, for the audit entries of a request that fails in the middle. */
interface Progress {
  readonly auditId: string
  readonly receivedMs: number
  readonly annotations: Map<string, string>
  readonly waits: Waits
  trail: AuditTrail | undefined
  seat: Seat | undefined
}

export class Pipeline {
  readonly #options: PipelineOptions

  /** Of requests whose callers ask for no time of their own. */
  readonly #deadlines: Deadlines

  constructor(options: PipelineOptions) {
    this.#options = options
    const { scope, requestMaxMs = 0 } = options
    this.#deadlines = new Deadlines(scope.clock, requestMaxMs)
    scope.signal.addEventListener('abort', () => this.#deadlines[Symbol.dispose](), { once: true })
  }

  /** Never rejects: every error is an answer. */
  async run(call: IncomingCall): Promise<Outcome> {
    const { scope } = this.#options
    const startMs = scope.clock.monotonicMs()
    const progress: Progress = {
      auditId: (call.headers['audit-id'] ?? uuid(scope.random)).slice(0, AUDIT_ID_MAX),
      receivedMs: scope.clock.now(),
      annotations: new Map(),
      waits: { webhookMs: 0, webhooksUntilMs: startMs + WEBHOOKS_MAX_MS },
      trail: undefined,
      seat: undefined,
    }
    const warnings = new Set<string>()
    let info: RequestInfo | undefined
    let outcome: Outcome
    try {
      info = requestInfoOf(call.method, call.url)
      const { requestMaxMs } = this.#options
      const limitMs = requestMaxMs === undefined || isLongRunning(info) ? undefined : timeLimitOf(info, requestMaxMs)
      const stages = this.#stages(call, info, progress, warnings)
      outcome = await (limitMs === undefined ? stages : this.#inTime(limitMs, stages))
    } catch (error) {
      outcome = this.#failure(error, call, progress)
    }
    if (info !== undefined) this.#measure(call, info, progress, outcome, startMs)
    if (progress.trail !== undefined) outcome = await progress.trail.answered(outcome)
    if (outcome === 'upgraded') return outcome
    const wanted = withHeaders(await inWantedForm(outcome, call, this.#options.protobuf), headersOf(progress))
    return await compressed(withWarnings(wanted, warnings), call.headers['accept-encoding'])
  }

  /** Rejects with Timeout; what was begun goes on, and a write may still happen, as with upstream's. */
  #inTime(limitMs: number, stages: Promise<Outcome>): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const late = (): void =>
        reject(new ApiError('Timeout', 'Timeout: request did not complete within the allotted timeout'))
      const { clock } = this.#options.scope
      const isUsual = limitMs === this.#options.requestMaxMs
      const deadline = isUsual ? this.#deadlines.begin(late) : ownDeadline(clock.after(limitMs, late))
      stages.then(
        (outcome) => {
          deadline.met()
          resolve(outcome)
        },
        (error: unknown) => {
          deadline.met()
          reject(error as Error)
        },
      )
    })
  }

  async #stages(first: IncomingCall, info: RequestInfo, progress: Progress, warnings: Set<string>): Promise<Outcome> {
    const { authorizer } = this.#options
    const actor = await this.#authenticated(first, info, progress, warnings)
    const asked = attributesOf(actor, info)
    const trail = this.#options.audit?.begin(asked, { ...progress, call: first, info, actor })
    progress.trail = trail
    if ((await trail?.received()) === false) return notRecorded(first)
    const call = trail?.followed(first) ?? first
    const { impersonation: metrics } = this.#options
    const { user, constraint } =
      metrics === undefined
        ? { user: await impersonated(authorizer, actor, call), constraint: undefined }
        : await actingAs(authorizer, asked, { call, metrics })
    if (trail !== undefined && user !== actor) trail.impersonated = { user, constraint }
    const seat = isConnect(info) ? undefined : await this.#seated(user, call, info, progress)
    let outcome: Outcome | undefined
    try {
      await this.#allowed(user === actor ? asked : attributesOf(user, info), progress)
      const { annotations, waits } = progress
      outcome = await this.#routed({ call, info, user, authorizer, warnings, annotations, waits })
    } finally {
      if (seat !== undefined && !isLong(outcome)) seat[Symbol.dispose]()
    }
    if (seat === undefined || !isLong(outcome)) return outcome ?? textAnswer(404, '404 page not found\n')
    // A list in pieces is made while it is sent; who does not read it holds its seats for so long and no longer.
    const timer = this.#options.scope.clock.after(REQUEST_MAX_MS, () => seat[Symbol.dispose]())
    const release = (): void => {
      timer[Symbol.dispose]()
      seat[Symbol.dispose]()
    }
    return { ...outcome, body: heldBody(outcome.body, call.signal, release) }
  }

  /** Throws TooManyRequests. */
  async #seated(user: UserInfo, { signal }: IncomingCall, info: RequestInfo, progress: Progress): Promise<Seat> {
    const admitted = this.#options.flow.admit(user, info, signal)
    if (!(admitted instanceof Promise)) return (progress.seat = admitted)
    const { clock } = this.#options.scope
    const sinceMs = clock.monotonicMs()
    progress.seat = await admitted
    progress.waits.webhookMs += clock.monotonicMs() - sinceMs
    return progress.seat
  }

  async #routed(context: CallContext): Promise<Outcome | undefined> {
    const { inFlight, route } = this.#options
    const { info, user } = context
    if (isLongRunning(info) || user.groups.includes(masters)) return route(context)
    const isWrite = mutates(info)
    inFlight.begin(isWrite)
    try {
      return await route(context)
    } finally {
      inFlight.end(isWrite)
    }
  }

  /** Throws Unauthorized; the log has that too. */
  async #authenticated(
    call: IncomingCall,
    info: RequestInfo,
    progress: Progress,
    warnings: Set<string>,
  ): Promise<UserInfo> {
    const { authenticators, authentication, audit } = this.#options
    const done = authentication.begin()
    try {
      const user = await authenticate(call, authenticators, { annotations: progress.annotations, warnings })
      done(user.name)
      return user
    } catch (error) {
      done()
      const asked = { ...attributesOf(anonymous, info), user: undefined }
      await audit?.begin(asked, { ...progress, call, info, actor: undefined })?.refused(401, attemptsOf(call))
      throw error
    }
  }

  /** Throws Forbidden. */
  async #allowed(attributes: Attributes, { annotations }: Progress): Promise<void> {
    const { authorizer, decisions } = this.#options
    const decision = await decisions.attempt(() => authorizer.authorize(attributes))
    const { verdict, reason, error } = decision
    if (verdict === 'allow' || error === undefined) {
      annotations.set('authorization.k8s.io/decision', verdict === 'allow' ? 'allow' : 'forbid')
      annotations.set('authorization.k8s.io/reason', reason)
    } else annotations.set('authorization.k8s.io/reason', 'internal error')
    if (verdict !== 'allow') throw deniedError(attributes, decision)
  }

  #failure(error: unknown, call: IncomingCall, { trail }: Progress): Answer {
    const told = this.#told(error, call)
    if (trail !== undefined) trail.status = told.toStatus()
    return errorAnswer(told)
  }

  #told(error: unknown, call: IncomingCall): ApiError {
    if (error instanceof ApiError) return error
    if (call.signal.aborted) return new ApiError('Timeout', 'the client went away')
    this.#options.scope.log.error('request failed', { method: call.method, url: call.url, error })
    return new ApiError('InternalError', `Internal error occurred: ${(error as Error).message}`)
  }

  #measure(call: IncomingCall, info: RequestInfo, progress: Progress, outcome: Outcome, startMs: number): void {
    const { scope, metrics } = this.#options
    const status = outcome === 'upgraded' ? 101 : outcome.status
    const { group, version, resource, subresource } = info
    const scopeWord = !info.isResource
      ? ''
      : info.name !== ''
        ? 'resource'
        : info.namespace === ''
          ? 'cluster'
          : 'namespace'
    const seconds = (scope.clock.monotonicMs() - startMs) / 1000
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
    if (body === undefined || !isPushed(body)) return
    metrics.follow(measured, call.signal)
    if (info.verb === 'watch') this.#options.flow.watches.register(info, call.signal)
  }
}

/** What the caller allows, or the server's bound, which is also the most. Throws BadRequest. */
function timeLimitOf({ query }: RequestInfo, maxMs: number): number {
  const text = query.get('timeout') ?? ''
  if (text === '') return maxMs
  const asked = durationMs(text)
  if (asked === undefined)
    throw new ApiError('BadRequest', `invalid timeout specified in the request URL - time: invalid duration "${text}"`)
  return asked > 0 ? Math.min(asked, maxMs) : maxMs
}

function ownDeadline(timer: Disposable): Deadline {
  return { met: () => timer[Symbol.dispose]() }
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
  return info.verb === 'watch' || isConnect(info)
}

function isConnect({ subresource }: RequestInfo): boolean {
  return connectSubresources.has(subresource)
}

/** An answer that is still being made while it is sent. */
function isLong(outcome: Outcome | undefined): outcome is Answer & { readonly body: AsyncIterable<Uint8Array> } {
  if (outcome === undefined || outcome === 'upgraded') return false
  return !(outcome.body instanceof Uint8Array) && !isPushed(outcome.body)
}

/** Of an API server that does nothing that it cannot record first. */
function notRecorded({ url }: IncomingCall): Answer {
  return textAnswer(500, `Internal Server Error: ${JSON.stringify(url)}: failed to store audit event\n`)
}

/** Which flow and which level a request belonged to stands in its answer, for who wonders where it waited. */
function headersOf({ auditId, seat }: Progress): Readonly<Record<string, string>> {
  if (seat === undefined) return { 'audit-id': headerText(auditId) }
  return {
    'audit-id': headerText(auditId),
    'x-kubernetes-pf-flowschema-uid': seat.schemaUid,
    'x-kubernetes-pf-prioritylevel-uid': seat.levelUid,
  }
}

function mutates(info: RequestInfo): boolean {
  return !['get', 'list', 'watch'].includes(info.verb)
}
