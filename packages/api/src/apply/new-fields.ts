// Whose fields a new object has, found in one walk that writes the JSON of the set: creating makes the largest sets and has
// nobody to take fields from. `updateOwners` says the same the long way, and is the judge of this in the tests.

import { deepEqual } from '../deep-equal.ts'
import { emptySet, isEmptySet, SELF, type FieldSet } from './field-set.ts'
import type { FieldTexts } from './field-text.ts'
import { duplicatesIn } from './owned-fields.ts'
import { compareElements, itemElement } from './path-element.ts'
import {
  isEmptyValue,
  isMap,
  shapeOf,
  sortedKeys,
  untypedAtomic,
  type JsonMap,
  type ListSchema,
  type MapSchema,
  type TypeSchema,
} from './type-schema.ts'

export interface NewObject {
  readonly type: TypeSchema
  /** The object with nothing set: its zero values belong to nobody. */
  readonly empty: JsonMap
  /** Without managedFields. */
  readonly value: JsonMap
  /** Nobody comes to own these, nor what lies below the members. */
  readonly ignored: FieldSet
  /** What identifies the object, by the elements of the root and of metadata. */
  readonly neverOwned: FieldSet
}

/** The set, shared with other objects of this shape; undefined where only a comparison can tell. Throws ElementError. */
export function newFields(texts: FieldTexts, object: NewObject): FieldSet | undefined {
  const { type, empty, value, ignored, neverOwned } = object
  const map = shapeOf(type, value) === 'map' ? type.map : undefined
  if (map === undefined || map.atomic) return undefined
  try {
    const before = { ...empty, metadata: empty['metadata'] ?? {} }
    const text = changedEntries(map, before, value, [ignored, neverOwned])
    return text === '' ? emptySet : texts.setOf(text)
  } catch (error) {
    if (error instanceof Unusual) return undefined
    throw error
  }
}

/** Left to the comparison. */
class Unusual extends Error {}

const MEMBER = '{}'

/** Sets that are left out: the first with all below its members, the second member by member. */
type Skipped = readonly [FieldSet, FieldSet]

/** '' where nothing below is owned. */
function changedEntries(map: MapSchema, before: JsonMap, after: JsonMap, [ignored, never]: Skipped): string {
  let text = ''
  for (const key of sortedKeys(after)) {
    const value = after[key]
    if (value === undefined) continue
    const field = map.field(key)
    const element = field?.element ?? `f:${key}`
    const skipped: Skipped = [ignored[element] ?? emptySet, never[element] ?? emptySet]
    if (isLeaf(ignored[element]) || isLeaf(never[element])) continue
    const node = changed(field?.type() ?? map.element?.() ?? untypedAtomic, before[key], value, skipped)
    if (node !== '') text += `${text === '' ? '{' : ','}${quoted(element)}:${node}`
  }
  return text === '' ? '' : `${text}}`
}

function isLeaf(node: FieldSet | undefined): boolean {
  return node !== undefined && isEmptySet(node)
}

function changed(type: TypeSchema, before: unknown, after: unknown, skipped: Skipped): string {
  const [ignored, never] = skipped
  if (ignored[SELF] !== undefined) throw new Unusual()
  if (before === undefined) {
    if (!isEmptySet(ignored) || !isEmptySet(never)) throw new Unusual()
    return whole(type, after)
  }
  const shape = shapeOf(type, after)
  if (before === null || after === null || shape !== shapeOf(type, before)) throw new Unusual()
  const isPiece = shape === 'scalar' || (shape === 'list' ? type.list!.kind === 'atomic' : type.map!.atomic)
  if (isPiece || (isEmptyValue(before) && isEmptyValue(after))) return deepEqual(before, after) ? '' : MEMBER
  if (shape === 'map') return changedEntries(type.map!, before as JsonMap, after as JsonMap, skipped)
  if (!isEmptyValue(before)) throw new Unusual()
  const items = itemsOf(type.list!, after as readonly unknown[])
  return items === '' ? '' : `{${items}}`
}

/** A value that was not there: itself, and each field and item in it. */
function whole(type: TypeSchema, value: unknown): string {
  const below = belowOf(type, value)
  return below === '' ? MEMBER : `{".":{},${below}}`
}

function belowOf(type: TypeSchema, value: unknown): string {
  switch (shapeOf(type, value)) {
    case 'scalar':
      return ''
    case 'list':
      return type.list!.kind !== 'atomic' && Array.isArray(value) ? itemsOf(type.list!, value) : ''
    case 'map':
      return !type.map!.atomic && isMap(value) ? entriesOf(type.map!, value) : ''
  }
}

function entriesOf(map: MapSchema, value: JsonMap): string {
  const plan = map.plans?.of(value)
  let text = ''
  if (plan !== undefined) {
    for (const { key, type, lead } of plan.steps) text += lead + whole(type, value[key])
    return text + plan.tail
  }
  for (const key of sortedKeys(value)) {
    const item = value[key]
    if (item === undefined) continue
    const field = map.field(key)
    const type = field?.type() ?? map.element?.() ?? untypedAtomic
    text += `${text === '' ? '' : ','}${quoted(field?.element ?? `f:${key}`)}:${whole(type, item)}`
  }
  return text
}

function itemsOf(list: ListSchema, items: readonly unknown[]): string {
  return plainItems(list, items) ?? anyItems(list, items)
}

/** Items with one key, whose values need no escapes and stand in order; undefined for all others. */
function plainItems(list: ListSchema, items: readonly unknown[]): string | undefined {
  if (list.kind !== 'map' || list.keys.length !== 1) return undefined
  const key = list.keys[0]!
  const type = list.item()
  let previous = ''
  let text = ''
  for (const item of items) {
    const value = isMap(item) ? item[key] : undefined
    if (typeof value !== 'string' || value <= previous || !plainText.test(value)) return undefined
    text += `${text === '' ? '' : ','}"k:{\\"${key}\\":\\"${value}\\"}":${whole(type, item)}`
    previous = value
  }
  return text
}

function anyItems(list: ListSchema, items: readonly unknown[]): string {
  const type = list.item()
  const elements = items.map((item) => itemElement(list, item))
  if (!isInOrder(elements)) return outOfOrder(list, items, elements)
  return items.map((item, at) => `${quoted(elements[at]!)}:${whole(type, item)}`).join(',')
}

/** Each comes after the one before it, and none twice. */
function isInOrder(elements: readonly string[]): boolean {
  for (let at = 1; at < elements.length; at += 1)
    if (compareElements(elements[at - 1]!, elements[at]!) >= 0) return false
  return true
}

function outOfOrder(list: ListSchema, items: readonly unknown[], elements: readonly string[]): string {
  const twice = duplicatesIn(elements)
  const nodes = new Map(
    elements.map((element, at) => [element, twice.has(element) ? MEMBER : whole(list.item(), items[at])] as const),
  )
  return [...nodes]
    .sort(([a], [b]) => compareElements(a, b))
    .map(([element, node]) => `${quoted(element)}:${node}`)
    .join(',')
}

const plainText = /^[\w./:-]+$/

function quoted(element: string): string {
  return plainText.test(element) ? `"${element}"` : JSON.stringify(element)
}
