// YAML in and out without holding up other requests: small documents at once, large ones in a thread with a deadline.

import { Worker } from 'node:worker_threads'
import { ApiError } from '@aksel/base/errors'
import { parseJson } from '@aksel/base/json'
import type { YamlResult, YamlTask } from './yaml-worker.ts'

/** About five milliseconds of parsing. */
const INLINE_MAX_BYTES = 8 * 1024
/** Of work. A machine that is busy otherwise may take longer for it, … */
const WORK_MAX_MS = 10_000
/** … but not for ever: by then the request's own time is over. */
const LOOKS_MAX = 60
const LOOKED_AFTER_EVERY_MS = 1_000
/** Levels that upstream's reader takes. */
const DEPTH_MAX = 10_000
const INLINE_MAX_ALIASES = 20
const [OPEN_LIST, OPEN_MAP, SPACE, ALIAS] = [0x5b, 0x7b, 0x20, 0x2a]
/** A thread that needs more is fed a bomb. */
const MEMORY_MAX_MIB = 256

export interface YamlBody {
  readonly value: unknown
  /** `line 3: key "a" already set in map`. */
  readonly duplicates: readonly string[]
}

/** Reads the first document. Throws BadRequest in upstream's words. */
export async function readYamlBody(bytes: Uint8Array): Promise<YamlBody> {
  const isLarge = bytes.length > INLINE_MAX_BYTES
  if (isLarge && beginsTooDeep(bytes)) throw refused(`exceeded max depth of ${DEPTH_MAX}`)
  if (isLarge || hasManyAliases(bytes)) return parseJson(await inWorker({ kind: 'read', bytes })) as YamlBody
  const { readYaml, YamlError } = await import('./yaml-document.ts')
  try {
    return readYaml(Buffer.from(bytes).toString('utf8'))
  } catch (error) {
    if (!(error instanceof YamlError)) throw error
    throw refused(error.message)
  }
}

/** A short text may stand for a long one: each alias is what it points to once more. */
function hasManyAliases(bytes: Uint8Array): boolean {
  let count = 0
  for (const byte of bytes) if (byte === ALIAS && ++count > INLINE_MAX_ALIASES) return true
  return false
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
  // Real time, whatever clock the cluster lives by.
  let looks = 0
  const lookedAfter = setInterval(() => {
    if (++looks > LOOKS_MAX) return void worker.terminate()
    const look = ({ user, system }: NodeJS.CpuUsage): void => {
      if ((user + system) / 1000 > WORK_MAX_MS) void worker.terminate()
    }
    // One that has ended in the meantime has been heard of.
    void worker.cpuUsage().then(look, () => {})
  }, LOOKED_AFTER_EVERY_MS)
  try {
    const result = await promise
    if (result.kind === 'refused') throw refused(result.message)
    return result.bytes
  } finally {
    clearInterval(lookedAfter)
    void worker.terminate()
  }
}
