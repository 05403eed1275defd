// Kinds that are sealed in the store: by each provider, while keys change, and what a damaged record says.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { EncryptionConfiguration, EncryptionProvider } from '@aksel/api/encryption-configuration'
import { createMemoryStore } from '@aksel/store/memory-store'
import { admin, startTestServer, testScope, type TestServer } from '../test-server.ts'
import { readEncryptionConfiguration } from './configuration.ts'
import { sealersOf } from './providers.ts'

const secrets = '/api/v1/namespaces/default/secrets'
const PLAIN = 'planted-secret-value'
const key = (byte: number, length = 32): string => Buffer.alloc(length, byte).toString('base64')

function sealing(...providers: EncryptionProvider[]): EncryptionConfiguration {
  return { resources: [{ resources: ['secrets', 'pandas.bears.example', '*.apps'], providers }] }
}

const gcm = (name: string, byte: number): EncryptionProvider => ({ aesgcm: { keys: [{ name, secret: key(byte) }] } })
const identity: EncryptionProvider = { identity: {} }

async function stored(server: TestServer, place: string): Promise<string> {
  const found = await server.store.get(`clusters/test/${place}`)
  return Buffer.from(found?.value ?? '').toString('latin1')
}

function createSecret(server: TestServer, name: string): Promise<unknown> {
  return server.ask(secrets, { body: { metadata: { name }, stringData: { password: PLAIN } } })
}

async function passwordOf(server: TestServer, name: string): Promise<string> {
  const { json, status, text } = await server.ask(`${secrets}/${name}`)
  assert.equal(status, 200, text)
  const { password } = json['data'] as { readonly password: string }
  return Buffer.from(password, 'base64').toString()
}

