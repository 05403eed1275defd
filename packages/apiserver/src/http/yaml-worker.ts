// A thread for YAML that would hold up the server: it reads or writes one document and ends.

import { parentPort, workerData } from 'node:worker_threads'
import { readYamlAsJson, writeYaml, YamlError } from './yaml-document.ts'

export interface YamlTask {
  readonly kind: 'read' | 'write'
  readonly bytes: Uint8Array
}

export type YamlResult =
  | { readonly kind: 'done'; readonly bytes: Uint8Array }
  | { readonly kind: 'refused'; readonly message: string }

function run({ kind, bytes }: YamlTask): YamlResult {
  try {
    if (kind === 'write') return { kind: 'done', bytes: Buffer.from(writeYaml(bytes)) }
    return { kind: 'done', bytes: readYamlAsJson(Buffer.from(bytes).toString('utf8')) }
  } catch (error) {
    if (error instanceof YamlError) return { kind: 'refused', message: error.message }
    throw error
  }
}

parentPort?.postMessage(run(workerData as YamlTask))
