// Bootstrap tokens: signatures on cluster-info, and tokens that end.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { configMaps, secrets } from '@aksel/api/resources'
import type { Secret } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { killEverywhere, TestCluster, type MakeLoops } from '../testing/cluster.ts'
import { bootstrapTokenCleaner } from './cleaner.ts'
import { bootstrapSigner, signedData } from './signer.ts'
import { expiryOf, signingTokenOf } from './token-secret.ts'

const loops: MakeLoops = (parts) => [bootstrapSigner(parts), bootstrapTokenCleaner(parts)]
const base = Date.parse('2026-01-01T00:00:00Z')

function token(id: string, fields: Readonly<Record<string, string>> = {}, more: Partial<Secret> = {}): Secret {
  const all = { 'token-id': id, 'token-secret': 'abcdef0123456789', 'usage-bootstrap-signing': 'true', ...fields }
  const data = Object.fromEntries(
    Object.entries(all).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  )
  const metadata = { name: `bootstrap-token-${id}`, namespace: 'kube-system' }
  return { metadata, type: 'bootstrap.kubernetes.io/token', data, ...more }
}

for (const [why, secret, signs] of [
  ['as it should be', token('abc123'), true],
  ['good until later', token('abc123', { expiration: '2026-01-01T00:00:01Z' }), true],
  ['that has ended', token('abc123', { expiration: '2026-01-01T00:00:00Z' }), false],
  ['whose end makes no sense', token('abc123', { expiration: 'tomorrow' }), false],
  ['for authentication only', token('abc123', { 'usage-bootstrap-signing': 'false' }), false],
  ['of another id than its name', token('abc123', { 'token-id': 'abc124' }), false],
  ['with a short secret', token('abc123', { 'token-secret': 'abc' }), false],
  ['of another type', token('abc123', {}, { type: 'Opaque' }), false],
  [
    'in another namespace',
    token('abc123', {}, { metadata: { name: 'bootstrap-token-abc123', namespace: 'shop' } }),
    false,
  ],
  ['without data', { metadata: token('abc123').metadata, type: 'bootstrap.kubernetes.io/token' }, false],
] as const)
  test(`a token ${why} ${signs ? 'signs' : 'does not sign'}`, () =>
    assert.equal(signingTokenOf(secret, base) !== undefined, signs))

test('a token without an end never ends, one whose end cannot be read has', () => {
  assert.deepEqual([expiryOf(token('a')), expiryOf(token('a', { expiration: 'soon' }))], [undefined, -Infinity])
})

test('a signature is a JWS without its payload that the secret verifies, and others’ are dropped', () => {
  const data = { kubeconfig: 'content', other: 'kept', 'jws-kubeconfig-gone00': 'x' }
  const signed = signedData(data, [{ id: 'abc123', secret: 'abcdef0123456789' }])
  assert.deepEqual(Object.keys(signed), ['kubeconfig', 'other', 'jws-kubeconfig-abc123'])
  const [header, payload, signature] = signed['jws-kubeconfig-abc123']!.split('.')
  assert.equal(payload, '')
  assert.deepEqual(JSON.parse(Buffer.from(header!, 'base64url').toString()), { alg: 'HS256', kid: 'abc123' })
  const text = `${header}.${Buffer.from('content').toString('base64url')}`
  assert.equal(signature, createHmac('sha256', 'abcdef0123456789').update(text).digest('base64url'))
  assert.deepEqual(signedData({ other: 'x' }, [{ id: 'abc123', secret: 's' }]), { other: 'x' })
})

const info = { metadata: { name: 'cluster-info', namespace: 'kube-public' }, data: { kubeconfig: 'one' } }

function signatures(cluster: TestCluster): readonly string[] {
  const data = cluster.client.peek(configMaps, 'kube-public/cluster-info')!.data!
  return Object.keys(data).filter((name) => name.startsWith('jws-'))
}

test('signatures come and go with tokens and content; a token that ends takes its own along', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(configMaps, info)
  const expiration = formatTime(cluster.clock.now() + 60_000)
  await cluster.client.create(secrets, token('short0', { expiration }))
  await cluster.client.create(secrets, token('long00'))
  await cluster.clock.run(1000)
  assert.deepEqual(signatures(cluster).toSorted(), ['jws-kubeconfig-long00', 'jws-kubeconfig-short0'])
  const read = (): string =>
    cluster.client.peek(configMaps, 'kube-public/cluster-info')!.data!['jws-kubeconfig-long00']!
  const before = read()
  cluster.client.change(configMaps, 'kube-public/cluster-info', (draft) => (draft.data!['kubeconfig'] = 'two'))
  await cluster.clock.run(1000)
  assert.notEqual(read(), before)
  await cluster.clock.run(60_000)
  assert.deepEqual(signatures(cluster), ['jws-kubeconfig-long00'])
  assert.deepEqual(
    cluster.all(secrets).map(({ metadata }) => metadata.name),
    ['bootstrap-token-long00'],
  )
})

test('no kill leaves a token past its end, or cluster-info signed by one', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(configMaps, info)
      const expiration = formatTime(cluster.clock.now() + 5000)
      for (const id of ['short0', 'short1']) await cluster.client.create(secrets, token(id, { expiration }))
      await cluster.client.create(secrets, token('long00'))
      await cluster.clock.run(8000)
    },
    (cluster) => {
      assert.deepEqual(signatures(cluster), ['jws-kubeconfig-long00'])
      assert.equal(cluster.all(secrets).length, 1)
    },
    {},
    (cluster) => cluster.clock.run(10_000),
  )
  assert.ok(kills >= 4, `only ${kills} kills`)
})
