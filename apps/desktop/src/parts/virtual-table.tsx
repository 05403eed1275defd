// A table of any number of rows: only what is on the screen is in the document. Keys move, open and mark.

import { ArrowDownRegular, ArrowUpRegular } from '@fluentui/react-icons'
import {
  memo,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type ReactNode,
} from 'react'
import type { LiveTable } from '../data/live-table.ts'
import { gridWidths, longest, type ShownColumn } from '../model/columns.ts'
import type { Row } from '../model/kube-table.ts'
import type { Sort } from '../model/row-order.ts'
import type { TableUpdate } from '../worker/protocol.ts'

const ROW = 32
const HEAD = 34
const CHECK = '36px '

export interface VirtualTableProps {
  readonly label: string
  readonly table: LiveTable
  readonly update: TableUpdate
  readonly columns: readonly ShownColumn[]
  readonly cell: (row: Row, column: ShownColumn) => ReactNode
  readonly sort: Sort | undefined
  readonly onSort: (sort: Sort | undefined) => void
  readonly onOpen: (row: Row) => void
  readonly marked: ReadonlySet<string>
  readonly onMark: (keys: ReadonlySet<string>) => void
}

export const VirtualTable = memo(function VirtualTable(props: VirtualTableProps) {
  const { table, update, columns, marked, onMark } = props
  const box = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 600 })
  const [active, setActive] = useState(-1)
  const lengths = useRef<ReadonlyMap<string, number>>(new Map())
  lengths.current = longest(columns, update.rows, lengths.current)
  const { template, leastPx } = gridWidths(columns, lengths.current)
  const grid = { gridTemplateColumns: CHECK + template }
  const first = Math.max(0, Math.floor(view.top / ROW) - 4)
  const last = Math.min(update.shown, Math.ceil((view.top + view.height) / ROW) + 4)

  useEffect(() => table.setWindow(first, last), [table, first, last])
  useLayoutEffect(() => {
    const element = box.current!
    const measure = new ResizeObserver(() => setView({ top: element.scrollTop, height: element.clientHeight }))
    measure.observe(element)
    return () => measure.disconnect()
  }, [])

  const rowAt = (index: number): Row | undefined => update.rows[index - update.from]
  const moveTo = (index: number): void => {
    const at = Math.max(0, Math.min(update.shown - 1, index))
    setActive(at)
    const element = box.current!
    if (at * ROW < element.scrollTop) element.scrollTop = at * ROW
    else if ((at + 1) * ROW + HEAD > element.scrollTop + element.clientHeight)
      element.scrollTop = (at + 1) * ROW + HEAD - element.clientHeight
  }
  const latest = useRef({ marked, onMark })
  latest.current = { marked, onMark }
  const toggle = useCallback((row: Row): void => {
    const next = new Set(latest.current.marked)
    if (!next.delete(row.key)) next.add(row.key)
    latest.current.onMark(next)
  }, [])
  const page = Math.max(1, Math.floor(view.height / ROW) - 2)
  const moves: Readonly<Record<string, () => void>> = {
    ArrowDown: () => moveTo(active + 1),
    ArrowUp: () => moveTo(active - 1),
    PageDown: () => moveTo(active + page),
    PageUp: () => moveTo(active - page),
    Home: () => moveTo(0),
    End: () => moveTo(update.shown - 1),
    Enter: () => rowAt(active) !== undefined && props.onOpen(rowAt(active)!),
    ' ': () => rowAt(active) !== undefined && toggle(rowAt(active)!),
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const move = event.target === box.current ? moves[event.key] : undefined
    if (move === undefined) return
    event.preventDefault()
    move()
  }

  const slots = Math.ceil(view.height / ROW) + 10
  const rows: ReactNode[] = []
  for (let index = first; index < last; index++) {
    const row = rowAt(index)
    rows.push(
      <TableRow
        // A place on the screen keeps its elements when other rows come to stand there: a filter changes texts instead of building anew.
        key={index % slots}
        index={index}
        row={row}
        columns={columns}
        template={grid.gridTemplateColumns}
        active={index === active}
        marked={row !== undefined && marked.has(row.key)}
        cell={props.cell}
        onOpen={props.onOpen}
        onMark={toggle}
      />,
    )
  }
  const allMarked = marked.size > 0 && marked.size >= update.shown
  return (
    <div
      ref={box}
      className="vt"
      role="grid"
      aria-label={props.label}
      aria-rowcount={update.shown + 1}
      aria-multiselectable
      aria-activedescendant={active >= first && active < last ? `row-${active}` : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onScroll={({ currentTarget: { scrollTop, clientHeight } }) => setView({ top: scrollTop, height: clientHeight })}
    >
      <div role="rowgroup" style={{ position: 'sticky', top: 0, zIndex: 2, minWidth: leastPx + 36 }}>
        <div className="vt-head" role="row" aria-rowindex={1} style={grid}>
          <div role="columnheader">
            <input
              type="checkbox"
              aria-label="Mark all"
              checked={allMarked}
              onChange={() => (allMarked ? onMark(new Set()) : void table.keys().then((keys) => onMark(new Set(keys))))}
            />
          </div>
          {columns.map((column) => (
            <HeadCell key={column.title} column={column} sort={props.sort} onSort={props.onSort} />
          ))}
        </div>
      </div>
      <div role="rowgroup" style={{ position: 'relative', height: update.shown * ROW, minWidth: leastPx + 36 }}>
        {rows}
      </div>
    </div>
  )
})

