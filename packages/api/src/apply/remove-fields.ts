// Takes the fields of a set out of a value, and knows which containers come with them.

import { asMember, below, hasBelow, hasElement, ordered, SELF, type FieldSet } from './field-set.ts'
import { fieldElement, itemElement } from './path-element.ts'
import {
  isEmptyValue,
  isMap,
  shapeOf,
  typeOfEntry,
  untypedAtomic,
  type ListSchema,
  type MapSchema,
  type TypeSchema,
} from './type-schema.ts'

/** The value without the members of the set; what is emptied by that is gone too (undefined). */
export function removeFields(type: TypeSchema, value: unknown, set: FieldSet): unknown {
  switch (shapeOf(type, value)) {
    case 'scalar':
      return value
    case 'list':
      if (!Array.isArray(value) || value.length === 0 || type.list!.kind === 'atomic') return undefined
      return removeItems(type.list!, value, set)
    case 'map':
      if (!isMap(value) || isEmptyValue(value) || type.map!.atomic) return undefined
      return removeEntries(type.map!, value, set)
  }
}

function removeItems(list: ListSchema, items: readonly unknown[], set: FieldSet): unknown {
  const kept: unknown[] = []
  for (const item of items) {
    const element = itemElement(list, item)
    if (hasElement(set, element)) continue
    const inner = below(set, element)
    const rest = hasBelow(inner) ? removeFields(list.item(), item, inner) : item
    kept.push(rest === undefined ? null : rest)
  }
  return kept.length === 0 ? undefined : kept
}

function removeEntries(map: MapSchema, value: Readonly<Record<string, unknown>>, set: FieldSet): unknown {
  const kept: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const element = fieldElement(key)
    if (hasElement(set, element)) continue
    const inner = below(set, element)
    const type = typeOfEntry(map, key) ?? untypedAtomic
    const rest = hasBelow(inner) ? removeFields(type, value[key], inner) : value[key]
    Object.defineProperty(kept, key, {
      value: rest === undefined ? null : rest,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return isEmptyValue(kept) ? undefined : kept
}

/** The set with the declared fields on the way to its members: removing `a.b` removes an `a` that nobody else fills. */
export function withNamedFields(type: TypeSchema | undefined, set: FieldSet): FieldSet {
  const full: Record<string, FieldSet> = {}
  for (const element in set) {
    const node = set[element]!
    if (element === SELF || !hasBelow(node)) {
      full[element] = node
      continue
    }
    const name = element.startsWith('f:') ? element.slice(2) : undefined
    const isDeclared = name !== undefined && type?.map?.field(name) !== undefined
    const inner = withNamedFields(innerType(type, element, name), node)
    full[element] = isDeclared ? asMember(inner) : inner
  }
  return ordered(full)
}

function innerType(type: TypeSchema | undefined, element: string, name: string | undefined): TypeSchema | undefined {
  if (name !== undefined) return type?.map === undefined ? undefined : typeOfEntry(type.map, name)
  return element.startsWith('k:') ? type?.list?.item() : undefined
}
