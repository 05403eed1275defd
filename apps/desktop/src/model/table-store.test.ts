// The rows of a list: order, filters and changes, at the size of a large cluster.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { columnsOf, internPool, rowOf, type Row, type WireTable } from './kube-table.ts'
import { compareValues } from './row-order.ts'
import { TableStore } from './table-store.ts'

const table: WireTable = {
  kind: 'Table',
  columnDefinitions: [
    { name: 'Name', type: 'string' },
    { name: 'Ready', type: 'string' },
    { name: 'Status', type: 'string' },
    { name: 'Restarts', type: 'string' },
    { name: 'Age', type: 'string' },
    { name: 'Node', type: 'string', priority: 1 },
  ],
}

function pod(
  namespace: string,
  name: string,
  more: { status?: string; restarts?: string; node?: string; ageS?: number; labels?: Record<string, string> } = {},
): Row {
  const { status = 'Running', restarts = '0', node = 'node-1', ageS = 0, labels = {} } = more
  const creationTimestamp = new Date(Date.UTC(2026, 0, 1) - ageS * 1000).toISOString()
  return rowOf(
    {
      cells: [name, '1/1', status, restarts, `${ageS}s`, node],
      object: { metadata: { namespace, name, uid: name, creationTimestamp, labels } },
    },
    columnsOf(table),
    internPool(),
    0,
  )
}

function storeOf(...rows: readonly Row[]): TableStore {
  const store = new TableStore()
  store.setColumns(columnsOf(table))
  for (const row of rows) store.put(row)
  return store
}

const names = (store: TableStore): readonly string[] => store.snapshot(0, 1000).rows.map(({ name }) => name)

test('rows stand by namespace and name, and changes are merged into that order', () => {
  const store = storeOf(pod('b', 'x'), pod('a', 'z'), pod('a', 'y'))
  assert.deepEqual(names(store), ['y', 'z', 'x'])
  store.put(pod('a', 'yy'))
  store.remove('a/y')
  store.put(pod('b', 'x', { status: 'Failed' }))
  assert.deepEqual(names(store), ['yy', 'z', 'x'])
  assert.equal(store.snapshot(2, 3).rows[0]!.cells[2], 'Failed')
})

test('a sort is by value, numbers by size, and equal ones stay by name', () => {
  const store = storeOf(
    pod('a', 'one', { restarts: '10 (5m ago)' }),
    pod('a', 'two', { restarts: '9' }),
    pod('a', 'three', { restarts: '0' }),
    pod('a', 'four', { restarts: '0' }),
  )
  store.setView({ filter: '', sort: { column: 'Restarts', descending: false } })
  assert.deepEqual(names(store), ['four', 'three', 'two', 'one'])
  store.setView({ filter: '', sort: { column: 'Restarts', descending: true } })
  assert.deepEqual(names(store), ['one', 'two', 'four', 'three'])
})

test('by age the youngest comes first', () => {
  const store = storeOf(
    pod('a', 'old', { ageS: 900 }),
    pod('a', 'young', { ageS: 3 }),
    pod('a', 'middle', { ageS: 80 }),
  )
  store.setView({ filter: '', sort: { column: 'Age', descending: false } })
  assert.deepEqual(names(store), ['young', 'middle', 'old'])
})

test('a filter takes words, fields, labels, namespaces and their opposite', () => {
  const store = storeOf(
    pod('shop', 'api-1', { labels: { app: 'api', tier: 'back' } }),
    pod('shop', 'api-2', { status: 'CrashLoopBackOff', labels: { app: 'api' } }),
    pod('web', 'front-1', { node: 'node-7', labels: { app: 'front' } }),
  )
  const found = (filter: string): readonly string[] => {
    store.setView({ filter, sort: undefined })
    return names(store)
  }
  assert.deepEqual(found('API'), ['api-1', 'api-2'])
  assert.deepEqual(found('api -status:running'), ['api-2'])
  assert.deepEqual(found('status:crash'), ['api-2'])
  assert.deepEqual(found('label:app=api label:tier'), ['api-1'])
  assert.deepEqual(found('ns:web'), ['front-1'])
  assert.deepEqual(found('node-7'), ['front-1'])
  assert.deepEqual(found('-ns:web -label:tier'), ['api-2'])
  assert.deepEqual(found('nothing'), [])
})

