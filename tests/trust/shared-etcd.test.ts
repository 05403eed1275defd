// One etcd under everything: two servers serve one cluster and elect the one that runs its loops; a cluster moves from the log to
// etcd and back; etcdctl reads and counts the registry.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { configMaps, deployments, leases, replicaSets } from '@aksel/api/resources'
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
  const lease = await two.get(leases, { namespace: 'kube-system', name: 'aksel-loops' })
  const { holderIdentity } = lease.spec!
  const [leader, follower] = (await first.ask('name', null)) === holderIdentity ? [first, two] : [second, one]
  await leader.kill()
  await follower.create(deployments, deployment('after'))
  await isWorkedOn(scope, follower, 'after')
  const next = await follower.get(leases, { namespace: 'kube-system', name: 'aksel-loops' })
  assert.notEqual(next.spec!.holderIdentity, holderIdentity)
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
