// Nodes that fall silent, on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, leases, nodes, pods } from '@aksel/api/resources'
import { formatMicroTime } from '@aksel/base/clock'
import { podGcController } from '../pod-gc/controller.ts'
import { podCondition } from '../pod-facts.ts'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newPod, readyNode } from '../testing/objects.ts'
import { leaseNamespace, nodeLifecycleController } from './controller.ts'
import { taintEvictionController } from './evict.ts'

const loops: MakeLoops = (parts) => [
  nodeLifecycleController(parts),
  taintEvictionController(parts),
  podGcController(parts),
]

const tolerations = ['not-ready', 'unreachable'].map((name) => ({
  key: `node.kubernetes.io/${name}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
}))

function beat(cluster: TestCluster, ...names: readonly string[]): void {
  for (const name of names) {
    const renewTime = formatMicroTime(cluster.clock.now())
    cluster.client.put(leases, {
      metadata: { name, namespace: leaseNamespace },
      spec: { holderIdentity: name, renewTime },
    })
  }
}

async function runFor(cluster: TestCluster, ms: number, ...living: readonly string[]): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 10_000) {
    beat(cluster, ...living)
    await cluster.clock.run(10_000)
  }
}

async function twoNodes(cluster: TestCluster): Promise<void> {
  cluster.start()
  await furnish(cluster)
}

async function furnish(cluster: TestCluster): Promise<void> {
  for (const name of ['node-1', 'node-2']) cluster.client.put(nodes, readyNode(name, '10.224.0.4'))
  beat(cluster, 'node-1', 'node-2')
  await cluster.client.create(pods, newPod('web', { nodeName: 'node-1', tolerations }))
  cluster.run(cluster.client.peek(pods, 'shop/web')!, true)
  await cluster.clock.run(1)
}

function ready(cluster: TestCluster, name: string): readonly (string | undefined)[] {
  const found = cluster.client.peek(nodes, name)!.status!.conditions!.find(({ type }) => type === 'Ready')!
  return [found.status, found.reason]
}

function taints(cluster: TestCluster, name: string): readonly string[] {
  return (cluster.client.peek(nodes, name)!.spec!.taints ?? []).map(({ key, effect }) => `${key}:${effect}`)
}

test('a node that renews its lease stays ready, and nothing is written', async () => {
  await using cluster = new TestCluster(loops)
  await twoNodes(cluster)
  const before = cluster.client.peek(nodes, 'node-1')!.metadata.resourceVersion
  await runFor(cluster, 600_000, 'node-1', 'node-2')
  assert.equal(cluster.client.peek(nodes, 'node-1')!.metadata.resourceVersion, before)
})

test('a silent node becomes Unknown after its grace, is tainted, and its pods count as not ready', async () => {
  await using cluster = new TestCluster(loops)
  await twoNodes(cluster)
  await runFor(cluster, 30_000, 'node-2')
  assert.deepEqual(ready(cluster, 'node-1'), ['True', 'KubeletReady'])
  await runFor(cluster, 20_000, 'node-2')
  assert.deepEqual(ready(cluster, 'node-1'), ['Unknown', 'NodeStatusUnknown'])
  assert.deepEqual(taints(cluster, 'node-1'), [
    'node.kubernetes.io/unreachable:NoSchedule',
    'node.kubernetes.io/unreachable:NoExecute',
  ])
  assert.equal(podCondition(cluster.client.peek(pods, 'shop/web')!, 'Ready')!.status, 'False')
  assert.deepEqual(taints(cluster, 'node-2'), [])
  assert.ok(cluster.all(events).some(({ reason }) => reason === 'NodeNotReady'))
})

test('pods of a lost node are deleted when their toleration ends, and vanish when the node is gone', async () => {
  await using cluster = new TestCluster(loops)
  await twoNodes(cluster)
  await runFor(cluster, 330_000, 'node-2')
  assert.equal(cluster.client.peek(pods, 'shop/web')!.metadata.deletionTimestamp, undefined)
  await runFor(cluster, 20_000, 'node-2')
  const leaving = cluster.client.peek(pods, 'shop/web')!
  assert.ok(leaving.metadata.deletionTimestamp)
  assert.equal(podCondition(leaving, 'DisruptionTarget')!.reason, 'DeletionByTaintManager')
  await runFor(cluster, 120_000, 'node-2')
  assert.ok(cluster.client.peek(pods, 'shop/web'))
  await cluster.client.delete(nodes, { name: 'node-1' })
  await runFor(cluster, 60_000, 'node-2')
  assert.equal(cluster.client.peek(pods, 'shop/web'), undefined)
})

test('a node that comes back in time loses its taints and keeps its pods', async () => {
  await using cluster = new TestCluster(loops)
  await twoNodes(cluster)
  await runFor(cluster, 60_000, 'node-2')
  cluster.client.put(nodes, readyNode('node-1', '10.224.0.4'))
  await runFor(cluster, 600_000, 'node-1', 'node-2')
  assert.deepEqual(taints(cluster, 'node-1'), [])
  assert.equal(cluster.client.peek(pods, 'shop/web')!.metadata.deletionTimestamp, undefined)
})

test('with every node silent no pod is driven off', async () => {
  await using cluster = new TestCluster(loops)
  await twoNodes(cluster)
  await runFor(cluster, 1_200_000)
  assert.deepEqual(taints(cluster, 'node-1'), ['node.kubernetes.io/unreachable:NoSchedule'])
  assert.equal(cluster.client.peek(pods, 'shop/web')!.metadata.deletionTimestamp, undefined)
})

test('a process that slept does not take the nodes for silent', async () => {
  await using cluster = new TestCluster(loops)
  await twoNodes(cluster)
  // The leases were renewed while the process could not look; its timers fire before its watches tell.
  cluster.clock.advance(300_000)
  beat(cluster, 'node-1', 'node-2')
  await cluster.clock.run(1)
  assert.deepEqual(ready(cluster, 'node-1'), ['True', 'KubeletReady'])
})

test('a pod without a toleration leaves at once, one that tolerates without end stays', async () => {
  await using cluster = new TestCluster(loops)
  await twoNodes(cluster)
  await cluster.client.create(pods, newPod('plain', { nodeName: 'node-1' }))
  await cluster.client.create(pods, newPod('daemon', { nodeName: 'node-1', tolerations: [{ operator: 'Exists' }] }))
  await runFor(cluster, 60_000, 'node-2')
  assert.ok(cluster.client.peek(pods, 'shop/plain')!.metadata.deletionTimestamp)
  assert.equal(cluster.client.peek(pods, 'shop/daemon')!.metadata.deletionTimestamp, undefined)
})

test('a cordoned node is tainted, and an uncordoned one no more', async () => {
  await using cluster = new TestCluster(loops)
  await twoNodes(cluster)
  cluster.client.change(nodes, 'node-2', (draft) => {
    draft.spec!.unschedulable = true
  })
  await cluster.clock.run(1000)
  assert.deepEqual(taints(cluster, 'node-2'), ['node.kubernetes.io/unschedulable:NoSchedule'])
  cluster.client.change(nodes, 'node-2', (draft) => {
    delete draft.spec!.unschedulable
  })
  await cluster.clock.run(1000)
  assert.deepEqual(taints(cluster, 'node-2'), [])
})

test('no kill keeps the pods of a lost node in place, or leaves one behind when the node is gone', async () => {
  const loseNode = async (cluster: TestCluster): Promise<void> => {
    await runFor(cluster, 400_000, 'node-2')
    if (cluster.client.peek(nodes, 'node-1') !== undefined) await cluster.client.delete(nodes, { name: 'node-1' })
    await runFor(cluster, 100_000, 'node-2')
  }
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await furnish(cluster)
      await loseNode(cluster)
    },
    (cluster, kill) => {
      assert.equal(cluster.client.peek(pods, 'shop/web'), undefined, `killed after write ${kill}`)
      assert.deepEqual(taints(cluster, 'node-2'), [], `killed after write ${kill}`)
    },
    {},
    loseNode,
  )
  assert.ok(kills > 6, String(kills))
})

test('a pod leaves its time after a taint whose maker names no time, as kubectl does, and stays when the taint goes', async () => {
  await using cluster = new TestCluster(loops)
  await twoNodes(cluster)
  const key = 'example.com/maintenance'
  const tolerating = (tolerationSeconds: number) => [
    { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds },
  ]
  for (const [name, seconds] of [
    ['short', 20],
    ['long', 60],
  ] as const) {
    await cluster.client.create(pods, newPod(name, { nodeName: 'node-1', tolerations: tolerating(seconds) }))
    cluster.run(cluster.client.peek(pods, `shop/${name}`)!, true)
  }
  const setTaints = (taints: readonly object[]): void => {
    const node = cluster.client.peek(nodes, 'node-1')!
    cluster.client.put(nodes, { ...node, spec: { ...node.spec, taints: taints as never } })
  }
  setTaints([{ key, effect: 'NoExecute' }])
  await runFor(cluster, 30_000, 'node-1', 'node-2')
  const isLeaving = (name: string): boolean =>
    cluster.client.peek(pods, `shop/${name}`)?.metadata.deletionTimestamp !== undefined ||
    cluster.client.peek(pods, `shop/${name}`) === undefined
  assert.deepEqual([isLeaving('short'), isLeaving('long')], [true, false])
  setTaints([])
  await runFor(cluster, 60_000, 'node-1', 'node-2')
  assert.equal(isLeaving('long'), false)
})

/** Nodes `z-1`, `z-2`, … in zones `z`, all of which live at first. */
async function zoned(cluster: TestCluster, counts: Readonly<Record<string, number>>): Promise<readonly string[]> {
  const names: string[] = []
  for (const [zone, count] of Object.entries(counts))
    for (let index = 1; index <= count; index += 1) {
      const name = `${zone}-${index}`
      const { metadata, ...rest } = readyNode(name, '10.224.0.4')
      cluster.client.put(nodes, { ...rest, metadata: { ...metadata, labels: { 'topology.kubernetes.io/zone': zone } } })
      names.push(name)
    }
  beat(cluster, ...names)
  await cluster.clock.run(1)
  return names
}

/** The node itself says that it is well. */
function revive(cluster: TestCluster, name: string): void {
  cluster.client.change(nodes, name, (draft) => {
    for (const condition of draft.status!.conditions!) condition.status = condition.type === 'Ready' ? 'True' : 'False'
  })
}

function drivenOff(cluster: TestCluster): readonly string[] {
  return cluster
    .all(nodes)
    .map(({ metadata }) => metadata.name)
    .filter((name) => taints(cluster, name).includes('node.kubernetes.io/unreachable:NoExecute'))
}

test('a lost zone loses its pods node by node, at its own pace', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const names = await zoned(cluster, { a: 4, b: 3 })
  const living = names.filter((name) => name.startsWith('b'))
  await runFor(cluster, 40_000, ...living)
  await cluster.clock.run(5000)
  assert.equal(drivenOff(cluster).length, 1)
  await runFor(cluster, 10_000, ...living)
  assert.equal(drivenOff(cluster).length, 2)
  await runFor(cluster, 20_000, ...living)
  assert.deepEqual(drivenOff(cluster), ['a-1', 'a-2', 'a-3', 'a-4'])
})

test('a small zone of which half is lost keeps its pods until it is well or lost', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await zoned(cluster, { a: 5, b: 1 })
  await runFor(cluster, 120_000, 'a-1', 'a-2', 'b-1')
  // One was lost before it showed that it was more.
  const begun = drivenOff(cluster)
  assert.ok(begun.length <= 1, begun.join())
  assert.equal(ready(cluster, 'a-3')[0], 'Unknown')
  for (const name of ['a-3', 'a-4']) revive(cluster, name)
  await runFor(cluster, 60_000, 'a-1', 'a-2', 'a-3', 'a-4', 'b-1')
  assert.deepEqual(drivenOff(cluster), ['a-5'])
})

test('after all nodes were silent, those that are silent still have their grace again, and one that goes is told', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await zoned(cluster, { a: 2, b: 1 })
  await runFor(cluster, 60_000)
  assert.deepEqual(drivenOff(cluster), [])
  revive(cluster, 'b-1')
  await runFor(cluster, 60_000, 'b-1')
  assert.equal(drivenOff(cluster).length, 2)
  await cluster.client.delete(nodes, { name: 'a-1' })
  await cluster.clock.run(1000)
  const last = cluster.all(events).find(({ reason }) => reason === 'RemovingNode')
  assert.equal(last?.message, 'Node a-1 event: Removing Node a-1 from Controller')
})
