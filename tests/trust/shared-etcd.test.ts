// One etcd under everything: two servers serve one cluster and elect the one that runs its loops; a cluster moves from the log to
// etcd and back; etcdctl reads and counts the registry.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { configMaps, deployments, leases, replicaSets } from '@aksel/api/resources'
import type { Lease } from '@aksel/api/types/coordination-v1'
import { systemClock } from '@aksel/base/clock'
import { seededRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { startEngine } from '@aksel/cli/bench/api/rig'
import type { Client } from '@aksel/client/client'
import { createClient } from '@aksel/client/typed-client'
import { startEtcd } from '@aksel/host/etcd-server'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { Informer } from '@aksel/runtime/informer'
import { parseKubeconfig } from '@aksel/runtime/kubeconfig'
import { openLogStore } from '@aksel/store/log-store'
import { moveInto, moveToLog } from '@aksel/store/move'
import { nodeDisk } from '@aksel/store/node-disk'
import { openEtcdStore } from '@aksel/store/etcd/etcd-store'
import { parseEtcdAddress } from '@aksel/store/etcd/etcd-address'
import type { KeyValue } from '@aksel/store/store'

const DEADLINE_MS = 60_000

function folder(stack: AsyncDisposableStack): string {
  const path = mkdtempSync(join(tmpdir(), 'aksel-shared-'))
  stack.defer(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function scopeOf(stack: AsyncDisposableStack): Scope {
  const stopping = new AbortController()
  stack.defer(() => stopping.abort(new Error('the test ended')))
  return { clock: systemClock(), random: seededRandom(1), log: silentLog(), signal: stopping.signal }
}

async function clientOf(stack: AsyncDisposableStack, kubeconfig: string): Promise<Client> {
  return createClient(stack.use(createHttpsTransport(await parseKubeconfig(kubeconfig))))
}

function deployment(name: string) {
  const labels = { app: name }
  const containers = [{ name: 'c', image: 'registry.example.com/none:1' }]
  return {
    metadata: { name, namespace: 'default' },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  }
}

/** Resolves when the loops made the replica set of this deployment. */
async function isWorkedOn(scope: Scope, client: Client, name: string): Promise<void> {
  const informer = new Informer(scope, client, replicaSets, { namespace: 'default' })
  void informer.run()
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no loop looked at deployment ${name}`)), DEADLINE_MS)
    informer.subscribe((now) => {
      if (now?.metadata.name.startsWith(`${name}-`) !== true) return
      clearTimeout(late)
      resolve()
    })
  })
}

/** The lease, once somebody else holds it. */
async function heldByAnother(scope: Scope, client: Client, name: string, before: string): Promise<Lease> {
  const informer = new Informer(scope, client, leases, { namespace: 'kube-system' })
  void informer.run()
  return await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`"${before}" still holds ${name}`)), DEADLINE_MS)
    informer.subscribe((now) => {
      const holder = now?.spec?.holderIdentity ?? ''
      if (now?.metadata.name !== name || holder === before || holder === '') return
      clearTimeout(late)
      resolve(now)
    })
  })
}

interface AuditLine {
  readonly verb: string
  readonly user: { readonly username?: string }
  readonly requestReceivedTimestamp: string
  readonly requestURI: string
  readonly objectRef?: { readonly resource?: string; readonly name?: string }
  readonly responseStatus: { readonly code: number }
}

/** What the loops of a server wrote since then, by its own audit log. Leases and what is told of them belong to no term. */
function writtenByLoops(dataDir: string, sinceMs: number): readonly AuditLine[] {
  const lines = readFileSync(join(dataDir, 'server', 'audit.jsonl'), 'utf8').split('\n')
  return lines
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditLine)
    .filter(({ verb, user, objectRef, requestReceivedTimestamp, responseStatus }) => {
      const isLoop = /^system:(?:kube-|serviceaccount:kube-system:)/.test(user.username ?? '')
      const isElection =
        objectRef?.resource === 'leases' ||
        (objectRef?.resource === 'events' &&
          /^kube-(?:controller-manager|scheduler)\./.test(objectRef.name ?? 'kube-scheduler.'))
      const writes = !['get', 'list', 'watch'].includes(verb)
      return (
        isLoop && writes && !isElection && responseStatus.code < 300 && Date.parse(requestReceivedTimestamp) >= sinceMs
      )
    })
}

test('a server that is stopped while its loops lead, and wakes when another leads, writes nothing of its old term', async () => {
  await using stack = new AsyncDisposableStack()
  const etcd = stack.use(await startEtcd())
  const scope = scopeOf(stack)
  const folders = [folder(stack), folder(stack)] as const
  // Its own clock does not see that it was stopped, as where a whole machine sleeps: it goes on in good faith.
  const args = ['--store', etcd.url, '--loops', 'on', '--clock', 'sleeps-with-the-process']
  const engines = [await startEngine(folders[0], args), await startEngine(folders[1], args)] as const
  for (const engine of engines) stack.defer(() => engine.kill())
  const clients = [
    await clientOf(stack, await engines[0].ask('create', 'stopped')),
    await clientOf(stack, await engines[1].ask('kubeconfig', 'stopped')),
  ] as const
  await clients[0].create(deployments, deployment('before'))
  await isWorkedOn(scope, clients[1], 'before')
  const lease = await clients[0].get(leases, { namespace: 'kube-system', name: 'kube-controller-manager' })
  const leader = (await engines[0].ask('name', null)) === lease.spec!.holderIdentity ? 0 : 1
  const other = clients[1 - leader]!
  // Work is under way as it stops.
  await Promise.all(Array.from({ length: 20 }, (_, i) => other.create(deployments, deployment(`under-way-${i}`))))
  process.kill(engines[leader]!.pid, 'SIGSTOP')
  stack.defer(() => void process.kill(engines[leader]!.pid, 'SIGCONT'))
  await heldByAnother(scope, other, 'kube-controller-manager', lease.spec!.holderIdentity!)
  await heldByAnother(scope, other, 'kube-scheduler', lease.spec!.holderIdentity!)
  await other.create(deployments, deployment('meanwhile'))
  await isWorkedOn(scope, other, 'meanwhile')
  const wokenMs = Date.now()
  process.kill(engines[leader]!.pid, 'SIGCONT')
  await Promise.all(Array.from({ length: 20 }, (_, i) => other.create(deployments, deployment(`after-${i}`))))
  await isWorkedOn(scope, clients[leader]!, 'after-19')
  await engines[leader]!.ask('stop', null)
  assert.deepEqual(writtenByLoops(folders[leader]!, wokenMs), [])
  const sets = await other.list(replicaSets, { namespace: 'default' })
  assert.deepEqual(sets.items.length, new Set(sets.items.map(({ metadata }) => metadata.ownerReferences![0]!.uid)).size)
  assert.ok(writtenByLoops(folders[1 - leader]!, wokenMs).length > 20)
})

test('two servers on one etcd serve one cluster; one runs its loops, and the other when that one is killed', async () => {
  await using stack = new AsyncDisposableStack()
  const etcd = stack.use(await startEtcd())
  const scope = scopeOf(stack)
  const args = ['--store', etcd.url, '--loops', 'on']
  const first = await startEngine(folder(stack), args)
  stack.defer(() => first.kill())
  const second = await startEngine(folder(stack), args)
  stack.defer(() => second.kill())
  const one = await clientOf(stack, await first.ask('create', 'shared'))
  const created = await one.create(configMaps, {
    metadata: { name: 'seen', namespace: 'default' },
    data: { by: 'all' },
  })
  // The second server hears of the cluster through etcd, and listens on an address of its own.
  const two = await clientOf(stack, await second.ask('kubeconfig', 'shared'))
  const read = await two.get(configMaps, { name: 'seen', namespace: 'default' })
  assert.deepEqual(read.metadata, created.metadata)
  await two.create(deployments, deployment('before'))
  await isWorkedOn(scope, one, 'before')
  const elections = ['kube-controller-manager', 'kube-scheduler']
  // Each loop is elected by itself: they may lead on different servers.
  const before = await Promise.all(elections.map((name) => heldByAnother(scope, two, name, '')))
  const { holderIdentity } = before[0]!.spec!
  const [leader, follower] = (await first.ask('name', null)) === holderIdentity ? [first, two] : [second, one]
  await leader.kill()
  await follower.create(deployments, deployment('after'))
  await isWorkedOn(scope, follower, 'after')
  for (const { metadata, spec } of before) {
    const next = await heldByAnother(scope, follower, metadata.name, holderIdentity!)
    const changes = spec!.holderIdentity === holderIdentity ? 1 : 0
    assert.equal(next.spec!.leaseTransitions, spec!.leaseTransitions! + changes)
  }
  const keys = await etcd.control('get', '/aksel/clusters/', '--prefix', '--keys-only')
  assert.match(keys, /\/aksel\/clusters\/[0-9a-f]{12}\/configmaps\/default\/seen\n/)
  assert.match(keys, /\/deployments\/default\/after\n/)
  const list = await follower.list(configMaps, {})
  const counted = keys.split('\n').filter((key) => /\/clusters\/[0-9a-f]{12}\/configmaps\//.test(key)).length
  assert.equal(counted, list.items.length)
})

function byRevision(items: readonly KeyValue[]): readonly string[] {
  return items
    .toSorted((left, right) => left.modRevision - right.modRevision || (left.key < right.key ? -1 : 1))
    .map(({ key }) => key)
}

function content(items: readonly KeyValue[]): readonly string[] {
  return items.map(({ key, value }) => `${key} ${Buffer.from(value).toString()}`)
}

test('a cluster moves from the log to etcd and back: every object, uid and the order of versions', async () => {
  await using stack = new AsyncDisposableStack()
  const etcd = stack.use(await startEtcd())
  const scope = scopeOf(stack)
  const dataDir = folder(stack)
  const engine = await startEngine(dataDir)
  stack.defer(() => engine.kill())
  const client = await clientOf(stack, await engine.ask('create', 'moved'))
  for (let i = 0; i < 300; i++) {
    const metadata = { name: `c-${(i * 7) % 150}`, namespace: 'default' }
    const object = { metadata, data: { turn: String(i) } }
    if (i < 150) await client.create(configMaps, object)
    else await client.update(configMaps, object)
  }
  await engine.ask('stop', null)
  await engine.kill()
  const disk = nodeDisk()
  await using log = await openLogStore(scope, { disk, directory: join(dataDir, 'store') })
  const before = (await log.range({ prefix: '' })).items
  assert.ok(before.length > 200)
  const store = stack.use(await openEtcdStore(scope, { address: parseEtcdAddress(etcd.url) }))
  const moved = await moveInto(store, log)
  const inEtcd = (await store.range({ prefix: '' })).items
  assert.deepEqual([content(inEtcd), moved.keys], [content(before), before.length])
  const places = new Map(inEtcd.map(({ key, modRevision }) => [key, modRevision]))
  const order = byRevision(before)
  assert.ok(order.every((key, i) => i === 0 || places.get(order[i - 1]!)! <= places.get(key)!))
  // Whoever comes back with a revision of before must list anew: nothing can be resumed below.
  assert.ok(store.compactedRevision > log.revision)
  await assert.rejects(moveInto(store, log), TypeError)
  const back = join(dataDir, 'back')
  await moveToLog({ disk, directory: back, random: scope.random }, store)
  await using again = await openLogStore(scope, { disk, directory: back })
  const inLog = (await again.range({ prefix: '' })).items
  assert.deepEqual(content(inLog), content(before))
  assert.deepEqual(
    inLog.map(({ modRevision }) => modRevision),
    inEtcd.map(({ modRevision }) => modRevision),
  )
})
