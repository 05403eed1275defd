// Token secrets of service accounts: filled in, void and gone, on a cluster in memory.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { configMaps, secrets, serviceAccounts } from '@aksel/api/resources'
import type { Secret, ServiceAccount } from '@aksel/api/types/core-v1'
import { createServiceAccountKey, type SigningKey } from '@aksel/runtime/pki'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { judgeToken } from './judge-token.ts'
import { judgeUnused, legacyTokenCleaner, type UnusedFacts } from './token-cleaner.ts'
import { tokensController } from './tokens.ts'

let tokenKey: SigningKey
before(async () => {
  tokenKey = await createServiceAccountKey()
})

const loops: MakeLoops = (parts) => [tokensController({ ...parts, rootCaPem: 'PEM', tokenKey })]

function tokenSecret(more: Partial<Secret> = {}): Secret {
  return {
    metadata: {
      name: 'robot-token',
      namespace: 'shop',
      annotations: { 'kubernetes.io/service-account.name': 'robot' },
    },
    type: 'kubernetes.io/service-account-token',
    ...more,
  }
}

const robot: ServiceAccount = { metadata: { name: 'robot', namespace: 'shop' } }
const text = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString()

test('a token secret is filled in once, and goes with its account', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const account = await cluster.client.create(serviceAccounts, robot)
  await cluster.client.create(secrets, tokenSecret())
  await cluster.clock.run(1000)
  const filled = cluster.client.peek(secrets, 'shop/robot-token')!
  assert.equal(filled.metadata.annotations!['kubernetes.io/service-account.uid'], account.metadata.uid)
  assert.deepEqual([text(filled.data!['ca.crt']), text(filled.data!['namespace'])], ['PEM', 'shop'])
  const claims = JSON.parse(Buffer.from(text(filled.data!['token']).split('.')[1]!, 'base64url').toString()) as unknown
  assert.deepEqual(claims, {
    iss: 'kubernetes/serviceaccount',
    'kubernetes.io/serviceaccount/namespace': 'shop',
    'kubernetes.io/serviceaccount/secret.name': 'robot-token',
    'kubernetes.io/serviceaccount/service-account.name': 'robot',
    'kubernetes.io/serviceaccount/service-account.uid': account.metadata.uid,
    sub: 'system:serviceaccount:shop:robot',
  })
  const { revision } = cluster.objects
  await cluster.clock.run(60_000)
  assert.equal(cluster.objects.revision, revision)
  await cluster.client.delete(serviceAccounts, robot.metadata)
  await cluster.clock.run(1000)
  assert.equal(cluster.client.peek(secrets, 'shop/robot-token'), undefined)
})

test('a secret that is gone is no longer named by its account', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(serviceAccounts, { ...robot, secrets: [{ name: 'other' }, { name: 'robot-token' }] })
  await cluster.client.create(secrets, tokenSecret())
  await cluster.clock.run(1000)
  await cluster.client.delete(secrets, tokenSecret().metadata)
  await cluster.clock.run(1000)
  assert.deepEqual(cluster.client.peek(serviceAccounts, 'shop/robot')!.secrets, [{ name: 'other' }])
})

test('a token of an account of the same name that is gone, and one without an account, go', async () => {
  await using cluster = new TestCluster(loops)
  const old = { 'kubernetes.io/service-account.name': 'robot', 'kubernetes.io/service-account.uid': 'old' }
  await cluster.client.create(serviceAccounts, robot)
  await cluster.client.create(secrets, tokenSecret({ metadata: { name: 'a', namespace: 'shop', annotations: old } }))
  const lost = { 'kubernetes.io/service-account.name': 'nobody' }
  await cluster.client.create(secrets, tokenSecret({ metadata: { name: 'b', namespace: 'shop', annotations: lost } }))
  await cluster.client.create(secrets, {
    metadata: { name: 'c', namespace: 'shop', annotations: lost },
    type: 'Opaque',
  })
  cluster.start()
  await cluster.clock.run(1000)
  assert.deepEqual(
    cluster.all(secrets).map(({ metadata }) => metadata.name),
    ['c'],
  )
})

test('no kill leaves a token secret empty, or one of an account that is gone', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(serviceAccounts, robot)
      await cluster.client.create(secrets, tokenSecret())
      await cluster.clock.run(1000)
      await cluster.client.create(secrets, tokenSecret({ metadata: { ...tokenSecret().metadata, name: 'second' } }))
      await cluster.client.delete(serviceAccounts, robot.metadata)
      await cluster.clock.run(1000)
    },
    (cluster) => assert.deepEqual(cluster.all(secrets), []),
    {},
    (cluster) => cluster.clock.run(5000),
  )
  assert.ok(kills >= 2, `only ${kills} kills`)
})

test('what is in a token secret already is left as it is', () => {
  const account = { metadata: { ...robot.metadata, uid: 'u' } }
  const parts = { rootCaPem: 'PEM', sign: () => 'signed', keyEnds: new Map<string, number>(), nowMs: 0 }
  const { secret } = judgeToken(tokenSecret(), account, parts) as { secret: Secret }
  assert.deepEqual(judgeToken(secret, account, { ...parts, sign: () => assert.fail('signed twice') }), { kind: 'keep' })
  const renewed = judgeToken(secret, account, { ...parts, rootCaPem: 'NEW' }) as { secret: Secret }
  assert.deepEqual([text(renewed.secret.data!['ca.crt']), text(renewed.secret.data!['token'])], ['NEW', 'signed'])
})

