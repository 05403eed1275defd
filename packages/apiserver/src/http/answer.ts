// Answers made in one place: JSON bodies, Status errors, warnings, compression.

import { promisify } from 'node:util'
import { pipeline, Readable } from 'node:stream'
import { createGzip, gzip } from 'node:zlib'
import type { ApiError, Status } from '@aksel/base/errors'
import { encodeJson } from '@aksel/base/json'
import type { Answer } from './message.ts'

/** Below this, compression costs more than it saves: upstream's 128 KiB. */
const GZIP_MIN_BYTES = 128 * 1024

export function bytesAnswer(status: number, contentType: string, body: Uint8Array): Answer {
  return { status, headers: { 'content-type': contentType, 'cache-control': 'no-cache, private' }, body }
}

export function jsonAnswer(status: number, value: unknown): Answer {
  return bytesAnswer(status, 'application/json', encodeJson(value))
}

export function textAnswer(status: number, text: string): Answer {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' }
  return { status, headers, body: Buffer.from(text) }
}

export function errorAnswer(error: ApiError): Answer {
  const answer = jsonAnswer(error.code, error.toStatus())
  const retryAfter = error.details?.retryAfterSeconds
  return retryAfter === undefined
    ? answer
    : { ...answer, headers: { ...answer.headers, 'retry-after': String(retryAfter) } }
}

export function successStatus(details: Status['details']): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    ...(details === undefined ? {} : { details }),
    code: 200,
  }
}

/** Upstream's bounds, in letters: beyond the first, each warning is cut to the second, and those that still do not fit go. */
const [WARNINGS_MAX, WARNING_MAX] = [4 * 1024, 256]

function bounded(warnings: readonly string[]): readonly string[] {
  if (warnings.reduce((sum, { length }) => sum + length, 0) <= WARNINGS_MAX) return warnings
  let left = WARNINGS_MAX
  return warnings
    .map((text) => text.slice(0, WARNING_MAX))
    .filter((text) => {
      left -= text.length
      return left >= 0
    })
}

export function withWarnings(answer: Answer, warnings: ReadonlySet<string>): Answer {
  if (warnings.size === 0) return answer
  const values = bounded([...warnings]).map((text) => `299 - "${headerText(text)}"`)
  return { ...answer, headers: { ...answer.headers, warning: values.join(', ') } }
}

export function withHeaders(answer: Answer, more: Readonly<Record<string, string>>): Answer {
  return { ...answer, headers: { ...answer.headers, ...more } }
}

/** Quotes and backslashes escaped, nothing outside printable ASCII. */
export function headerText(text: string): string {
  return text.replaceAll(/["\\]/g, (found) => `\\${found}`).replaceAll(/[^\x20-\x7e]/g, '?')
}

const gzipAsync = promisify(gzip)

/** Compressed where it is large and the caller takes it; in a thread of the pool, since a long list takes its time. */
export async function compressed(answer: Answer, acceptEncoding: string | undefined): Promise<Answer> {
  const { body } = answer
  if (answer.isLarge === true && takesGzip(acceptEncoding))
    return gzipped(answer, compressedPieces(body as AsyncIterable<Uint8Array>))
  if (!(body instanceof Uint8Array) || body.length < GZIP_MIN_BYTES || !takesGzip(acceptEncoding)) return answer
  return gzipped(answer, await gzipAsync(body, { level: 1 }))
}

function gzipped(answer: Answer, body: Answer['body']): Answer {
  const vary = [answer.headers['vary'], 'Accept-Encoding'].filter((one) => one !== undefined).join(', ')
  return { ...answer, headers: { ...answer.headers, 'content-encoding': 'gzip', vary }, body }
}

function compressedPieces(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  // Whoever ends first, reader or source, ends the other.
  return pipeline(Readable.from(pieces, { objectMode: false }), createGzip({ level: 1 }), () => {})
}

/** `gzip` among the encodings, not with a quality of 0. */
function takesGzip(acceptEncoding: string | undefined): boolean {
  return (acceptEncoding ?? '').split(',').some((one) => /^\s*(?:gzip|\*)\s*(?:;(?!\s*q=0(?:\.0*)?\s*$).*)?$/.test(one))
}
