// One diagnosis in a thread of its own: a hundred thousand pods are read and judged without holding up anybody's control plane.

import { X509Certificate } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { createClient } from '@aksel/client/typed-client'
import { diagnose } from '@aksel/diagnosis/diagnose'
import { gather } from '@aksel/diagnosis/gather'
import type { AskArm } from '@aksel/diagnosis/surroundings'
import type { DiagnosisTask, FromDiagnosis, ToDiagnosis } from './diagnose-cluster.ts'
import { Upstream } from './upstream.ts'

/** Between two readings of the API server's metrics. */
const LOAD_MS = 1_000

const port = parentPort!
const task = workerData as DiagnosisTask
const asked = new Map<number, PromiseWithResolvers<unknown>>()

port.on('message', ({ ask, answer, error }: ToDiagnosis) => {
  const waiting = asked.get(ask)
  if (error === undefined) waiting?.resolve(answer)
  else waiting?.reject(new Error(error))
  asked.delete(ask)
})

/** Resource Manager is asked by who started this: its credentials stay there. */
const askArm: AskArm = (call) => {
  const ask = asked.size === 0 ? 1 : Math.max(...asked.keys()) + 1
  const waiting = Promise.withResolvers<unknown>()
  asked.set(ask, waiting)
  send({ kind: 'ask', ask, call })
  return waiting.promise
}

function send(message: FromDiagnosis): void {
  port.postMessage(message)
}

function certificateEnd(pem: string): number | undefined {
  try {
    return new X509Certificate(pem).validToDate.getTime()
  } catch {
    return undefined
  }
}

async function answer(): Promise<void> {
  const { connection, credential, namespace, about, nowMs, clusterId } = task
  using upstream = new Upstream({ ...connection, credential: () => Promise.resolve(credential) })
  const picture = await gather(createClient(upstream.transport(), { userAgent: 'aksel-desktop' }), {
    nowMs,
    certificateEnd,
    ...(namespace === undefined ? {} : { namespace }),
    ...(clusterId === undefined ? {} : { azure: { clusterId, ask: askArm } }),
    ...(namespace === undefined && about === undefined ? { load: { waitMs: LOAD_MS, wait } } : {}),
  })
  const findings = diagnose(picture, about === undefined ? {} : { about })
  send({ kind: 'done', answer: { findings, unread: Object.fromEntries(picture.unread) } })
}

answer()
  .catch((error: unknown) => send({ kind: 'failed', message: (error as Error).message }))
  .finally(() => port.close())
