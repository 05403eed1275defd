// Services on the real kernel: two machines of the fabric, pods connected by the CNI plugin, and a proxy on each machine.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { endpointSlices, services } from '@aksel/api/resources'
import type { Service } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Attachment } from '@aksel/provider/fabric'
import { openFabric } from '../fabric/fabric.ts'
import { InteractiveNft } from '../nft/interactive.ts'
import { spawnedNft, type NftRunner } from '../nft/runner.ts'
import { testScope, withHost, type HostBench } from '../testing/host-bench.ts'
import { MemoryCaches } from '../testing/memory-caches.ts'
import { endpoint, service, slice } from '../testing/objects.ts'
import { addPod, type TestPod } from '../testing/pods.ts'
import { runServiceProxy } from './service-proxy.ts'

interface ProxyBench extends HostBench {
  readonly caches: MemoryCaches
  readonly machines: readonly [Attachment, Attachment]
  /** Client and server on the first machine, server on the second. */
  readonly client: TestPod
  readonly near: TestPod
  readonly far: TestPod
  /** Resolves when the first machine's proxy has put the next change in force. */
  changed(): Promise<void>
}

const VNET = '/vnets/proxy'

async function withProxies(work: (bench: ProxyBench) => Promise<void>): Promise<void> {
  await withHost(async (host) => {
    const fabric = await openFabric(host.scope, { ledger: host.ledger, stateDir: join(host.directory, 'fabric') })
    const subnetId = `${VNET}/subnets/s`
    await fabric.ensureVirtualNetwork(host.scope, {
      id: VNET,
      addressPrefix: '10.224.0.0/12',
      subnets: [{ id: subnetId, addressPrefix: '10.224.0.0/16' }],
    })
    const attach = (index: number): Promise<Attachment> =>
      fabric.attach(host.scope, {
        virtualNetworkId: VNET,
        subnetId,
        machine: `n${index}`,
        podCidr: `10.244.${index}.0/24`,
      })
    const machines = [await attach(0), await attach(1)] as const
    const pod = (index: 0 | 1, name: string): Promise<TestPod> =>
      addPod(host, { machineNamespace: machines[index].networkNamespace, podCidr: `10.244.${index}.0/24`, name })
    const pods = { client: await pod(0, 'client'), near: await pod(0, 'near'), far: await pod(1, 'far') }
    await host.listen(pods.near.networkNamespace, '0.0.0.0', 8080, 'near')
    await host.listen(pods.far.networkNamespace, '0.0.0.0', 8080, 'far')
    const caches = new MemoryCaches()
    const stop = new AbortController()
    const first = startProxy(testScope(stop.signal), caches, machines[0], 0)
    const second = startProxy(testScope(stop.signal), caches, machines[1], 1)
    try {
      await Promise.all([first.synced, second.synced])
      const changed = async (): Promise<void> => void (await Promise.all([first.changed(), second.changed()]))
      await work({ ...host, ...pods, caches, machines, changed })
    } finally {
      stop.abort()
      await Promise.all([first.ended, second.ended])
    }
  })
}

function startProxy(scope: Scope, caches: MemoryCaches, machine: Attachment, index: number) {
  const namespace = machine.networkNamespace
  const interactive = new InteractiveNft(['nsenter', `--net=/run/netns/${namespace}`])
  let applied = Promise.withResolvers<void>()
  const nft: NftRunner = {
    async apply(inner, lines) {
      await interactive.apply(inner, lines)
      applied.resolve()
      applied = Promise.withResolvers()
    },
  }
  const synced = Promise.withResolvers<void>()
  const ended = runServiceProxy(scope, {
    caches,
    nft,
    loader: spawnedNft({ networkNamespace: namespace }),
    node: { name: `n${index}` },
    nodeAddresses: [machine.address],
    podCidr: `10.244.${index}.0/24`,
    nonMasqueradeCidrs: ['10.244.0.0/16'],
    servedHere: ['10.0.0.10'],
    onSynced: synced.resolve,
  }).finally(() => interactive[Symbol.dispose]())
  return { synced: synced.promise, ended, changed: () => applied.promise }
}

