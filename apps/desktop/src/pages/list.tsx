// A kind as a table: whatever the cluster serves, live, filtered and sorted, with what may be done to many at once.

import { Button, Input, Tooltip } from '@fluentui/react-components'
import { AddRegular, DismissRegular, SearchRegular, TableSettingsRegular } from '@fluentui/react-icons'
import { lazy, memo, Suspense, useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import { useCluster } from '../data/cluster.tsx'
import { useLiveTable } from '../data/live-table.ts'
import { go, note } from '../data/navigate.ts'
import { useAgeText } from '../data/now.ts'
import { shownColumns, type ShownColumn } from '../model/columns.ts'
import { timeColumns, toneOf, type Row } from '../model/kube-table.ts'
import { resourceId, titleOf, type ApiResource } from '../model/resources.ts'
import type { Sort } from '../model/row-order.ts'
import { Link } from '../parts/link.tsx'
import { LiveState } from '../parts/live-state.tsx'
import { Empty, Failure, Loading } from '../parts/states.tsx'
import { VirtualTable } from '../parts/virtual-table.tsx'

const BulkActions = lazy(async () => ({ default: (await import('../parts/bulk-actions.tsx')).BulkActions }))
const CreateObject = lazy(async () => ({ default: (await import('../parts/create-object.tsx')).CreateObject }))

const NOTE_MS = 300

const noMarks: ReadonlySet<string> = new Set()

export function ListPage({ id, filter }: { readonly id: string; readonly filter: string }) {
  const cluster = useCluster()
  const resource = cluster.find(id)
  if (resource === undefined)
    return <Empty title="No such kind here">{`This cluster does not serve "${id}", or you may not see it.`}</Empty>
  return <List key={`${cluster.key} ${id}`} resource={resource} filter={filter} />
}

function List({ resource, filter: asked }: { readonly resource: ApiResource; readonly filter: string }) {
  const cluster = useCluster()
  const id = resourceId(resource)
  const [sort, setSort] = useState<Sort | undefined>(
    id.startsWith('events') ? { column: 'Last Seen', descending: true } : undefined,
  )
  const [wide, setWide] = useState(false)
  const [marked, setMarked] = useState(noMarks)
  const [creating, setCreating] = useState(false)
  // What is typed is here at once, and in the address when the typing rests: a key press draws the table alone.
  const [filter, setFilter] = useState(asked)
  const noted = useRef(asked)
  // The address says something else than what was put there: somebody followed a link.
  useEffect(() => {
    if (asked !== noted.current) setFilter(asked)
    noted.current = asked
  }, [asked])
  useEffect(() => {
    const timer = setTimeout(() => {
      noted.current = filter
      note({ page: 'list', cluster: cluster.key, resource: id, filter })
    }, NOTE_MS)
    return () => clearTimeout(timer)
  }, [filter, cluster.key, id])
  const view = useMemo(() => ({ filter, sort }), [filter, sort])
  const { table, update } = useLiveTable(cluster.places(resource), [], view)
  const withNamespace = resource.namespaced && cluster.scope.length !== 1
  const served = update?.columns
  const columns = useMemo(
    () => shownColumns(served ?? [], { resource: id, withNamespace, wide }),
    [served, id, withNamespace, wide],
  )
  const title = titleOf(resource)
  const { key } = cluster
  const open = useCallback(
    (row: Row): void =>
      go({ page: 'object', cluster: key, resource: id, namespace: row.namespace, name: row.name, tab: 'details' }),
    [key, id],
  )
  const cell = useCallback(
    (row: Row, column: ShownColumn): ReactNode => <Cell row={row} column={column} cluster={key} resource={id} />,
    [key, id],
  )
  // Events are what components tell: nobody writes one by hand.
  const mayCreate =
    resource.resource !== 'events' &&
    cluster.may({ verb: 'create', group: resource.group, resource: resource.resource })
  return (
    <>
      <div className="head">
        <div className="titleblock">
          <h1>{title}</h1>
        </div>
        <span className="sub">{update === undefined ? '' : countText(update.shown, update.total, filter)}</span>
        <span className="grow" />
        {update !== undefined && <LiveState state={update.state} complete={update.complete} />}
        {mayCreate && <CreateButton onCreating={setCreating} />}
      </div>
      <div className="tools">
        <FilterBox value={filter} onChange={setFilter} what={title.toLowerCase()} />
        <WideToggle wide={wide} onChange={setWide} />
        <span className="grow" />
        {marked.size > 0 && (
          <Suspense fallback={null}>
            <BulkActions resource={resource} keys={[...marked]} onDone={() => setMarked(noMarks)} />
          </Suspense>
        )}
      </div>
      <section className="card sheet" aria-label={title}>
        <Body update={update} filter={filter} title={title}>
          {update !== undefined && (
            <VirtualTable
              label={title}
              table={table}
              update={update}
              columns={columns}
              cell={cell}
              sort={sort}
              onSort={setSort}
              onOpen={open}
              marked={marked}
              onMark={setMarked}
            />
          )}
        </Body>
      </section>
      {creating && (
        <Suspense fallback={null}>
          <CreateObject resource={resource} onClose={() => setCreating(false)} />
        </Suspense>
      )}
    </>
  )
}

function Body({
  update,
  filter,
  title,
  children,
}: {
  readonly update: ReturnType<typeof useLiveTable>['update']
  readonly filter: string
  readonly title: string
  readonly children: ReactNode
}) {
  if (update === undefined || (update.total === 0 && update.state.kind === 'listing'))
    return <Loading label={`Reading ${title.toLowerCase()}`} />
  if (update.total === 0 && (update.state.kind === 'refused' || update.state.kind === 'retrying'))
    return (
      <Failure
        error={Object.assign(
          new Error(update.state.message),
          update.state.kind === 'refused' ? { status: update.state.status } : {},
        )}
      />
    )
  if (update.total === 0)
    return <Empty title={`No ${title.toLowerCase()}`}>There are none in the namespaces that you look at.</Empty>
  if (update.shown === 0)
    return <Empty title="Nothing matches">{`None of ${update.total.toLocaleString('en')} match "${filter}".`}</Empty>
  return children
}

function countText(shown: number, total: number, filter: string): string {
  const text = total.toLocaleString('en')
  return filter.trim() === '' || shown === total ? text : `${shown.toLocaleString('en')} of ${text}`
}

// A list that lives draws its table four times a second; what stands around it is drawn when it changes.

const WideToggle = memo(function WideToggle({
  wide,
  onChange,
}: {
  readonly wide: boolean
  readonly onChange: (wide: boolean) => void
}) {
  return (
    <Tooltip content={wide ? 'Fewer columns' : 'All columns'} relationship="label">
      <Button
        appearance={wide ? 'primary' : 'subtle'}
        size="small"
        icon={<TableSettingsRegular />}
        aria-pressed={wide}
        onClick={() => onChange(!wide)}
      />
    </Tooltip>
  )
})

const CreateButton = memo(function CreateButton({ onCreating }: { readonly onCreating: (creating: boolean) => void }) {
  return (
    <Button appearance="primary" size="small" icon={<AddRegular />} onClick={() => onCreating(true)}>
      Create
    </Button>
  )
})

/** `/` goes to it from anywhere on the page. */
export const FilterBox = memo(function FilterBox({
  value,
  onChange,
  what,
}: {
  readonly value: string
  readonly onChange: (text: string) => void
  readonly what: string
}) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const typing =
        event.target instanceof HTMLElement &&
        /^(INPUT|TEXTAREA)$|cm-content/.test(event.target.tagName + event.target.className)
      if (event.key !== '/' || typing) return
      event.preventDefault()
      box.current?.querySelector('input')?.focus()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  return (
    <div ref={box} style={{ width: 340, maxWidth: '100%' }}>
      <Input
        size="small"
        style={{ width: '100%' }}
        contentBefore={<SearchRegular />}
        {...(value === ''
          ? {}
          : {
              contentAfter: (
                <Button
                  appearance="transparent"
                  size="small"
                  icon={<DismissRegular />}
                  aria-label="Clear the filter"
                  onClick={() => onChange('')}
                />
              ),
            })}
        placeholder={`Filter ${what}: web label:app=api`}
        aria-label={`Filter ${what}`}
        value={value}
        onChange={(_, { value: text }) => onChange(text)}
        onKeyDown={(event) => event.key === 'Escape' && onChange('')}
      />
    </div>
  )
})

function Cell({
  row,
  column,
  cluster,
  resource,
}: {
  readonly row: Row
  readonly column: ShownColumn
  readonly cluster: string
  readonly resource: string
}) {
  if (column.kind === 'age') return <Age createdMs={row.createdMs} />
  if (column.kind === 'namespace') return <span className="dim">{row.namespace}</span>
  if (column.kind === 'name')
    return (
      <Link
        to={{
          page: 'object',
          cluster,
          resource,
          namespace: row.namespace,
          name: row.name,
          tab: 'details',
        }}
        title={row.name}
        tabIndex={-1}
      >
        {row.name}
      </Link>
    )
  const value = row.cells[column.at] ?? ''
  if (timeColumns.has(column.title) && typeof value === 'number') return <Age createdMs={value} />
  const tone = toneOf(column.title, value)
  return (
    <span title={String(value).length > 24 ? String(value) : undefined}>
      {tone !== undefined && <span className={`dot ${tone}`} />}
      {value === '<none>' || value === '' ? <span className="dim">–</span> : value}
    </span>
  )
}

function Age({ createdMs }: { readonly createdMs: number }) {
  const age = useAgeText(createdMs)
  return <span className="dim">{createdMs === 0 ? '–' : age}</span>
}
