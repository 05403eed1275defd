// Fills the defaults of a structural schema in, and takes nulls out where the schema allows none. In place.

import { childOf, hasDefault, isObject, type Json, type SchemaNode } from './schema-node.ts'

/** Removes nulls that may not be and have no default, then sets every default that is missing. */
export function applyDefaults(object: Json, root: SchemaNode): void {
  dropNulls(object, root)
  fill(object, root)
}

function dropNulls(value: unknown, node: SchemaNode | undefined): void {
  if (Array.isArray(value)) {
    for (const item of value) dropNulls(item, node?.items)
  } else if (isObject(value) && node !== undefined) {
    for (const key of Object.keys(value)) {
      const child = childOf(node, key)
      if (value[key] === null && isDropped(child)) delete value[key]
      else dropNulls(value[key], child)
    }
  }
}

function isDropped(node: SchemaNode | undefined): boolean {
  return node !== undefined && !node.isNullable && !hasDefault(node.source)
}

/** Sets what is missing, below this place too. */
export function fill(value: unknown, node: SchemaNode | undefined): void {
  if (node === undefined) return
  if (Array.isArray(value)) {
    if (node.items === undefined) return
    for (const [index, item] of value.entries()) {
      if (isMissing(item, node.items)) value[index] = structuredClone(node.items.source.default ?? null)
      fill(value[index], node.items)
    }
  } else if (isObject(value)) fillObject(value, node)
}

function fillObject(value: Json, node: SchemaNode): void {
  for (const [name, preset] of node.defaults) {
    if (!Object.hasOwn(value, name) || isMissing(value[name], node.properties.get(name)!))
      value[name] = structuredClone(preset)
  }
  for (const key of Object.keys(value)) {
    const known = node.properties.get(key)
    if (known !== undefined) fill(value[key], known)
    else if (node.additional?.node !== undefined) {
      const { node: other } = node.additional
      if (isMissing(value[key], other)) value[key] = structuredClone(other.source.default ?? null)
      fill(value[key], other)
    }
  }
}

function isMissing(value: unknown, node: SchemaNode): boolean {
  return value === null && !node.isNullable
}

/** True where nothing is to be filled in or dropped. */
export function isDefaulted(value: unknown, node: SchemaNode | undefined): boolean {
  if (node === undefined || typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) {
    const { items } = node
    return items === undefined || value.every((item) => !isMissing(item, items) && isDefaulted(item, items))
  }
  if (node.defaults.some(([name]) => !Object.hasOwn(value, name))) return false
  for (const key of Object.keys(value)) {
    const child = childOf(node, key)
    if (child === undefined) continue
    const item = (value as Json)[key]
    if (isMissing(item, child) || !isDefaulted(item, child)) return false
  }
  return true
}
