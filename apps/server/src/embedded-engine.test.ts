// The embedded engine against the suite of every cluster engine: real API servers over TLS, on a store in memory.

import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { configMaps, nodes } from '@aksel/api/resources'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import type { ControlPlaneSpec } from '@aksel/provider/cluster-engine'
import { clusterEngineContract } from '@aksel/provider/cluster-engine-contract'
import type { Store } from '@aksel/store/store'
import { createMemoryStore } from '@aksel/store/memory-store'
import { readBody } from '@aksel/client/response-body'
import { parseSwitches, type ApiSwitches } from './api-switches.ts'
import { EmbeddedEngine } from './embedded-engine.ts'
import { firstPortOf } from './places.ts'
import { readServerOptions } from './options.ts'

clusterEngineContract('embedded', openEngine)

test('an upgrade changes what is served; watches begin anew, and writes through an API that goes away are remembered', async () => {
  await using opened = await openEngine()
  const { engine, scope, dataDir, store } = opened
  const one = { ...specOf('one'), kubernetesVersion: '1.34.10' }
  await engine[Symbol.asyncDispose]()
  const alpha = { runtimeConfig: { 'storage.k8s.io/v1alpha1': true } }
  const open = (): Promise<EmbeddedEngine> =>
    EmbeddedEngine.open(scope, {
      store,
      dataDir,
      privileged: false,
      firstPort: firstPortOf(dataDir),
      audit: () => {},
      switches: alpha,
    })
  const ask = async (from: EmbeddedEngine, path: string, body?: string): Promise<string> => {
    const headers = { accept: 'application/json', 'content-type': 'application/json' }
    const call =
      body === undefined ? { path, headers } : { path, headers, method: 'POST' as const, body: Buffer.from(body) }
    return new TextDecoder().decode(await readBody((await from.client(one.id).send(call)).body))
  }
  const classes = '/apis/storage.k8s.io/v1alpha1/volumeattributesclasses'
  {
    await using first = await open()
    await first.create(scope, one)
    await ask(first, classes)
    assert.deepEqual(first.deprecatedUses(one.id), [], 'reads do not count')
    const gold = { apiVersion: 'storage.k8s.io/v1alpha1', kind: 'VolumeAttributesClass', metadata: { name: 'gold' } }
    await ask(first, classes, JSON.stringify({ ...gold, driverName: 'disk.csi.azure.com', parameters: { a: 'b' } }))
    assert.match(await ask(first, classes), /"gold"/)
  }
  await using second = await open()
  await second.resume()
  assert.deepEqual(
    second.deprecatedUses(one.id).map(({ version, resource, removedIn }) => ({ version, resource, removedIn })),
    [{ version: 'v1alpha1', resource: 'volumeattributesclasses', removedIn: '1.35' }],
  )
  const events = second.client(one.id).watch(configMaps, { namespace: 'default' })
  const ended = (async () => {
    for await (const event of events) void event
  })().catch(() => {})
  await second.upgrade(scope, one.id, '1.35.7')
  await ended
  assert.match(await ask(second, '/version'), /"gitVersion": "v1\.35\.7"/)
  assert.doesNotMatch(await ask(second, '/apis'), /storage\.k8s\.io\/v1alpha1/)
  assert.match(await ask(second, '/apis/storage.k8s.io/v1/volumeattributesclasses'), /"gold"/)
  const resources = '/apis/admissionregistration.k8s.io/v1'
  assert.doesNotMatch(await ask(second, resources), /mutatingadmissionpolicies/)
  await second.upgrade(scope, one.id, '1.36.3')
  assert.match(await ask(second, resources), /mutatingadmissionpolicies/)
})