void suite('encryption at rest', () => {
  const providers: Readonly<Record<string, EncryptionProvider>> = {
    aesgcm: gcm('one', 1),
    aescbc: { aescbc: { keys: [{ name: 'one', secret: key(2, 16) }] } },
    secretbox: { secretbox: { keys: [{ name: 'one', secret: key(3) }] } },
  }
  for (const [name, provider] of Object.entries(providers)) {
    void test(`${name} seals what is stored, and everyone reads it as before`, async () => {
      await using server = await startTestServer({ encryption: sealing(provider, identity) })
      const watching = server.server
        .transportFor(admin)
        .send({ method: 'GET', path: `${secrets}?watch=1&resourceVersion=0&allowWatchBookmarks=true`, headers: {} })
      const reader = (await watching).body[Symbol.asyncIterator]()
      await createSecret(server, 'a')
      const raw = await stored(server, 'secrets/default/a')
      assert.ok(raw.startsWith(`k8s:enc:${name}:v1:one:`), raw.slice(0, 40))
      assert.ok(!raw.includes(PLAIN) && !raw.includes(Buffer.from(PLAIN).toString('base64')))
      assert.equal(await passwordOf(server, 'a'), PLAIN)
      const list = (await server.ask(secrets)).json['items'] as readonly { readonly metadata: { name: string } }[]
      assert.deepEqual(
        list.map(({ metadata }) => metadata.name),
        ['a'],
      )
      const event = JSON.parse(Buffer.from((await reader.next()).value as Uint8Array).toString()) as {
        readonly object: { readonly data: { readonly password: string } }
      }
      assert.equal(Buffer.from(event.object.data.password, 'base64').toString(), PLAIN)
      await reader.return!()
    })
  }

  void test('kinds that are not named stay as they are; groups by wildcard and the last of all are', async () => {
    await using server = await startTestServer({ encryption: sealing(gcm('one', 1)) })
    await server.ask('/api/v1/namespaces/default/configmaps', { body: { metadata: { name: 'a' } } })
    assert.ok((await stored(server, 'configmaps/default/a')).startsWith('{'))
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'd' }] } }
    const spec = { selector: { matchLabels: { a: 'b' } }, template }
    await server.ask('/apis/apps/v1/namespaces/default/deployments', { body: { metadata: { name: 'a' }, spec } })
    assert.ok((await stored(server, 'deployments/default/a')).startsWith('k8s:enc:aesgcm:'))
    const all = { resources: [{ resources: ['*.*'], providers: [gcm('all', 9)] }] }
    await using whole = await startTestServer({ encryption: all })
    await whole.ask('/api/v1/namespaces/default/configmaps', { body: { metadata: { name: 'a' } } })
    assert.ok((await stored(whole, 'configmaps/default/a')).startsWith('k8s:enc:aesgcm:v1:all:'))
  })

  void test('keys change: the old one still opens, and a replace without a change writes with the new one', async () => {
    await using server = await startTestServer({ encryption: sealing(identity) })
    await createSecret(server, 'a')
    assert.ok((await stored(server, 'secrets/default/a')).startsWith('{'))
    const replace = async (): Promise<void> => {
      const { json } = await server.ask(`${secrets}/a`)
      assert.equal((await server.ask(`${secrets}/a`, { method: 'PUT', body: json })).status, 200)
    }
    server.server.configureEncryption(sealing(gcm('one', 1), identity))
    assert.equal(await passwordOf(server, 'a'), PLAIN)
    await replace()
    assert.ok((await stored(server, 'secrets/default/a')).startsWith('k8s:enc:aesgcm:v1:one:'))
    const once = await stored(server, 'secrets/default/a')
    await replace()
    assert.equal(await stored(server, 'secrets/default/a'), once)
    server.server.configureEncryption(sealing(gcm('two', 2), gcm('one', 1)))
    assert.equal(await passwordOf(server, 'a'), PLAIN)
    await replace()
    assert.ok((await stored(server, 'secrets/default/a')).startsWith('k8s:enc:aesgcm:v1:two:'))
    server.server.configureEncryption(sealing(identity, gcm('two', 2)))
    await replace()
    assert.ok((await stored(server, 'secrets/default/a')).startsWith('{'))
  })

  void test('a damaged record, one put elsewhere, and one whose key is gone, say so in upstream’s words', async () => {
    await using store = createMemoryStore(testScope([], new AbortController().signal))
    await using server = await startTestServer({ store, encryption: sealing(gcm('one', 1)) })
    await createSecret(server, 'a')
    const found = await store.get('clusters/test/secrets/default/a')
    const put = (name: string, value: Uint8Array): Promise<unknown> =>
      store.transact({ guards: [], writes: [{ kind: 'put', key: `clusters/test/secrets/default/${name}`, value }] })
    const damaged = Buffer.from(found!.value)
    damaged[damaged.length - 3]! ^= 1
    await put('damaged', damaged)
    await put('moved', found!.value)
    const failed = 'cipher: message authentication failed'
    for (const name of ['damaged', 'moved']) {
      const { status, json } = await server.ask(`${secrets}/${name}`)
      const message = `Internal error occurred: unable to transform key "/registry/secrets/default/${name}": ${failed}`
      assert.deepEqual([status, json['message']], [500, message])
    }
    assert.equal((await server.ask(secrets)).status, 500)
    server.server.configureEncryption(sealing(gcm('two', 2)))
    await put('lost', found!.value)
    assert.match(String((await server.ask(`${secrets}/lost`)).json['message']), /no matching prefix found$/)
    assert.equal(await passwordOf(server, 'a'), PLAIN)
    await using without = await startTestServer({ store })
    assert.match(
      String((await without.ask(`${secrets}/a`)).json['message']),
      /unable to transform key "\/registry\/secrets\/default\/a": identity transformer tried to read encrypted data$/,
    )
  })

  void test('records of custom kinds are sealed by the name of their resource', async () => {
    await using server = await startTestServer({ encryption: sealing(gcm('one', 1)) })
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
    const names = { plural: 'pandas', singular: 'panda', kind: 'Panda' }
    const versions = [{ name: 'v1', served: true, storage: true, schema }]
    const body = {
      metadata: { name: 'pandas.bears.example' },
      spec: { group: 'bears.example', scope: 'Namespaced', names, versions },
    }
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    assert.equal((await server.ask(definitions, { body })).status, 201)
    const path = '/apis/bears.example/v1/namespaces/default/pandas'
    const panda = { kind: 'Panda', apiVersion: 'bears.example/v1', metadata: { name: 'a' }, spec: { food: PLAIN } }
    let made = await server.ask(path, { body: panda })
    for (let round = 0; round < 1000 && made.status === 404; round++) {
      await new Promise((resolve) => setImmediate(resolve))
      made = await server.ask(path, { body: panda })
    }
    assert.equal(made.status, 201, made.text)
    assert.ok((await stored(server, 'bears.example/pandas/default/a')).startsWith('k8s:enc:aesgcm:'))
    assert.equal(((await server.ask(`${path}/a`)).json['spec'] as { food: string }).food, PLAIN)
  })
})

