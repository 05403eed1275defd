// The audit log: one JSON line per request, appended in order and never in the way of an answer.

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'

export interface AuditLog extends AsyncDisposable {
  readonly write: (entry: Readonly<Record<string, unknown>>) => void
}

export async function openAuditLog(path: string): Promise<AuditLog> {
  const stream = createWriteStream(path, { flags: 'a', mode: 0o600 })
  await once(stream, 'open')
  return {
    write: (entry) => void stream.write(`${JSON.stringify(entry)}\n`),
    async [Symbol.asyncDispose]() {
      stream.end()
      await once(stream, 'close')
    },
  }
}
