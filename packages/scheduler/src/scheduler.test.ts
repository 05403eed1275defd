// The scheduler against an API in memory: it binds, explains what it cannot bind, and does not talk to itself.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, nodes, pods } from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { createCaches } from '@aksel/runtime/caches'
import type { Caches } from '@aksel/runtime/controller'
import { FakeClient } from '@aksel/testing/fake-client'
import { settled } from '@aksel/testing/simulated-clock'
import { testScope } from '@aksel/testing/test-scope'
import { createScheduler } from './scheduler.ts'

const node = (name: string, cpu: string): Node => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': name } },
  spec: {},
  status: { allocatable: { cpu, memory: '4Gi', pods: '10' } },
})

const pod = (name: string, cpu: string): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }] },
})

async function withScheduler(work: (client: FakeClient, caches: Caches) => Promise<void>): Promise<void> {
  using scope = testScope()
  const client = new FakeClient(scope)
  await using caches = createCaches(scope, client)
  const running = createScheduler(scope, { client, caches }).run()
  running.catch(() => {})
  await settled()
  await work(client, caches)
}

/** The pod as soon as it is so. */
function seen(caches: Caches, isSo: (pod: Pod) => boolean): Promise<Pod> {
  const { promise, resolve } = Promise.withResolvers<Pod>()
  const subscription = caches.of(pods).subscribe((now) => (now !== undefined && isSo(now) ? resolve(now) : undefined))
  return promise.finally(() => subscription[Symbol.dispose]())
}

test('a pod that fits nowhere is explained once, and bound as soon as a node can take it', () =>
  withScheduler(async (client, caches) => {
    await client.create(nodes, node('small', '1'))
    await client.create(pods, pod('big', '2'))
    const waiting = await seen(
      caches,
      ({ status }) => status?.conditions?.some(({ type }) => type === 'PodScheduled') === true,
    )
    const condition = waiting.status?.conditions?.find(({ type }) => type === 'PodScheduled')
    assert.equal(condition?.reason, 'Unschedulable')
    assert.match(condition?.message ?? '', /^0\/1 nodes are available: 1 Insufficient cpu\./)
    await settled()
    const failures = (await client.list(events)).items.filter(({ reason }) => reason === 'FailedScheduling')
    assert.deepEqual(
      failures.map(({ count }) => count),
      [1],
    )
    await client.create(nodes, node('large', '4'))
    assert.equal((await seen(caches, ({ spec }) => (spec.nodeName ?? '') !== '')).spec.nodeName, 'large')
  }))

test('pods bound one after the other never take more than a node has', () =>
  withScheduler(async (client) => {
    await client.create(nodes, node('a', '2'))
    for (const name of ['p1', 'p2', 'p3']) await client.create(pods, pod(name, '1'))
    await settled()
    const placed = (await client.list(pods)).items.filter(({ spec }) => spec.nodeName === 'a')
    assert.equal(placed.length, 2)
  }))

test('a more important pod takes the place of others, which hear why', () =>
  withScheduler(async (client, caches) => {
    await client.create(nodes, node('a', '2'))
    for (const name of ['p1', 'p2']) await client.create(pods, pod(name, '1'))
    await settled()
    const important = pod('vip', '2')
    await client.create(pods, { ...important, spec: { ...important.spec, priority: 1000 } })
    await seen(caches, ({ metadata, status }) => metadata.name === 'vip' && status?.nominatedNodeName === 'a')
    await settled()
    // A simulated node would remove what is asked to go: here the test does.
    for (const name of ['p1', 'p2']) {
      const victim = client.peek(pods, `default/${name}`)
      assert.ok(victim?.metadata.deletionTimestamp, `${name} was not asked to go`)
      const condition = victim.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')
      assert.equal(condition?.reason, 'PreemptionByScheduler')
      await client.delete(pods, { namespace: 'default', name }, { gracePeriodSeconds: 0 })
    }
    const placed = await seen(caches, ({ metadata, spec }) => metadata.name === 'vip' && (spec.nodeName ?? '') !== '')
    assert.equal(placed.spec.nodeName, 'a')
    const told = (await client.list(events)).items.filter(({ reason }) => reason === 'Preempted')
    assert.equal(told.length, 2)
  }))

