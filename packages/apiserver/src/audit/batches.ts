// Sends audit events to a webhook as upstream does: in batches, several at once, at a bounded pace, tried again when the other side
// cannot take them, and cut where they are too large. What does not fit in the buffer is dropped and counted.

import { anySignal } from '@aksel/base/any-signal'
import { sleep, type Clock } from '@aksel/base/clock'
import type { Log } from '@aksel/base/log'
import { stringifyJson } from '@aksel/base/json'
import { labelText, type Counter } from '../metrics.ts'
import type { AuditEvent } from './event.ts'

/** Names and defaults of upstream's `--audit-webhook-batch-*` and `--audit-webhook-truncate-*`. */
export interface AuditBatchOptions {
  readonly bufferSize: number
  readonly batchMaxSize: number
  readonly batchMaxWaitMs: number
  /** Batches a second, and how many may go at once after a pause. */
  readonly throttleQps: number
  readonly throttleBurst: number
  readonly initialBackoffMs: number
  readonly truncate?: { readonly eventMaxBytes: number; readonly batchMaxBytes: number }
}

export const defaultAuditBatches: AuditBatchOptions = {
  bufferSize: 10_000,
  batchMaxSize: 400,
  batchMaxWaitMs: 30_000,
  throttleQps: 10,
  throttleBurst: 15,
  initialBackoffMs: 10_000,
}

export const defaultTruncation = { eventMaxBytes: 102_400, batchMaxBytes: 10_485_760 }

/** `may repeat`: the other side was not reached, is overloaded or has a fault of its own. Never rejects, and ends when the signal does. */
export type SendAudit = (body: Uint8Array, signal: AbortSignal) => Promise<'sent' | 'may repeat' | 'refused'>

export interface AuditBatchParts {
  readonly clock: Clock
  readonly log: Log
  readonly send: SendAudit
  readonly options: AuditBatchOptions
  /** Counts events that were lost, under upstream's names of who lost them. */
  readonly lost?: Counter
}

const TRIES = 5
const BACKOFF_FACTOR = 1.5
/** Upstream's bound of a call to any webhook: one that never answers would keep its batch for ever. */
const CALL_MAX_MS = 30_000
/** Batches under way: upstream has no bound, and a webhook that is dead fills the memory. */
const IN_FLIGHT_MAX = 15
/** Whoever ends does not wait for a webhook that hangs. */
const LAST_MS = 5_000

type Loser = 'buffered' | 'truncate' | 'webhook'

export class AuditBatches implements AsyncDisposable {
  readonly #parts: AuditBatchParts
  /** Nothing is waited for any more. */
  readonly #stop = new AbortController()
  /** Nothing is sent any more. */
  readonly #end = new AbortController()
  readonly #inFlight = new Set<Promise<void>>()
  #waiting: string[] = []
  #timer: Disposable | undefined
  #sending: Promise<void> | undefined
  #tokens: number
  #tokensAtMs: number
  #wasFull = false

  constructor(parts: AuditBatchParts) {
    this.#parts = parts
    this.#tokens = parts.options.throttleBurst
    this.#tokensAtMs = parts.clock.monotonicMs()
  }

