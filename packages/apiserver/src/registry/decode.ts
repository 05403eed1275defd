// A parsed body becomes an object of the row's kind: the right version, no unknown fields kept, complaints as asked for.

import type { KindRow } from '@aksel/api/kind-row'
import { groupVersionOf, type KubernetesObject } from '@aksel/api/resource'
import { decodeError, type Schema, type Schemas } from '@aksel/api/schema'
import { complaintsMax, DecodeFailure } from '@aksel/api/schema-state'
import type { Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import { keysOf, stringifyJson } from '@aksel/base/json'
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
  /** The refusal of a value that a strict reader, or any reader, does not accept; absent: BadRequest. */
  readonly refuse?: (message: string) => ApiError
}

/** A new object that may be changed freely. Throws BadRequest, or what `settings.refuse` makes of it. */
export function decodeBody(settings: DecodeSettings, type: BodyType, body: ParsedBody): Draft<KubernetesObject> {
  const { value } = body
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ApiError('BadRequest', "couldn't get version/kind; json parse error: an object is expected")
  }
  if (type.schema !== undefined) requireType(value as Readonly<Record<string, unknown>>, type)
  checkType(value as Readonly<Record<string, unknown>>, type)
  const { decoded, unknownFields } = decode(settings, type, value)
  const complaints = settings.fieldValidation === 'Ignore' ? [] : complaintsOf(unknownFields, body)
  if (complaints.length > 0 && settings.fieldValidation === 'Strict') {
    const text = `strict decoding error: ${complaints.join(', ')}`
    throw settings.refuse?.(text) ?? new ApiError('BadRequest', `${cannotBeHandled(type)}: ${text}`)
  }
  if (settings.fieldValidation === 'Warn') addWarnings(settings.warnings, complaints)
  decoded['kind'] = type.kind
  decoded['apiVersion'] = type.apiVersion
  decoded['metadata'] ??= {}
  keepEmptyManagedFields(value as Readonly<Record<string, unknown>>, decoded)
  return decoded as unknown as Draft<KubernetesObject>
}

/** Each complaint is a warning of its own, and so is each line of a YAML reader's. */
export function addWarnings(warnings: Set<string>, complaints: readonly string[]): void {
  for (const complaint of complaints) {
    const lines = /^(?:error converting YAML to JSON: )?yaml: unmarshal errors:\n([^]*)$/.exec(complaint)?.[1]
    for (const line of lines?.split('\n') ?? [complaint]) warnings.add(line.trim())
  }
}

function cannotBeHandled(type: BodyType): string {
  return `${type.kind} in version "${versionOf(type)}" cannot be handled as a ${type.kind}`
}

/** A YAML reader's complaints come first. */
function complaintsOf(unknownFields: readonly string[], body: ParsedBody): readonly string[] {
  const { duplicates, complaints = [], text } = body
  const named = text === undefined ? sorted(unknownFields, duplicates) : inOrderOf(text, unknownFields, duplicates)
  return [...complaints, ...named]
}

const unknown = (field: string): string => `unknown field "${field}"`
const twice = (field: string): string => `duplicate field "${field}"`

/** What did not come as JSON was turned into it with sorted keys. */
function sorted(unknownFields: readonly string[], duplicates: readonly string[]): readonly string[] {
  return [...unknownFields.map(unknown).toSorted(), ...duplicates.map(twice)].slice(0, complaintsMax)
}

/** What stands behind the last dot: a key may have some itself. */
const endOf = (path: string): string => path.slice(path.lastIndexOf('.') + 1)

/** As a reader that goes through the text once would complain, and would have enough in the end. */
function inOrderOf(text: string, unknownFields: readonly string[], duplicates: readonly string[]): readonly string[] {
  const said = new Set<string>()
  const say = (complaint: string): unknown => said.size < complaintsMax && said.add(complaint)
  if (unknownFields.length + duplicates.length > 1) {
    const [areUnknown, areTwice] = [new Set(unknownFields), new Set(duplicates)]
    const lastKeys = new Set([...unknownFields, ...duplicates].map(endOf))
    for (const { key, again, path } of keysOf(text)) {
      if (said.size >= complaintsMax) break
      if (!lastKeys.has(endOf(key))) continue
      const place = path()
      if ((again ? areTwice : areUnknown).has(place)) say((again ? twice : unknown)(place))
    }
  }
  for (const field of unknownFields) say(unknown(field))
  for (const field of duplicates) say(twice(field))
  return [...said]
}

/** An empty list asks for the entries to be forgotten; a decoder leaves empty lists out. */
function keepEmptyManagedFields(value: Readonly<Record<string, unknown>>, decoded: Record<string, unknown>): void {
  const sent = (value['metadata'] as { readonly managedFields?: unknown } | null | undefined)?.managedFields
  if (Array.isArray(sent) && sent.length === 0) (decoded['metadata'] as Record<string, unknown>)['managedFields'] = []
}

function decode(
  { schemas, refuse }: DecodeSettings,
  type: BodyType,
  value: object,
): { readonly decoded: Record<string, unknown>; readonly unknownFields: readonly string[] } {
  try {
    const { value: decoded, unknownFields } = (type.schema ?? schemas.get(type.message)).decode(value)
    if (type.schema !== undefined) return { decoded, unknownFields }
    // Where the body does not say what it is, that stands first all the same.
    return { decoded: { kind: type.kind, apiVersion: type.apiVersion, ...decoded }, unknownFields }
  } catch (error) {
    if (error instanceof DecodeFailure) throw refuse?.(error.message) ?? decodeError(error, type.kind, type.apiVersion)
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
      `${show(kind)} in version "${versionOf(type)}" cannot be handled as a ${type.kind}: ${noConversion(show(kind), type)}`,
    )
  }
}

/** As the Go packages of the kinds are called: `converting (v1.Pod) to (core.ConfigMap): unknown conversion`. */
function noConversion(kind: string, type: BodyType): string {
  const slash = type.apiVersion.indexOf('/')
  const [family] = slash < 0 ? ['core'] : type.apiVersion.slice(0, slash).split('.')
  return `converting (${versionOf(type)}.${kind}) to (${family}.${type.kind}): unknown conversion`
}

function versionOf(type: BodyType): string {
  return type.apiVersion.slice(type.apiVersion.indexOf('/') + 1)
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : stringifyJson(value)
}
