// Discovery and OpenAPI: what clients negotiate, what is cached, and how other servers' groups come in.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { catalogOf } from '@aksel/api/catalog'
import type { Answer, IncomingCall } from '../http/message.ts'
import { requestInfoOf } from '../request-info.ts'
import type { ApiSource } from './api-source.ts'
import { Documents } from './documents.ts'
import { OpenApiLibrary } from './open-api-library.ts'

const catalog = await catalogOf('1.35')
const library = new OpenApiLibrary()

type Json = Readonly<Record<string, unknown>>

async function* nothing(): AsyncGenerator<Uint8Array> {}

function documents(sources: readonly ApiSource[] = [], gitVersion = 'v1.35.7') {
  const made = new Documents({
    catalog,
    otherPaths: ['/livez', '/livez/ping'],
    sources,
    openApi: library,
    gitVersion,
    serverAddress: '10.0.0.1:443',
    issuer: 'https://cluster.test',
    jwks: () => ({ keys: [] }),
  })
  return async (url: string, headers: Readonly<Record<string, string>> = {}) => {
    const call: IncomingCall = {
      method: 'GET',
      url,
      headers,
      body: nothing(),
      signal: new AbortController().signal,
      peer: { kind: 'user', user: { name: 'a', groups: [] } },
      remoteAddress: '127.0.0.1',
    }
    const answer = (await made.answer(call, requestInfoOf('GET', url))) as Answer
    const text = Buffer.from(answer.body as Uint8Array).toString('utf8')
    const isJson = answer.headers['content-type']?.startsWith('application/json') === true
    return { answer, json: (isJson && text !== '' ? JSON.parse(text) : {}) as Json }
  }
}

const v2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const v2beta1 = v2.replace('v=v2', 'v=v2beta1')

describe('discovery', () => {
  test('is aggregated for those who ask for it first, in the version they name', async () => {
    const ask = documents()
    const asked = async (accept: string): Promise<unknown> => (await ask('/apis', { accept })).json['apiVersion']
    assert.equal(await asked(`${v2},${v2beta1},application/json`), 'apidiscovery.k8s.io/v2')
    // Upstream serves it no more since 1.33.
    assert.equal(await asked(`${v2beta1},application/json`), 'v1')
    assert.equal(await asked(`${v2beta1},${v2}`), 'apidiscovery.k8s.io/v2')
    assert.equal(await asked('application/json'), 'v1')
    assert.equal(await asked(`${v2};q=0.5,application/json;q=0.9`), 'v1')
    assert.equal(await asked(`${v2.replace('v=v2', 'v=v9')},application/json`), 'v1')
    const { answer } = await ask('/apis', { accept: v2 })
    assert.equal(answer.headers['content-type'], v2)
    assert.equal(answer.headers['vary'], 'Accept')
  })

  test('answers 304 to those who have the document', async () => {
    const ask = documents()
    const { etag } = (await ask('/apis', { accept: v2 })).answer.headers
    const again = await ask('/apis', { accept: v2, 'if-none-match': etag! })
    assert.equal(again.answer.status, 304)
    assert.equal((await ask('/apis', { accept: v2, 'if-none-match': '"other"' })).answer.status, 200)
  })

  test('changes with its sources', async () => {
    let revision = 'none'
    const source: ApiSource = {
      get revision() {
        return revision
      },
      groupVersions: () =>
        revision === 'none'
          ? []
          : [
              {
                group: 'shop.example',
                version: 'v1',
                priority: { group: 50, version: 100 },
                rows: [],
                resources: [{ resource: 'orders' }],
                freshness: 'Stale',
              },
            ],
      openApiV3: () =>
        new Map(
          revision === 'none'
            ? []
            : [['apis/shop.example/v1', { hash: 'H1', document: async () => ({ openapi: '3.0.0', shop: true }) }]],
        ),
      openApiV2: () => ({ paths: {}, definitions: revision === 'none' ? {} : { 'example.shop.v1.Order': {} } }),
    }
    const ask = documents([source])
    const groups = async (): Promise<readonly { readonly name: string }[]> =>
      (await ask('/apis')).json['groups'] as readonly { readonly name: string }[]
    assert.ok(!(await groups()).some(({ name }) => name === 'shop.example'))
    const before = (await ask('/openapi/v2')).answer.headers['etag']
    revision = 'one'
    assert.equal((await groups()).at(-1)!.name, 'shop.example')
    const aggregated = (await ask('/apis', { accept: v2 })).json['items'] as readonly Json[]
    assert.deepEqual(aggregated.at(-1), {
      metadata: { name: 'shop.example' },
      versions: [{ version: 'v1', resources: [{ resource: 'orders' }], freshness: 'Stale' }],
    })
    assert.equal((await ask('/openapi/v3/apis/shop.example/v1')).json['shop'], true)
    const after = await ask('/openapi/v2')
    assert.notEqual(after.answer.headers['etag'], before)
    assert.ok(Object.hasOwn(after.json['definitions'] as Json, 'example.shop.v1.Order'))
    const { paths } = (await ask('/')).json as { readonly paths: readonly string[] }
    assert.ok(
      paths.includes('/apis/shop.example/v1') && paths.includes('/openapi/v3/') && paths.includes('/livez/ping'),
    )
  })
})

