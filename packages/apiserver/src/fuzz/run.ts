// Sends drawn requests and judges the answers: nothing may crash, and what fails on the server's side must say why it may.

import { performance } from 'node:perf_hooks'
import type { Random } from '@aksel/base/ids'
import { RequestSource, type FuzzRequest } from './requests.ts'
import type { Spec } from './spec.ts'

export interface FuzzAnswer {
  readonly status: number
  readonly body: string
}

export interface Finding {
  readonly request: FuzzRequest
  readonly what: string
}

export interface FuzzReport {
  readonly requests: number
  /** `GET /api/v1/pods`, and so on: each was asked at least once. */
  readonly operations: number
  readonly byStatus: ReadonlyMap<number, number>
  readonly findings: readonly Finding[]
  readonly slowest: { readonly ms: number; readonly request: string }
}

/** Answers of the 5xx kind that upstream gives for the same question. */
const explained: readonly RegExp[] = [
  /Too large resource version/,
  /no connection to nodes/,
  // Upstream's answer too, code and all.
  /resourceVersion should not be set on objects to be created/,
  // A name could not be made from generateName, or a client asked for what is being deleted.
  /AlreadyExists|ServerTimeout/,
]

export interface FuzzOptions {
  readonly spec: Spec
  readonly random: Random
  readonly requests: number
  readonly send: (request: FuzzRequest) => Promise<FuzzAnswer>
  /** Requests that are under way together. */
  readonly lanes: number
}

/** A request without an answer by then hangs. */
const ANSWER_MAX_MS = 20_000

async function answered(answer: Promise<FuzzAnswer>): Promise<FuzzAnswer> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('no answer came')), ANSWER_MAX_MS)
  try {
    return await Promise.race([answer, promise])
  } finally {
    clearTimeout(timer)
  }
}

export async function fuzz({ spec, random, requests, send, lanes }: FuzzOptions): Promise<FuzzReport> {
  const source = new RequestSource(spec, random)
  const byStatus = new Map<number, number>()
  const findings: Finding[] = []
  let slowest = { ms: 0, request: '' }
  let sent = 0
  const draw = (): FuzzRequest => {
    const at = sent++
    // Every route and verb in turn, and a document now and then.
    if (at % 50 === 49) return source.document(spec.documents[((at / 50) % spec.documents.length) | 0]!)
    return source.next(spec.operations[at % spec.operations.length]!)
  }
  const lane = async (): Promise<void> => {
    while (sent < requests) {
      const request = draw()
      // In process a request may end without the event loop turning once: timers and other threads want their turn.
      await new Promise<void>((resolve) => setImmediate(resolve))
      const startMs = performance.now()
      try {
        const { status, body } = await answered(send(request))
        byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
        if (status >= 500 && !explained.some((words) => words.test(body)))
          findings.push({ request, what: `${status} ${body.slice(0, 400)}` })
      } catch (error) {
        findings.push({ request, what: `it threw: ${(error as Error).stack ?? String(error)}` })
      }
      const ms = performance.now() - startMs
      if (ms > slowest.ms) slowest = { ms, request: `${request.method} ${request.path}` }
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return { requests: sent, operations: Math.min(spec.operations.length, sent), byStatus, findings, slowest }
}
