// Diagnosis with the session's own rights: the detectors of `aksel diagnose`, asked about a cluster, a namespace or one object.

import { Worker } from 'node:worker_threads'
import type { Clock } from '@aksel/base/clock'
import type { Finding, Subject } from '@aksel/diagnosis/finding'
import type { AskArm } from '@aksel/diagnosis/surroundings'
import type { ClusterConnection, Credential } from './kubeconfig-file.ts'

export interface DiagnosisAnswer {
  readonly findings: readonly Finding[]
  /** What may not be read, with the refusal. */
  readonly unread: Readonly<Record<string, string>>
}

export interface DiagnosisTask {
  readonly connection: Omit<ClusterConnection, 'credential'>
  readonly credential: Credential
  readonly nowMs: number
  readonly namespace?: string
  readonly about?: Subject
  /** Where Resource Manager may be asked about it. */
  readonly clusterId?: string
}

export type FromDiagnosis =
  | { readonly kind: 'ask'; readonly ask: number; readonly call: Parameters<AskArm>[0] }
  | { readonly kind: 'done'; readonly answer: DiagnosisAnswer }
  | { readonly kind: 'failed'; readonly message: string }

export interface ToDiagnosis {
  readonly ask: number
  readonly answer?: unknown
  readonly error?: string
}

const MEMORY_MAX_MIB = 2_048

/** Rejects with words for the person: what the cluster said, or that there is too much to look at at once. */
export async function diagnoseCluster(
  clock: Clock,
  connection: ClusterConnection,
  asked: {
    readonly namespace?: string
    readonly about?: Subject
    readonly signal: AbortSignal
    readonly azure?: { readonly clusterId: string; readonly ask: AskArm }
  },
): Promise<DiagnosisAnswer> {
  const { namespace, about, azure, signal } = asked
  const { credential: credentialOf, ...plain } = connection
  const task: DiagnosisTask = {
    connection: plain,
    credential: await credentialOf(),
    nowMs: clock.now(),
    ...(namespace === undefined ? {} : { namespace }),
    ...(about === undefined ? {} : { about }),
    ...(azure === undefined ? {} : { clusterId: azure.clusterId }),
  }
  signal.throwIfAborted()
  const worker = new Worker(new URL('./diagnosis-worker.ts', import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MAX_MIB },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const { promise, resolve, reject } = Promise.withResolvers<DiagnosisAnswer>()
  const stop = (): void => reject(signal.reason as Error)
  signal.addEventListener('abort', stop, { once: true })
  worker.on('message', (message: FromDiagnosis) => {
    if (message.kind === 'done') return resolve(message.answer)
    if (message.kind === 'failed') return reject(new Error(message.message))
    const reply = (rest: Omit<ToDiagnosis, 'ask'>): void => worker.postMessage({ ask: message.ask, ...rest })
    azure!.ask(message.call).then(
      (answer) => reply({ answer }),
      (error: unknown) => reply({ error: (error as Error).message }),
    )
  })
  worker.once('error', (error: Error & { readonly code?: string }) =>
    reject(
      error.code === 'ERR_WORKER_OUT_OF_MEMORY'
        ? new Error('There is too much to look at at once: choose a namespace.')
        : error,
    ),
  )
  worker.once('exit', (code) => reject(new Error(`the diagnosis ended with code ${code}`)))
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', stop)
    void worker.terminate()
  }
}
