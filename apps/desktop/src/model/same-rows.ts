// What comes from the worker is a copy each time: rows and columns that are as they were stay the same objects, so that only rows that
// changed are drawn anew.

import type { Row, TableColumn } from './kube-table.ts'

interface Picture {
  readonly rows: readonly Row[]
  readonly columns: readonly TableColumn[]
}

/** The second picture, with what it shares with the first. */
export function sameRows<P extends Picture>(before: Picture | undefined, after: P): P {
  if (before === undefined) return after
  const known = new Map(before.rows.map((row) => [row.key, row]))
  const rows = after.rows.map((row) => {
    const old = known.get(row.key)
    return old !== undefined && sameRow(old, row) ? old : row
  })
  return { ...after, rows, columns: sameColumns(before.columns, after.columns) ? before.columns : after.columns }
}

function sameRow(left: Row, right: Row): boolean {
  return (
    left.uid === right.uid &&
    left.createdMs === right.createdMs &&
    left.deleting === right.deleting &&
    left.labels === right.labels &&
    left.cells.length === right.cells.length &&
    left.cells.every((cell, at) => cell === right.cells[at])
  )
}

/** In name, kind and weight. */
export function sameColumns(left: readonly TableColumn[], right: readonly TableColumn[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ name, type, priority }, at) => {
      const other = right[at]!
      return name === other.name && type === other.type && priority === other.priority
    })
  )
}