test('a list that began anew takes away what is gone', () => {
  const store = storeOf(pod('a', 'x'), pod('a', 'y'))
  store.keepOnly(new Set(['a/y']))
  assert.deepEqual(names(store), ['y'])
})

test('facets count the values of a column, the most frequent first', () => {
  const store = storeOf(pod('a', 'x'), pod('a', 'y'), pod('b', 'z', { status: 'Pending' }))
  assert.deepEqual(store.facet('Status'), [
    ['Running', 2],
    ['Pending', 1],
  ])
  assert.deepEqual(store.facet('Namespace'), [
    ['a', 2],
    ['b', 1],
  ])
})

test('of 100,000 rows a window is what a plain filter and sort would show, before and after 500 changes', () => {
  const intern = internPool()
  const store = new TableStore()
  store.setColumns(columnsOf(table))
  const plain = new Map<string, Row>()
  const put = (at: number, status: string): void => {
    const row = rowOf(
      {
        cells: [`p${at}`, '1/1', status, String(at % 7), '', `node-${at % 97}`],
        object: { metadata: { namespace: `ns${at % 50}`, name: `p${at}` } },
      },
      columnsOf(table),
      intern,
      0,
    )
    store.put(row)
    plain.set(row.key, row)
  }
  for (let at = 0; at < 100_000; at++) put(at, at % 3 === 0 ? 'Pending' : 'Running')
  const expected = (): readonly string[] =>
    [...plain.values()]
      .filter(({ cells }) => cells[2] === 'Pending')
      .toSorted((left, right) => {
        const byRestarts = Number(right.cells[3]) - Number(left.cells[3])
        if (byRestarts !== 0) return byRestarts
        if (left.namespace !== right.namespace) return left.namespace < right.namespace ? -1 : 1
        return left.name < right.name ? -1 : 1
      })
      .slice(500, 560)
      .map(({ key }) => key)
  const shown = (): readonly string[] => store.snapshot(500, 560).rows.map(({ key }) => key)
  store.setView({ filter: 'status:pending', sort: { column: 'Restarts', descending: true } })
  assert.deepEqual(shown(), expected())
  for (let at = 0; at < 500; at++) put((at * 7919) % 100_200, at % 2 === 0 ? 'Pending' : 'Running')
  assert.deepEqual(shown(), expected())
  assert.equal(store.total, plain.size)
})

test('a picture after changes is the picture of a store that had them from the beginning, in any view', () => {
  let seed = 7
  const chance = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
  const some = (): Row =>
    pod(`ns${chance(3)}`, `p${chance(60)}`, {
      status: ['Running', 'Pending', 'Failed'][chance(3)]!,
      restarts: ['0', '3 (5m ago)', '12'][chance(3)]!,
      ageS: chance(5),
    })
  const views = ['', 'p1', '-running', 'status:pending'].flatMap((filter) =>
    [undefined, 'Name', 'Namespace', 'Status', 'Restarts', 'Age'].flatMap((column) =>
      [false, true].map((descending) => ({ filter, sort: column === undefined ? undefined : { column, descending } })),
    ),
  )
  for (const view of views) {
    const rows = new Map(Array.from({ length: 80 }, some).map((row) => [row.key, row]))
    const store = storeOf(...rows.values())
    store.setView(view)
    store.snapshot(0, 1000)
    for (let round = 0; round < 20; round++) {
      for (let change = chance(6); change >= 0; change--) {
        const row = some()
        if (chance(3) === 0) {
          store.remove(row.key)
          rows.delete(row.key)
        } else {
          store.put(row)
          rows.set(row.key, row)
        }
      }
      const anew = storeOf(...rows.values())
      anew.setView(view)
      assert.deepEqual(store.snapshot(0, 1000).rows, anew.snapshot(0, 1000).rows, JSON.stringify(view))
    }
  }
})

test('compareValues() puts numbers at the beginning of a text in order', () => {
  assert.ok(compareValues('2/3', '10/10') < 0)
  assert.ok(compareValues('3 (5m ago)', '12') < 0)
  assert.ok(compareValues('a', 'b') < 0)
  assert.equal(compareValues('1/1', '1/1'), 0)
})

test('what the server tells as an age is kept as a time', () => {
  const columns = [{ name: 'Last Seen', type: 'string', priority: 0 }]
  const row = rowOf({ cells: ['3m20s'], object: { metadata: { name: 'e' } } }, columns, internPool(), 1_000_000)
  assert.deepEqual(row.cells, [800_000])
})
