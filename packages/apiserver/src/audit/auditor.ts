// The trail of one request through the audit log: which of its stages are recorded, and with how much of it, the policy says.

import type { AuditPolicy, AuditStage } from '@aksel/api/audit-policy'
import type { Clock } from '@aksel/base/clock'
import type { Status } from '@aksel/base/errors'
import type { UserInfo } from '../authentication/user-info.ts'
import { isPushed, type Answer, type IncomingCall } from '../http/message.ts'
import { labelText, type Counter, type MetricsRegistry } from '../metrics.ts'
import type { Outcome } from '../pipeline.ts'
import type { RequestInfo } from '../request-info.ts'
import { bodyAsJson, identityOf, KeptPieces, withoutManagedFields, type BodyForms } from './bodies.ts'
import { auditEvent, type AuditedRequest, type AuditSink } from './event.ts'
import { auditJudge, type AuditedAttributes, type AuditVerdict, type JudgeAudit } from './policy.ts'

/** What a webhook changed: part of the request, so that it stands where the request does. */
export const patchAnnotation = 'patch.webhook.admission.k8s.io/'

export interface AuditorParts {
  readonly clock: Clock
  readonly policy: AuditPolicy
  readonly sink: AuditSink
  readonly forms: BodyForms
  readonly metrics: MetricsRegistry
  /** Events that the sink has lost, by `plugin`. */
  readonly errors?: Counter | undefined
}

/** The request as the trail sees it, found when it came. */
export interface AuditBegin {
  readonly auditId: string
  readonly call: IncomingCall
  readonly info: RequestInfo
  /** Milliseconds since the Unix epoch. */
  readonly receivedMs: number
  /** Undefined where nobody was authenticated. */
  readonly actor: UserInfo | undefined
  readonly annotations: ReadonlyMap<string, string>
}

export class Auditor {
  readonly parts: AuditorParts
  readonly #judge: JudgeAudit
  readonly #events: Counter
  readonly #levels: Counter

  constructor(parts: AuditorParts) {
    this.parts = parts
    this.#judge = auditJudge(parts.policy)
    this.#events = parts.metrics.counter(
      'apiserver_audit_event_total',
      'Counter of audit events generated and sent to the audit backend.',
    )
    if (parts.errors !== undefined)
      parts.metrics.counterOf(
        'apiserver_audit_error_total',
        'Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error.',
        parts.errors,
      )
    this.#levels = parts.metrics.counter(
      'apiserver_audit_level_total',
      'Counter of policy levels for audit events (1 per request).',
    )
  }

  /** Undefined where the policy records nothing of it. */
  begin(attributes: AuditedAttributes, request: AuditBegin): AuditTrail | undefined {
    const verdict = this.#judge(attributes)
    this.#levels.add(labelText({ level: verdict.level }))
    return verdict.level === 'None' ? undefined : new AuditTrail(this, verdict, request)
  }

  record(event: Parameters<typeof auditEvent>[0]): ReturnType<AuditSink> {
    this.#events.add('')
    return this.parts.sink(auditEvent(event))
  }
}

export class AuditTrail {
  readonly #auditor: Auditor
  readonly #verdict: AuditVerdict
  readonly #request: AuditBegin
  readonly #sent: KeptPieces | undefined
  impersonated: AuditedRequest['impersonated']
  /** Of an answer that is an error. */
  status: Status | undefined

  constructor(auditor: Auditor, verdict: AuditVerdict, request: AuditBegin) {
    this.#auditor = auditor
    this.#verdict = verdict
    this.#request = request
    const { info } = request
    const isKept = verdict.level !== 'Metadata' && info.isResource && hasBody.has(info.verb)
    this.#sent = isKept ? new KeptPieces() : undefined
  }

  /** The request is known by now, and nothing has been done about it. False: it has to be recorded, and could not be. */
  received(): ReturnType<AuditSink> {
    return this.#emit('RequestReceived', {})
  }

  /** The call to go on with: its body is read along where the log is to have it. */
  followed(call: IncomingCall): IncomingCall {
    return this.#sent === undefined ? call : { ...call, body: this.#sent.through(call.body) }
  }

  /** Nobody was authenticated: all there will be is this one answer. */
  refused(code: number, message: string): ReturnType<AuditSink> {
    return this.#emit('ResponseStarted', { code, status: { message } })
  }

