// A client that speaks protobuf and nothing else: it sends, reads, lists, watches and is refused in it.

import assert from 'node:assert/strict'
import { request, type RequestOptions } from 'node:https'
import { after, before, describe, test } from 'node:test'
import { loadTables } from '@aksel/api/tables'
import { admin, clientCertificate, listenForTest, startTestServer, type TestServer } from '../test-server.ts'
import { ProtobufDecoder } from './decode.ts'
import { ProtobufEncoder } from './encode.ts'
import { readFields } from './wire.ts'

const tables = await loadTables('1.35')
const encoder = new ProtobufEncoder(tables)
const decoder = new ProtobufDecoder(tables)
const protobuf = 'application/vnd.kubernetes.protobuf'

type Json = Readonly<Record<string, unknown>>

interface Reply {
  readonly status: number
  readonly type: string
  readonly bytes: Buffer
}

let server: TestServer
let options: RequestOptions

before(async () => {
  server = await startTestServer()
  const { port } = await listenForTest(server)
  const { certificatePem: cert, keyPem: key } = await clientCertificate(server, admin)
  options = { host: '127.0.0.1', port, cert, key, ca: server.authority.certificatePem, agent: false }
})
after(() => server[Symbol.asyncDispose]())

function send(
  method: string,
  path: string,
  body?: Buffer,
  more: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const headers = { accept: protobuf, ...(body === undefined ? {} : { 'content-type': protobuf }), ...more }
  return new Promise((resolve, reject) => {
    const call = request({ ...options, method, path, headers }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          type: response.headers['content-type'] ?? '',
          bytes: Buffer.concat(pieces),
        }),
      )
    })
    call.on('error', reject)
    call.end(body)
  })
}

function read(reply: Reply, message: string): Json {
  assert.equal(reply.type, protobuf)
  return decoder.decode(reply.bytes, message)
}

function post(path: string, message: string, object: Json & { apiVersion: string; kind: string }): Promise<Reply> {
  return send('POST', path, encoder.encode(message, object, object))
}

const configMaps = '/api/v1/namespaces/default/configmaps'

/** The events in a watch's body: type and object. */
function events(bytes: Buffer): readonly (readonly [string, Json])[] {
  const found: [string, Json][] = []
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at)
    const [type, object] = [...readFields(bytes.subarray(at + 4, at + 4 + length))]
    const raw = [...readFields(object!.value as Buffer)][0]!.value as Buffer
    const word = (type!.value as Buffer).toString()
    found.push([word, decoder.decode(raw, word === 'ERROR' ? 'meta/v1.Status' : 'core/v1.ConfigMap')])
    at += 4 + length
  }
  return found
}

describe('a client that speaks only protobuf', () => {
  test('creates, reads, changes, lists and deletes', async () => {
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' }, data: { b: '2', a: '1' } }
    const created = await post(configMaps, 'core/v1.ConfigMap', map)
    assert.equal(created.status, 201)
    const object = read(created, 'core/v1.ConfigMap') as typeof map
    assert.deepEqual([object.kind, object.apiVersion, object.data], ['ConfigMap', 'v1', { a: '1', b: '2' }])
    const got = await send('GET', `${configMaps}/one`)
    assert.deepEqual(got.bytes, created.bytes)
    const next = { ...object, data: { a: '3' } }
    const updated = await send('PUT', `${configMaps}/one`, encoder.encode('core/v1.ConfigMap', next, next))
    assert.deepEqual((read(updated, 'core/v1.ConfigMap') as typeof map).data, { a: '3' })
    const list = read(await send('GET', `${configMaps}?labelSelector=!x`), 'core/v1.ConfigMapList') as {
      readonly kind: string
      readonly items: readonly (typeof map)[]
    }
    assert.equal(list.kind, 'ConfigMapList')
    assert.deepEqual(list.items.find(({ metadata }) => metadata.name === 'one')!.data, { a: '3' })
    const gone = read(await send('DELETE', `${configMaps}/one`), 'meta/v1.Status')
    assert.deepEqual([gone['kind'], gone['status']], ['Status', 'Success'])
  })

  test('is refused in protobuf', async () => {
    const missing = await send('GET', `${configMaps}/none`)
    assert.equal(missing.status, 404)
    const status = read(missing, 'meta/v1.Status')
    assert.deepEqual(
      [status['reason'], status['code'], status['message']],
      ['NotFound', 404, 'configmaps "none" not found'],
    )
    const bad = await send('POST', configMaps, Buffer.from('{}'))
    assert.equal(read(bad, 'meta/v1.Status')['reason'], 'BadRequest')
  })

  test('watches, metadata alone too, and is told of an expired version', async () => {
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'seen' }, data: { a: '1' } }
    const { metadata } = read(await post(configMaps, 'core/v1.ConfigMap', map), 'core/v1.ConfigMap') as {
      readonly metadata: { readonly resourceVersion: string }
    }
    const field = 'fieldSelector=metadata.name%3Dseen'
    const reply = await send('GET', `${configMaps}?watch=1&timeoutSeconds=1&${field}`)
    assert.equal(reply.type, `${protobuf};stream=watch`)
    const [[type, object]] = events(reply.bytes) as readonly [readonly [string, Json]]
    assert.deepEqual([type, object['data']], ['ADDED', { a: '1' }])
    const partial = await send('GET', `${configMaps}/seen`, undefined, {
      accept: `${protobuf};as=PartialObjectMetadata;g=meta.k8s.io;v=v1`,
    })
    const alone = read(partial, 'meta/v1.PartialObjectMetadata') as { readonly metadata: { readonly name: string } }
    assert.deepEqual([alone.metadata.name, Object.hasOwn(alone, 'data')], ['seen', false])
    await server.store.compact(server.store.revision)
    const old = Number(metadata.resourceVersion) - 2
    const expired = await send('GET', `${configMaps}?watch=1&resourceVersion=${old}`)
    const [[word, status]] = events(expired.bytes) as readonly [readonly [string, Json]]
    assert.deepEqual([word, status['code'], status['reason']], ['ERROR', 410, 'Expired'])
  })

  test('reads scales, reviews and discovery', async () => {
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    }
    const path = '/apis/apps/v1/namespaces/default/deployments'
    assert.equal((await post(path, 'apps/v1.Deployment', deployment)).status, 201)
    const scale = read(await send('GET', `${path}/web/scale`), 'autoscaling/v1.Scale') as { spec: Json; kind: string }
    assert.deepEqual([scale.kind, scale.spec], ['Scale', { replicas: 3 }])
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { verb: 'get', resource: 'pods' } },
    }
    const answer = await post(
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      'authorization/v1.SelfSubjectAccessReview',
      review,
    )
    const { status } = read(answer, 'authorization/v1.SelfSubjectAccessReview') as { readonly status: Json }
    assert.equal(status['allowed'], true)
    const groups = read(await send('GET', '/apis'), 'meta/v1.APIGroupList') as { readonly groups: readonly Json[] }
    assert.ok(groups.groups.some(({ name }) => name === 'apps'))
  })

  test('is told that a table has no protobuf', async () => {
    const accept = `${protobuf};as=Table;g=meta.k8s.io;v=v1`
    const reply = await send('GET', configMaps, undefined, { accept })
    assert.equal(reply.status, 406)
    assert.equal(
      read(reply, 'meta/v1.Status')['message'],
      'object *v1.Table does not implement the protobuf marshalling interface and cannot be encoded to a protobuf message',
    )
  })
})
