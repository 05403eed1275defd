// The indexes of labels and fields say what looking at every object would say, while objects come, change and go.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fraction, seededRandom } from '@aksel/base/ids'
import { createMemoryStore } from '@aksel/store/memory-store'
import type { KeyValue, Store } from '@aksel/store/store'
import { startTestServer, testScope } from '../test-server.ts'
import type { FacetTerm, ValueOf } from './facet-index.ts'
import { FacetIndexes } from './facet-indexes.ts'
import { labelsOf } from './record-labels.ts'

const valueOf: ValueOf = ({ kind, key }, { value }) =>
  kind === 'label' ? labelsOf(value)[key] : ((JSON.parse(Buffer.from(value).toString()) as Stored).data[key] ?? '')

interface Stored {
  readonly data: Readonly<Record<string, string>>
}

function objectOf(name: string, labels: Readonly<Record<string, string>>): Buffer {
  const metadata = { name, namespace: 'default', uid: name, labels, annotations: { odd: '"labels":{"app":"no"}' } }
  return Buffer.from(
    JSON.stringify({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata,
      data: { labels: '{"app":"no"}', ...(labels['tier'] === undefined ? {} : { place: labels['tier'] }) },
    }),
  )
}

async function change(store: Store, random: () => number): Promise<void> {
  const key = `c/default/o-${Math.floor(random() * 2_000)}`
  if (random() < 0.2) return void (await store.transact({ guards: [], writes: [{ kind: 'delete', key }] }))
  const labels = {
    app: `a${Math.floor(random() * 12)}`,
    ...(random() < 0.5 ? { tier: `t${Math.floor(random() * 3)}` } : {}),
    ...(random() < 0.1 ? { rare: 'r' } : {}),
  }
  await store.transact({ guards: [], writes: [{ kind: 'put', key, value: objectOf(key, labels) }] })
}

const questions: readonly (readonly FacetTerm[])[] = [
  [{ kind: 'label', key: 'app', values: ['a1'] }],
  [{ kind: 'label', key: 'app', values: ['a1', 'a3', 'a1'] }],
  [{ kind: 'label', key: 'rare', values: undefined }],
  [{ kind: 'field', key: 'place', values: ['t1'] }],
  [
    { kind: 'label', key: 'app', values: ['none'] },
    { kind: 'label', key: 'tier', values: undefined },
  ],
  [
    { kind: 'field', key: 'place', values: ['t2'] },
    { kind: 'label', key: 'app', values: ['a1'] },
  ],
]

const meets = (item: KeyValue, { values, ...facet }: FacetTerm): boolean => {
  const value = valueOf(facet, item)
  return value !== undefined && (values === undefined || values.includes(value))
}

test('indexes find what going through all objects finds, whatever changes while they are built and after', async () => {
  const stop = new AbortController()
  await using store = createMemoryStore(testScope([], stop.signal))
  const indexes = new FacetIndexes(store, stop.signal)
  const random = seededRandom(5)
  const die = (): number => fraction(random)
  const find = (terms: readonly FacetTerm[]) =>
    indexes.find({ scope: 'c', prefix: 'c/', within: 'c/default/', terms, valueOf })
  for (let i = 0; i < 6_000; i++) await change(store, die)
  for (const terms of questions) assert.equal(find(terms), undefined)
  for (let i = 0; i < 500; i++) await change(store, die)
  await until(() => questions.every((terms) => find(terms) !== undefined))
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 50; i++) await change(store, die)
    // Somebody else's write is no reason to go through everything again.
    await store.transact({ guards: [], writes: [{ kind: 'put', key: `d/${round}`, value: Buffer.from('{}') }] })
    const { items } = await store.range({ prefix: 'c/default/' })
    for (const terms of questions) {
      const found = find(terms)
      assert.ok(found !== undefined, `round ${round}: ${JSON.stringify(terms)} is not answered by an index`)
      assert.deepEqual(
        found.filter((item) => terms.every((term) => meets(item, term))).map(({ key }) => key),
        items.filter((item) => terms.every((term) => meets(item, term))).map(({ key }) => key),
      )
    }
    assert.deepEqual(find(questions[4]!), [])
  }
  stop.abort()
})

