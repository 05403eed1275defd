// The body of a write as an object of its kind: read whole, parsed in whatever form it came, decoded.

import type { KubernetesObject } from '@aksel/api/resource'
import type { Schemas } from '@aksel/api/schema'
import type { Draft } from '@aksel/base/draft'
import type { ResourceCall } from '../call-context.ts'
import { parseBody, readRequestBody } from '../http/request-body.ts'
import { decodeBody, type BodyType, type DecodeSettings } from './decode.ts'
import type { Registry } from './registry.ts'
import type { WriteOptions } from './write-options.ts'

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
  return async () => decodeBody(settings, type, await parseBody(bytes, context.call.headers['content-type'], reading))
}
