// Objects that an upstream API server left in the store in its protobuf are read, listed, watched and changed like any other.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestServer } from '../test-server.ts'

function field(number: number, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value)
  assert.ok(bytes.length < 128)
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
}

/** `k8s\0`, then runtime.Unknown: the type (1) and the object's own bytes (2). */
function storedConfigMap(name: string, data: readonly [string, string]): Buffer {
  const metadata = Buffer.concat([
    field(1, name),
    field(3, 'default'),
    field(5, 'a7d7bd1e-0000-4000-8000-000000000001'),
  ])
  const entry = Buffer.concat([field(1, data[0]), field(2, data[1])])
  const object = Buffer.concat([field(1, metadata), field(2, entry)])
  const type = Buffer.concat([field(1, 'v1'), field(2, 'ConfigMap')])
  const unknown = Buffer.concat([
    field(1, type),
    Buffer.from([0x12, object.length, 0x01]).subarray(0, object.length < 128 ? 2 : 3),
    object,
  ])
  return Buffer.concat([Buffer.from('k8s\0', 'latin1'), unknown])
}

test("a value in upstream's protobuf is served as JSON, and the next write keeps it as JSON", async () => {
  await using server = await startTestServer()
  const key = 'clusters/test/configmaps/default/theirs'
  const value = storedConfigMap('theirs', ['answer', '42'])
  const { revision } = await server.store.transact({ guards: [], writes: [{ kind: 'put', key, value }] })
  const path = '/api/v1/namespaces/default/configmaps'
  const { json } = await server.ask(`${path}/theirs`)
  assert.deepEqual(json, {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: {
      name: 'theirs',
      namespace: 'default',
      uid: 'a7d7bd1e-0000-4000-8000-000000000001',
      resourceVersion: String(revision),
    },
    data: { answer: '42' },
  })
  const list = (await server.ask(path)).json as { items: readonly { metadata: { name: string } }[] }
  assert.ok(list.items.some((item) => item.metadata.name === 'theirs'))
  const patched = await server.ask(`${path}/theirs`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { data: { more: 'x' } },
  })
  assert.equal(patched.status, 200)
  const stored = await server.store.get(key)
  const object = JSON.parse(Buffer.from(stored!.value).toString()) as { data: unknown }
  assert.deepEqual(object.data, { answer: '42', more: 'x' })
})