/** Indexes are built in slices, one a turn of the event loop. */
async function until(isThere: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000; turn += 1) {
    if (isThere()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.fail('the index is not there after a thousand turns')
}

async function fill(store: Store, count: number): Promise<void> {
  const writes = Array.from({ length: count }, (_, i) => {
    const value = objectOf(String(i), i === 0 ? { app: 'x' } : { app: 'y' })
    return { kind: 'put' as const, key: `c/default/${i}`, value }
  })
  await store.transact({ guards: [], writes })
}

test('few objects are looked at one by one, many through the index once it is there, unless most would match', async () => {
  const stop = new AbortController()
  await using store = createMemoryStore(testScope([], stop.signal))
  const indexes = new FacetIndexes(store, stop.signal)
  const find = (value: string) => {
    const terms = [{ kind: 'label', key: 'app', values: [value] }] as const
    return indexes.find({ scope: 'c', prefix: 'c/', within: 'c/default/', terms, valueOf })
  }
  await fill(store, 900)
  assert.equal(find('x'), undefined)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(find('x'), undefined)
  await fill(store, 1_200)
  await until(() => find('x') !== undefined)
  assert.deepEqual(
    find('x')?.map(({ key }) => key),
    ['c/default/0'],
  )
  assert.equal(find('y'), undefined)
  stop.abort()
})

test('a kind keeps eight indexes: the one that was not asked for longest makes room', async () => {
  const stop = new AbortController()
  await using store = createMemoryStore(testScope([], stop.signal))
  const indexes = new FacetIndexes(store, stop.signal)
  await fill(store, 1_200)
  const find = (key: string) => {
    const terms = [{ kind: 'label', key, values: ['x'] }] as const
    return indexes.find({ scope: 'c', prefix: 'c/', within: 'c/', terms, valueOf })
  }
  const built = (key: string): Promise<void> => until(() => find(key) !== undefined)
  for (const key of ['app', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) await built(key)
  assert.equal(find('app')?.length, 1)
  await built('i')
  assert.equal(find('app')?.length, 1)
  assert.equal(find('b'), undefined)
  stop.abort()
})

test('a store that answers later is asked once, and its failure is nobody’s', async () => {
  const stop = new AbortController()
  await using store = createMemoryStore(testScope([], stop.signal))
  let asked = 0
  const remote = new Proxy(store, {
    get(target, name) {
      if (name !== 'count') return Reflect.get(target, name) as unknown
      return () => {
        asked += 1
        return Promise.reject(new Error('nobody answers'))
      }
    },
  })
  const indexes = new FacetIndexes(remote, stop.signal)
  const terms = [{ kind: 'label', key: 'app', values: ['x'] }] as const
  for (let i = 0; i < 3; i++)
    assert.equal(indexes.find({ scope: 'c', prefix: 'c/', within: 'c/', terms, valueOf }), undefined)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(asked, 1)
  stop.abort()
})

test('a large list goes out in pieces and is the same list, with selectors too', async () => {
  await using server = await startTestServer()
  const writes = Array.from({ length: 1_500 }, (_, i) => {
    const name = `big-${String(i).padStart(4, '0')}`
    const metadata = {
      name,
      namespace: 'default',
      uid: `u${i}`,
      labels: { odd: String(i % 2), one: i === 7 ? 'yes' : 'no' },
    }
    const value = Buffer.from(
      JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata, data: { text: 'ü'.repeat(400) } }),
    )
    return { kind: 'put' as const, key: `clusters/test/configmaps/default/${name}`, value }
  })
  await server.store.transact({ guards: [], writes })
  const path = '/api/v1/namespaces/default/configmaps'
  interface List {
    readonly kind: string
    readonly metadata: { readonly resourceVersion: string }
    readonly items: readonly { readonly metadata: { readonly name: string; readonly resourceVersion: string } }[]
  }
  const ask = async (query: string): Promise<List> => (await server.ask(`${path}${query}`)).json as unknown as List
  const all = await ask('')
  assert.equal(all.kind, 'ConfigMapList')
  assert.ok(all.items.length >= 1_500)
  assert.equal(
    all.items.find(({ metadata }) => metadata.name === 'big-0007')?.metadata.resourceVersion,
    String(server.store.revision),
  )
  for (let round = 0; round < 5; round++) {
    const one = await ask('?labelSelector=one%3Dyes')
    assert.deepEqual(
      [one.items.map(({ metadata }) => metadata.name), one.metadata.resourceVersion],
      [['big-0007'], String(server.store.revision)],
    )
    assert.equal((await ask('?labelSelector=odd%3D1,one!%3Dyes&limit=10')).items.length, 10)
    assert.equal((await ask('?labelSelector=odd%3D1,one!%3Dyes')).items.length, 749)
    await new Promise((resolve) => setImmediate(resolve))
  }
})

test('a field selector among many objects finds what it finds among few, before and after its index is there', async () => {
  await using server = await startTestServer()
  const secretOf = (name: string, type: string): Buffer =>
    Buffer.from(
      JSON.stringify({
        kind: 'Secret',
        apiVersion: 'v1',
        metadata: { name, namespace: 'default', uid: name },
        data: {},
        type,
      }),
    )
  const put = (name: string, type: string) => ({
    kind: 'put' as const,
    key: `clusters/test/secrets/default/${name}`,
    value: secretOf(name, type),
  })
  await server.store.transact({
    guards: [],
    writes: Array.from({ length: 1_500 }, (_, i) => put(`s-${String(i).padStart(4, '0')}`, i % 300 === 7 ? 'a' : 'b')),
  })
  const names = async (selector: string): Promise<readonly string[]> => {
    const { json } = await server.ask(
      `/api/v1/namespaces/default/secrets?fieldSelector=${encodeURIComponent(selector)}`,
    )
    return (json['items'] as { readonly metadata: { readonly name: string } }[]).map(({ metadata }) => metadata.name)
  }
  const first = ['s-0007', 's-0307', 's-0607', 's-0907', 's-1207']
  for (let round = 0; round < 20; round++) {
    assert.deepEqual(await names('type=a'), first)
    assert.deepEqual(await names('type=a,metadata.name!=s-0607'), first.toSpliced(2, 1))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await server.store.transact({ guards: [], writes: [put('s-0307', 'c'), put('s-0000', 'a')] })
  assert.deepEqual(await names('type=a'), ['s-0000', 's-0007', 's-0607', 's-0907', 's-1207'])
  assert.deepEqual(await names('type=c'), ['s-0307'])
})
