// JSON patch (RFC 6902): a list of operations, all of which hold or none. As upstream's library reads it: a place counted
// from the end is allowed, what copies add up to is bounded.

import { ApiError } from '@aksel/base/errors'
import { stringifyJson } from '@aksel/base/json'
import { isPlainObject } from './merge-patch.ts'
import { malformedPatch, unfitPatch } from './patch-errors.ts'

type Json = unknown

/** Upstream's bound on the operations of one patch. */
const OPERATIONS_MAX = 10_000
/** What all copies of a patch may add together. */
const COPIES_MAX_BYTES = 3 * 1024 * 1024

interface Operation {
  readonly op: string
  readonly path: readonly string[] | undefined
  readonly from: readonly string[] | undefined
  readonly value: Json
}

/** What copies have added so far. */
interface Budget {
  copiedBytes: number
}

/**
 * A new document. Throws BadRequest for what is no list of operations, RequestEntityTooLarge for too many of them, and
 * Invalid for one that does not apply (a failed test, a missing path).
 */
export function jsonPatch(document: Json, patch: Json): Json {
  if (!Array.isArray(patch)) throw notOperations(patch, '[]handlers.jsonPatchOp')
  if (patch.length > OPERATIONS_MAX) {
    throw new ApiError(
      'RequestEntityTooLarge',
      `Request entity too large: The allowed maximum operations in a JSON patch is ${OPERATIONS_MAX}, got ${patch.length}`,
    )
  }
  const budget: Budget = { copiedBytes: 0 }
  const operations = patch.map(parseOperation)
  return operations.reduce<Json>((before, each) => applyOperation(before, each, budget), structuredClone(document))
}

function notOperations(value: Json, type: string): ApiError {
  const word = Array.isArray(value) ? 'array' : isPlainObject(value) ? 'object' : typeof value
  return malformedPatch(`error decoding patch: json: cannot unmarshal ${word} into Go value of type ${type}`)
}

function parseOperation(raw: Json): Operation {
  if (!isPlainObject(raw)) throw notOperations(raw, 'handlers.jsonPatchOp')
  for (const name of ['op', 'path', 'from']) {
    const value = raw[name]
    if (value === undefined || value === null || typeof value === 'string') continue
    const word = Array.isArray(value) ? 'array' : typeof value
    throw malformedPatch(
      `error decoding patch: json: cannot unmarshal ${word} into Go struct field jsonPatchOp.${name} of type string`,
    )
  }
  const { op, path, from, value } = raw as { readonly [name: string]: string | undefined }
  return { op: op ?? 'unknown', path: parsePointer(path), from: parsePointer(from), value: value ?? null }
}

/** Undefined where there is no pointer. */
function parsePointer(pointer: string | undefined | null): readonly string[] | undefined {
  if (pointer === undefined || pointer === null || (pointer !== '' && !pointer.startsWith('/'))) return undefined
  if (pointer === '') return []
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function applyOperation(document: Json, operation: Operation, budget: Budget): Json {
  const { op, value } = operation
  const path = needed(operation.path, op)
  switch (op) {
    case 'add':
      return add(document, path, structuredClone(value))
    case 'remove':
      return remove(document, path)
    case 'replace':
      return replace(document, path, structuredClone(value))
    case 'move': {
      const from = needed(operation.from, op)
      const moved = read(document, from)
      return add(remove(document, from), path, moved)
    }
    case 'copy':
      return add(document, path, copied(read(document, needed(operation.from, op)), budget))
    case 'test':
      if (!sameJson(path.length === 0 ? document : readOptional(document, path), value))
        throw unfitPatch(`testing value ${pointerOf(path)} failed`)
      return document
    default:
      throw unfitPatch(`Unexpected kind: ${op}`)
  }
}

function needed(pointer: readonly string[] | undefined, op: string): readonly string[] {
  if (pointer === undefined) throw unfitPatch(`operation "${op}" lacks a path`)
  return pointer
}

function copied(value: Json, budget: Budget): Json {
  budget.copiedBytes += new TextEncoder().encode(stringifyJson(value)).length
  if (budget.copiedBytes > COPIES_MAX_BYTES)
    throw unfitPatch(`copies add ${budget.copiedBytes} bytes, of which ${COPIES_MAX_BYTES} are allowed`)
  return structuredClone(value)
}

/** What is replaced must be there. */
function replace(document: Json, path: readonly string[], value: Json): Json {
  if (path.length === 0) return value
  const parent = read(document, path.slice(0, -1))
  const last = path.at(-1)!
  if (Array.isArray(parent)) {
    parent[arrayIndex(parent, last)] = value
    return document
  }
  if (!isPlainObject(parent) || !Object.hasOwn(parent, last)) throw missing('replace', path)
  return add(document, path, value)
}

function add(document: Json, path: readonly string[], value: Json): Json {
  if (path.length === 0) return value
  const parent = read(document, path.slice(0, -1))
  const last = path.at(-1)!
  if (Array.isArray(parent)) parent.splice(last === '-' ? parent.length : insertIndex(parent, last), 0, value)
  else if (isPlainObject(parent))
    Object.defineProperty(parent, last, { value, enumerable: true, configurable: true, writable: true })
  else throw missing('add', path)
  return document
}

function remove(document: Json, path: readonly string[]): Json {
  if (path.length === 0) return null
  const parent = read(document, path.slice(0, -1))
  const last = path.at(-1)!
  if (Array.isArray(parent)) parent.splice(arrayIndex(parent, last), 1)
  else if (isPlainObject(parent) && Object.hasOwn(parent, last)) delete (parent as Record<string, Json>)[last]
  else throw missing('remove', path)
  return document
}

function read(document: Json, path: readonly string[]): Json {
  let value = document
  for (const part of path) {
    if (Array.isArray(value)) value = value[arrayIndex(value, part)]
    else if (isPlainObject(value) && Object.hasOwn(value, part)) value = value[part]
    else throw missing('read', path)
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

function arrayIndex(list: readonly Json[], part: string): number {
  const index = integerOf(part)
  if (index >= list.length || index < -list.length) throw unfitPatch(`invalid index referenced: ${part}`)
  return index < 0 ? index + list.length : index
}

/** Where a new item goes; -1 is behind the last one. */
function insertIndex(list: readonly Json[], part: string): number {
  const index = integerOf(part)
  if (index > list.length || index < -list.length - 1) throw unfitPatch(`invalid index referenced: ${part}`)
  return index < 0 ? index + list.length + 1 : index
}

function integerOf(part: string): number {
  if (!/^[+-]?\d+$/.test(part)) throw unfitPatch(`${part} is no index`)
  return Number(part)
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

function missing(op: string, path: readonly string[]): ApiError {
  return unfitPatch(`${op} operation does not apply: doc is missing path: "${pointerOf(path)}"`)
}
