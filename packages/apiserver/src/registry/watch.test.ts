// Watches as clients see them: what enters and leaves a selection, forms, resumption, slow readers, ends.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { readLines } from '@aksel/client/response-body'
import { startTestServer, admin, type TestServer } from '../test-server.ts'

const path = '/api/v1/namespaces/default/configmaps'
const merge = { 'content-type': 'application/merge-patch+json' }

interface Event {
  readonly type: string
  readonly object: {
    readonly kind: string
    readonly metadata: { readonly name: string; readonly resourceVersion: string }
    readonly columnDefinitions?: unknown
    readonly rows?: readonly { readonly cells: readonly unknown[] }[]
  }
}

void suite('a watch', () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
  })
  after(() => server[Symbol.asyncDispose]())

  /** Opens a watch, then runs `change`, and returns the first `count` events. */
  async function events(
    query: string,
    count: number,
    change: () => Promise<unknown> = async () => {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<readonly Event[]> {
    const response = await server.server
      .transportFor(admin)
      .send({ method: 'GET', path: `${path}?watch=true&${query}`, headers })
    assert.equal(response.status, 200)
    const seen: Event[] = []
    const reading = (async () => {
      for await (const line of readLines(response.body)) {
        seen.push(JSON.parse(Buffer.from(line).toString()) as Event)
        if (seen.length === count) break
      }
    })()
    await change()
    await reading
    return seen
  }

  const make = (name: string, labels: object = {}): Promise<unknown> =>
    server.ask(path, { body: { metadata: { name, labels } } })
  const label = (name: string, labels: object): Promise<unknown> =>
    server.ask(`${path}/${name}`, { method: 'PATCH', headers: merge, body: { metadata: { labels } } })
  const remove = (name: string): Promise<unknown> => server.ask(`${path}/${name}`, { method: 'DELETE' })
  const short = (list: readonly Event[]): readonly string[] =>
    list.map(({ type, object }) => `${type} ${object.metadata.name}`)
  const now = (): string => `resourceVersion=${server.store.revision}`

  void test('with a selector sees what leaves it as deleted, and what enters it as added', async () => {
    const seen = await events(`${now()}&labelSelector=tier%3Dweb`, 4, async () => {
      await make('moving', { tier: 'web' })
      await label('moving', { tier: 'db' })
      await label('moving', { other: 'x' })
      await label('moving', { tier: 'web' })
      await remove('moving')
    })
    assert.deepEqual(short(seen), ['ADDED moving', 'DELETED moving', 'ADDED moving', 'DELETED moving'])
  })

  void test('gives a deleted object the version of its deletion', async () => {
    const seen = await events(now(), 2, async () => {
      await make('brief')
      await remove('brief')
    })
    assert.equal(seen[1]!.object.metadata.resourceVersion, String(server.store.revision))
    assert.ok(Number(seen[0]!.object.metadata.resourceVersion) < Number(seen[1]!.object.metadata.resourceVersion))
  })

  void test('resumes behind any event without a gap or a repeat', async () => {
    const start = server.store.revision
    for (const name of ['r1', 'r2', 'r3']) await make(name)
    const all = await events(`resourceVersion=${start}`, 3)
    const rest = await events(`resourceVersion=${all[0]!.object.metadata.resourceVersion}`, 2)
    assert.deepEqual(rest, all.slice(1))
    for (const name of ['r1', 'r2', 'r3']) await remove(name)
  })

  void test('without a version begins with what is there', async () => {
    await make('present')
    const seen = await events('fieldSelector=metadata.name%3Dpresent', 2, () => label('present', { a: 'b' }))
    assert.deepEqual(short(seen), ['ADDED present', 'MODIFIED present'])
    await remove('present')
  })

  void test('of one name sees no other', async () => {
    const seen = await events(`${now()}&fieldSelector=metadata.name%3Dweb`, 1, async () => {
      await make('web2')
      await make('web')
    })
    assert.deepEqual(short(seen), ['ADDED web'])
    for (const name of ['web', 'web2']) await remove(name)
  })

  void test('as a table sends the columns once', async () => {
    const headers = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }
    const seen = await events(
      now(),
      2,
      async () => {
        await make('t1')
        await make('t2')
      },
      headers,
    )
    assert.deepEqual(
      seen.map(({ object }) => [object.kind, Array.isArray(object.columnDefinitions), object.rows![0]!.cells[0]]),
      [
        ['Table', true, 't1'],
        ['Table', false, 't2'],
      ],
    )
    for (const name of ['t1', 't2']) await remove(name)
  })

  void test('as metadata alone sends no data', async () => {
    const headers = { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' }
    const [event] = await events(
      now(),
      1,
      () => server.ask(path, { body: { metadata: { name: 'p' }, data: { a: 'b' } } }),
      headers,
    )
    assert.equal(event!.object.kind, 'PartialObjectMetadata')
    assert.ok(!('data' in event!.object))
    await remove('p')
  })

  void test('that does not read is cut off, and the writers never wait for it', async () => {
    const response = await server.server
      .transportFor(admin)
      .send({ method: 'GET', path: `${path}?watch=true&${now()}`, headers: {} })
    const iterator = response.body[Symbol.asyncIterator]()
    const first = iterator.next()
    const data = { x: 'x'.repeat(900_000) }
    for (let n = 0; n < 25; n += 1) {
      await server.ask(`${path}/big`, { method: 'DELETE' })
      await server.ask(path, { body: { metadata: { name: 'big' }, data } })
    }
    await first
    let received = 0
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
      received += next.value.length
    assert.ok(received < 25 * 2 * 900_000, `${received} bytes were kept for it`)
  })

  void test('ends when the server closes', async () => {
    const other = await startTestServer()
    const response = await other.server
      .transportFor(admin)
      .send({ method: 'GET', path: `${path}?watch=true`, headers: {} })
    const reading = (async () => {
      for await (const _piece of response.body);
    })()
    await other[Symbol.asyncDispose]()
    await reading
  })
})
