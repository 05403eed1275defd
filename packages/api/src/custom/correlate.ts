// Which old value a new one takes the place of, for rules that look at both: fields by name, items of map lists by their keys.

import { deepEqual } from '../deep-equal.ts'
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts'
import { isObject, isSchema, type Json } from './schema-node.ts'

/** The old value at the same place. Undefined instead of one: there is none that is known to be the same thing. */
export interface Correlated {
  readonly old: unknown
}

export function correlatedField(
  schema: JSONSchemaProps,
  from: Correlated | undefined,
  key: string,
): Correlated | undefined {
  if (from === undefined || schema['x-kubernetes-map-type'] === 'atomic') return undefined
  return isObject(from.old) && Object.hasOwn(from.old, key) ? { old: from.old[key] } : undefined
}

export function correlatedItem(
  schema: JSONSchemaProps,
  from: Correlated | undefined,
  item: unknown,
): Correlated | undefined {
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  if (from === undefined || schema['x-kubernetes-list-type'] !== 'map' || keys.length === 0) return undefined
  if (!isObject(item) || !Array.isArray(from.old) || !isSchema(schema.items)) return undefined
  const fields = schema.items.properties ?? {}
  const identity = (object: Json): readonly unknown[] => keys.map((key) => object[key] ?? fields[key]?.default)
  const wanted = identity(item)
  const found = (from.old as readonly unknown[]).find((other) => isObject(other) && deepEqual(identity(other), wanted))
  return found === undefined ? undefined : { old: found }
}

export function isUnchanged(value: unknown, from: Correlated | undefined): boolean {
  return from !== undefined && deepEqual(value, from.old)
}
