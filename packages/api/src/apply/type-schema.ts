// What merging needs to know of a type: which lists are keyed, which maps and structs are one piece. Built-in kinds read it
// from the tables; custom resources hand in their own, so this is an interface and not a table.

import type { KeyPlans } from './key-plans.ts'

/** A value may be any of the alternatives that are given; a deduced type allows all three. */
export interface TypeSchema {
  readonly scalar?: ScalarKind
  readonly list?: ListSchema
  readonly map?: MapSchema
  /** The type is not declared: what it holds decides (a custom resource's preserved fields). */
  readonly deduced?: true
}

export type ScalarKind = 'string' | 'numeric' | 'boolean' | 'untyped'

export interface ListSchema {
  readonly kind: 'atomic' | 'set' | 'map'
  /** Of a `map` list: the fields that tell its items apart, in the order of the schema. */
  readonly keys: readonly string[]
  /** Looked up when first needed: types may contain themselves. */
  item(): TypeSchema
}

export interface MapSchema {
  readonly atomic: boolean
  /** A declared field; undefined for a name that the type does not declare. */
  field(name: string): FieldSchema | undefined
  /** Of every other key; undefined: other keys are not allowed. */
  readonly element: (() => TypeSchema) | undefined
  /** Of types that live long: how objects with these keys are walked. */
  readonly plans?: KeyPlans
}

export interface FieldSchema {
  /** `f:name`, made once where the type is; made each time where it is absent. */
  readonly element?: string
  type(): TypeSchema
  /** Stands for an absent key of a keyed list. */
  readonly default?: unknown
}

/** Where the types of objects come from: the tables for built-in kinds, a CRD's structural schema for custom ones. */
export interface TypeSource {
  /** The type of objects of this version and kind; undefined where it is not served (any more). */
  typeOf(apiVersion: string, kind: string): TypeSchema | undefined
}

export const scalarTypes: Readonly<Record<ScalarKind, TypeSchema>> = {
  string: { scalar: 'string' },
  numeric: { scalar: 'numeric' },
  boolean: { scalar: 'boolean' },
  untyped: { scalar: 'untyped' },
}

/** Raw JSON that is always replaced as a whole. */
export const untypedAtomic: TypeSchema = {
  scalar: 'untyped',
  list: { kind: 'atomic', keys: [], item: () => untypedAtomic },
  map: { atomic: true, field: () => undefined, element: () => untypedAtomic },
}

/** Without a schema: objects merge by key, lists are one piece. */
export const deducedType: TypeSchema = {
  deduced: true,
  scalar: 'untyped',
  list: { kind: 'atomic', keys: [], item: () => untypedAtomic },
  map: { atomic: false, field: () => undefined, element: () => deducedType },
}

export type Shape = 'map' | 'scalar' | 'list'

/** Which alternative of the type this value is read as; absent values and misfits get the first one that the type has. */
export function shapeOf(type: TypeSchema, value: unknown): Shape {
  if (value !== undefined && value !== null) {
    if (Array.isArray(value)) {
      if (type.list !== undefined) return 'list'
    } else if (typeof value === 'object') {
      if (type.map !== undefined) return 'map'
    } else if (type.scalar !== undefined) return 'scalar'
  }
  if (type.map !== undefined) return 'map'
  return type.scalar === undefined ? 'list' : 'scalar'
}

/** A map's keys in the order of a set. */
export function sortedKeys(map: object): readonly string[] {
  const keys = Object.keys(map)
  for (let at = 1; at < keys.length; at += 1) if (keys[at - 1]! > keys[at]!) return keys.sort()
  return keys
}

/** The type of a map's entry; undefined where the map allows no such key. */
export function typeOfEntry(map: MapSchema, key: string): TypeSchema | undefined {
  const field = map.field(key)
  return field === undefined ? map.element?.() : field.type()
}

export type JsonMap = Readonly<Record<string, unknown>>

export function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isEmptyValue(value: unknown): boolean {
  if (value === undefined || value === null) return true
  if (Array.isArray(value)) return value.length === 0
  if (typeof value !== 'object') return true
  for (const _key in value) return false
  return true
}