test('a place that was promised is not taken by a pod of lower priority', () =>
  withScheduler(async (client, caches) => {
    await client.create(nodes, node('a', '2'))
    await client.create(pods, pod('p1', '2'))
    await settled()
    const important = pod('vip', '2')
    await client.create(pods, { ...important, spec: { ...important.spec, priority: 1000 } })
    await seen(caches, ({ metadata, status }) => metadata.name === 'vip' && status?.nominatedNodeName === 'a')
    await client.create(pods, pod('late', '1'))
    await settled()
    await client.delete(pods, { namespace: 'default', name: 'p1' }, { gracePeriodSeconds: 0 })
    await seen(caches, ({ metadata, spec }) => metadata.name === 'vip' && spec.nodeName === 'a')
    await settled()
    assert.equal(client.peek(pods, 'default/late')?.spec.nodeName, undefined)
  }))

test('a pod whose promise goes to a more important one makes room elsewhere', () =>
  withScheduler(async (client, caches) => {
    await client.create(nodes, node('a', '2'))
    await client.create(nodes, node('b', '2'))
    const asking = (name: string, priority: number, more: Partial<Pod['spec']> = {}): Pod => {
      const asked = pod(name, '2')
      return { ...asked, spec: { ...asked.spec, priority, ...more } }
    }
    const promised = (name: string, nodeName: string): Promise<Pod> =>
      seen(caches, ({ metadata, status }) => metadata.name === name && status?.nominatedNodeName === nodeName)
    // The one on b is more important, so that a is chosen first.
    await client.create(pods, asking('low', 1, { nodeName: 'a' }))
    await client.create(pods, asking('mid', 5, { nodeName: 'b' }))
    const first = promised('first', 'a')
    await client.create(pods, asking('first', 10))
    await first
    const [second, elsewhere] = [promised('second', 'a'), promised('first', 'b')]
    await client.create(pods, asking('second', 20, { nodeSelector: { 'kubernetes.io/hostname': 'a' } }))
    await Promise.all([second, elsewhere])
  }))

test('a promise that cannot be kept is room for those who wait', () =>
  withScheduler(async (client, caches) => {
    await client.create(nodes, node('a', '2'))
    await client.create(pods, pod('p1', '2'))
    await settled()
    const vip = pod('vip', '2')
    const nominated = seen(caches, ({ status }) => status?.nominatedNodeName === 'a')
    await client.create(pods, { ...vip, spec: { ...vip.spec, priority: 1000 } })
    await nominated
    await client.create(pods, pod('late', '1'))
    await settled()
    // When its victim is gone, it can have the place no more.
    client.change(pods, 'default/vip', (draft) => (draft.spec.nodeSelector = { no: 'such' }))
    await settled()
    assert.equal(client.peek(pods, 'default/late')?.spec.nodeName, undefined)
    const taken = seen(caches, ({ metadata, spec }) => metadata.name === 'late' && spec.nodeName === 'a')
    await client.delete(pods, { namespace: 'default', name: 'p1' }, { gracePeriodSeconds: 0 })
    await taken
  }))

test('a gated pod waits for its gates, and pods of other schedulers are left alone', () =>
  withScheduler(async (client, caches) => {
    await client.create(nodes, node('a', '2'))
    const gated = pod('gated', '1')
    await client.create(pods, { ...gated, spec: { ...gated.spec, schedulingGates: [{ name: 'x/y' }] } })
    const foreign = pod('foreign', '1')
    await client.create(pods, { ...foreign, spec: { ...foreign.spec, schedulerName: 'other' } })
    await settled()
    assert.equal(client.peek(pods, 'default/gated')?.spec.nodeName, undefined)
    client.change(pods, 'default/gated', (draft) => (draft.spec.schedulingGates = []))
    await seen(caches, ({ metadata, spec }) => metadata.name === 'gated' && spec.nodeName === 'a')
    assert.equal(client.peek(pods, 'default/foreign')?.spec.nodeName, undefined)
  }))
