// Strategic merge patch: Kubernetes' own merge, which knows which lists are sets and which are keyed by a field.
// Directives: `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/FIELD`, `$setElementOrder/FIELD`.

import type { ApiError } from '@aksel/base/errors'
import { goShow } from '../go-format.ts'
import { sameJson } from './json-patch.ts'
import { isPlainObject } from './merge-patch.ts'
import { orderElements } from './element-order.ts'
import { failedPatch, malformedPatch, unfitPatch } from './patch-errors.ts'
import type { PatchField, PatchSchema } from './patch-schema.ts'

type Json = unknown
type JsonObject = Readonly<Record<string, Json>>

const DELETE_LIST = '$deleteFromPrimitiveList/'
const ELEMENT_ORDER = '$setElementOrder/'

/** A new object; neither argument is changed. Throws BadRequest for a patch that makes no sense for the type. */
export function strategicMergePatch(original: JsonObject, patch: Json, schema: PatchSchema): JsonObject {
  if (!isPlainObject(patch)) throw malformedPatch('invalid JSON document')
  return mergeObject(original, patch, schema)
}

function mergeObject(original: JsonObject, patch: JsonObject, schema: PatchSchema | undefined): JsonObject {
  const directive = patch['$patch']
  if (directive === 'replace') return without(patch, '$patch')
  if (directive === 'delete') return {}
  if (directive !== undefined) throw unknownDirective(directive, patch)
  const merged: Record<string, Json> = { ...retained(original, patch) }
  for (const [key, value] of Object.entries(patch)) {
    if (key === '$retainKeys') continue
    if (key.startsWith(DELETE_LIST)) deleteItems(merged, key.slice(DELETE_LIST.length), value)
    else if (!key.startsWith(ELEMENT_ORDER)) mergeField(merged, { key, value, field: schema?.field(key) })
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(ELEMENT_ORDER))
      setOrder(merged, { key: key.slice(ELEMENT_ORDER.length), order: value, original, patch, schema })
  }
  return merged
}

function unknownDirective(directive: Json, patch: JsonObject): ApiError {
  return failedPatch(`unknown patch type: ${goShow(directive)} in map: ${goShow(patch)}`)
}

/** `$retainKeys` names all keys that may stay; it must hold every key that the patch sets. */
function retained(original: JsonObject, patch: JsonObject): JsonObject {
  const keys = patch['$retainKeys']
  if (keys === undefined) return original
  if (!Array.isArray(keys)) throw malformedPatch('invalid patch format of retainKeys')
  for (const [key, value] of Object.entries(patch)) {
    const isListDirective = key.startsWith(DELETE_LIST) || key.startsWith(ELEMENT_ORDER)
    if (key !== '$retainKeys' && value !== null && !isListDirective && !keys.includes(key))
      throw malformedPatch('invalid patch format of retainKeys')
  }
  return Object.fromEntries(Object.entries(original).filter(([key]) => keys.includes(key)))
}

function mergeField(
  merged: Record<string, Json>,
  patch: { readonly key: string; readonly value: Json; readonly field: PatchField | undefined },
): void {
  const { key, value, field } = patch
  const before = merged[key]
  if (value === null) {
    delete merged[key]
  } else if (before === undefined || before === null) {
    setOwn(merged, key, dropDirectives(value))
  } else if (isPlainObject(value) && isPlainObject(before) && field?.replaces !== true) {
    merged[key] = mergeObject(before, value, field?.schema)
  } else if (Array.isArray(value) && Array.isArray(before) && field?.merges === true) {
    merged[key] = mergeList(before, value, field)
  } else {
    setOwn(merged, key, dropDirectives(value))
  }
}

/** Also for `__proto__`, which plain assignment would not store. */
function setOwn(target: Record<string, Json>, key: string, value: Json): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

function mergeList(original: readonly Json[], patch: readonly Json[], field: PatchField): readonly Json[] {
  const items = [...original, ...patch]
  if (items.length === 0) return original
  if (!items.some(isPlainObject)) {
    const merged = items.filter((item, index) => items.findIndex((other) => sameJson(other, item)) === index)
    return orderElements({ items: merged, wanted: patch, before: original, identity: (item) => item })
  }
  if (!items.every(isPlainObject)) throw unfitPatch('lists of lists are not supported')
  const { mergeKey } = field
  if (mergeKey === undefined) throw failedPatch('cannot merge lists without merge key')
  const patches = patch as readonly JsonObject[]
  const { kept, plain, replaces } = withSpecials(original as readonly JsonObject[], patches, mergeKey)
  if (replaces) return plain.map(dropDirectives)
  const merged = [...kept]
  for (const item of plain) {
    const at = merged.findIndex((other) => sameJson(other[mergeKey], keyOf(item, mergeKey)))
    if (at < 0) merged.push(dropDirectives(item) as JsonObject)
    else merged[at] = mergeObject(merged[at]!, item, field.schema)
  }
  const identity = (item: Json): Json => (item as JsonObject)[mergeKey]
  return orderElements({ items: merged, wanted: plain.map(identity), before: original.map(identity), identity })
}

