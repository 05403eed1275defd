// In which order rows stand: sorted at once, or one row moved to where it belongs.

import type { Row, TableColumn } from './kube-table.ts'

export interface Sort {
  /** A column's name, or `Namespace`, `Name`, `Age`. */
  readonly column: string
  readonly descending: boolean
}

export type CompareRows = (left: Row, right: Row) => number

/** The order that `sortRows` makes of rows that stand by namespace and name, two rows at a time. */
export function comparison(sort: Sort | undefined, columns: readonly TableColumn[]): CompareRows {
  if (sort === undefined) return compareNames
  const sign = sort.descending ? -1 : 1
  if (sort.column === 'Name')
    return (left, right) =>
      left.name === right.name ? sign * compareNames(left, right) : left.name < right.name ? -sign : sign
  const value = valueOf(sort.column, columns)
  return (left, right) => sign * compareValues(value(left), value(right)) || compareNames(left, right)
}

/**
 * Puts a row that changed, came or went where it belongs. False where it was not found in its place: then the order is to be made anew.
 */
export function moveRow(rows: Row[], before: Row | undefined, after: Row | undefined, compare: CompareRows): boolean {
  if (before !== undefined) {
    const at = placeOf(rows, before, compare)
    if (rows[at] !== before) return false
    if (after !== undefined && compare(before, after) === 0) {
      rows[at] = after
      return true
    }
    rows.splice(at, 1)
  }
  if (after !== undefined) rows.splice(placeOf(rows, after, compare), 0, after)
  return true
}

/** Of the first row that does not come before it. */
function placeOf(rows: readonly Row[], row: Row, compare: CompareRows): number {
  let [from, to] = [0, rows.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (compare(rows[middle]!, row) < 0) from = middle + 1
    else to = middle
  }
  return from
}

/** Of two lists that are in order by namespace and name. */
export function merge(left: readonly Row[], right: readonly Row[]): Row[] {
  if (right.length === 0) return left as Row[]
  const merged: Row[] = []
  let at = 0
  for (const row of right) {
    while (at < left.length && compareNames(left[at]!, row) <= 0) merged.push(left[at++]!)
    merged.push(row)
  }
  while (at < left.length) merged.push(left[at++]!)
  return merged
}

export function compareNames(left: Row, right: Row): number {
  if (left.namespace !== right.namespace) return left.namespace < right.namespace ? -1 : 1
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0
}

/**
 * Stable over the order by name. Names come in runs already, one for each namespace, and merging runs is what the engine's sort does
 * best. Other values are ranked first: columns have few different ones, and sorting numbers is what an engine does fastest.
 */
export function sortRows(rows: readonly Row[], sort: Sort, columns: readonly TableColumn[]): Row[] {
  if (sort.column === 'Name') {
    const named = rows.toSorted((left, right) => (left.name < right.name ? -1 : left.name > right.name ? 1 : 0))
    return sort.descending ? named.reverse() : named
  }
  const count = rows.length
  const value = valueOf(sort.column, columns)
  const rank = numbers(rows, value) ?? ranks(rows, value)
  const keys = new Float64Array(count)
  for (let at = 0; at < count; at++) keys[at] = (sort.descending ? -rank[at]! : rank[at]!) * count + at
  keys.sort()
  const sorted: Row[] = Array.from({ length: count })
  for (let at = 0; at < count; at++) {
    const key = keys[at]!
    sorted[at] = rows[((key % count) + count) % count]!
  }
  return sorted
}

type Value = (row: Row) => string | number

function valueOf(column: string, columns: readonly TableColumn[]): Value {
  if (column === 'Namespace') return (row) => row.namespace
  // The youngest first: the smallest age.
  if (column === 'Age') return (row) => -row.createdMs
  const at = columns.findIndex(({ name }) => name === column)
  return (row) => row.cells[at] ?? ''
}

/** Numbers that leave room for a row's place beside them are their own ranks: ages are as many as there are rows. */
function numbers(rows: readonly Row[], value: Value): Float64Array | undefined {
  const found = new Float64Array(rows.length)
  let least = Infinity
  let most = -Infinity
  for (let at = 0; at < rows.length; at++) {
    const each = value(rows[at]!)
    if (typeof each !== 'number' || !Number.isInteger(each)) return undefined
    found[at] = each
    if (each < least) least = each
    if (each > most) most = each
  }
  if ((most - least + 1) * rows.length > Number.MAX_SAFE_INTEGER) return undefined
  for (let at = 0; at < found.length; at++) found[at] = found[at]! - least
  return found
}

function ranks(rows: readonly Row[], value: Value): Float64Array {
  const rank = new Float64Array(rows.length)
  const distinct = new Map<string | number, number>()
  for (const row of rows) distinct.set(value(row), 0)
  const ordered = [...distinct.keys()].sort(compareValues)
  ordered.forEach((each, at) => distinct.set(each, at))
  rows.forEach((row, at) => (rank[at] = distinct.get(value(row))!))
  return rank
}

/** Numbers by size, also where they begin a text, as `3 (5m ago)` and `1/2` do; then texts. */
export function compareValues(left: string | number, right: string | number): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right
  const a = String(left)
  const b = String(right)
  const [x, y] = [leadingNumber(a), leadingNumber(b)]
  if (x !== undefined && y !== undefined && x !== y) return x - y
  return a < b ? -1 : a > b ? 1 : 0
}

function leadingNumber(text: string): number | undefined {
  const code = text.charCodeAt(0)
  return code >= 48 && code <= 57 ? Number.parseFloat(text) : undefined
}
