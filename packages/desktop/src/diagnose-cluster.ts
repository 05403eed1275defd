// Diagnosis with the session's own rights: the detectors of `aksel diagnose`, asked about a cluster, a namespace or one object.

import { X509Certificate } from 'node:crypto'
import { sleep, type Clock } from '@aksel/base/clock'
import { createClient } from '@aksel/client/typed-client'
import { diagnose, type Question } from '@aksel/diagnosis/diagnose'
import type { Finding, Subject } from '@aksel/diagnosis/finding'
import { gather } from '@aksel/diagnosis/gather'
import type { AskArm } from '@aksel/diagnosis/surroundings'
import type { Upstream } from './upstream.ts'

/** Between two readings of the API server's metrics. */
const LOAD_MS = 1_000

export interface DiagnosisAnswer {
  readonly findings: readonly Finding[]
  /** What may not be read, with the refusal. */
  readonly unread: Readonly<Record<string, string>>
}

export async function diagnoseCluster(
  clock: Clock,
  upstream: Upstream,
  asked: {
    readonly namespace?: string
    readonly about?: Subject
    readonly signal: AbortSignal
    readonly azure?: { readonly clusterId: string; readonly ask: AskArm }
  },
): Promise<DiagnosisAnswer> {
  const picture = await gather(createClient(upstream.transport(), { userAgent: 'aksel-desktop' }), {
    nowMs: clock.now(),
    certificateEnd,
    signal: asked.signal,
    ...(asked.namespace === undefined ? {} : { namespace: asked.namespace }),
    ...(asked.azure === undefined ? {} : { azure: asked.azure }),
    ...(asked.namespace === undefined && asked.about === undefined
      ? { load: { waitMs: LOAD_MS, wait: (ms: number) => sleep(clock, ms, asked.signal) } }
      : {}),
  })
  const question: Question = asked.about === undefined ? {} : { about: asked.about }
  return { findings: diagnose(picture, question), unread: Object.fromEntries(picture.unread) }
}

function certificateEnd(pem: string): number | undefined {
  try {
    return new X509Certificate(pem).validToDate.getTime()
  } catch {
    return undefined
  }
}
