// The index of labels says what looking at every object would say, while objects come, change and go.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fraction, seededRandom } from '@aksel/base/ids'
import { createMemoryStore } from '@aksel/store/memory-store'
import type { KeyValue, Store } from '@aksel/store/store'
import { startTestServer, testScope } from '../test-server.ts'
import { LabelIndex, LabelIndexes, type LabelTerm } from './label-index.ts'
import { labelsOf } from './record-labels.ts'

const read = ({ value }: KeyValue): Readonly<Record<string, string>> => labelsOf(value)

function objectOf(name: string, labels: Readonly<Record<string, string>>): Buffer {
  const metadata = { name, namespace: 'default', uid: name, labels, annotations: { odd: '"labels":{"app":"no"}' } }
  return Buffer.from(
    JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata, data: { labels: '{"app":"no"}' } }),
  )
}

async function change(store: Store, random: () => number): Promise<void> {
  const key = `c/default/o-${Math.floor(random() * 300)}`
  if (random() < 0.2) return void (await store.transact({ guards: [], writes: [{ kind: 'delete', key }] }))
  const labels = {
    app: `a${Math.floor(random() * 5)}`,
    ...(random() < 0.5 ? { tier: `t${Math.floor(random() * 3)}` } : {}),
  }
  await store.transact({ guards: [], writes: [{ kind: 'put', key, value: objectOf(key, labels) }] })
}

const questions: readonly (readonly LabelTerm[])[] = [
  [{ key: 'app', values: ['a1'] }],
  [{ key: 'app', values: ['a1', 'a3'] }],
  [{ key: 'tier', values: undefined }],
  [
    { key: 'app', values: ['none'] },
    { key: 'tier', values: undefined },
  ],
]

test('candidates are all that meet the narrowest term, whatever changes while it is built and after', async () => {
  const stop = new AbortController()
  await using store = createMemoryStore(testScope([], stop.signal))
  const random = seededRandom(5)
  const die = (): number => fraction(random)
  for (let i = 0; i < 3_000; i++) await change(store, die)
  const building = LabelIndex.build({ store, prefix: 'c/', signal: stop.signal, labelsOf: read })
  for (let i = 0; i < 500; i++) await change(store, die)
  const index = await building
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 50; i++) await change(store, die)
    assert.equal(index.revision, store.revision)
    const { items } = await store.range({ prefix: 'c/' })
    for (const terms of questions) {
      const wanted = items.filter((item) => terms.every((term) => meets(term, read(item)))).map(({ key }) => key)
      const found = index.candidates(terms)!
      assert.deepEqual(
        wanted.filter((key) => !found.includes(key)),
        [],
      )
      if (terms.length === 1) assert.deepEqual(found, wanted)
    }
    assert.deepEqual(index.candidates(questions[3]!), [])
  }
  stop.abort()
})

function meets({ key, values }: LabelTerm, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[key]
  return value !== undefined && (values === undefined || values.includes(value))
}

test('few objects are looked at one by one, many through the index once it is there', async () => {
  const stop = new AbortController()
  await using store = createMemoryStore(testScope([], stop.signal))
  const indexes = new LabelIndexes(store, stop.signal)
  const find = () => indexes.find('c/', 'c/default/', [{ key: 'app', values: ['x'] }], read)
  await store.transact({
    guards: [],
    writes: [{ kind: 'put', key: 'c/default/first', value: objectOf('first', { app: 'x' }) }],
  })
  assert.equal(find(), undefined)
  for (let i = 0; i < 1_200; i++) {
    await store.transact({
      guards: [],
      writes: [{ kind: 'put', key: `c/default/${i}`, value: objectOf(String(i), { app: 'y' }) }],
    })
  }
  while (find() === undefined) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(
    find()?.map(({ key }) => key),
    ['c/default/first'],
  )
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
  const indexes = new LabelIndexes(remote, stop.signal)
  for (let i = 0; i < 3; i++) assert.equal(indexes.find('c/', 'c/', [{ key: 'app', values: ['x'] }], read), undefined)
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
