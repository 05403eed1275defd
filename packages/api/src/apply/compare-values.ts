// What a write changed: the fields that it added, removed and modified, each as a set.

import { deepEqual } from '../deep-equal.ts'
import { emptySet, leaf, nodeOf, ordered, type FieldSet } from './field-set.ts'
import { allFields, fieldsBelow } from './owned-fields.ts'
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

export interface Comparison {
  readonly added: FieldSet
  readonly removed: FieldSet
  readonly modified: FieldSet
}

/** The parts of a comparison at one place; undefined where nothing differs. */
interface Differences {
  readonly added?: FieldSet | undefined
  readonly removed?: FieldSet | undefined
  readonly modified?: FieldSet | undefined
}

export function compareValues(type: TypeSchema, before: unknown, after: unknown): Comparison {
  const found = differences(type, before, after)
  return {
    added: rootOf(found?.added),
    removed: rootOf(found?.removed),
    modified: rootOf(found?.modified),
  }
}

/** The root itself is no field. */
function rootOf(node: FieldSet | undefined): FieldSet {
  if (node === undefined) return emptySet
  const { '.': _self, ...below } = node
  return below
}

function differences(type: TypeSchema, before: unknown, after: unknown): Differences | undefined {
  if (before === after) return undefined
  if (before === undefined) return { added: allFields(type, after) }
  if (after === undefined) return { removed: allFields(type, before) }
  const [left, right] = [shapeOf(type, before), shapeOf(type, after)]
  if (left !== right && before !== null && after !== null) return otherShape(type, before, after)
  const shape = before === null ? right : left
  if (shape === 'scalar') return modifiedUnlessSame(before, after)
  if (shape === 'list') {
    const list = type.list!
    if (list.kind === 'atomic' || (isEmptyValue(before) && isEmptyValue(after)))
      return modifiedUnlessSame(before, after)
    return itemDifferences(list, listOf(before), listOf(after))
  }
  const map = type.map!
  if (map.atomic || (isEmptyValue(before) && isEmptyValue(after))) return modifiedUnlessSame(before, after)
  return entryDifferences(map, isMap(before) ? before : {}, isMap(after) ? after : {})
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function modifiedUnlessSame(before: unknown, after: unknown): Differences | undefined {
  return deepEqual(before, after) ? undefined : { modified: leaf }
}

/** A value of another kind than before: what was below goes, what is below comes, and a leaf counts as modified. */
function otherShape(type: TypeSchema, before: unknown, after: unknown): Differences {
  const [removed, added] = [fieldsBelow(type, before), fieldsBelow(type, after)]
  return { removed, added, ...(removed === undefined || added === undefined ? { modified: leaf } : {}) }
}

/** Collects the differences of the parts of a container. */
class Collector {
  #added: Record<string, FieldSet> | undefined
  #removed: Record<string, FieldSet> | undefined
  #modified: Record<string, FieldSet> | undefined

  put(element: string, found: Differences | undefined): void {
    if (found === undefined) return
    if (found.added !== undefined) (this.#added ??= {})[element] = found.added
    if (found.removed !== undefined) (this.#removed ??= {})[element] = found.removed
    if (found.modified !== undefined) (this.#modified ??= {})[element] = found.modified
  }

  result(): Differences | undefined {
    if (this.#added === undefined && this.#removed === undefined && this.#modified === undefined) return undefined
    return { added: inOrder(this.#added), removed: inOrder(this.#removed), modified: inOrder(this.#modified) }
  }
}

function inOrder(fields: Record<string, FieldSet> | undefined): FieldSet | undefined {
  return fields === undefined ? undefined : nodeOf(false, ordered(fields))
}

type Entries = Readonly<Record<string, unknown>>

function entryDifferences(map: MapSchema, before: Entries, after: Entries): Differences | undefined {
  const found = new Collector()
  for (const key in after) {
    const [left, right] = [before[key], after[key]]
    if (left === right || right === undefined) continue
    const field = map.field(key)
    const type = field?.type() ?? map.element?.() ?? untypedAtomic
    found.put(field?.element ?? fieldElement(key), differences(type, left, right))
  }
  for (const key in before) {
    if (after[key] !== undefined || before[key] === undefined) continue
    found.put(fieldElement(key), differences(typeOfEntry(map, key) ?? untypedAtomic, before[key], undefined))
  }
  return found.result()
}

function itemDifferences(
  list: ListSchema,
  before: readonly unknown[],
  after: readonly unknown[],
): Differences | undefined {
  const found = new Collector()
  const item = list.item()
  const [left, right] = [byElement(list, before), byElement(list, after)]
  for (const [element, rights] of right) {
    const lefts = left.get(element) ?? []
    if (lefts.length <= 1 && rights.length <= 1) found.put(element, differences(item, lefts[0], rights[0]))
    else found.put(element, duplicateDifferences(item, lefts, rights))
  }
  for (const [element, lefts] of left) {
    if (right.has(element)) continue
    found.put(element, lefts.length > 1 ? { removed: leaf } : differences(item, lefts[0], undefined))
  }
  return found.result()
}

/** Items of one identity that stand more than once are compared as one piece. */
function duplicateDifferences(
  item: TypeSchema,
  lefts: readonly unknown[],
  rights: readonly unknown[],
): Differences | undefined {
  if (lefts.length > 1 && rights.length > 1) return modifiedUnlessSame(lefts, rights)
  if (lefts.length > 1) return { ...differences(item, undefined, rights[0]), removed: leaf }
  if (lefts.length === 0) return { added: leaf }
  return { removed: allFields(item, lefts[0]), added: leaf }
}

function byElement(list: ListSchema, items: readonly unknown[]): ReadonlyMap<string, readonly unknown[]> {
  const found = new Map<string, unknown[]>()
  for (const value of items) {
    const element = itemElement(list, value)
    const same = found.get(element)
    if (same === undefined) found.set(element, [value])
    else same.push(value)
  }
  return found
}
