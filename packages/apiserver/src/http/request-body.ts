// Reads a request's body: whole, bounded, and as JSON whether it came as JSON, YAML or protobuf.

import { Readable } from 'node:stream'
import { ApiError } from '@aksel/base/errors'
import { duplicateKeys, JsonSyntaxError, parseJson } from '@aksel/base/json'
import { protobufMediaType, type ProtobufDecoder } from '../protobuf/decode.ts'
import { WireError } from '../protobuf/wire.ts'
import type { Turns } from '../turns.ts'
import { unsupportedMediaType } from '../refusals.ts'
import { objectMediaTypes } from './accept.ts'
import { readYamlBody } from './yaml.ts'

/** Upstream's limit: 3 MiB. */
export const BODY_MAX_BYTES = 3 * 1024 * 1024

export async function readRequestBody(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces = new Pieces()
  if (body instanceof Readable) await readStream(body, pieces)
  else for await (const piece of body) pieces.add(piece)
  return pieces.whole()
}

class Pieces {
  readonly #pieces: Uint8Array[] = []
  #size = 0

  /** Throws RequestEntityTooLarge. */
  add(piece: Uint8Array): void {
    this.#size += piece.length
    if (this.#size > BODY_MAX_BYTES)
      throw new ApiError('RequestEntityTooLarge', `Request entity too large: limit is ${BODY_MAX_BYTES}`)
    this.#pieces.push(piece)
  }

  whole(): Buffer {
    const [first] = this.#pieces
    if (this.#pieces.length !== 1) return Buffer.concat(this.#pieces)
    return Buffer.from(first!.buffer, first!.byteOffset, first!.byteLength)
  }
}

/** Upstream's `--request-timeout`: whoever sends his body a byte a second is answered, too. */
const BODY_LATE_MS = 60_000

/** By its events: an iterator over a stream costs each request more than the parsing of its body. */
function readStream(body: Readable, pieces: Pieces): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false
    const end = (error: Error | undefined): void => {
      isOver = true
      clearTimeout(late)
      if (error === undefined) return resolve()
      reject(error)
      // What more comes is not read. The connection is the listener's to end: an answer is to reach the sender first.
      body.pause()
    }
    // Of real time, whatever clock the cluster lives by: only bodies from a socket come here.
    const late = setTimeout(
      () => end(new ApiError('Timeout', 'Timeout: request did not complete within the allotted timeout')),
      BODY_LATE_MS,
    ).unref()
    const early = (): void => {
      if (!isOver) end(new Error('the request ended before its body'))
    }
    if (body.destroyed) return early()
    body.on('data', (piece: Buffer) => {
      try {
        if (!isOver) pieces.add(piece)
      } catch (error) {
        end(error as Error)
      }
    })
    body.on('end', () => end(undefined))
    body.on('error', end)
    body.on('close', early)
  })
}

export interface ParsedBody {
  readonly value: unknown
  /** Paths of fields that stand twice. */
  readonly duplicates: readonly string[]
  /** Of JSON: tells in which order fields stand. */
  readonly text?: string
  /** What else a strict reader does not accept, in words. */
  readonly complaints?: readonly string[]
}

/** How a body in protobuf is read: by the message that is expected. */
export interface ProtobufReading {
  readonly decoder: ProtobufDecoder
  readonly message: string
}

/** Throws UnsupportedMediaType and BadRequest. */
export async function parseBody(
  bytes: Buffer,
  contentType: string | undefined,
  protobuf: ProtobufReading,
  turns?: Pick<Turns, 'take'>,
): Promise<ParsedBody> {
  const type = (contentType ?? 'application/json').split(';')[0]!.trim().toLowerCase()
  if (type === 'application/json' || type === '')
    return turns === undefined ? parseJsonBody(bytes) : parseLongJson(bytes, turns)
  if (type === 'application/yaml') return parseYamlBody(bytes)
  if (type === protobufMediaType) return { value: parseProtobuf(bytes, protobuf), duplicates: [] }
  throw unsupportedMediaType([...objectMediaTypes, protobufMediaType])
}

function parseProtobuf(bytes: Buffer, { decoder, message }: ProtobufReading): unknown {
  try {
    return decoder.decode(bytes, message)
  } catch (error) {
    if (!(error instanceof WireError) && !(error instanceof JsonSyntaxError)) throw error
    throw new ApiError('BadRequest', error.message, { cause: error })
  }
}

export function parseJsonBody(bytes: Buffer): ParsedBody {
  const { value, text } = parsedJson(bytes)
  return { value, duplicates: duplicateKeys(text, value), text }
}

/** To look for doubled keys takes as long as to parse: others have their turn in between. */
async function parseLongJson(bytes: Buffer, turns: Pick<Turns, 'take'>): Promise<ParsedBody> {
  const { value, text } = parsedJson(bytes)
  await turns.take()
  return { value, duplicates: duplicateKeys(text, value), text }
}

function parsedJson(bytes: Buffer): { readonly value: unknown; readonly text: string } {
  if (bytes.length === 0) throw new ApiError('BadRequest', 'the request body is empty: an object in JSON is expected')
  try {
    const text = bytes.toString('utf8')
    return { value: parseJson(text), text }
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw new ApiError('BadRequest', `couldn't get version/kind; json parse error: ${error.message}`, { cause: error })
  }
}

/** JSON is YAML: what begins as an object of JSON and is one needs no slower reader. Throws BadRequest. */
export async function parseYamlBody(bytes: Buffer): Promise<ParsedBody> {
  const json = firstIsBrace(bytes) ? jsonOrNothing(bytes) : undefined
  if (json !== undefined) return json
  const { value, duplicates } = await readYamlBody(bytes)
  const lines = duplicates.map((line) => `  ${line}`).join('\n')
  return { value, duplicates: [], complaints: lines === '' ? [] : [`yaml: unmarshal errors:\n${lines}`] }
}

/** The value alone. Throws BadRequest. */
export async function parseYaml(bytes: Buffer): Promise<unknown> {
  return (await parseYamlBody(bytes)).value
}

function jsonOrNothing(bytes: Buffer): ParsedBody | undefined {
  try {
    return parseJsonBody(bytes)
  } catch {
    return undefined
  }
}

const BRACE = 0x7b
const SPACE = 0x20

function firstIsBrace(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte > SPACE) return byte === BRACE
  return false
}
