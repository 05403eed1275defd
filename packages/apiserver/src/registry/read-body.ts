// The body of a write as an object of its kind: read whole, parsed in whatever form it came, decoded.

import type { KubernetesObject } from '@aksel/api/resource'
import type { Schemas } from '@aksel/api/schema'
import type { Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import { JsonSyntaxError } from '@aksel/base/json'
import type { ResourceCall } from '../call-context.ts'
import type { Turns } from '../turns.ts'
import { parseBody, readRequestBody } from '../http/request-body.ts'
import { decodeBody, type BodyType, type DecodeSettings } from './decode.ts'
import type { Registry } from './registry.ts'
import type { WriteOptions } from './write-options.ts'

/** Of a body that cannot be read, as upstream. */
const SHOWN_BYTES = 30

/** A body from here on is parsed, decoded and judged in rounds of the event loop of its own: each takes milliseconds, or a hundred. */
const LARGE_BYTES = 64 * 1024

export interface SentBody {
  readonly bytes: Buffer
  /** Of a large body: whoever works on it takes one before each step. */
  readonly turns: Turns | undefined
}

/** Throws RequestEntityTooLarge, and Timeout. */
export async function sentBody({ registry }: Tools, { call }: ResourceCall): Promise<SentBody> {
  const bytes = await readRequestBody(call.body)
  return { bytes, turns: bytes.length > LARGE_BYTES ? registry.records.turns : undefined }
}

interface Tools {
  readonly registry: Registry
}

export function decodeSettings(
  schemas: Schemas,
  context: ResourceCall,
  { fieldValidation }: Pick<WriteOptions, 'fieldValidation'>,
): DecodeSettings {
  return { schemas, fieldValidation, warnings: context.warnings }
}

export async function bodyObject(
  tools: Tools,
  context: ResourceCall,
  type: BodyType,
  options: WriteOptions,
): Promise<Draft<KubernetesObject>> {
  return (await bodyReader(tools, context, type, options)).read()
}

export interface BodyReader {
  readonly turns: Turns | undefined
  /** Makes a new object of the body at each call. */
  readonly read: () => Promise<Draft<KubernetesObject>>
}

export async function bodyReader(
  tools: Tools,
  context: ResourceCall,
  type: BodyType,
  options: WriteOptions,
): Promise<BodyReader> {
  const { registry } = tools
  const settings = decodeSettings(registry.schemas, context, options)
  const { bytes, turns } = await sentBody(tools, context)
  const reading = { decoder: registry.protobuf, message: type.message }
  const contentType = context.call.headers['content-type']
  const read = async (): Promise<Draft<KubernetesObject>> => {
    await turns?.take()
    const body = await parseBody(bytes, contentType, reading, turns).catch((error: unknown) => {
      throw unreadable(error, type, bytes)
    })
    await turns?.take()
    const object = decodeBody(settings, type, body)
    await turns?.take()
    return object
  }
  return { turns, read }
}

/** What is no JSON does not even say what it is: upstream shows how it begins. */
function unreadable(error: unknown, { kind }: BodyType, bytes: Buffer): unknown {
  if (!(error instanceof ApiError) || !(error.cause instanceof JsonSyntaxError)) return error
  const isText = bytes[0] === '{'.charCodeAt(0)
  const begins = bytes.subarray(0, SHOWN_BYTES).toString(isText ? 'utf8' : 'hex')
  const shown = bytes.length > SHOWN_BYTES ? `${begins} ...` : begins
  const message = `the object provided is unrecognized (must be of type ${kind}): ${error.message} (${shown})`
  return new ApiError('BadRequest', message, { cause: error })
}
