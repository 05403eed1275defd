// Reads a request's body: whole, bounded, and as JSON whether it came as JSON, YAML or protobuf.

import { ApiError } from '@aksel/base/errors'
import { duplicateKeys, JsonSyntaxError, parseJson } from '@aksel/base/json'
import { protobufMediaType, type ProtobufDecoder } from '../protobuf/decode.ts'
import { WireError } from '../protobuf/wire.ts'
import { unsupportedMediaType } from '../refusals.ts'
import { objectMediaTypes } from './accept.ts'

/** Upstream's limit: 3 MiB. */
export const BODY_MAX_BYTES = 3 * 1024 * 1024

export async function readRequestBody(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of body) {
    size += piece.length
    if (size > BODY_MAX_BYTES) {
      throw new ApiError('RequestEntityTooLarge', `Request entity too large: limit is ${BODY_MAX_BYTES}`)
    }
    pieces.push(piece)
  }
  const [first] = pieces
  if (pieces.length === 1) return Buffer.from(first!.buffer, first!.byteOffset, first!.byteLength)
  return Buffer.concat(pieces)
}

export interface ParsedBody {
  readonly value: unknown
  /** Paths of fields that stand twice. */
  readonly duplicates: readonly string[]
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
): Promise<ParsedBody> {
  const type = (contentType ?? 'application/json').split(';')[0]!.trim().toLowerCase()
  if (type === 'application/json' || type === '') return parseJsonBody(bytes)
  if (type === 'application/yaml') return { value: await parseYaml(bytes), duplicates: [] }
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
  if (bytes.length === 0) throw new ApiError('BadRequest', 'the request body is empty: an object in JSON is expected')
  try {
    const text = bytes.toString('utf8')
    const value = parseJson(text)
    return { value, duplicates: duplicateKeys(text, value) }
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw new ApiError('BadRequest', `couldn't get version/kind; json parse error: ${error.message}`, { cause: error })
  }
}

export async function parseYaml(bytes: Buffer): Promise<unknown> {
  const { parse, YAMLParseError } = await import('yaml')
  try {
    return parse(bytes.toString('utf8'), { schema: 'core', maxAliasCount: 100, uniqueKeys: true, intAsBigInt: false })
  } catch (error) {
    if (!(error instanceof YAMLParseError) && !(error instanceof ReferenceError)) throw error
    throw new ApiError('BadRequest', `error converting YAML to JSON: yaml: ${error.message}`, { cause: error })
  }
}
