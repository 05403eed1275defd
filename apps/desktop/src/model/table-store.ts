// The rows of one list as it lives: a hundred thousand of them, filtered and sorted within a frame or two. It knows nothing of network
// or screen; the worker feeds it and asks for the rows that are to be seen.

import type { Row, TableColumn } from './kube-table.ts'
import { compileFilter } from './row-filter.ts'
import { compareNames, comparison, merge, moveRow, sortRows, type CompareRows, type Sort } from './row-order.ts'
import { sameColumns } from './same-rows.ts'

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

/** What a view asks of rows. */
interface Lens {
  readonly matches: ((row: Row) => boolean) | undefined
  readonly compare: CompareRows
}

const plainView: View = { filter: '', sort: undefined }

/** More changes than this since the last picture are merged in one go: each splice moves half of the rows that stand there. */
const SPLICES_MAX = 512

export class TableStore {
  #columns: readonly TableColumn[] = []
  readonly #rows = new Map<string, Row>()
  #view: View = plainView
  /** Of the view; undefined when it or the columns changed since. */
  #lens: Lens | undefined
  /** Filtered and sorted, as rows were before `#changed`. */
  #order: Row[] | undefined
  /** All rows by namespace and name, as they were before `#changed`; the same array as `#order` in a plain view. */
  #named: Row[] | undefined
  /** What each row was before it changed; undefined where there was none. */
  readonly #changed = new Map<string, Row | undefined>()

  get columns(): readonly TableColumn[] {
    return this.#columns
  }

  get total(): number {
    return this.#rows.size
  }

  setColumns(columns: readonly TableColumn[]): void {
    if (columns.length === 0 || sameColumns(columns, this.#columns)) return
    this.#columns = columns
    this.#lens = undefined
    this.#order = undefined
  }

  setView(view: View): void {
    if (view.filter === this.#view.filter && sameSort(view.sort, this.#view.sort)) return
    this.#view = view
    this.#lens = undefined
    this.#order = undefined
  }

  put(row: Row): void {
    this.#touch(row.key)
    this.#rows.set(row.key, row)
  }

  remove(key: string): void {
    if (!this.#rows.has(key)) return
    this.#touch(key)
    this.#rows.delete(key)
  }

  /** After a list that began anew: what it did not have is gone. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#rows.keys()) if (!keys.has(key)) this.remove(key)
  }

  snapshot(from: number, to: number): Snapshot {
    const order = this.#ordered()
    return { total: this.#rows.size, shown: order.length, rows: order.slice(from, to) }
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
    if (!this.#changed.has(key)) this.#changed.set(key, this.#rows.get(key))
  }

  #ordered(): Row[] {
    const { filter, sort } = this.#view
    const lens = (this.#lens ??= {
      matches: compileFilter(filter, this.#columns),
      compare: comparison(sort, this.#columns),
    })
    this.#catchUp(lens)
    const named = (this.#named ??= [...this.#rows.values()].sort(compareNames))
    if (this.#order !== undefined) return this.#order
    const chosen = lens.matches === undefined ? named : named.filter(lens.matches)
    this.#order = sort === undefined ? chosen : sortRows(chosen, sort, this.#columns)
    return this.#order
  }

  /** A few changes are put where they belong in the orders that are known: making these anew takes as long as a frame. */
  #catchUp({ matches, compare }: Lens): void {
    const changed = this.#changed
    if (this.#named !== undefined && changed.size > SPLICES_MAX) {
      const fresh = [...changed.keys()].flatMap((key) => this.#rows.get(key) ?? []).sort(compareNames)
      this.#named = merge(
        this.#named.filter(({ key }) => !changed.has(key)),
        fresh,
      )
      this.#order = undefined
    } else if (this.#named !== undefined) {
      const shown = (row: Row | undefined): Row | undefined =>
        row === undefined || matches === undefined || matches(row) ? row : undefined
      for (const [key, before] of changed) {
        const after = this.#rows.get(key)
        moveRow(this.#named, before, after, compareNames)
        if (this.#order === undefined || this.#order === this.#named) continue
        if (!moveRow(this.#order, shown(before), shown(after), compare)) this.#order = undefined
      }
    }
    changed.clear()
  }
}

function sameSort(left: Sort | undefined, right: Sort | undefined): boolean {
  return left?.column === right?.column && left?.descending === right?.descending
}