test('betas and alphas are switched on for every cluster of a server, remembered with it, and kept by a fork', async () => {
  await using opened = await openEngine()
  const { engine, scope, dataDir, store } = opened
  const one = specOf('one')
  await engine.create(scope, one)
  const groups = async (from: EmbeddedEngine, id: string): Promise<string> => {
    const { body } = await from.client(id).send({ path: '/apis', headers: { accept: 'application/json' } })
    return new TextDecoder().decode(await readBody(body))
  }
  assert.ok(!(await groups(engine, one.id)).includes('resource.k8s.io/v1beta1'))
  await engine[Symbol.asyncDispose]()
  const again = (switches: ApiSwitches): Promise<EmbeddedEngine> =>
    EmbeddedEngine.open(scope, {
      store,
      dataDir,
      privileged: false,
      firstPort: firstPortOf(dataDir),
      audit: () => {},
      switches,
    })
  await assert.rejects(again({ runtimeConfig: { 'no.such/v1': true } }), /unknown api groups no\.such\/v1/)
  await assert.rejects(again({ featureGates: { NoSuchGate: true } }), /unrecognized feature gate: NoSuchGate/)
  {
    await using switched = await again({ runtimeConfig: { 'resource.k8s.io/v1beta1': true } })
    await switched.resume()
    assert.ok((await groups(switched, one.id)).includes('resource.k8s.io/v1beta1'))
  }
  await using plain = await again({})
  await plain.resume()
  assert.ok((await groups(plain, one.id)).includes('resource.k8s.io/v1beta1'))
  await plain.fork(scope, one.id, specOf('two'))
  assert.ok((await groups(plain, specOf('two').id)).includes('resource.k8s.io/v1beta1'))
})

test('switches are read as upstream reads its flags', () => {
  const read = (text: string, bare = true): unknown => parseSwitches('runtime-config', text, { bare })
  assert.deepEqual(read('api/beta=true,storage.k8s.io/v1beta1=false, batch/v1'), {
    'api/beta': true,
    'storage.k8s.io/v1beta1': false,
    'batch/v1': true,
  })
  assert.throws(() => read('HPAScaleToZero', false), /missing bool value for HPAScaleToZero/)
  assert.throws(() => read('api/beta=yes'), /"yes" is neither true nor false/)
  assert.equal(readServerOptions(['--etcd-compaction-interval', '90s'], {}).historyMs, 90_000)
  assert.throws(() => readServerOptions(['--etcd-compaction-interval', 'soon'], {}), /90s, 5m and 1h are intervals/)
  assert.deepEqual(readServerOptions(['--feature-gates', 'AllAlpha=true'], {}).switches, {
    featureGates: { AllAlpha: true },
  })
})

interface Opened extends AsyncDisposable {
  readonly scope: Scope
  readonly engine: EmbeddedEngine
  readonly dataDir: string
}

