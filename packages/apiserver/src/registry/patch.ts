// PATCH: what the three patch types make of the current object.

import { invalid } from '@aksel/api/field-errors'
import { goShow } from '@aksel/api/go-format'
import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import { jsonPatch } from '@aksel/api/patch/json-patch'
import { isPlainObject, mergePatch } from '@aksel/api/patch/merge-patch'
import type { PatchSchema } from '@aksel/api/patch/patch-schema'
import { strategicMergePatch } from '@aksel/api/patch/strategic-merge-patch'
import { complaintsMax } from '@aksel/api/schema-state'
import type { Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import { duplicateKeys, JsonSyntaxError, parseJson, stringifyJson } from '@aksel/base/json'
import { unsupportedMediaType } from '../refusals.ts'
import { decodeBody, type BodyType, type DecodeSettings } from './decode.ts'

export const patchMediaTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
] as const

const strategicMergeType = 'application/strategic-merge-patch+json'

export type PatchMediaType = (typeof patchMediaTypes)[number]

export const applyMediaType = 'application/apply-patch+yaml'

/** Reads the content type of a PATCH. Throws UnsupportedMediaType. */
export function patchTypeOf(contentType: string | undefined, row?: KindRow): PatchMediaType {
  const type = (contentType ?? '').split(';')[0]!.trim().toLowerCase()
  // How lists of a custom kind merge is nothing that strategic merge patches know.
  if (row?.custom !== undefined && type === strategicMergeType)
    throw unsupportedMediaType(patchMediaTypes.filter((one) => one !== strategicMergeType))
  if ((patchMediaTypes as readonly string[]).includes(type)) return type as PatchMediaType
  throw unsupportedMediaType(patchMediaTypes)
}

/** Patches that are made of the present object, not merged by ownership. */
export type PlainPatchType = Exclude<PatchMediaType, typeof applyMediaType>

export interface ReadPatch {
  readonly type: PlainPatchType
  readonly patch: unknown
  /** What a strict reader does not accept in the patch itself. */
  readonly complaints: readonly string[]
}

/** Throws BadRequest where the body is no patch of its type. */
export function readPatch(type: PlainPatchType, bytes: Buffer): ReadPatch {
  const text = bytes.toString('utf8')
  const prefix = type === strategicMergeType ? '' : 'error decoding patch: '
  let patch: unknown
  try {
    patch = parseJson(text)
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw new ApiError('BadRequest', `${prefix}${error.message}`, { cause: error })
  }
  const isList = type === 'application/json-patch+json'
  if (!isList && !isPlainObject(patch)) {
    const word = Array.isArray(patch) ? 'array' : typeof patch === 'boolean' ? 'bool' : typeof patch
    if (patch !== null)
      throw new ApiError(
        'BadRequest',
        `${prefix}json: cannot unmarshal ${word} into Go value of type map[string]interface {}`,
      )
    patch = {}
  }
  const twice = duplicateKeys(text, patch).map((path) => `duplicate field "${path}"`)
  const complaints = firstOf(isList ? [...unknownInOperations(patch), ...twice] : twice)
  if (!isList) return { type, patch, complaints }
  return { type, patch, complaints: complaints.map((one) => `json patch ${one}`) }
}

/** As many as upstream's strict reader names, each once. */
function firstOf(complaints: readonly string[]): readonly string[] {
  return [...new Set(complaints)].slice(0, complaintsMax)
}

const operationFields: ReadonlySet<string> = new Set(['op', 'path', 'from', 'value'])

function unknownInOperations(patch: unknown): readonly string[] {
  if (!Array.isArray(patch)) return []
  return patch.flatMap((operation: unknown, index) =>
    isPlainObject(operation)
      ? Object.keys(operation)
          .filter((key) => !operationFields.has(key))
          .map((key) => `unknown field "[${index}].${key}"`)
      : [],
  )
}

/** The patched object as plain JSON. Throws BadRequest, Invalid or Unknown, as the type's rules have it. */
export function patched(schema: () => PatchSchema, { type, patch }: ReadPatch, current: KubernetesObject): unknown {
  switch (type) {
    case 'application/json-patch+json':
      return jsonPatch(current, patch)
    case 'application/merge-patch+json':
      return mergePatch(current, patch)
    case 'application/strategic-merge-patch+json':
      return strategicMergePatch(current as unknown as Readonly<Record<string, unknown>>, patch, schema())
    default:
      return type satisfies never
  }
}

/** A patched document is written by upstream's library with its own keys sorted, what lies below as it came. */
function sortedTop(value: unknown): unknown {
  if (!isPlainObject(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Reads what a patch led to; complaints about it, and about the patch, refuse the patch (422) or become warnings. */
export function decodePatched(
  settings: DecodeSettings,
  type: BodyType,
  read: ReadPatch,
  value: unknown,
): Draft<KubernetesObject> {
  const refuse = (message: string): ApiError => {
    const quoted = read.type === strategicMergeType ? goShow(read.patch) : stringifyJson(sortedTop(value))
    const cause = invalid('patch', quoted, message)
    return new ApiError('Invalid', ` "" is invalid: ${cause.field}: ${cause.message}`, { details: { causes: [cause] } })
  }
  return decodeBody({ ...settings, refuse }, type, { value, duplicates: [], complaints: read.complaints })
}
