// The fields of a value: what an applied configuration claims, and everything that a new value adds.

import { asMember, emptySet, leaf, nodeOf, ordered, SELF, type FieldSet } from './field-set.ts'
import { fieldElement, itemElement } from './path-element.ts'
import {
  isEmptyValue,
  isMap,
  shapeOf,
  sortedKeys,
  untypedAtomic,
  type ListSchema,
  type MapSchema,
  type TypeSchema,
} from './type-schema.ts'

type Building = Record<string, FieldSet>

/** What a configuration claims: its leaves, the items of its lists, and containers only where they are empty. */
export function fieldSetOf(type: TypeSchema, value: unknown): FieldSet {
  return claimed(type, value) ?? emptySet
}

function claimed(type: TypeSchema, value: unknown): FieldSet | undefined {
  switch (shapeOf(type, value)) {
    case 'scalar':
      return leaf
    case 'list': {
      const list = type.list!
      if (list.kind === 'atomic') return leaf
      return Array.isArray(value) ? claimedItems(list, value) : undefined
    }
    case 'map': {
      const map = type.map!
      if (map.atomic) return leaf
      return isMap(value) ? claimedEntries(map, value) : undefined
    }
  }
}

function claimedEntries(map: MapSchema, value: Readonly<Record<string, unknown>>): FieldSet | undefined {
  const fields: Building = {}
  for (const key of sortedKeys(value)) {
    const item = value[key]
    if (item === undefined) continue
    const declared = map.field(key)
    const node = claimed(declared?.type() ?? map.element?.() ?? untypedAtomic, item)
    const isOwn = declared === undefined || item === null || (isMap(item) && isEmptyValue(item))
    const kept = isOwn ? asMember(node) : node
    if (kept !== undefined) fields[declared?.element ?? fieldElement(key)] = kept
  }
  return nodeOf(false, fields)
}

function claimedItems(list: ListSchema, items: readonly unknown[]): FieldSet | undefined {
  const fields: Building = {}
  const elements = items.map((item) => itemElement(list, item))
  const twice = duplicatesIn(elements)
  for (const [index, element] of elements.entries()) {
    fields[element] = twice.has(element) ? leaf : asMember(claimed(list.item(), items[index]))
  }
  return nodeOf(false, ordered(fields))
}

/** The elements that stand more than once. */
export function duplicatesIn(elements: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const element of elements) {
    if (seen.has(element)) twice.add(element)
    seen.add(element)
  }
  return twice
}

/** Everything that comes with a value that was not there: itself, and each field and item in it. */
export function allFields(type: TypeSchema, value: unknown): FieldSet {
  const fields: Building = { [SELF]: leaf }
  return addBelow(fields, type, value) ? ordered(fields) : leaf
}

/** The same without the value itself. */
export function fieldsBelow(type: TypeSchema, value: unknown): FieldSet | undefined {
  const fields: Building = {}
  return addBelow(fields, type, value) ? ordered(fields) : undefined
}

/** True where anything lies below. */
function addBelow(fields: Building, type: TypeSchema, value: unknown): boolean {
  switch (shapeOf(type, value)) {
    case 'scalar':
      return false
    case 'list':
      return type.list!.kind !== 'atomic' && Array.isArray(value) && addItems(fields, type.list!, value)
    case 'map':
      return !type.map!.atomic && isMap(value) && addEntries(fields, type.map!, value)
  }
}

function addEntries(fields: Building, map: MapSchema, value: Readonly<Record<string, unknown>>): boolean {
  let isFilled = false
  for (const key of sortedKeys(value)) {
    const item = value[key]
    if (item === undefined) continue
    const field = map.field(key)
    const type = field?.type() ?? map.element?.() ?? untypedAtomic
    fields[field?.element ?? fieldElement(key)] = allFields(type, item)
    isFilled = true
  }
  return isFilled
}

function addItems(fields: Building, list: ListSchema, items: readonly unknown[]): boolean {
  for (const item of items) {
    const element = itemElement(list, item)
    fields[element] = fields[element] === undefined ? allFields(list.item(), item) : leaf
  }
  return items.length > 0
}