describe('OpenAPI version 3', () => {
  test('is kept for ever below its hash, and a wrong hash leads to the right one', async () => {
    const ask = documents()
    const { paths } = (await ask('/openapi/v3')).json as {
      readonly paths: Record<string, { serverRelativeURL: string }>
    }
    const url = paths['apis/apps/v1']!.serverRelativeURL
    const kept = await ask(url)
    assert.equal(kept.answer.headers['cache-control'], 'public, immutable, max-age=31536000')
    assert.equal(kept.json['openapi'], '3.0.0')
    assert.equal((await ask(url, { 'if-none-match': kept.answer.headers['etag']! })).answer.status, 304)
    const wrong = await ask('/openapi/v3/apis/apps/v1?hash=OLD')
    assert.deepEqual([wrong.answer.status, wrong.answer.headers['location']], [301, url])
    assert.equal((await ask('/openapi/v3/apis/apps/v1')).answer.headers['cache-control'], 'no-cache, private')
    assert.equal((await ask('/openapi/v3/apis/apps/v1', { accept: 'text/html' })).answer.status, 406)
  })

  test('is in protobuf for those who ask for that, under the same hash, and by either name of the type', async () => {
    const ask = documents()
    const json = await ask('/openapi/v3/apis/apps/v1')
    const types = ['v3.v1.0', 'v3@v1.0'].map((form) => `application/com.github.proto-openapi.spec.${form}+protobuf`)
    for (const accept of types) {
      const { answer } = await ask('/openapi/v3/apis/apps/v1', { accept })
      assert.equal(answer.status, 200)
      assert.equal(answer.headers['content-type'], types[0])
      assert.equal(answer.headers['vary'], 'Accept')
      assert.equal(answer.headers['etag'], json.answer.headers['etag'])
      // `openapi: 3.0.0`, then info.
      assert.equal(
        Buffer.from(answer.body as Uint8Array)
          .subarray(0, 8)
          .toString('latin1'),
        '\n\x053.0.0\x12',
      )
    }
    const both = await ask('/openapi/v3/apis/apps/v1', { accept: `${types[0]};q=0.5,application/json` })
    assert.equal(both.answer.headers['content-type'], 'application/json')
    const { etag } = json.answer.headers
    const again = await ask('/openapi/v3/apis/apps/v1', { accept: types[0]!, 'if-none-match': etag! })
    assert.equal(again.answer.status, 304)
  })

  test('has a hash of what it says: another version has another, and another server the same', async () => {
    const hashes = async (gitVersion?: string): Promise<Record<string, { serverRelativeURL: string }>> =>
      (await documents([], gitVersion)('/openapi/v3')).json['paths'] as Record<string, { serverRelativeURL: string }>
    assert.deepEqual(await hashes(), await hashes())
    const [ours, theirs] = [await hashes(), await hashes('v1.35.8')]
    assert.notEqual(ours['api/v1']!.serverRelativeURL, theirs['api/v1']!.serverRelativeURL)
    const url = ours['api/v1']!.serverRelativeURL
    const { body } = (await documents()(url)).answer
    const told = createHash('sha512').update(body as Uint8Array)
    assert.equal(url, `/openapi/v3/api/v1?hash=${told.digest('hex').toUpperCase()}`)
  })

  test('is made once for all clusters that serve the same', async () => {
    const [one, other] = [
      await documents()('/openapi/v3/apis/batch/v1'),
      await documents()('/openapi/v3/apis/batch/v1'),
    ]
    assert.equal(one.answer.body, other.answer.body)
    const [two, too] = [await documents()('/openapi/v2'), await documents()('/openapi/v2')]
    assert.equal(two.answer.body, too.answer.body)
  })

  test('has a document for each path that is no resource, and its index names them', async () => {
    const ask = documents()
    const { paths } = (await ask('/openapi/v3')).json as { readonly paths: Json }
    for (const key of ['api', 'apis', 'apis/apps', 'version', '.well-known/openid-configuration', 'openid/v1/jwks']) {
      assert.ok(Object.hasOwn(paths, key), key)
      assert.equal((await ask(`/openapi/v3/${key}`)).json['openapi'], '3.0.0')
    }
  })

  test('of another server that says what protobuf has no field for is refused in that form alone', async () => {
    const part = { hash: 'H', document: () => ({ openapi: '3.0.0', webhooks: {} }) }
    const ask = documents([
      {
        revision: 'one',
        groupVersions: () => [],
        openApiV3: () => new Map([['apis/shop.example/v1', part]]),
        openApiV2: () => ({ paths: {}, definitions: {} }),
      },
    ])
    const accept = 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf'
    assert.equal((await ask('/openapi/v3/apis/shop.example/v1', { accept })).answer.status, 406)
    assert.equal((await ask('/openapi/v3/apis/shop.example/v1')).answer.status, 200)
  })
})

