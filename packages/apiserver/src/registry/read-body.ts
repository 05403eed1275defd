// The body of a write as an object of its kind: read whole, parsed in whatever form it came, decoded.

import type { KubernetesObject } from '@aksel/api/resource'
import type { Schemas } from '@aksel/api/schema'
import type { Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import { JsonSyntaxError } from '@aksel/base/json'
import type { ResourceCall } from '../call-context.ts'
import { parseBody, readRequestBody } from '../http/request-body.ts'
import { decodeBody, type BodyType, type DecodeSettings } from './decode.ts'
import type { Registry } from './registry.ts'
import type { WriteOptions } from './write-options.ts'

/** Of a body that cannot be read, as upstream. */
const SHOWN_BYTES = 30

/** A body from here on is parsed, decoded and handed on in rounds of the event loop of its own: each takes milliseconds, or a hundred. */
const LARGE_BYTES = 64 * 1024

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
  return (await bodyReader(tools, context, type, options))()
}

/** Makes a new object of the body at each call. */
export async function bodyReader(
  { registry }: Tools,
  context: ResourceCall,
  type: BodyType,
  options: WriteOptions,
): Promise<() => Promise<Draft<KubernetesObject>>> {
  const settings = decodeSettings(registry.schemas, context, options)
  const bytes = await readRequestBody(context.call.body)
  const reading = { decoder: registry.protobuf, message: type.message }
  const contentType = context.call.headers['content-type']
  const { turns } = registry.records
  const isLarge = bytes.length > LARGE_BYTES
  return async () => {
    if (isLarge) await turns.take()
    const body = await parseBody(bytes, contentType, reading).catch((error: unknown) => {
      throw unreadable(error, type, bytes)
    })
    if (isLarge) await turns.take()
    const object = decodeBody(settings, type, body)
    if (isLarge) await turns.take()
    return object
  }
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
