// The typed client against a scripted transport: what goes out, and what becomes of what comes back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pods, services } from '@aksel/api/resources'
import { ApiError } from '@aksel/base/errors'
import { createClient } from './typed-client.ts'
import type { ApiRequest, ApiResponse, Transport } from './transport.ts'

interface Script extends Transport {
  readonly sent: readonly ApiRequest[]
}

/** Answers every request with this status and these pieces. */
function scripted(status: number, ...pieces: readonly (string | Uint8Array)[]): Script {
  const sent: ApiRequest[] = []
  return {
    sent,
    async send(request): Promise<ApiResponse> {
      sent.push(request)
      return { status, headers: {}, body: bodyOf(pieces) }
    },
  }
}

async function* bodyOf(pieces: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield typeof piece === 'string' ? new TextEncoder().encode(piece) : piece
}

void test('list() puts every option into the query', async () => {
  const transport = scripted(200, '{"metadata":{},"items":[]}')
  await createClient(transport).list(pods, { namespace: 'a b', labelSelector: 'x=y,z', limit: 5, resourceVersion: '7' })
  assert.equal(
    transport.sent[0]!.path,
    '/api/v1/namespaces/a%20b/pods?labelSelector=x%3Dy%2Cz&limit=5&resourceVersion=7',
  )
})

void test('create() adds kind and apiVersion, which objects of a list lack', async () => {
  const transport = scripted(201, '{}')
  await createClient(transport).create(services, { metadata: { name: 'web', namespace: 'a' }, spec: {} })
  const [request] = transport.sent
  assert.equal(request!.path, '/api/v1/namespaces/a/services')
  assert.deepEqual(JSON.parse(new TextDecoder().decode(request!.body)), {
    kind: 'Service',
    apiVersion: 'v1',
    metadata: { name: 'web', namespace: 'a' },
    spec: {},
  })
})

void test('patch() names its kind in the content type', async () => {
  const transport = scripted(200, '{}')
  await createClient(transport).patch(
    pods,
    { namespace: 'a', name: 'b' },
    { kind: 'strategic', body: {} },
    { subresource: 'status' },
  )
  assert.equal(transport.sent[0]!.path, '/api/v1/namespaces/a/pods/b/status')
  assert.equal(transport.sent[0]!.headers['content-type'], 'application/strategic-merge-patch+json')
})

void test('a Status becomes an ApiError with its reason, code and details', async () => {
  const status = {
    kind: 'Status',
    status: 'Failure',
    reason: 'NotFound',
    code: 404,
    message: 'pods "b" not found',
    details: { name: 'b', kind: 'pods' },
  }
  const call = createClient(scripted(404, JSON.stringify(status))).get(pods, { namespace: 'a', name: 'b' })
  await assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof ApiError)
    assert.deepEqual(
      [error.reason, error.code, error.message, error.details?.name],
      ['NotFound', 404, 'pods "b" not found', 'b'],
    )
    return true
  })
})

void test('an answer that is no Status becomes an ApiError of its code', async () => {
  const call = createClient(scripted(503, 'bad gateway')).get(pods, { namespace: 'a', name: 'b' })
  await assert.rejects(call, { reason: 'ServiceUnavailable', code: 503, message: 'bad gateway' })
})

void test('watch() joins lines that were cut anywhere, inside a character too', async () => {
  const bytes = new TextEncoder().encode(
    '{"type":"ADDED","object":{"metadata":{"name":"grüße"}}}\n{"type":"DELETED","object":{"metadata":{"name":"b"}}}\n',
  )
  const cuts = Array.from({ length: bytes.length }, (_, at) => bytes.subarray(at, at + 1))
  const seen: string[] = []
  for await (const { type, object } of createClient(scripted(200, ...cuts)).watch(pods))
    seen.push(`${type} ${object.metadata.name}`)
  assert.deepEqual(seen, ['ADDED grüße', 'DELETED b'])
})

void test('watch() throws what an ERROR event says', async () => {
  const line =
    '{"type":"ERROR","object":{"kind":"Status","reason":"Expired","code":410,"message":"too old resource version: 1 (5)"}}\n'
  await assert.rejects(
    async () => {
      for await (const event of createClient(scripted(200, line)).watch(pods))
        assert.fail(`an event came: ${event.type}`)
    },
    { reason: 'Expired', code: 410 },
  )
})

void test('integers beyond 2^53 stay exact', async () => {
  const pod = await createClient(scripted(200, '{"metadata":{"name":"a"},"big":9007199254740993}')).get(pods, {
    namespace: 'a',
    name: 'a',
  })
  assert.equal((pod as unknown as { readonly big: bigint }).big, 9007199254740993n)
})