describe('OpenAPI version 2', () => {
  test('is merged once for all who ask while it is made, and again after its sources changed', async () => {
    let [revision, merged] = ['one', 0]
    const ask = documents([
      {
        get revision() {
          return revision
        },
        groupVersions: () => [],
        openApiV3: () => new Map(),
        openApiV2: () => {
          merged += 1
          return { paths: {}, definitions: { [`example.${revision}`]: {} } }
        },
      },
    ])
    const all = await Promise.all([ask('/openapi/v2'), ask('/openapi/v2'), ask('/openapi/v2')])
    assert.equal(merged, 1)
    assert.equal(new Set(all.map(({ answer }) => answer.headers['etag'])).size, 1)
    revision = 'two'
    assert.ok(Object.hasOwn((await ask('/openapi/v2')).json['definitions'] as Json, 'example.two'))
    assert.equal(merged, 2)
  })

  test('is in protobuf for kubectl of every age, and merges paths, types and parameters of other servers', async () => {
    const ask = documents([
      {
        revision: 'one',
        groupVersions: () => [],
        openApiV3: () => new Map(),
        openApiV2: () => ({
          paths: { '/apis/shop.example/v1/orders': { parameters: [{ $ref: '#/parameters/pretty-x' }] } },
          definitions: { 'example.shop.v1.Order': {} },
          parameters: { 'pretty-x': { name: 'pretty', in: 'query', type: 'string' } },
        }),
      },
    ])
    for (const form of ['v2.v1.0', 'v2@v1.0']) {
      const accept = `application/com.github.proto-openapi.spec.${form}+protobuf`
      const { answer } = await ask('/openapi/v2', { accept })
      assert.equal(answer.headers['content-type'], 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf')
      const text = Buffer.from(answer.body as Uint8Array).toString('latin1')
      assert.ok(text.includes('example.shop.v1.Order') && text.includes('io.k8s.api.core.v1.Pod'))
    }
    const { json } = await ask('/openapi/v2')
    assert.ok(
      Object.hasOwn(json['parameters'] as Json, 'pretty-x') && Object.hasOwn(json['parameters'] as Json, 'pretty'),
    )
  })
})
