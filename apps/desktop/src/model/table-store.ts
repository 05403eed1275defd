// The rows of one list as it lives: a hundred thousand of them, filtered and sorted within a frame or two. It knows nothing of network
// or screen; the worker feeds it and asks for the rows that are to be seen.

import type { Row, TableColumn } from './kube-table.ts'

export interface Sort {
  /** A column's name, or `Namespace`, `Name`, `Age`. */
  readonly column: string
  readonly descending: boolean
}

export interface View {
  /** Words that must all occur, in any case; `label:app=web`, `ns:shop`, `Status:Running`; a leading `-` says not. */
  readonly filter: string
  readonly sort: Sort | undefined
}

export interface Snapshot {
  readonly total: number
  readonly shown: number
  /** Of the window that was asked for. */
  readonly rows: readonly Row[]
}

const plainView: View = { filter: '', sort: undefined }

export class TableStore {
  #columns: readonly TableColumn[] = []
  readonly #rows = new Map<string, Row>()
  #view: View = plainView
  /** Filtered and sorted; undefined when something changed since. */
  #order: Row[] | undefined
  /** All rows by namespace and name: made once, then kept in order while rows come and go. */
  #named: Row[] | undefined
  /** What came in since `#named` was made. */
  #changed = new Set<string>()

  get columns(): readonly TableColumn[] {
    return this.#columns
  }

  get total(): number {
    return this.#rows.size
  }

  setColumns(columns: readonly TableColumn[]): void {
    if (columns.length > 0) this.#columns = columns
  }

  setView(view: View): void {
    if (view.filter === this.#view.filter && sameSort(view.sort, this.#view.sort)) return
    this.#view = view
    this.#order = undefined
  }

  put(row: Row): void {
    this.#rows.set(row.key, row)
    this.#touch(row.key)
  }

  remove(key: string): void {
    if (this.#rows.delete(key)) this.#touch(key)
  }

  /** After a list that began anew: what it did not have is gone. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#rows.keys()) if (!keys.has(key)) this.remove(key)
  }

  clear(): void {
    this.#rows.clear()
    this.#order = undefined
    this.#named = undefined
    this.#changed.clear()
  }

  snapshot(from: number, to: number): Snapshot {
    const order = this.#ordered()
    return { total: this.#rows.size, shown: order.length, rows: order.slice(from, to) }
  }

  /** Where a row is in the view; -1 where it is not. */
  indexOf(key: string): number {
    return this.#ordered().findIndex((row) => row.key === key)
  }

  /** Keys of the whole view, for what is done to many. */
  keys(): readonly string[] {
    return this.#ordered().map(({ key }) => key)
  }

  /** How many rows have each value of a column, the most frequent first. */
  facet(column: string): readonly (readonly [string, number])[] {
    const at = this.#columns.findIndex(({ name }) => name === column)
    const counts = new Map<string, number>()
    for (const row of this.#rows.values()) {
      const value = column === 'Namespace' ? row.namespace : at === -1 ? '' : String(row.cells[at] ?? '')
      counts.set(value, (counts.get(value) ?? 0) + 1)
    }
    return [...counts].toSorted((left, right) => right[1] - left[1])
  }

  #touch(key: string): void {
    this.#changed.add(key)
    this.#order = undefined
  }

  #ordered(): Row[] {
    if (this.#order !== undefined) return this.#order
    const matches = compileFilter(this.#view.filter, this.#columns)
    const named = this.#byName()
    const chosen = matches === undefined ? named : named.filter(matches)
    this.#order = this.#view.sort === undefined ? chosen : sortRows(chosen, this.#view.sort, this.#columns)
    return this.#order
  }

  /** A few changes are merged into the order that is known; sorting all anew would take longer than a frame. */
  #byName(): Row[] {
    if (this.#named !== undefined && this.#changed.size === 0) return this.#named
    if (this.#named === undefined) {
      this.#named = [...this.#rows.values()].sort(compareNames)
    } else {
      const changed = this.#changed
      const fresh = [...changed].flatMap((key) => this.#rows.get(key) ?? []).sort(compareNames)
      this.#named = merge(
        this.#named.filter(({ key }) => !changed.has(key)),
        fresh,
      )
    }
    this.#changed.clear()
    return this.#named
  }
}

function merge(left: readonly Row[], right: readonly Row[]): Row[] {
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

function compareNames(left: Row, right: Row): number {
  if (left.namespace !== right.namespace) return left.namespace < right.namespace ? -1 : 1
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0
}

function sameSort(left: Sort | undefined, right: Sort | undefined): boolean {
  return left?.column === right?.column && left?.descending === right?.descending
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

/** Undefined where everything matches. */
export function compileFilter(filter: string, columns: readonly TableColumn[]): ((row: Row) => boolean) | undefined {
  const words = filter.trim().toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return undefined
  const tests = words.map((word) => {
    const denied = word.startsWith('-') && word.length > 1
    const test = compileWord(denied ? word.slice(1) : word, columns)
    return denied ? (row: Row) => !test(row) : test
  })
  return (row) => tests.every((test) => test(row))
}

function compileWord(word: string, columns: readonly TableColumn[]): (row: Row) => boolean {
  const [, field = '', value = ''] = /^([\w-]+):(.+)$/.exec(word) ?? []
  if (field === 'label')
    return (row) =>
      row.labels
        .toLowerCase()
        .split(',')
        .some((pair) => pair === value || pair.startsWith(`${value}=`))
  if (field === 'ns' || field === 'namespace') return (row) => row.namespace.toLowerCase() === value
  const at = columns.findIndex(({ name }) => name.toLowerCase().replaceAll(' ', '-') === field)
  if (field !== '' && at !== -1) return memoized(at, (text) => text.includes(value))
  const cells = columns.flatMap(({ name, type }, index) =>
    name === 'Name' || type === 'date' ? [] : [memoized(index, (text) => text.includes(word))],
  )
  return (row) =>
    row.name.toLowerCase().includes(word) || row.namespace.includes(word) || cells.some((test) => test(row))
}

/** Cells repeat: a value is looked at once. */
function memoized(at: number, test: (text: string) => boolean): (row: Row) => boolean {
  const known = new Map<string | number, boolean>()
  // Neighbours often have the same value: it is not even looked up.
  let last: string | number | undefined
  let lastResult = false
  return (row) => {
    const value = row.cells[at] ?? ''
    if (value === last) return lastResult
    let result = known.get(value)
    if (result === undefined) {
      result = test(String(value).toLowerCase())
      known.set(value, result)
    }
    last = value
    lastResult = result
    return result
  }
}
