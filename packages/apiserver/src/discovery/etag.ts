// Documents carry a hash as their ETag, so that clients that have them are told so in a few bytes.

import { createHash } from 'node:crypto'
import type { Answer, IncomingCall } from '../http/message.ts'

export function hashOf(bytes: Uint8Array | string): string {
  return createHash('sha512').update(bytes).digest('hex').toUpperCase()
}

export function etagOf(bytes: Uint8Array): string {
  return `"${hashOf(bytes)}"`
}

/** The answer with its ETag, or 304 where the caller has it. */
export function withEtag(call: IncomingCall, answer: Answer, etag: string): Answer {
  const headers = { etag, vary: 'Accept' }
  const known = (call.headers['if-none-match'] ?? '').split(',').map((one) => one.trim().replace(/^W\//, ''))
  if (known.includes(etag)) return { status: 304, headers, body: new Uint8Array() }
  return { ...answer, headers: { ...answer.headers, ...headers } }
}
