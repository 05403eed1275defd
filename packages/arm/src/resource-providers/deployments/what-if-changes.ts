// Two states of a resource held against each other, as what-if tells of the difference.

import { isObject } from '../body.ts'
import type { Json } from '../../records.ts'

export interface PropertyChange {
  readonly path: string
  readonly propertyChangeType: 'Create' | 'Delete' | 'Modify' | 'Array' | 'NoEffect'
  readonly before: unknown
  readonly after: unknown
  readonly children?: readonly PropertyChange[]
}

/**
 * What would change if `wanted` were written over `now`. What a template does not mention stays as it is, as it does for
 * resources that fill in their defaults.
 */
export function changesOf(now: Json, wanted: Json, prefix = ''): readonly PropertyChange[] {
  return Object.entries(wanted).flatMap(([name, after]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`
    const known = Object.keys(now).find((one) => one.toLowerCase() === name.toLowerCase())
    return changeOf(path, known === undefined ? undefined : now[known], after)
  })
}

function changeOf(path: string, before: unknown, after: unknown): readonly PropertyChange[] {
  if (after === undefined || after === null) return []
  if (before === undefined || before === null) {
    return [{ path, propertyChangeType: 'Create', before: null, after }]
  }
  if (isObject(before) && isObject(after)) return changesOf(before, after, path)
  if (Array.isArray(before) && Array.isArray(after)) {
    const children = arrayChanges(before, after)
    return children.length === 0 ? [] : [{ path, propertyChangeType: 'Array', before, after, children }]
  }
  return sameText(path, before, after) ? [] : [{ path, propertyChangeType: 'Modify', before, after }]
}

/** Items that have names are held against those of the same name, wherever they stand; others by their place. */
function arrayChanges(before: readonly unknown[], after: readonly unknown[]): readonly PropertyChange[] {
  const [known, wanted] = [byName(before), byName(after)]
  if (known !== undefined && wanted !== undefined) {
    const names = [...new Set([...known.keys(), ...wanted.keys()])]
    return names.flatMap((name) => itemChange(name, known.get(name), wanted.get(name)))
  }
  const length = Math.max(before.length, after.length)
  return Array.from({ length }, (_, at) => at).flatMap((at) => itemChange(String(at), before[at], after[at]))
}

function itemChange(path: string, before: unknown, after: unknown): readonly PropertyChange[] {
  if (after === undefined) return [{ path, propertyChangeType: 'Delete', before, after: null }]
  return changeOf(path, before, after)
}

function byName(items: readonly unknown[]): ReadonlyMap<string, unknown> | undefined {
  const named = items.map((item) => (isObject(item) && typeof item['name'] === 'string' ? item['name'] : undefined))
  if (items.length === 0 || !named.every((name) => name !== undefined)) return undefined
  return new Map(named.map((name, at) => [name.toLowerCase(), items[at]]))
}

/** `East US` and `eastus` are one location. */
function sameText(path: string, before: unknown, after: unknown): boolean {
  if (before === after) return true
  if (typeof before !== 'string' || typeof after !== 'string') return false
  const plain = (text: string): string => text.toLowerCase().replaceAll(/\s/g, '')
  return /(^|\.)(location|id|.*Id)$/.test(path) && plain(before) === plain(after)
}
