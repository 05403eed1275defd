// Discovery and OpenAPI: what clients negotiate, what is cached, and how other servers' groups come in.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { catalogOf } from '@aksel/api/catalog'
import type { Answer, IncomingCall } from '../http/message.ts'
import { requestInfoOf } from '../request-info.ts'
import type { ApiSource } from './api-source.ts'
import { Documents } from './documents.ts'

const catalog = await catalogOf('1.35')

type Json = Readonly<Record<string, unknown>>

async function* nothing(): AsyncGenerator<Uint8Array> {}

function documents(sources: readonly ApiSource[] = []) {
  const made = new Documents({
    catalog,
    sources,
    gitVersion: 'v1.35.7',
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
    return { answer, json: (text === '' ? {} : JSON.parse(text)) as Json }
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
    assert.ok(paths.includes('/apis/shop.example/v1') && paths.includes('/openapi/v3/apis/shop.example/v1'))
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
})
