// PATCH of the type apply: the caller's configuration is merged, and what it names is the caller's.

import { applyConfiguration, type AppliedObject, type Configuration } from '@aksel/api/apply/field-manager'
import type { ManagedKind } from '@aksel/api/apply/managed-kind'
import { isMap } from '@aksel/api/apply/type-schema'
import type { KubernetesObject } from '@aksel/api/resource'
import { draftOf, type Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import { parseApplyBody } from '../http/apply-body.ts'
import { addWarnings, bodyTypeOf, decodeBody, type DecodeSettings } from './decode.ts'
import { setEntries, writerOf } from './ownership.ts'
import type { Registry, WriteCall } from './registry.ts'
import type { WriteOptions } from './write-options.ts'

/** Reads the body; complains about keys that stand twice as the field validation asks. Throws BadRequest. */
export async function configurationOf(
  bytes: Buffer,
  options: WriteOptions,
  warnings: Set<string>,
): Promise<Configuration> {
  const { value, duplicates } = await parseApplyBody(bytes)
  if (duplicates !== undefined && options.fieldValidation === 'Strict')
    throw new ApiError('BadRequest', `error strict decoding patch: ${duplicates}`)
  if (duplicates !== undefined && options.fieldValidation === 'Warn') addWarnings(warnings, [duplicates])
  return { value: isMap(value) ? value : {}, force: options.force }
}

/** The object that an apply leads to, its managedFields included. Throws Conflict where others own what it changes. */
export async function appliedObject(
  registry: Registry,
  call: WriteCall,
  request: {
    readonly configuration: Configuration
    readonly subresource: string
    readonly current: KubernetesObject | undefined
  },
): Promise<Draft<KubernetesObject>> {
  const { configuration, subresource, current } = request
  const kind = registry.managed.of(call.row)
  const applied = await applyConfiguration(kind, current, configuration, writerOf(registry, call, subresource))
  const settings: DecodeSettings = { schemas: registry.schemas, fieldValidation: 'Ignore', warnings: call.warnings }
  const object = decodedApplied(kind, applied, current, (value) =>
    decodeBody(settings, bodyTypeOf(call.row), { value, duplicates: [] }),
  )
  setEntries(object, applied.managedFields)
  return object
}

function decodedApplied(
  kind: ManagedKind,
  { value }: AppliedObject,
  current: KubernetesObject | undefined,
  decode: (value: unknown) => Draft<KubernetesObject>,
): Draft<KubernetesObject> {
  if (value !== undefined) return decode(value)
  if (current !== undefined) return draftOf(current) as Draft<KubernetesObject>
  return decode({ apiVersion: kind.apiVersion, kind: kind.kind, metadata: {} })
}
