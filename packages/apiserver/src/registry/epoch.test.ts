// Two minors over one store: an object that the older one wrote is right in every form, and is written anew in the end.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadTables } from '@aksel/api/tables'
import { createAuthority } from '@aksel/runtime/pki'
import { createMemoryStore } from '@aksel/store/memory-store'
import { readLines } from '@aksel/client/response-body'
import { newFrontProxy } from '../aggregation/front-proxy.ts'
import { ProtobufDecoder } from '../protobuf/decode.ts'
import { admin, startTestServer, testScope, type TestServer } from '../test-server.ts'

type Json = Readonly<Record<string, unknown>>

const path = '/api/v1/namespaces/default/pods'
const key = 'clusters/test/pods/default/old'

/** Puts a pod into the store as a schema wrote it that knew no `schedulerName` and no `enableServiceLinks`. */
async function plantOldPod(server: TestServer): Promise<void> {
  await server.ask('/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } })
  const made = await server.ask(path, {
    body: { metadata: { name: 'old' }, spec: { containers: [{ name: 'c', image: 'busybox' }] } },
  })
  assert.equal(made.status, 201, made.text)
  const item = (await server.store.get(key))!
  const stored = JSON.parse(Buffer.from(item.value).toString()) as { spec: Record<string, unknown> }
  delete stored.spec['schedulerName']
  delete stored.spec['enableServiceLinks']
  const containers = stored.spec['containers'] as Record<string, unknown>[]
  for (const container of containers) delete container['terminationMessagePath']
  const value = Buffer.from(JSON.stringify(stored))
  await server.store.transact({ guards: [], writes: [{ kind: 'put', key, value }] })
}

async function raw(server: TestServer, at: string, accept: string): Promise<Buffer> {
  const response = await server.server.transportFor(admin).send({ method: 'GET', path: at, headers: { accept } })
  assert.equal(response.status, 200)
  const pieces: Uint8Array[] = []
  for await (const piece of response.body) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function firstEvent(server: TestServer, at: string): Promise<Json> {
  const response = await server.server.transportFor(admin).send({ method: 'GET', path: at, headers: {} })
  for await (const line of readLines(response.body)) return JSON.parse(Buffer.from(line).toString()) as Json
  throw new Error('the watch ended')
}

function assertWhole(pod: unknown, where: string): void {
  const { metadata, spec } = pod as { metadata: Json; spec: Json & { containers: readonly Json[] } }
  assert.equal(metadata['name'], 'old', where)
  assert.equal(spec['schedulerName'], 'default-scheduler', where)
  assert.equal(spec['enableServiceLinks'], true, where)
  assert.equal(spec.containers[0]!['terminationMessagePath'], '/dev/termination-log', where)
}

test('an object of an older minor is right in every form right after an upgrade, and is written anew', async () => {
  using scope = { ...testScope([], new AbortController().signal), [Symbol.dispose]: () => {} }
  await using store = createMemoryStore(scope)
  {
    await using old = await startTestServer({ store, kubernetesVersion: '1.34.1' })
    await plantOldPod(old)
  }
  const before = (await store.get(key))!.modRevision
  await using server = await startTestServer({ store, kubernetesVersion: '1.35.7' })
  // Whether the background came by already or not, every form is whole.
  assertWhole((await server.ask(`${path}/old`)).json, 'GET')
  assertWhole(((await server.ask(path)).json['items'] as readonly unknown[])[0], 'LIST')
  assertWhole((await firstEvent(server, `${path}?watch=1`))['object'], 'WATCH')
  const accept = 'application/vnd.kubernetes.protobuf'
  const decoder = new ProtobufDecoder(await loadTables('1.35'))
  assertWhole(decoder.decode(await raw(server, `${path}/old`, accept), 'core/v1.Pod'), 'protobuf')
  const table = await raw(server, `${path}?includeObject=Object`, 'application/json;as=Table;g=meta.k8s.io;v=v1')
  const { rows } = JSON.parse(table.toString()) as { readonly rows: readonly { readonly object: unknown }[] }
  assertWhole(rows[0]!.object, 'Table')
  assert.equal(
    (await server.ask(`${path}?fieldSelector=spec.schedulerName%3Ddefault-scheduler`)).json['items'] instanceof Array,
    true,
  )
  // A watch from before sees the new write, if it was not there from the start.
  const event = await firstEvent(server, `${path}?watch=1&resourceVersion=${before}`)
  assert.equal(event['type'], 'MODIFIED')
  assertWhole(event['object'], 'the background’s write')
  assertWhole(JSON.parse(Buffer.from((await store.get(key))!.value).toString()), 'the store')
})

test('a second start under the same schema writes nothing', async () => {
  using scope = { ...testScope([], new AbortController().signal), [Symbol.dispose]: () => {} }
  await using store = createMemoryStore(scope)
  const { certificatePem: clientAuthority } = await createAuthority(scope, { commonName: 'ca', years: 1 })
  const frontProxy = await newFrontProxy(scope)
  const done = async (): Promise<number> => {
    await using server = await startTestServer({ store, clientAuthority, frontProxy })
    const marker = 'clusters/test/aksel.dev/schema-epoch-written'
    const { promise, resolve } = Promise.withResolvers<void>()
    const stop = new AbortController()
    store.watch({
      prefix: marker,
      afterRevision: store.revision,
      signal: stop.signal,
      deliver: ({ events }) => events.length > 0 && resolve(),
      ended: () => {},
    })
    if ((await store.get(marker)) === undefined) await promise
    stop.abort()
    await server.server.close()
    return store.revision
  }
  const first = await done()
  assert.equal(await done(), first)
})
