// PATCH: what the three patch types make of the current object.

import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import { jsonPatch } from '@aksel/api/patch/json-patch'
import { mergePatch } from '@aksel/api/patch/merge-patch'
import type { PatchSchema } from '@aksel/api/patch/patch-schema'
import { strategicMergePatch } from '@aksel/api/patch/strategic-merge-patch'
import { ApiError } from '@aksel/base/errors'
import { unsupportedMediaType } from '../refusals.ts'

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

type Json = Parameters<typeof jsonPatch>[0]

/** The patched object as plain JSON, to be decoded like a body. Throws BadRequest, or Invalid where a patch does not fit. */
export function patched(
  schema: () => PatchSchema,
  type: Exclude<PatchMediaType, typeof applyMediaType>,
  current: KubernetesObject,
  patch: unknown,
): unknown {
  switch (type) {
    case 'application/json-patch+json':
      if (!Array.isArray(patch))
        throw new ApiError('BadRequest', 'json: cannot unmarshal object into Go value of type jsonpatch.Patch')
      return jsonPatch(current as unknown as Json, patch as Json)
    case 'application/merge-patch+json':
      return mergePatch(current as unknown as Json, patch as Json)
    case 'application/strategic-merge-patch+json':
      return strategicMergePatch(
        current as unknown as Parameters<typeof strategicMergePatch>[0],
        patch as Json,
        schema(),
      )
    default:
      return type satisfies never
  }
}

/** The body of a patch is a patch, not an object: no kind is expected. */
export function assertPatchShape(
  row: KindRow,
  type: Exclude<PatchMediaType, typeof applyMediaType>,
  patch: unknown,
): void {
  const isList = Array.isArray(patch)
  if (type === 'application/json-patch+json' ? isList : typeof patch === 'object' && patch !== null && !isList) return
  const word = type === 'application/json-patch+json' ? 'a list of operations' : 'an object'
  throw new ApiError('BadRequest', `error decoding patch of ${row.plural}: ${word} is expected`)
}
