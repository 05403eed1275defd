// Is the body of an apply one that may be applied: its kind and version, no managedFields, and fields that the type has.

import { ApiError } from '@aksel/base/errors'
import { complaintsOf } from './check-value.ts'
import type { ManagedKind } from './managed-kind.ts'
import { isMap, type JsonMap } from './type-schema.ts'

/** Throws BadRequest, and Unknown (500) where a field does not fit: upstream has no better code for that either. */
export function checkConfiguration(kind: ManagedKind, value: JsonMap): void {
  const { apiVersion, kind: kindName, metadata } = value
  if (apiVersion !== kind.apiVersion || kindName !== kind.kind)
    throw new ApiError('BadRequest', `invalid object type: ${goKind(text(apiVersion), text(kindName))}`)
  if (isMap(metadata) && metadata['managedFields'] !== undefined && metadata['managedFields'] !== null)
    throw new ApiError('BadRequest', 'metadata.managedFields must be nil')
  const complaints = complaintsOf(kind.type, value)
  if (complaints === undefined) return
  const { namespace, name } = isMap(metadata) ? metadata : {}
  const subject = `${text(namespace)}/${text(name)}; ${goKind(kind.apiVersion, kind.kind)}`
  throw new ApiError('Unknown', `failed to create typed patch object (${subject}): ${complaints}`)
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** `apps/v1, Kind=Deployment`, as Go prints a kind; the core group is an empty one. */
export function goKind(apiVersion: string, kind: string): string {
  return `${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${kind}`
}
