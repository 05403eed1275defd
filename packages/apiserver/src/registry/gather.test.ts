// Long lists are gone through in slices, and yet are what stood at one revision; long beginnings of watches fill no buffer.

import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import type { Sink } from '../http/message.ts'
import { startTestServer, type TestServer } from '../test-server.ts'
import { Turns } from '../turns.ts'
import { watchBody } from './watch.ts'
import type { RecordStore } from './record-store.ts'
import { StoredRecord } from './record.ts'

const COUNT = 950
const path = '/api/v1/namespaces/default/secrets'

interface List {
  readonly metadata: { readonly resourceVersion: string }
  readonly items: readonly { readonly metadata: { readonly name: string } }[]
  readonly rows: readonly unknown[]
}

/** As many secrets as one that was made through the front; every second of another type. */
async function fill(server: TestServer): Promise<string> {
  const { store } = server
  await server.ask(path, { body: { metadata: { name: 'seed' }, type: 'example.com/even' } })
  const [seed] = (await store.range({ prefix: '', limit: 10_000 })).items.filter(({ key }) => key.endsWith('/seed'))
  const text = Buffer.from(seed!.value).toString()
  const writes = Array.from({ length: COUNT }, (_, i) => {
    const name = `s-${String(i).padStart(4, '0')}`
    const value = text.replace('"seed"', `"${name}"`).replace('/even', i % 2 === 0 ? '/even' : '/odd')
    return { kind: 'put', key: seed!.key.replace('seed', name), value: Buffer.from(value) } as const
  })
  await store.transact({ guards: [], writes })
  return seed!.key.slice(0, -'seed'.length)
}

void test('a list by a field, gone through in slices, shows one revision while others write', async () => {
  await using server = await startTestServer()
  const prefix = await fill(server)
  const { store } = server
  const asked = server.ask(`${path}?fieldSelector=type%3Dexample.com%2Fodd`)
  for (let i = 0; i < 100; i++) {
    await turn()
    await store.transact({ guards: [], writes: [{ kind: 'delete', key: `${prefix}s-${String(i).padStart(4, '0')}` }] })
  }
  const list = (await asked).json as unknown as List
  const stood = (await store.range({ prefix, revision: Number(list.metadata.resourceVersion) })).items
  const odd = stood.filter(({ value }) => Buffer.from(value).includes('/odd'))
  assert.deepEqual(
    list.items.map(({ metadata }) => metadata.name),
    odd.map(({ key }) => key.slice(prefix.length)),
  )
  assert.ok(odd.length > 400, 'it stood while others wrote')
})

void test('a table of more objects than are kept parsed has a row for each', async () => {
  await using server = await startTestServer()
  const prefix = await fill(server)
  const { value } = (await server.store.get(`${prefix}seed`))!
  const writes = Array.from({ length: 200 }, (_, i) => {
    const name = `t-${i}`
    return {
      kind: 'put',
      key: `${prefix}${name}`,
      value: Buffer.from(Buffer.from(value).toString().replace('"seed"', `"${name}"`)),
    } as const
  })
  await server.store.transact({ guards: [], writes })
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
  const { json } = await server.ask(path, { headers: { accept } })
  assert.equal((json as unknown as List).rows.length, COUNT + 1 + 200)
  const partial = await server.ask(path, { headers: { accept: accept.replace('Table', 'PartialObjectMetadataList') } })
  assert.equal((partial.json as unknown as List).items.length, COUNT + 1 + 200)
})

void test('the beginning of a watch waits until its reader has taken what was sent', async () => {
  await using server = await startTestServer()
  const stop = new AbortController()
  let written = 0
  let take: (() => void) | undefined
  const sink: Sink = {
    bufferedBytes: 0,
    write: () => void (written += 1),
    whenTaken: (done) => (take = done),
    end: () => {},
  }
  const item = { key: 'k', createRevision: 1, modRevision: 1, value: Buffer.from('{"metadata":{"uid":"u"}}') }
  const request = {
    namespace: '',
    selection: { matches: undefined, readsFields: false, name: '', terms: [] },
    afterRevision: 1,
    initial: Array.from({ length: 250 }, () => new StoredRecord(item)),
    endsInitialEvents: false,
    bookmarks: false,
    timeoutMs: 60_000,
    signal: stop.signal,
    measure: () => {},
    encoder: { event: () => item.value, bookmark: () => item.value, error: () => item.value },
  }
  let followed = false
  const records = { watch: () => (followed = true), turns: new Turns() } as unknown as RecordStore
  watchBody(records, server.scope.clock, request as unknown as Parameters<typeof watchBody>[2]).start(sink)
  await turn()
  assert.equal(written, 100)
  take!()
  await turn()
  await turn()
  assert.equal(written, 200)
  assert.equal(followed, false)
  take!()
  await turn()
  await turn()
  assert.equal(written, 250)
  assert.equal(followed, true)
  stop.abort()
})