/** On the folder of an engine before it, where one is given. */
async function openEngine(before?: Opened & { readonly store: Store }): Promise<Opened & { readonly store: Store }> {
  const dataDir = before?.dataDir ?? (await mkdtemp(join(tmpdir(), 'aksel-engine-')))
  const stopping = new AbortController()
  const scope: Scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: stopping.signal }
  const store = before?.store ?? createMemoryStore(scope)
  const engine = await EmbeddedEngine.open(scope, {
    store,
    dataDir,
    privileged: false,
    firstPort: firstPortOf(dataDir),
    audit: () => {},
  })
  return {
    scope,
    engine,
    dataDir,
    store,
    async [Symbol.asyncDispose]() {
      await engine[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      stopping.abort(new Error('the test ended'))
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

function specOf(name: string): ControlPlaneSpec {
  return {
    id: `/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/${name}`,
    name,
    kubernetesVersion: '1.35.7',
    serviceCidr: '10.0.0.0/16',
    dnsServiceIp: '10.0.0.10',
    fqdn: `${name}.test`,
  }
}

test('a cluster with sealed kinds is forked: its nodes are marked and sealed again, its webhooks are gone', async () => {
  const secret = Buffer.alloc(32, 7).toString('base64')
  const providers = [{ aesgcm: { keys: [{ name: 'one', secret }] } }]
  const current = { resources: [{ resources: ['*.*'], providers }] }
  const followed = { onChange: () => ({ [Symbol.dispose]() {} }), readAgain() {}, [Symbol.dispose]() {} }
  const none = { count: 0, lastMs: undefined }
  const encryption = { current, ...followed, reloads: { success: none, failure: none, hash: '' } }
  await using opened = await openEngine()
  const { scope, store, dataDir } = opened
  await opened.engine[Symbol.asyncDispose]()
  const files = { encryption, [Symbol.asyncDispose]: () => Promise.resolve() }
  const options = { store, dataDir, privileged: false, firstPort: firstPortOf(dataDir), audit: () => {}, files }
  await using engine = await EmbeddedEngine.open(scope, options)
  const [original, forked] = [specOf('one'), specOf('two')]
  await engine.create(scope, original)
  await engine.client(original.id).create(nodes, { metadata: { name: 'n1' }, spec: {} })
  const hooks = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
  const ask = async (id: string, path: string, body?: object): Promise<string> => {
    const sent = body === undefined ? {} : { method: 'POST', body: Buffer.from(JSON.stringify(body)) }
    const headers = { 'content-type': 'application/json' }
    const answer = await engine.client(id).send({ path, headers, ...sent })
    return new TextDecoder().decode(await readBody(answer.body))
  }
  assert.match(await ask(original.id, hooks, { metadata: { name: 'h' }, webhooks: [] }), /"uid"/)
  await engine.fork(scope, original.id, forked)
  const node = await engine.client(forked.id).get(nodes, { name: 'n1' })
  assert.equal(node.metadata.labels?.['aksel.dev/simulated'], 'true')
  assert.doesNotMatch(await ask(forked.id, hooks), /"uid"/)
  assert.match(await ask(original.id, hooks), /"uid"/)
})

test('a cluster is snapshotted, restored and forked: objects, uids and versions stay, keys are new', async () => {
  await using opened = await openEngine()
  const { engine, scope } = opened
  const [original, restored, forked] = [specOf('one'), specOf('two'), specOf('three')]
  const first = await engine.create(scope, original)
  const metadata = { name: 'kept', namespace: 'default' }
  const kept = await engine.client(original.id).create(configMaps, { metadata, data: { a: '1' } })
  await engine.client(original.id).create(nodes, { metadata: { name: 'n1' }, spec: {} })
  const path = join(opened.dataDir, 'archive')
  const { objects } = await engine.snapshot(scope, original.id, path)
  assert.ok(objects > 50)
  await engine.client(original.id).update(configMaps, { ...kept, data: { a: '2' } })
  const second = await engine.restore(scope, restored, path)
  assert.deepEqual(await engine.client(restored.id).get(configMaps, metadata), kept)
  assert.notEqual(second.certificateAuthority, first.certificateAuthority)
  await engine.fork(scope, original.id, forked)
  const copy = engine.client(forked.id)
  assert.deepEqual((await copy.get(configMaps, metadata)).data, { a: '2' })
  assert.equal((await copy.get(nodes, { name: 'n1' })).metadata.labels?.['aksel.dev/simulated'], 'true')
  // They go their own ways, also after they were stopped.
  await engine.stop(scope, forked.id)
  await engine.start(scope, forked.id)
  await engine.client(forked.id).delete(configMaps, metadata)
  assert.deepEqual((await engine.client(original.id).get(configMaps, metadata)).data, { a: '2' })
  await engine.delete(scope, forked.id)
  assert.equal(engine.status(forked.id), undefined)
  const bytes = await readFile(path)
  bytes[bytes.length >> 1]! ^= 1
  await writeFile(path, bytes)
  await assert.rejects(engine.restore(scope, specOf('four'), path), { kind: 'Corrupt' })
  assert.equal(engine.status(specOf('four').id), undefined)
})

test('a restored cluster has none of the nodes of the first, and says of what it was made', async () => {
  await using opened = await openEngine()
  const { engine, scope } = opened
  await engine.create(scope, specOf('one'))
  await engine.client(specOf('one').id).create(nodes, { metadata: { name: 'n1' }, spec: {} })
  const path = join(opened.dataDir, 'archive')
  const written = await engine.snapshot(scope, specOf('one').id, path)
  const { cluster, ...read } = await engine.readArchive(path)
  assert.deepEqual(read, written)
  assert.deepEqual(cluster, {
    name: 'one',
    kubernetesVersion: '1.35.7',
    serviceCidr: '10.0.0.0/16',
    dnsServiceIp: '10.0.0.10',
  })
  await engine.restore(scope, specOf('two'), path)
  assert.deepEqual((await engine.client(specOf('two').id).list(nodes)).items, [])
})

interface WebhookConfiguration extends KubernetesObject {
  readonly webhooks: readonly unknown[]
}

const webhooks: ResourceType<WebhookConfiguration> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  namespaced: false,
}

test('a fork calls no webhook, and goes by a clock of its own', async () => {
  await using opened = await openEngine()
  const { engine, scope } = opened
  const [original, forked] = [specOf('one'), specOf('two')]
  await engine.create(scope, original)
  const DAY_MS = 86_400_000
  await engine.fork(scope, original.id, forked, { clockOffsetMs: 30 * DAY_MS })
  const client = engine.client(forked.id)
  const map = (name: string) => ({ metadata: { name, namespace: 'default' } })
  const { metadata } = await client.create(configMaps, map('then'))
  const aheadMs = Date.parse(metadata.creationTimestamp!) - scope.clock.now()
  assert.ok(aheadMs > 29 * DAY_MS && aheadMs <= 30 * DAY_MS, `the fork is ${aheadMs} ms ahead`)
  await client.create(webhooks, {
    metadata: { name: 'outside' },
    webhooks: [
      {
        name: 'outside.example.com',
        clientConfig: { url: 'https://127.0.0.1:1/' },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  })
  await assert.rejects(client.create(configMaps, map('refused')), {
    reason: 'InternalError',
    message:
      'Internal error occurred: failed calling webhook "outside.example.com": failed to call webhook: this cluster calls nothing outside itself: it is a fork',
  })
  // The original is what it was.
  await engine.client(original.id).create(configMaps, map('refused'))
})

test('of two servers that make clusters at the same moment, each gets addresses that the other has not', async () => {
  await using one = await openEngine()
  await using two = await openEngine()
  const names = ['a', 'b', 'c']
  const made = await Promise.all(
    [one, two].flatMap(({ engine, scope }) => names.map((name) => engine.create(scope, specOf(name)))),
  )
  assert.equal(new Set(made.map(({ localUrl }) => localUrl)).size, 6)
})

test('a control plane that cannot start says why, is tried again, and does not keep the others from starting', async () => {
  await using opened = await openEngine()
  const { scope } = opened
  const [sound, broken] = [specOf('sound'), specOf('broken')]
  await opened.engine.create(scope, sound)
  await opened.engine.fork(scope, sound.id, broken)
  await opened.engine[Symbol.asyncDispose]()
  const [key] = await readdir(join(opened.dataDir, 'stores'))
  const store = join(opened.dataDir, 'stores', key!)
  await rename(store, `${store}.away`)
  await writeFile(store, 'no folder')
  await using again = await openEngine(opened)
  await again.engine.resume()
  assert.equal(again.engine.status(sound.id)!.failure, undefined)
  await again.engine.client(sound.id).list(configMaps)
  assert.match(again.engine.status(broken.id)!.failure!, /EEXIST|ENOTDIR/)
  assert.throws(() => again.engine.client(broken.id), /does not run: .*(EEXIST|ENOTDIR)/)
  await rm(store)
  await rename(`${store}.away`, store)
  // Asked for, it is tried at once; by itself, a second later.
  await again.engine.start(scope, broken.id)
  assert.equal(again.engine.status(broken.id)!.failure, undefined)
  await again.engine.client(broken.id).list(configMaps)
})
