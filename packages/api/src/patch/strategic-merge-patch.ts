// Strategic merge patch: Kubernetes' own merge, which knows which lists are sets and which are keyed by a field.
// Directives: `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/FIELD`, `$setElementOrder/FIELD`.

import { ApiError } from '@aksel/base/errors'
import { sameJson } from './json-patch.ts'
import { isPlainObject } from './merge-patch.ts'
import { orderElements } from './element-order.ts'
import type { PatchField, PatchSchema } from './patch-schema.ts'

type Json = unknown
type JsonObject = Readonly<Record<string, Json>>

const DELETE_LIST = '$deleteFromPrimitiveList/'
const ELEMENT_ORDER = '$setElementOrder/'

/** A new object; neither argument is changed. Throws BadRequest for a patch that makes no sense for the type. */
export function strategicMergePatch(original: JsonObject, patch: Json, schema: PatchSchema): JsonObject {
  if (!isPlainObject(patch)) throw malformed('the patch must be an object')
  return mergeObject(original, patch, schema)
}

function mergeObject(original: JsonObject, patch: JsonObject, schema: PatchSchema | undefined): JsonObject {
  const directive = patch['$patch']
  if (directive === 'replace') return dropDirectives(without(patch, '$patch')) as JsonObject
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge')
    throw malformed(`Unknown patch type found: ${JSON.stringify(directive)}`)
  const merged: Record<string, Json> = { ...retained(original, patch) }
  for (const [key, value] of Object.entries(patch)) {
    if (key === '$patch' || key === '$retainKeys') continue
    if (key.startsWith(DELETE_LIST)) deleteItems(merged, key.slice(DELETE_LIST.length), value)
    else if (!key.startsWith(ELEMENT_ORDER)) mergeField(merged, { key, value, field: schema?.field(key) })
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(ELEMENT_ORDER))
      setOrder(merged, { key: key.slice(ELEMENT_ORDER.length), order: value, original, schema })
  }
  return merged
}

/** `$retainKeys` names all keys that may stay; it must hold every key that the patch sets. */
function retained(original: JsonObject, patch: JsonObject): JsonObject {
  const keys = patch['$retainKeys']
  if (keys === undefined) return original
  if (!Array.isArray(keys)) throw malformed('invalid patch format of retainKeys')
  for (const [key, value] of Object.entries(patch)) {
    if (!key.startsWith('$') && value !== null && !keys.includes(key))
      throw malformed('invalid patch format of retainKeys: a key of the patch is not in the list')
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
  if (!items.some(isPlainObject))
    return [
      ...original,
      ...patch.filter(
        (item, index) => !original.some((other) => sameJson(other, item)) && patch.indexOf(item) === index,
      ),
    ]
  if (!items.every(isPlainObject)) throw malformed('the list holds objects and other values')
  const { mergeKey } = field
  if (mergeKey === undefined) return patch.map(dropDirectives)
  const patches = patch as readonly JsonObject[]
  if (patches.some((item) => item['$patch'] === 'replace'))
    return patches.filter((item) => item['$patch'] === undefined).map(dropDirectives)
  let merged = [...(original as readonly JsonObject[])]
  for (const item of patches) {
    const isSame = (other: JsonObject): boolean => sameJson(other[mergeKey], item[mergeKey])
    if (item[mergeKey] === undefined || item[mergeKey] === null) {
      throw malformed(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`)
    }
    if (item['$patch'] === 'delete') merged = merged.filter((other) => !isSame(other))
    else if (merged.some(isSame))
      merged = merged.map((other) => (isSame(other) ? mergeObject(other, item, field.schema) : other))
    else merged.push(dropDirectives(item) as JsonObject)
  }
  return merged
}

function deleteItems(merged: Record<string, Json>, key: string, values: Json): void {
  const before = merged[key]
  if (!Array.isArray(before)) return
  if (!Array.isArray(values)) throw malformed(`invalid patch format of ${DELETE_LIST}${key}: it must be a list`)
  merged[key] = before.filter((item) => !values.some((value) => sameJson(value, item)))
}

function setOrder(
  merged: Record<string, Json>,
  request: {
    readonly key: string
    readonly order: Json
    readonly original: JsonObject
    readonly schema: PatchSchema | undefined
  },
): void {
  const items = merged[request.key]
  if (!Array.isArray(items)) return
  if (!Array.isArray(request.order))
    throw malformed(`invalid patch format of ${ELEMENT_ORDER}${request.key}: it must be a list`)
  const before = request.original[request.key]
  const mergeKey = request.schema?.field(request.key)?.mergeKey
  const identity = (item: Json): Json => (mergeKey !== undefined && isPlainObject(item) ? item[mergeKey] : item)
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

function malformed(message: string): ApiError {
  return new ApiError('BadRequest', message)
}
