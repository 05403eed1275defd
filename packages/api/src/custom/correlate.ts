// Which old value a new one takes the place of, for rules that look at both: fields by name, items of map lists by their keys.

import { stringifyJson } from '@aksel/base/json'
import { deepEqual } from '../deep-equal.ts'
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts'
import { isObject, isSchema, type Json } from './schema-node.ts'

/** The old value at the same place. Undefined instead of one: there is none that is known to be the same thing. */
export interface Correlated {
  readonly old: unknown
}

export function correlatedField(from: Correlated | undefined, key: string): Correlated | undefined {
  return from !== undefined && isObject(from.old) && Object.hasOwn(from.old, key) ? { old: from.old[key] } : undefined
}

/** Finds the old item of each new one; asked once per list, so that a long one is looked through once. */
export function correlatedItems(
  schema: JSONSchemaProps,
  from: Correlated | undefined,
): (item: unknown) => Correlated | undefined {
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const { items } = schema
  if (from === undefined || schema['x-kubernetes-list-type'] !== 'map' || keys.length === 0) return () => undefined
  if (!Array.isArray(from.old) || !isSchema(items)) return () => undefined
  const fields = items.properties ?? {}
  const identity = (object: Json): string =>
    stringifyJson(keys.map((key) => object[key] ?? fields[key]?.default ?? null))
  const known = new Map<string, Correlated>()
  for (const old of from.old as readonly unknown[]) if (isObject(old)) known.set(identity(old), { old })
  return (item) => (isObject(item) ? known.get(identity(item)) : undefined)
}

export function isUnchanged(value: unknown, from: Correlated | undefined): boolean {
  return from !== undefined && deepEqual(value, from.old)
}
