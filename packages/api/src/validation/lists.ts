// Lists with a longest length and with entries that differ, as the kinds of devices have them.

import { duplicate, faultsOfEach, isFull, tooMany, type FieldError } from '../field-errors.ts'

export interface ListRules<T> {
  /** Longer lists are refused without a look at their entries. */
  readonly max?: number
  readonly item: (item: T, path: string) => readonly FieldError[]
  /** Entries with the same key are duplicates. */
  readonly key?: (item: T) => string
}

export function validateList<T>(
  list: readonly T[] | undefined,
  path: string,
  { max, item, key }: ListRules<T>,
): readonly FieldError[] {
  const items = list ?? []
  if (max !== undefined && items.length > max) return [tooMany(path, items.length, max)]
  const errors = faultsOfEach(items, (each, index) => item(each, `${path}[${index}]`))
  const seen = new Set<string>()
  for (const [index, each] of key === undefined ? [] : items.entries()) {
    const name = key!(each)
    if (seen.has(name)) errors.push(duplicate(`${path}[${index}]`, name))
    if (isFull(errors)) break
    seen.add(name)
  }
  return errors
}