  readonly add = (event: AuditEvent): void => {
    const { options, clock, log } = this.#parts
    const text = fitting(event, options.truncate)
    if (text === undefined || this.#waiting.length >= options.bufferSize) {
      const why = text === undefined ? 'too large' : 'the buffer is full'
      if (!this.#wasFull) log.error('audit events for the webhook are lost', { why })
      this.#wasFull = true
      this.#lose(text === undefined ? 'truncate' : 'buffered', 1)
      return
    }
    this.#wasFull = false
    this.#waiting.push(text)
    if (this.#waiting.length >= options.batchMaxSize) this.#flush()
    else this.#timer ??= clock.after(options.batchMaxWaitMs, () => this.#flush())
  }

  /** Sends an event by itself, as often as a batch is tried; false: it is lost. Somebody waits for it. */
  readonly sendNow = async (event: AuditEvent): Promise<boolean> => {
    const text = fitting(event, this.#parts.options.truncate)
    if (text === undefined) {
      this.#parts.log.error('audit events for the webhook are lost', { why: 'too large' })
      this.#lose('truncate', 1)
      return false
    }
    const sending = this.#deliver([text])
    const sent: Promise<void> = sending.then(() => void this.#inFlight.delete(sent))
    this.#inFlight.add(sent)
    return sending
  }

  #flush(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined))
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      while (this.#inFlight.size >= IN_FLIGHT_MAX) await Promise.race(this.#inFlight)
      await this.#pace()
      const sent: Promise<void> = this.#deliver(this.#nextBatch()).then(() => void this.#inFlight.delete(sent))
      this.#inFlight.add(sent)
      // A part of a batch waits for its time, unless this is the end.
      if (this.#waiting.length < this.#parts.options.batchMaxSize && !this.#stop.signal.aborted) break
    }
    if (this.#waiting.length > 0)
      this.#timer ??= this.#parts.clock.after(this.#parts.options.batchMaxWaitMs, () => this.#flush())
  }

  #nextBatch(): readonly string[] {
    const { batchMaxSize, truncate } = this.#parts.options
    const batch: string[] = []
    let bytes = 0
    while (batch.length < batchMaxSize && this.#waiting.length > 0) {
      bytes += this.#waiting[0]!.length
      if (truncate !== undefined && batch.length > 0 && bytes > truncate.batchMaxBytes) break
      batch.push(this.#waiting.shift()!)
    }
    return batch
  }

  /** A bucket of tokens, one a batch. */
  async #pace(): Promise<void> {
    const { clock, options } = this.#parts
    const nowMs = clock.monotonicMs()
    const gained = ((nowMs - this.#tokensAtMs) / 1000) * options.throttleQps
    this.#tokens = Math.min(options.throttleBurst, this.#tokens + gained) - 1
    this.#tokensAtMs = nowMs
    if (this.#tokens < 0)
      await sleep(clock, (-this.#tokens / options.throttleQps) * 1000, this.#stop.signal).catch(() => {})
  }

  async #deliver(batch: readonly string[]): Promise<boolean> {
    if (await this.#isDelivered(batch)) return true
    this.#parts.log.error('audit events could not be sent to the webhook', { events: batch.length })
    this.#lose('webhook', batch.length)
    return false
  }

  #lose(plugin: Loser, count: number): void {
    this.#parts.lost?.add(labelText({ plugin }), count)
  }

  async #isDelivered(batch: readonly string[]): Promise<boolean> {
    const { options, clock } = this.#parts
    const body = Buffer.from(
      `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${batch.join(',')}]}`,
    )
    let waitMs = options.initialBackoffMs
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      if (this.#end.signal.aborted) return false
      const outcome = await this.#call(body)
      if (outcome !== 'may repeat') return outcome === 'sent'
      if (attempt === TRIES || this.#stop.signal.aborted) return false
      await sleep(clock, waitMs, this.#stop.signal).catch(() => {})
      waitMs *= BACKOFF_FACTOR
    }
    return false
  }

  async #call(body: Uint8Array): ReturnType<SendAudit> {
    const { clock, send } = this.#parts
    const late = new AbortController()
    using _deadline = clock.after(CALL_MAX_MS, () => late.abort())
    return await send(body, anySignal([late.signal, this.#end.signal]))
  }

  /** Sends what waits, once, and resolves when that is over; a webhook that hangs is not waited for to its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#timer?.[Symbol.dispose]()
    using _last = this.#parts.clock.after(LAST_MS, () => this.#end.abort())
    await this.#sending
    await this.#sendAll()
    await Promise.all(this.#inFlight)
  }
}

/** Bodies go first; an event that is too large even without them is lost. */
function fitting(event: AuditEvent, truncate: AuditBatchOptions['truncate']): string | undefined {
  const text = stringifyJson(event)
  if (truncate === undefined || text.length <= truncate.eventMaxBytes) return text
  const { requestObject: _request, responseObject: _response, annotations, ...rest } = event
  const marked = { ...(annotations as object | undefined), 'audit.k8s.io/truncated': 'true' }
  const cut = stringifyJson({ ...rest, annotations: marked })
  return cut.length <= truncate.eventMaxBytes ? cut : undefined
}
