// YAML in and out without holding up other requests: small documents at once, large ones in a thread with a deadline.

import { Worker } from 'node:worker_threads'
import { ApiError } from '@aksel/base/errors'
import { parseJson } from '@aksel/base/json'
import type { YamlResult, YamlTask } from './yaml-worker.ts'

/** About five milliseconds of parsing. */
const INLINE_MAX_BYTES = 8 * 1024
const DEADLINE_MS = 10_000
/** Levels that upstream's reader takes. */
const DEPTH_MAX = 10_000
const [OPEN_LIST, OPEN_MAP, SPACE] = [0x5b, 0x7b, 0x20]
/** A thread that needs more is fed a bomb. */
const MEMORY_MAX_MIB = 256

export interface YamlBody {
  readonly value: unknown
  /** `line 3: key "a" already set in map`. */
  readonly duplicates: readonly string[]
}

/** Reads the first document. Throws BadRequest in upstream's words. */
export async function readYamlBody(bytes: Uint8Array): Promise<YamlBody> {
  if (bytes.length > INLINE_MAX_BYTES && beginsTooDeep(bytes)) throw refused(`exceeded max depth of ${DEPTH_MAX}`)
  if (bytes.length > INLINE_MAX_BYTES) return parseJson(await inWorker({ kind: 'read', bytes })) as YamlBody
  const { readYaml, YamlError } = await import('./yaml-document.ts')
  try {
    return readYaml(Buffer.from(bytes).toString('utf8'))
  } catch (error) {
    if (!(error instanceof YamlError)) throw error
    throw refused(error.message)
  }
}

/** Nothing but more opening brackets than upstream's reader takes: no thread is started for that. */
function beginsTooDeep(bytes: Uint8Array): boolean {
  let depth = 0
  for (const byte of bytes) {
    if (byte === OPEN_LIST || byte === OPEN_MAP) depth += 1
    else if (byte > SPACE) return false
    if (depth > DEPTH_MAX) return true
  }
  return false
}

/** JSON as YAML. */
export async function writeYamlBody(json: Uint8Array): Promise<Uint8Array> {
  if (json.length > INLINE_MAX_BYTES) return inWorker({ kind: 'write', bytes: json })
  const { writeYaml } = await import('./yaml-document.ts')
  return Buffer.from(writeYaml(json))
}

function refused(message: string): ApiError {
  return new ApiError('BadRequest', `error converting YAML to JSON: yaml: ${message}`)
}

async function inWorker(task: YamlTask): Promise<Uint8Array> {
  const worker = new Worker(new URL('./yaml-worker.ts', import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MAX_MIB },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const { promise, resolve, reject } = Promise.withResolvers<YamlResult>()
  worker.once('message', resolve)
  worker.once('error', (error: Error & { readonly code?: string }) =>
    reject(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? refused('document contains excessive aliasing') : error),
  )
  worker.once('exit', () => reject(refused('the document took too long to read')))
  // The thread is bounded by real time, whatever clock the cluster lives by.
  const deadline = setTimeout(() => void worker.terminate(), DEADLINE_MS)
  try {
    const result = await promise
    if (result.kind === 'refused') throw refused(result.message)
    return result.bytes
  } finally {
    clearTimeout(deadline)
    void worker.terminate()
  }
}
