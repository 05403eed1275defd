// Diagnosis with the session's own rights: the detectors of `aksel diagnose`, asked about a cluster, a namespace or one object.

import { X509Certificate } from 'node:crypto'
import type { Clock } from '@aksel/base/clock'
import { createClient } from '@aksel/client/typed-client'
import { diagnose, type Question } from '@aksel/diagnosis/diagnose'
import type { Finding, Subject } from '@aksel/diagnosis/finding'
import { gather } from '@aksel/diagnosis/gather'
import type { Upstream } from './upstream.ts'

export interface DiagnosisAnswer {
  readonly findings: readonly Finding[]
  /** What may not be read, with the refusal. */
  readonly unread: Readonly<Record<string, string>>
}

export async function diagnoseCluster(
  clock: Clock,
  upstream: Upstream,
  asked: { readonly namespace?: string; readonly about?: Subject; readonly signal: AbortSignal },
): Promise<DiagnosisAnswer> {
  const picture = await gather(createClient(upstream.transport(), { userAgent: 'aksel-desktop' }), {
    nowMs: clock.now(),
    certificateEnd,
    signal: asked.signal,
    ...(asked.namespace === undefined ? {} : { namespace: asked.namespace }),
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
