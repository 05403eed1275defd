// A parsed body becomes an object of the row's kind: the right version, no unknown fields kept, complaints as asked for.

import type { KindRow } from '@aksel/api/kind-row'
import { groupVersionOf, type KubernetesObject } from '@aksel/api/resource'
import { decodeError, type Schema, type Schemas } from '@aksel/api/schema'
import { DecodeFailure } from '@aksel/api/schema-state'
import type { Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import { stringifyJson } from '@aksel/base/json'
import type { ParsedBody } from '../http/request-body.ts'
import type { FieldValidation } from './write-options.ts'

/** The kind that a body must have: the row's, or that of a subresource. */
export interface BodyType {
  readonly apiVersion: string
  readonly kind: string
  /** Table reference: `core/v1.Pod`. */
  readonly message: string
  /** Of a custom kind, which the tables do not have. */
  readonly schema?: Schema
}

export function bodyTypeOf(row: KindRow): BodyType {
  return {
    apiVersion: groupVersionOf(row),
    kind: row.kind,
    message: row.message,
    ...(row.custom === undefined ? {} : { schema: row.custom.schema }),
  }
}

export interface DecodeSettings {
  readonly schemas: Schemas
  readonly fieldValidation: FieldValidation
  readonly warnings: Set<string>
}

/** A new object that may be changed freely. Throws BadRequest. */
export function decodeBody(settings: DecodeSettings, type: BodyType, body: ParsedBody): Draft<KubernetesObject> {
  const { value } = body
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ApiError('BadRequest', "couldn't get version/kind; json parse error: an object is expected")
  }
  if (type.schema !== undefined) requireType(value as Readonly<Record<string, unknown>>, type)
  checkType(value as Readonly<Record<string, unknown>>, type)
  const { decoded, unknownFields } = decode(settings.schemas, type, value)
  const complaints = [
    ...unknownFields.map((field) => `unknown field "${field}"`),
    ...body.duplicates.map((field) => `duplicate field "${field}"`),
    ...(body.complaints ?? []),
  ]
  if (complaints.length > 0 && settings.fieldValidation === 'Strict') {
    throw new ApiError(
      'BadRequest',
      `${type.kind} in version "${versionOf(type)}" cannot be handled as a ${type.kind}: strict decoding error: ${complaints.join(', ')}`,
    )
  }
  if (settings.fieldValidation === 'Warn') for (const complaint of complaints) settings.warnings.add(complaint)
  decoded['kind'] = type.kind
  decoded['apiVersion'] = type.apiVersion
  decoded['metadata'] ??= {}
  keepEmptyManagedFields(value as Readonly<Record<string, unknown>>, decoded)
  return decoded as unknown as Draft<KubernetesObject>
}

/** An empty list asks for the entries to be forgotten; a decoder leaves empty lists out. */
function keepEmptyManagedFields(value: Readonly<Record<string, unknown>>, decoded: Record<string, unknown>): void {
  const sent = (value['metadata'] as { readonly managedFields?: unknown } | null | undefined)?.managedFields
  if (Array.isArray(sent) && sent.length === 0) (decoded['metadata'] as Record<string, unknown>)['managedFields'] = []
}

function decode(
  schemas: Schemas,
  type: BodyType,
  value: object,
): { readonly decoded: Record<string, unknown>; readonly unknownFields: readonly string[] } {
  try {
    const typed = { ...value, kind: type.kind, apiVersion: type.apiVersion }
    const { value: decoded, unknownFields } = (type.schema ?? schemas.get(type.message)).decode(typed)
    return { decoded, unknownFields }
  } catch (error) {
    if (error instanceof DecodeFailure) throw decodeError(error, type.kind, type.apiVersion)
    throw error
  }
}

/** Without a schema of ours, only the body says what it is. */
function requireType(value: Readonly<Record<string, unknown>>, type: BodyType): void {
  const { apiVersion = '', kind = '' } = value
  const missing = kind === '' ? 'Kind' : apiVersion === '' ? 'apiVersion' : undefined
  if (missing === undefined) return
  throw new ApiError(
    'BadRequest',
    `${type.kind} in version "${versionOf(type)}" cannot be handled as a ${type.kind}: Object '${missing}' is missing in '${stringifyJson(value)}'`,
  )
}

function checkType(value: Readonly<Record<string, unknown>>, type: BodyType): void {
  const { apiVersion, kind } = value
  if (apiVersion !== undefined && apiVersion !== '' && apiVersion !== type.apiVersion) {
    throw new ApiError(
      'BadRequest',
      `the API version in the data (${show(apiVersion)}) does not match the expected API version (${type.apiVersion})`,
    )
  }
  if (kind !== undefined && kind !== '' && kind !== type.kind) {
    throw new ApiError(
      'BadRequest',
      `${show(kind)} in version "${versionOf(type)}" cannot be handled as a ${type.kind}: no kind "${type.kind}" is meant by the data`,
    )
  }
}

function versionOf(type: BodyType): string {
  return type.apiVersion.slice(type.apiVersion.indexOf('/') + 1)
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