async function put(bench: ProxyBench, object: Service, backends: readonly TestPod[]): Promise<void> {
  const changed = bench.changed()
  const endpoints = backends.map((pod) => endpoint(pod.address, { nodeName: pod === bench.far ? 'n1' : 'n0' }))
  bench.caches.of(endpointSlices).put(slice(object.metadata.name, endpoints))
  bench.caches.of(services).put(object)
  await changed
}

async function answers(
  bench: ProxyBench,
  address: string,
  port: number,
  from?: string,
  times = 20,
): Promise<readonly string[]> {
  const seen = new Set<string>()
  for (let n = 0; n < times; n += 1) seen.add(await bench.ask(address, port, from))
  return [...seen].sort()
}

test('a cluster address spreads over the pods of both nodes, which see who asks', () =>
  withProxies(async (bench) => {
    await put(bench, service('web', { clusterIP: '10.0.0.80' }), [bench.near, bench.far])
    const who = bench.client.address
    assert.deepEqual(await answers(bench, '10.0.0.80', 80, bench.client.networkNamespace), [
      `far ${who}`,
      `near ${who}`,
    ])
    const node = bench.machines[0]
    assert.match(
      (await answers(bench, '10.0.0.80', 80, node.networkNamespace)).join(),
      /^far .*near /,
      'the node itself, too',
    )

    await put(bench, service('web', { clusterIP: '10.0.0.80' }), [bench.far])
    assert.deepEqual(await answers(bench, '10.0.0.80', 80, bench.client.networkNamespace), [`far ${who}`])
    assert.equal(await bench.ask('10.0.0.80', 81, bench.client.networkNamespace), '', 'a port that the service has not')
    await put(bench, service('web', { clusterIP: '10.0.0.80' }), [])
    assert.equal(await bench.ask('10.0.0.80', 80, bench.client.networkNamespace), '')
  }))

test('a pod reaches itself through its service', () =>
  withProxies(async (bench) => {
    await put(bench, service('web', { clusterIP: '10.0.0.80' }), [bench.near])
    assert.match(await bench.ask('10.0.0.80', 80, bench.near.networkNamespace), /^near /)
  }))

test('a node port leads to pods of other nodes, and with policy Local only to its own, which see the source', () =>
  withProxies(async (bench) => {
    const spec: Partial<Service['spec']> = {
      type: 'NodePort',
      clusterIP: '10.0.0.80',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', nodePort: 30080 }],
    }
    await put(bench, service('web', spec), [bench.near, bench.far])
    const [a, b] = bench.machines
    const seen = await answers(bench, b.address, 30080, a.networkNamespace)
    assert.deepEqual(
      seen.map((answer) => answer.split(' ')[0]),
      ['far', 'near'],
    )
    await put(bench, service('web', { ...spec, externalTrafficPolicy: 'Local' }), [bench.near, bench.far])
    assert.deepEqual(await answers(bench, b.address, 30080, a.networkNamespace), [`far ${a.address}`])
  }))

test('with ClientIP affinity a client stays with its pod until that pod goes', () =>
  withProxies(async (bench) => {
    const web = service('web', { clusterIP: '10.0.0.80', sessionAffinity: 'ClientIP' })
    await put(bench, web, [bench.near, bench.far])
    const [first, ...others] = await answers(bench, '10.0.0.80', 80, bench.client.networkNamespace)
    assert.deepEqual(others, [])
    const left = first!.startsWith('near') ? bench.far : bench.near
    await put(bench, web, [left])
    const [second, ...rest] = await answers(bench, '10.0.0.80', 80, bench.client.networkNamespace)
    assert.deepEqual(rest, [])
    assert.notEqual(second, first)
    await put(bench, web, [bench.near, bench.far])
    assert.deepEqual(await answers(bench, '10.0.0.80', 80, bench.client.networkNamespace), [second])
  }))

test('pods keep their address within the cluster and take the address of their node outside', () =>
  withProxies(async (bench) => {
    assert.equal(await bench.ask(bench.far.address, 8080, bench.client.networkNamespace), `far ${bench.client.address}`)
    await bench.listen(bench.machines[1].networkNamespace, '0.0.0.0', 9000, 'node')
    const seen = await bench.ask(bench.machines[1].address, 9000, bench.client.networkNamespace)
    assert.equal(seen, `node ${bench.machines[0].address}`)
  }))