test('a token is signed anew when what its key signed is believed no longer, and looked at again just then', () => {
  const account = { metadata: { ...robot.metadata, uid: 'u' } }
  const tokenOf = (kid: string): string =>
    `${Buffer.from(JSON.stringify({ kid })).toString('base64url')}.body.signature`
  const parts = {
    rootCaPem: 'PEM',
    sign: () => tokenOf('new'),
    keyEnds: new Map([
      ['new', Number.POSITIVE_INFINITY],
      ['old', 5000],
    ]),
  }
  const kidAfter = (kid: string, nowMs: number): unknown => {
    const data = { token: Buffer.from(tokenOf(kid)).toString('base64') }
    const given = judgeToken(tokenSecret({ data }), account, { ...parts, nowMs }) as { secret: Secret }
    const again = judgeToken(given.secret, account, { ...parts, nowMs })
    const [header] = text(given.secret.data!['token']).split('.')
    return [(JSON.parse(Buffer.from(header!, 'base64url').toString()) as { kid: string }).kid, again]
  }
  assert.deepEqual(kidAfter('new', 9000), ['new', { kind: 'keep' }])
  assert.deepEqual(kidAfter('old', 2000), ['old', { kind: 'keep', recheckMs: 3000 }])
  assert.deepEqual(kidAfter('old', 5000), ['new', { kind: 'keep' }])
  assert.deepEqual(kidAfter('unknown', 0), ['new', { kind: 'keep' }])
})

const DAY_MS = 86_400_000
const at = (day: string): number => Date.parse(day)

function unused(more: Partial<UnusedFacts> & { labels?: Record<string, string> } = {}): UnusedFacts {
  const annotations = { 'kubernetes.io/service-account.name': 'robot', 'kubernetes.io/service-account.uid': 'u' }
  const metadata = { name: 't', namespace: 'shop', annotations, creationTimestamp: '2020-01-01T00:00:00Z' }
  return {
    secret: tokenSecret({ metadata: { ...metadata, ...(more.labels === undefined ? {} : { labels: more.labels }) } }),
    account: { metadata: { ...robot.metadata, uid: 'u' }, secrets: [{ name: 't' }] },
    isMounted: false,
    trackedSince: '2024-01-01',
    nowMs: at('2026-01-01'),
    unusedMs: 365 * DAY_MS,
    ...more,
  }
}
const lastUsed = 'kubernetes.io/legacy-token-last-used'
const invalidSince = 'kubernetes.io/legacy-token-invalid-since'

for (const [why, facts, kind] of [
  ['unused since uses are noted', unused(), 'invalidate'],
  ['noted too short', unused({ trackedSince: '2025-06-01' }), 'keep'],
  ['used of late', unused({ labels: { [lastUsed]: '2025-12-01' } }), 'keep'],
  ['used long ago', unused({ labels: { [lastUsed]: '2024-02-01' } }), 'invalidate'],
  ['mounted by a pod', unused({ isMounted: true }), 'keep'],
  ['void, and used again', unused({ labels: { [lastUsed]: '2025-12-01', [invalidSince]: '2025-11-01' } }), 'restore'],
  ['void not long', unused({ labels: { [invalidSince]: '2025-11-01' } }), 'keep'],
  ['void for a year', unused({ labels: { [invalidSince]: '2024-12-30' } }), 'delete'],
  ['void from a day that makes no sense', unused({ labels: { [invalidSince]: 'soon' } }), 'invalidate'],
  ['made by a person', unused({ account: { metadata: { ...robot.metadata, uid: 'u' } } }), 'keep'],
  [
    'of another account',
    unused({ account: { metadata: { ...robot.metadata, uid: 'v' }, secrets: [{ name: 't' }] } }),
    'keep',
  ],
  ['nobody knows since when', unused({ trackedSince: '' }), 'keep'],
] as const)
  test(`a token that the system made, ${why}: ${kind}`, () => assert.equal(judgeUnused(facts).kind, kind))

test('an old token is declared void after a year and goes after another', async () => {
  await using cluster = new TestCluster((parts) => [legacyTokenCleaner(parts)])
  const metadata = { name: 'kube-apiserver-legacy-service-account-token-tracking', namespace: 'kube-system' }
  await cluster.client.create(configMaps, { metadata, data: { since: '2025-12-01' } })
  const account = await cluster.client.create(serviceAccounts, { ...robot, secrets: [{ name: 'robot-token' }] })
  const annotations = {
    'kubernetes.io/service-account.name': 'robot',
    'kubernetes.io/service-account.uid': account.metadata.uid!,
  }
  await cluster.client.create(secrets, tokenSecret({ metadata: { ...tokenSecret().metadata, annotations } }))
  cluster.start()
  await cluster.clock.run(360 * DAY_MS)
  assert.equal(cluster.client.peek(secrets, 'shop/robot-token')!.metadata.labels, undefined)
  await cluster.clock.run(10 * DAY_MS)
  assert.match(cluster.client.peek(secrets, 'shop/robot-token')!.metadata.labels![invalidSince]!, /^2027-01-0/)
  await cluster.clock.run(370 * DAY_MS)
  assert.equal(cluster.client.peek(secrets, 'shop/robot-token'), undefined)
})
