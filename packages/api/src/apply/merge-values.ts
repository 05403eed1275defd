// Merges an applied configuration into the live value: maps by key, keyed lists and sets by item, everything else whole.

import { itemElement } from './path-element.ts'
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

/** A new value; parts of both arguments are shared. `undefined` is absent, `null` is a value. */
export function mergeValues(type: TypeSchema, live: unknown, config: unknown): unknown {
  if (config === undefined) return live
  if (live === undefined) return config
  const shape = shapeOf(type, config)
  if (config !== null && live !== null && shape !== shapeOf(type, live)) return config
  if (shape === 'scalar') return config
  if (isEmptyValue(live) && isEmptyValue(config)) return config
  if (shape === 'list') {
    if (type.list!.kind === 'atomic') return config
    return mergeItems(type.list!, Array.isArray(live) ? live : [], Array.isArray(config) ? config : [])
  }
  if (type.map!.atomic) return config
  return mergeEntries(type.map!, isMap(live) ? live : {}, isMap(config) ? config : {})
}

type Entries = Readonly<Record<string, unknown>>

function mergeEntries(map: MapSchema, live: Entries, config: Entries): unknown {
  const merged: Record<string, unknown> = {}
  for (const key of new Set([...Object.keys(live), ...Object.keys(config)])) {
    const value = mergeValues(typeOfEntry(map, key) ?? untypedAtomic, own(live, key), own(config, key))
    if (value !== undefined)
      Object.defineProperty(merged, key, { value, enumerable: true, configurable: true, writable: true })
  }
  return merged
}

function own(entries: Entries, key: string): unknown {
  return Object.hasOwn(entries, key) ? entries[key] : undefined
}

/** An item and what tells it apart. */
interface Item {
  readonly element: string
  readonly value: unknown
}

/**
 * The order of upstream's merge: the configuration's items stand in its order; items that only the live list has keep
 * their place before the shared item that followed them.
 */
function mergeItems(list: ListSchema, live: readonly unknown[], config: readonly unknown[]): unknown {
  const lefts = live.map((value): Item => ({ element: itemElement(list, value), value }))
  const rights = config.map((value): Item => ({ element: itemElement(list, value), value }))
  const liveByElement = singles(lefts)
  const wanted = new Set(rights.map((right) => right.element))
  const shared = rights.filter((right) => liveByElement.has(right.element)).map((right) => right.element)
  const merged: unknown[] = []
  const done = new Set<string>()
  const take = ({ element, value }: Item): void => {
    done.add(element)
    if (shared[0] === element) shared.shift()
    merged.push(mergeValues(list.item(), liveByElement.get(element), value))
  }
  let [left, right] = [0, 0]
  while (left < lefts.length || right < rights.length) {
    const [mine, theirs] = [lefts[left], rights[right]]
    if (mine !== undefined && theirs !== undefined && mine.element === theirs.element) {
      take(theirs)
      left += 1
      right += 1
    } else if (mine !== undefined && theirs !== undefined && wanted.has(mine.element) && isLater(shared, mine)) {
      // Shared, but its turn comes later.
      left += 1
    } else if (mine !== undefined && !wanted.has(mine.element)) {
      merged.push(mine.value)
      left += 1
    } else {
      if (mine !== undefined && done.has(mine.element)) left += 1
      if (theirs !== undefined) {
        take(theirs)
        right += 1
      }
    }
  }
  return merged
}

/** Another shared item comes first. */
function isLater(shared: readonly string[], { element }: Item): boolean {
  return shared.length > 0 && shared[0] !== element
}

/** Live items by identity; one that stands twice is not merged with, so it is there as an absent value. */
function singles(items: readonly Item[]): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>()
  for (const { element, value } of items) found.set(element, found.has(element) ? undefined : value)
  return found
}
