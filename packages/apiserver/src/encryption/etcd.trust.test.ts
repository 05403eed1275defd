// Sealed kinds on etcd: what stands in it is really sealed, keys change while two servers share it, and a move to the log and
// back carries the sealed values as they are.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { EncryptionProvider } from '@aksel/api/encryption-configuration'
import { startEtcd, type EtcdServer } from '@aksel/host/etcd-server'
import { parseEtcdAddress } from '@aksel/store/etcd/etcd-address'
import { openEtcdStore } from '@aksel/store/etcd/etcd-store'
import { openLogStore } from '@aksel/store/log-store'
import { moveInto, moveToLog } from '@aksel/store/move'
import { nodeDisk } from '@aksel/store/node-disk'
import type { Store } from '@aksel/store/store'
import { startKmsPlugin } from '@aksel/testing/kms-plugin'
import { admin, startTestServer, testScope, type TestServer } from '../test-server.ts'
import { openEncryption, type Encryption } from './encryption.ts'

const PLAIN = 'planted-secret-value'
const path = '/api/v1/namespaces/default/secrets'
const scope = testScope([], new AbortController().signal)

const key = (name: string, byte: number): EncryptionProvider => ({
  aesgcm: { keys: [{ name, secret: Buffer.alloc(32, byte).toString('base64') }] },
})
const sealing = (...providers: readonly EncryptionProvider[]): Encryption => ({
  resources: [{ resources: ['secrets', 'configmaps'], providers }],
})

async function create(server: TestServer, name: string): Promise<void> {
  const { status, text } = await server.ask(path, { body: { metadata: { name }, stringData: { password: PLAIN } } })
  assert.equal(status, 201, text)
}

async function passwordOf(server: TestServer, name: string): Promise<string> {
  const { json, status, text } = await server.ask(`${path}/${name}`)
  assert.equal(status, 200, text)
  return Buffer.from((json['data'] as { password: string }).password, 'base64').toString()
}

void suite('sealed kinds on etcd', () => {
  let etcd: EtcdServer
  before(async () => void (etcd = await startEtcd()))
  after(() => etcd[Symbol.asyncDispose]())

  const open = (prefix: string): Promise<Store> =>
    openEtcdStore(scope, { address: { ...parseEtcdAddress(etcd.url), prefix } })
  const value = (prefix: string, name: string): Promise<string> =>
    etcd.control('get', '--print-value-only', `${prefix}clusters/test/secrets/default/${name}`)
  const isSealed = (text: string, by: string): void => {
    assert.ok(text.startsWith(`k8s:enc:${by}:`), text.slice(0, 60))
    assert.ok(!text.includes(PLAIN) && !text.includes(Buffer.from(PLAIN).toString('base64')))
  }

  void test('are sealed in etcd itself; keys change under two servers, whose watches and reads go on', async () => {
    await using store = await open('/two/')
    await using other = await open('/two/')
    await using one = await startTestServer({ store, encryption: sealing(key('one', 1)) })
    await using two = await startTestServer({ store: other, encryption: sealing(key('one', 1)) })
    const answer = await two.server
      .transportFor(admin)
      .send({ method: 'GET', path: `${path}?watch=1&resourceVersion=0`, headers: {} })
    const events = answer.body[Symbol.asyncIterator]()
    await create(one, 'a')
    isSealed(await value('/two/', 'a'), 'aesgcm:v1:one')
    assert.equal(await passwordOf(two, 'a'), PLAIN)
    // As upstream advises: first every server can read with the new key, then they write with it.
    const both = [key('one', 1), key('two', 2)] as const
    for (const server of [one, two]) server.server.configureEncryption(sealing(...both))
    for (const server of [one, two]) server.server.configureEncryption(sealing(both[1], both[0]))
    const { json } = await one.ask(`${path}/a`)
    assert.equal((await one.ask(`${path}/a`, { method: 'PUT', body: json })).status, 200)
    isSealed(await value('/two/', 'a'), 'aesgcm:v1:two')
    assert.equal(await passwordOf(two, 'a'), PLAIN)
    for (const server of [one, two]) server.server.configureEncryption(sealing(key('two', 2)))
    await create(two, 'b')
    assert.equal(await passwordOf(one, 'b'), PLAIN)
    let text = ''
    while (text.split('\n').length < 4) text += Buffer.from((await events.next()).value as Uint8Array).toString()
    const names = text.split('\n').map((line) => /^\{"type":"([A-Z]+)".*?"name":"(\w)"/.exec(line)?.slice(1).join(' '))
    assert.deepEqual(names.slice(0, 3), ['ADDED a', 'MODIFIED a', 'ADDED b'])
    await events.return!()
    const kinds = await etcd.control('get', '--prefix', '--print-value-only', '/two/clusters/test/configmaps/')
    assert.ok(kinds.includes('k8s:enc:aesgcm:v1:') && !kinds.includes('"kind":"ConfigMap"'))
  })

  void test('by a key management service: each server has a seed of its own, and opens that of the other', async () => {
    await using plugin = await startKmsPlugin()
    const kms = { apiVersion: 'v2', name: 'vault', endpoint: plugin.endpoint } as const
    using first = await openEncryption(scope, sealing({ kms }))
    using second = await openEncryption(scope, sealing({ kms }))
    await using store = await open('/kms/')
    await using other = await open('/kms/')
    await using one = await startTestServer({ store, encryption: first })
    await using two = await startTestServer({ store: other, encryption: second })
    await create(one, 'a')
    await create(two, 'b')
    for (const name of ['a', 'b']) {
      isSealed(await value('/kms/', name), 'kms:v2:vault')
      for (const server of [one, two]) assert.equal(await passwordOf(server, name), PLAIN)
    }
    assert.equal(plugin.calls.filter(({ name }) => name === 'Encrypt').length, 2)
    assert.equal(plugin.calls.filter(({ name }) => name === 'Decrypt').length, 2)
  })

  void test('move from the log to etcd and back as they are: the same keys open them, and no others', async () => {
    const sealed = (...providers: readonly EncryptionProvider[]): Encryption => ({
      resources: [{ resources: ['secrets'], providers }],
    })
    const folder = await mkdtemp(join(tmpdir(), 'aksel-sealed-'))
    const openLog = (directory: string): Promise<Store> => openLogStore(scope, { disk: nodeDisk(), directory })
    try {
      await using log = await openLog(join(folder, 'log'))
      {
        await using server = await startTestServer({ store: log, encryption: sealed(key('one', 1)) })
        await create(server, 'a')
      }
      await using store = await open('/moved/')
      await moveInto(store, log)
      isSealed(await value('/moved/', 'a'), 'aesgcm:v1:one')
      {
        await using server = await startTestServer({ store, encryption: sealed(key('two', 2), key('one', 1)) })
        assert.equal(await passwordOf(server, 'a'), PLAIN)
        await create(server, 'b')
        isSealed(await value('/moved/', 'b'), 'aesgcm:v1:two')
      }
      const directory = join(folder, 'back')
      await moveToLog({ disk: nodeDisk(), directory, random: scope.random }, store)
      await using back = await openLog(directory)
      {
        await using server = await startTestServer({ store: back, encryption: sealed(key('two', 2), key('one', 1)) })
        for (const name of ['a', 'b']) assert.equal(await passwordOf(server, name), PLAIN)
      }
      await using without = await startTestServer({ store: back, encryption: sealed(key('three', 3)) })
      assert.equal((await without.ask(`${path}/a`)).status, 500)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