function keyOf(item: JsonObject, mergeKey: string): Json {
  const key = item[mergeKey]
  if (key === undefined) throw failedPatch(`map: ${goShow(item)} does not contain declared merge key: ${mergeKey}`)
  return key
}

/** Items that direct rather than merge: what they delete is gone from `kept`, a replace makes `plain` the whole list. */
function withSpecials(
  original: readonly JsonObject[],
  patch: readonly JsonObject[],
  mergeKey: string,
): { readonly kept: readonly JsonObject[]; readonly plain: readonly JsonObject[]; readonly replaces: boolean } {
  let kept = original
  let replaces = false
  const plain: JsonObject[] = []
  for (const item of patch) {
    const directive = item['$patch']
    if (directive === undefined) plain.push(item)
    else if (directive === 'replace') replaces = true
    else if (directive === 'delete') {
      const key = keyOf(item, mergeKey)
      kept = kept.filter((other) => other[mergeKey] === undefined || !sameJson(other[mergeKey], key))
    } else if (directive === 'merge') throw failedPatch('merging lists cannot yet be specified in the patch')
    else throw unknownDirective(directive, item)
  }
  return { kept, plain, replaces }
}

function deleteItems(merged: Record<string, Json>, key: string, values: Json): void {
  const before = merged[key]
  if (!Array.isArray(before)) return
  if (!Array.isArray(values)) throw failedPatch(`expected a []interface {}, but received a ${typeof values}`)
  merged[key] = before.filter((item) => !values.some((value) => sameJson(value, item)))
}

function setOrder(
  merged: Record<string, Json>,
  request: {
    readonly key: string
    readonly order: Json
    readonly original: JsonObject
    readonly patch: JsonObject
    readonly schema: PatchSchema | undefined
  },
): void {
  const items = merged[request.key]
  if (!Array.isArray(items)) return
  if (!Array.isArray(request.order))
    throw failedPatch(`expected a []interface {}, but received a ${typeof request.order}`)
  const before = request.original[request.key]
  const mergeKey = request.schema?.field(request.key)?.mergeKey
  const identity = (item: Json): Json => (mergeKey !== undefined && isPlainObject(item) ? item[mergeKey] : item)
  const sent = request.patch[request.key]
  if (Array.isArray(sent)) checkOrder(sent.filter(isKept).map(identity), request.order.map(identity), request)
  merged[request.key] = orderElements({
    items,
    wanted: request.order.map(identity),
    before: (Array.isArray(before) ? before : []).map(identity),
    identity,
  })
}

/** What a patch brings anew is stored without its directives and nulls. */
function dropDirectives(value: Json): Json {
  if (Array.isArray(value)) {
    return value
      .filter((item) => !(isPlainObject(item) && item['$patch'] !== undefined && item['$patch'] !== 'merge'))
      .map(dropDirectives)
  }
  if (!isPlainObject(value)) return value
  const kept: Record<string, Json> = {}
  for (const [key, item] of Object.entries(value))
    if (!key.startsWith('$') && item !== null) setOwn(kept, key, dropDirectives(item))
  return kept
}

function without(object: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key))
}

function isKept(item: Json): boolean {
  return !isPlainObject(item) || item['$patch'] === undefined
}

/** What the patch sends must stand in its own order list, and in that order. */
function checkOrder(
  sent: readonly Json[],
  order: readonly Json[],
  request: { readonly order: Json; readonly patch: JsonObject; readonly key: string },
): void {
  let at = 0
  for (const item of sent) {
    const found = order.findIndex((other, index) => index >= at && sameJson(other, item))
    if (found < 0) {
      const [list, wanted] = [goShow(request.patch[request.key]), goShow(request.order)]
      throw failedPatch(`The order in patch list:\n${list}\n doesn't match $setElementOrder list:\n${wanted}\n`)
    }
    at = found + 1
  }
}
