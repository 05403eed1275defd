// JSON patch (RFC 6902): a list of operations, all of which hold or none.

import { ApiError } from '@aksel/base/errors'
import { isPlainObject } from './merge-patch.ts'

type Json = unknown

/** Upstream's bound on the operations of one patch. */
const OPERATIONS_MAX = 10_000

interface Operation {
  readonly op: string
  readonly path: readonly string[]
  readonly from: readonly string[] | undefined
  readonly value: Json
  readonly hasValue: boolean
}

/** A new document. Throws BadRequest for a malformed patch and Invalid for one that does not apply (a failed test, a missing path). */
export function jsonPatch(document: Json, patch: Json): Json {
  if (!Array.isArray(patch)) throw malformed('json: cannot unmarshal object into Go value of type jsonpatch.Patch')
  if (patch.length > OPERATIONS_MAX) {
    throw new ApiError(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${OPERATIONS_MAX}, got ${patch.length}`,
    )
  }
  return patch.map(parseOperation).reduce(applyOperation, structuredClone(document))
}

function parseOperation(raw: Json): Operation {
  if (!isPlainObject(raw)) throw malformed('an operation must be an object')
  const { op, path, from } = raw
  if (typeof op !== 'string' || typeof path !== 'string') throw malformed('an operation needs "op" and "path"')
  if ((op === 'move' || op === 'copy') && typeof from !== 'string') throw malformed(`operation "${op}" needs "from"`)
  return {
    op,
    path: parsePointer(path),
    from: typeof from === 'string' ? parsePointer(from) : undefined,
    value: raw['value'],
    hasValue: Object.hasOwn(raw, 'value'),
  }
}

function parsePointer(pointer: string): readonly string[] {
  if (pointer === '') return []
  if (!pointer.startsWith('/')) throw malformed(`path "${pointer}" must begin with "/"`)
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function applyOperation(document: Json, operation: Operation): Json {
  const { op, path, from, value } = operation
  switch (op) {
    case 'add':
      return add(document, path, needed(operation))
    case 'remove':
      return remove(document, path)
    case 'replace':
      return replace(document, path, needed(operation))
    case 'move': {
      const moved = read(document, from!)
      return add(remove(document, from!), path, moved)
    }
    case 'copy':
      return add(document, path, structuredClone(read(document, from!)))
    case 'test':
      if (!sameJson(path.length === 0 ? document : readOptional(document, path), value))
        throw unappliable(`testing value ${pointerOf(path)} failed`)
      return document
    default:
      throw malformed(`Unexpected kind: ${op}`)
  }
}

function needed(operation: Operation): Json {
  if (!operation.hasValue) throw malformed(`operation "${operation.op}" needs "value"`)
  return structuredClone(operation.value)
}

/** What is replaced must be there. */
function replace(document: Json, path: readonly string[], value: Json): Json {
  if (path.length === 0) return value
  const parent = read(document, path.slice(0, -1))
  const last = path.at(-1)!
  if (Array.isArray(parent)) {
    parent[arrayIndex(parent, last, { mayAppend: false })] = value
    return document
  }
  if (!isPlainObject(parent) || !Object.hasOwn(parent, last))
    throw unappliable(`replace operation does not apply: doc is missing key: ${pointerOf(path)}: missing value`)
  return add(document, path, value)
}

function add(document: Json, path: readonly string[], value: Json): Json {
  if (path.length === 0) return value
  const parent = read(document, path.slice(0, -1))
  const last = path.at(-1)!
  if (Array.isArray(parent)) {
    const index = last === '-' ? parent.length : arrayIndex(parent, last, { mayAppend: true })
    parent.splice(index, 0, value)
  } else if (isPlainObject(parent)) {
    Object.defineProperty(parent, last, { value, enumerable: true, configurable: true, writable: true })
  } else {
    throw missing('add', path)
  }
  return document
}

function remove(document: Json, path: readonly string[]): Json {
  if (path.length === 0) return null
  const parent = read(document, path.slice(0, -1))
  const last = path.at(-1)!
  if (Array.isArray(parent)) parent.splice(arrayIndex(parent, last, { mayAppend: false }), 1)
  else if (isPlainObject(parent) && Object.hasOwn(parent, last)) delete (parent as Record<string, Json>)[last]
  else throw missing('remove', path)
  return document
}

function read(document: Json, path: readonly string[]): Json {
  let value = document
  for (const part of path) {
    if (Array.isArray(value)) value = value[arrayIndex(value, part, { mayAppend: false })]
    else if (isPlainObject(value) && Object.hasOwn(value, part)) value = value[part]
    else throw missing('add', path)
  }
  return value
}

function readOptional(document: Json, path: readonly string[]): Json {
  try {
    return read(document, path)
  } catch {
    return undefined
  }
}

function arrayIndex(list: readonly Json[], part: string, options: { readonly mayAppend: boolean }): number {
  const index = /^(0|[1-9]\d*)$/.test(part) ? Number(part) : -1
  const last = options.mayAppend ? list.length : list.length - 1
  if (index < 0 || index > last) throw unappliable(`Unable to access invalid index: ${part}: invalid index referenced`)
  return index
}

/** Equal as JSON: order of keys does not matter; an absent value equals null. */
export function sameJson(a: Json, b: Json): boolean {
  if (a === b || (a ?? null) === (b ?? null)) return true
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]))
  if (!isPlainObject(a) || !isPlainObject(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
}

function pointerOf(path: readonly string[]): string {
  return path.map((part) => `/${part}`).join('')
}

function malformed(message: string): ApiError {
  return new ApiError('BadRequest', `error decoding patch: ${message}`)
}

function missing(op: string, path: readonly string[]): ApiError {
  return unappliable(`${op} operation does not apply: doc is missing path: "${pointerOf(path)}": missing value`)
}

/** Upstream's server logs why and tells the client only this. */
function unappliable(why: string): ApiError {
  return new ApiError('Invalid', 'the server rejected our request due to an error in our request', {
    details: {},
    cause: new Error(why),
  })
}