  /** Records the stage that the answer makes, now and when it is over; returns the answer to be sent. */
  answered(outcome: Outcome): Outcome | Promise<Outcome> {
    if (outcome === 'upgraded') return this.#longRunning(101, outcome)
    if (isPushed(outcome.body)) return this.#longRunning(outcome.status, outcome)
    if (this.#verdict.level === 'Metadata')
      return afterwards(this.#emit('ResponseComplete', { code: outcome.status, status: this.status }), outcome)
    return this.#withBodies(outcome)
  }

  #longRunning(code: number, outcome: Outcome): Outcome | Promise<Outcome> {
    const started = this.#emit('ResponseStarted', { code })
    const { signal } = this.#request.call
    const over = (): void => void this.#emit('ResponseComplete', { code })
    if (signal.aborted) over()
    else signal.addEventListener('abort', over, { once: true })
    return afterwards(started, outcome)
  }

  #withBodies(answer: Answer): Answer | Promise<Answer> {
    const { body } = answer
    const isAnswerKept = this.#verdict.level === 'RequestResponse' && this.#request.info.isResource
    if (body instanceof Uint8Array || !isAnswerKept || isPushed(body)) {
      const bytes = isAnswerKept && body instanceof Uint8Array ? Buffer.from(body) : undefined
      const completed = this.#complete(answer, bytes, true)
      return this.#auditor.parts.sink.isAwaited === true ? completed.then(() => answer) : answer
    }
    const kept = new KeptPieces()
    const complete = (): Promise<unknown> | void => {
      const completed = this.#complete(answer, kept.bytes, kept.isWhole)
      if (this.#auditor.parts.sink.isAwaited === true) return completed
    }
    return { ...answer, body: finishing(kept.through(body), complete) }
  }

  /** Never rejects: a body that cannot be read is left out. */
  async #complete({ status: code, headers }: Answer, answered: Buffer | undefined, isWhole: boolean): Promise<unknown> {
    const { forms } = this.#auditor.parts
    const { call } = this.#request
    const sent = this.#sent && (await bodyAsJson(forms, this.#sent.bytes, call.headers['content-type']))
    const shown = answered && isWhole ? await bodyAsJson(forms, answered, headers['content-type']) : undefined
    const object = (value: unknown): unknown => (this.#verdict.omitManagedFields ? withoutManagedFields(value) : value)
    return this.#emit('ResponseComplete', {
      code,
      status: this.status ?? statusIn(shown),
      identity: identityOf(sent),
      ...(sent === undefined ? {} : { requestObject: object(sent) }),
      ...(shown === undefined ? {} : { responseObject: object(shown) }),
      isTruncated: !isWhole,
    })
  }

  #emit(
    stage: AuditStage,
    known: Omit<Partial<Parameters<typeof auditEvent>[0]>, 'annotations'> & { readonly isTruncated?: boolean },
  ): ReturnType<AuditSink> {
    const { omitStages, level } = this.#verdict
    if (omitStages.has(stage)) return
    const { isTruncated = false, ...rest } = known
    const { annotations: all, ...request } = this.#request
    const annotations = level === 'Metadata' ? withoutPatches(all) : all
    return this.#auditor.record({
      ...request,
      level,
      stage,
      nowMs: this.#auditor.parts.clock.now(),
      impersonated: this.impersonated,
      ...rest,
      annotations: isTruncated ? new Map([...annotations, ['audit.k8s.io/truncated', 'true']]) : annotations,
    })
  }
}

/** Once the sink has the event, where somebody waits for it: too late to refuse what was done. */
function afterwards<T>(kept: ReturnType<AuditSink>, outcome: T): T | Promise<T> {
  return kept === undefined ? outcome : kept.then(() => outcome)
}

function withoutPatches(annotations: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const isPatch = (key: string): boolean => key.startsWith(patchAnnotation)
  return annotations.keys().some(isPatch) ? new Map([...annotations].filter(([key]) => !isPatch(key))) : annotations
}

const hasBody: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete', 'deletecollection'])

async function* finishing(
  body: AsyncIterable<Uint8Array>,
  done: () => Promise<unknown> | void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } finally {
    await done()
  }
}

function statusIn(value: unknown): Partial<Status> | undefined {
  const status = value as Partial<Status> | undefined
  return status?.kind === 'Status' ? status : undefined
}