void test('what another program sealed in upstream’s form is opened', () => {
  // XSalsa20-Poly1305 of NaCl's own test vectors (tests/secretbox.c), after its nonce.
  const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
  const secret = hex('1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389')
  const nonce = hex('69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37')
  const plain = hex(`be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296c
    dc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c
    60902e52f0a089bc76897040e082f937763848645e0705`)
  const sealed = hex(`f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0
    dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb373
    2bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5`)
  const [box] = sealersOf({ secretbox: { keys: [{ name: 'k', secret: secret.toString('base64') }] } })
  assert.deepEqual(box!.open(Buffer.concat([nonce, sealed]), ''), plain)
})

void test('a configuration with faults is refused in words that hold no secret', async () => {
  const one = (providers: string, resources = '[secrets]'): string =>
    `kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources: [{resources: ${resources}, providers: ${providers}}]`
  const short = Buffer.from('tooshort').toString('base64')
  const rows: readonly (readonly [string, RegExp])[] = [
    [one('[]'), /^resources\[0\]\.providers: Required value: at least one provider is required$/],
    [one('[{aesgcm: {keys: []}}]'), /keys: Required value: at least one key is required$/],
    [one(`[{aescbc: {keys: [{name: a, secret: ${short}}]}}]`), /got 8, expected one of \[16 24 32\]$/],
    [one('[{aescbc: {keys: [{name: a, secret: "%%"}]}}]'), /secret must be base64 encoded$/],
    [one('[{identity: {}, aesgcm: {keys: []}}]'), /more than one provider specified in a single element/],
    [one('[{}]'), /does not contain any of the expected providers/],
    [one('[{kms: {name: a, endpoint: "unix:///a"}}]'), /kms\.apiVersion: .*KMSv1 is deprecated/],
    [one('[{kms: {apiVersion: v3, name: a, endpoint: "unix:///a"}}]'), /unsupported apiVersion v3 for KMS provider/],
    [one('[{kms: {apiVersion: v2, endpoint: "unix:///a"}}]'), /name: Required value: name is a mandatory field for a/],
    [one('[{kms: {apiVersion: v2, name: "a:b", endpoint: "unix:///a"}}]'), /invalid KMS provider name a:b, must not/],
    [one('[{kms: {apiVersion: v2, name: a}}]'), /endpoint is a mandatory field for a kms$/],
    [one('[{kms: {apiVersion: v2, name: a, endpoint: "tcp://a"}}]'), /unsupported scheme "tcp" for KMS provider/],
    [one('[{kms: {apiVersion: v2, name: a, endpoint: "unix://a"}}]'), /invalid endpoint for kms provider/],
    [one('[{kms: {apiVersion: v2, name: a, endpoint: "unix:///a", timeout: 0s}}]'), /timeout should be a positive/],
    [
      one('[{kms: {apiVersion: v2, name: a, endpoint: "unix:///a", cachesize: 5}}]'),
      /cachesize is not supported in v2$/,
    ],
    [
      one(
        '[{kms: {apiVersion: v2, name: a, endpoint: "unix:///a"}}, {kms: {apiVersion: v2, name: a, endpoint: "unix:///b"}}]',
      ),
      /providers\[1\]\.kms\.name: .*duplicate KMS provider name a, names must be unique$/,
    ],
    [one('[{identity: {}}]', '[Secrets]'), /should be lowercase only$/],
    [one('[{identity: {}}]', '["*"]'), /use \*\. to encrypt all the resources from core API group/],
    [one('[{identity: {}}]', '["*.*", secrets]'), /overlapping resources/],
    [one('[{identity: {}}]', '[]'), /at least one resource is required$/],
    [one('[{rot13: {}}]'), /^strict decoding error: unknown field "resources\[0\]\.providers\[0\]\.rot13"$/],
  ]
  for (const [text, message] of rows)
    await assert.rejects(readEncryptionConfiguration(text), (error: Error) => {
      assert.match(error.message, message, text)
      assert.ok(!error.message.includes(short) && !error.message.includes('tooshort'))
      return true
    })
})
