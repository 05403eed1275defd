// From the server's columns to those on the screen: which, in which order, how wide.

import { toneColumns, type Row, type TableColumn } from './kube-table.ts'

export interface ShownColumn {
  readonly title: string
  readonly kind: 'name' | 'namespace' | 'cell' | 'age'
  /** In `Row.cells`; -1 for what is no cell. */
  readonly at: number
  readonly numeric: boolean
}

/** Shown although kubectl shows them only with `-o wide`, and never shown although it does. */
const wanted: Readonly<Record<string, readonly string[]>> = {
  pods: ['Node', 'IP'],
  nodes: ['Internal-IP', 'Container-Runtime'],
  services: ['Selector'],
  'deployments.apps': ['Images'],
  'statefulsets.apps': ['Images'],
  'daemonsets.apps': ['Images'],
}

export function shownColumns(
  columns: readonly TableColumn[],
  options: { readonly resource: string; readonly withNamespace: boolean; readonly wide: boolean },
): readonly ShownColumn[] {
  const also = new Set(wanted[options.resource])
  const cells = columns
    .map((column, at) => ({ ...column, at }))
    .filter(
      ({ name, priority }) => name !== 'Name' && name !== 'Age' && (options.wide || priority === 0 || also.has(name)),
    )
    .map(({ name, type, at }): ShownColumn => ({
      title: name,
      kind: 'cell',
      at,
      numeric: type === 'integer' || type === 'number',
    }))
  // Events have no name that says anything; what happened stands first there, and when they were last seen is their age.
  const name: ShownColumn = { title: 'Name', kind: 'name', at: -1, numeric: false }
  const namespace: ShownColumn = { title: 'Namespace', kind: 'namespace', at: -1, numeric: false }
  const age: ShownColumn = { title: 'Age', kind: 'age', at: -1, numeric: true }
  const first = options.withNamespace ? [name, namespace] : [name]
  return options.resource.startsWith('events')
    ? [...cells, ...(options.withNamespace ? [namespace] : [])]
    : [...first, ...cells, age]
}

/** Names of machines are mostly digits, which are the widest. */
const CHARACTER_PX = 8
/** Of the dot before a state. */
const DOT_PX = 16
const PADDING_PX = 26
const WIDTH = { least: 64, most: 320, name: 220, nameMost: 380, message: 280 } as const
/** What an event is about may be cut: its message says it again, and needs the room. */
const most: Readonly<Record<string, number>> = { Object: 230, Reason: 190 }

/** Characters of the longest text that was seen in each column; it only grows, so that columns do not jump. */
export function longest(
  columns: readonly ShownColumn[],
  rows: readonly Row[],
  before: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const widest = new Map(before)
  for (const column of columns) {
    let most = Math.max(widest.get(column.title) ?? 0, column.title.length + 2)
    for (const row of rows) most = Math.max(most, textLength(row, column))
    widest.set(column.title, most)
  }
  return widest
}

function textLength(row: Row, column: ShownColumn): number {
  if (column.kind === 'name') return row.name.length
  if (column.kind === 'namespace') return row.namespace.length
  return column.kind === 'age' ? 6 : String(row.cells[column.at] ?? '').length
}

export interface GridWidths {
  /** For `grid-template-columns`. */
  readonly template: string
  readonly leastPx: number
}

/** Names get what is left; a single column of long text, such as an event's message, as well. */
export function gridWidths(columns: readonly ShownColumn[], lengths: ReadonlyMap<string, number>): GridWidths {
  let leastPx = 0
  const parts = columns.map((column) => {
    const wish = Math.round(
      (lengths.get(column.title) ?? 10) * CHARACTER_PX + PADDING_PX + (toneColumns.has(column.title) ? DOT_PX : 0),
    )
    const flexible = column.kind === 'name' || column.title === 'Message'
    const px = Math.min(
      column.kind === 'name' ? WIDTH.nameMost : flexible ? WIDTH.message : (most[column.title] ?? WIDTH.most),
      Math.max(column.kind === 'name' ? WIDTH.name : WIDTH.least, wish),
    )
    leastPx += px
    return flexible ? `minmax(${px}px, 3fr)` : `minmax(${px}px, ${Math.max(1, Math.round(px / 90))}fr)`
  })
  return { template: parts.join(' '), leastPx }
}
