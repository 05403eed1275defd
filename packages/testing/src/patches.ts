// JSON merge patch (RFC 7396) and JSON patch (RFC 6902) on plain data, for the fake client.

import { ApiError } from '@aksel/base/errors'

type Json = Record<string, unknown>

export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const result: Json = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined) delete result[key]
    else result[key] = applyMergePatch(result[key], value)
  }
  return result
}

export interface JsonPatchStep {
  readonly op: string
  readonly path: string
  readonly value?: unknown
}

/** Changes a copy. Refuses a failed `test` as the API server does. */
export function applyJsonPatch(target: unknown, steps: readonly unknown[]): unknown {
  const result = structuredClone(target)
  for (const step of steps as readonly JsonPatchStep[]) applyStep(result, step)
  return result
}

function applyStep(root: unknown, { op, path, value }: JsonPatchStep): void {
  const parts = path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  const last = parts.pop()!
  let holder = root
  for (const part of parts) holder = (holder as Json)[part]
  if (typeof holder !== 'object' || holder === null) throw new ApiError('Invalid', `the path "${path}" does not exist`)
  const list = Array.isArray(holder) ? holder : undefined
  const record = holder as Json
  switch (op) {
    case 'test':
      if (JSON.stringify(record[last]) !== JSON.stringify(value)) {
        throw new ApiError(
          'Invalid',
          `the server rejected our request due to an error in our request: testing ${path} failed`,
        )
      }
      return
    case 'add':
      if (list !== undefined) list.splice(last === '-' ? list.length : Number(last), 0, value)
      else record[last] = value
      return
    case 'replace':
      record[last] = value
      return
    case 'remove':
      if (!Object.hasOwn(record, last)) throw new ApiError('Invalid', `the path "${path}" does not exist`)
      if (list !== undefined) list.splice(Number(last), 1)
      else delete record[last]
      return
    default:
      throw new ApiError('Invalid', `the operation "${op}" is unknown`)
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