/** Drawn anew only when something of it changed: most of a live list is as it was a moment ago. */
const TableRow = memo(function TableRow(props: {
  readonly index: number
  readonly row: Row | undefined
  readonly columns: readonly ShownColumn[]
  readonly template: string
  readonly active: boolean
  readonly marked: boolean
  readonly cell: (row: Row, column: ShownColumn) => ReactNode
  readonly onOpen: (row: Row) => void
  readonly onMark: (row: Row) => void
}) {
  const { index, row, marked } = props
  return (
    <div
      id={`row-${index}`}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={marked}
      className={`vt-row${props.active ? ' active' : ''}${row?.deleting === true ? ' deleting' : ''}`}
      style={{ top: index * ROW, minWidth: '100%', gridTemplateColumns: props.template }}
      onDoubleClick={() => row !== undefined && props.onOpen(row)}
    >
      <div role="gridcell">
        {row !== undefined && (
          <input
            type="checkbox"
            tabIndex={-1}
            aria-label={`Mark ${row.name}`}
            checked={marked}
            onChange={() => props.onMark(row)}
          />
        )}
      </div>
      {props.columns.map((column) => (
        <div role="gridcell" key={column.title} className={column.numeric ? 'num' : ''}>
          {row === undefined ? <div className="skeleton" /> : props.cell(row, column)}
        </div>
      ))}
    </div>
  )
})

function HeadCell({
  column,
  sort,
  onSort,
}: {
  readonly column: ShownColumn
  readonly sort: Sort | undefined
  readonly onSort: (sort: Sort | undefined) => void
}) {
  const mine = sort?.column === column.title ? sort : undefined
  const next: Sort | undefined =
    mine === undefined
      ? { column: column.title, descending: false }
      : mine.descending
        ? undefined
        : { ...mine, descending: true }
  return (
    <div
      role="columnheader"
      className={column.numeric ? 'num' : ''}
      aria-sort={mine === undefined ? 'none' : mine.descending ? 'descending' : 'ascending'}
    >
      <button type="button" onClick={() => onSort(next)} title={`Sort by ${column.title.toLowerCase()}`}>
        <span className="cut">{column.title}</span>
        {mine !== undefined &&
          (mine.descending ? <ArrowDownRegular fontSize={12} /> : <ArrowUpRegular fontSize={12} />)}
      </button>
    </div>
  )
}
