// Sets have no equal items and maps no two items of the same keys: the rules of x-kubernetes-list-type on an object.

import { stringifyJson } from '@aksel/base/json'
import { duplicate, invalid, type FieldError } from '../field-errors.ts'
import { fieldPath, isObject, type Json, type SchemaNode } from './schema-node.ts'

export function validateLists(value: unknown, node: SchemaNode | undefined, path = ''): readonly FieldError[] {
  if (node === undefined) return []
  if (Array.isArray(value)) return validateList(value, node, path)
  if (!isObject(value)) return []
  const errors: FieldError[] = []
  for (const key of Object.keys(value)) {
    const known = node.properties.get(key)
    if (known !== undefined) errors.push(...validateLists(value[key], known, fieldPath(path, key)))
    else if (node.additional?.node !== undefined)
      errors.push(...validateLists(value[key], node.additional.node, `${path}[${key}]`))
  }
  return errors
}

function validateList(list: readonly unknown[], node: SchemaNode, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  if (node.listType === 'set')
    for (const index of repeatedAt(list)) errors.push(duplicate(`${path}[${index}]`, list[index]))
  if (node.listType === 'map') errors.push(...validateMap(list, node.listKeys, path))
  for (const [index, item] of list.entries()) errors.push(...validateLists(item, node.items, `${path}[${index}]`))
  return errors
}

function validateMap(list: readonly unknown[], keys: readonly string[], path: string): readonly FieldError[] {
  const strange = list.findIndex((item) => item !== null && !isObject(item))
  if (strange >= 0)
    return [invalid(`${path}[${strange}]`, list[strange], 'must be an object for an array of list-type map')]
  const identities = list.map((item) => keysOf((item ?? {}) as Json, keys))
  return repeatedAt(identities).map((index) => duplicate(`${path}[${index}]`, identities[index]))
}

/** The values of the key fields that the item has. */
function keysOf(item: Json, keys: readonly string[]): Json {
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(item, key)).map((key) => [key, item[key]]))
}

/** Where a value stands for the second time; later repetitions are not told again. */
function repeatedAt(list: readonly unknown[]): readonly number[] {
  const times = new Map<string, number>()
  const found: number[] = []
  for (const [index, item] of list.entries()) {
    const identity = canonical(item)
    const before = times.get(identity) ?? 0
    if (before === 1) found.push(index)
    times.set(identity, before + 1)
  }
  return found
}

/** Equal values give equal texts, whatever the order of their keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return stringifyJson(value)
  const keys = Object.keys(value).sort()
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`
}
