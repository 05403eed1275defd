// Daemon sets on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { controllerRevisions, daemonSets, events, nodes, pods } from '@aksel/api/resources'
import type { DaemonSet } from '@aksel/api/types/apps-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops, NodeRules } from '../testing/cluster.ts'
import { readyNode, template } from '../testing/objects.ts'
import { daemonSetController } from './controller.ts'
import { targetNodeOf } from './placement.ts'

const loops: MakeLoops = (parts) => [daemonSetController(parts)]
const rules: NodeRules = { node: (pod) => targetNodeOf(pod)! }

function newSet(spec: Partial<DaemonSet['spec']> = {}): DaemonSet {
  return {
    metadata: { name: 'agent', namespace: 'shop' },
    spec: { selector: { matchLabels: { app: 'agent' } }, template: template('agent'), ...spec },
  }
}

async function withNodes(cluster: TestCluster, ...names: readonly string[]): Promise<void> {
  for (const name of names) await cluster.client.create(nodes, readyNode(name, '10.0.0.1'))
}

function placed(cluster: TestCluster): readonly string[] {
  return cluster
    .all(pods)
    .map((pod) => `${targetNodeOf(pod)} ${imageOf(pod)}`)
    .toSorted()
}

function imageOf({ spec }: Pod): string {
  return spec.containers[0]!.image!
}

function setImage(cluster: TestCluster, image: string): void {
  cluster.client.change(daemonSets, 'shop/agent', (draft) => {
    draft.spec.template.spec!.containers[0]!.image = image
  })
}

test('a daemon set follows nodes that come, change and go', async () => {
  await using cluster = new TestCluster(loops)
  await withNodes(cluster, 'a', 'b')
  cluster.start()
  const spec = template('agent')
  await cluster.client.create(
    daemonSets,
    newSet({ template: { ...spec, spec: { ...spec.spec!, nodeSelector: { role: 'worker' } } } }),
  )
  await cluster.still(rules)
  assert.deepEqual(placed(cluster), [])
  for (const name of ['a', 'b']) {
    cluster.client.change(nodes, name, (draft) => {
      draft.metadata.labels = { role: 'worker' }
    })
  }
  await cluster.still(rules)
  assert.deepEqual(placed(cluster), ['a web:1', 'b web:1'])
  const { status } = cluster.client.peek(daemonSets, 'shop/agent')!
  assert.deepEqual(
    [status!.desiredNumberScheduled, status!.numberReady, status!.numberAvailable, status!.updatedNumberScheduled],
    [2, 2, 2, 2],
  )
  cluster.client.change(nodes, 'a', (draft) => {
    draft.metadata.labels = {}
  })
  await cluster.still(rules)
  assert.deepEqual(placed(cluster), ['b web:1'])
})

test('a daemon set updates node by node, keeps its revisions, and one made anew is not made twice', async () => {
  await using cluster = new TestCluster(loops)
  await withNodes(cluster, 'a', 'b', 'c')
  cluster.start()
  await cluster.client.create(daemonSets, newSet())
  await cluster.still(rules)
  let missingMax = 0
  setImage(cluster, 'web:2')
  for (let step = 0; step < 30; step += 1) {
    await cluster.clock.run(1000)
    missingMax = Math.max(missingMax, 3 - cluster.all(pods).filter(({ status }) => status?.phase === 'Running').length)
    cluster.runPods(rules)
  }
  assert.equal(missingMax, 1)
  assert.deepEqual(placed(cluster), ['a web:2', 'b web:2', 'c web:2'])
  setImage(cluster, 'web:1')
  await cluster.still(rules)
  assert.deepEqual(placed(cluster), ['a web:1', 'b web:1', 'c web:1'])
  assert.deepEqual(
    cluster
      .all(controllerRevisions)
      .map(({ revision }) => revision)
      .toSorted((left, right) => left - right),
    [2, 3],
  )
})

test('a daemon set that updates on delete waits for someone to delete its pods', async () => {
  await using cluster = new TestCluster(loops)
  await withNodes(cluster, 'a', 'b')
  cluster.start()
  await cluster.client.create(daemonSets, newSet({ updateStrategy: { type: 'OnDelete' } }))
  await cluster.still(rules)
  setImage(cluster, 'web:2')
  await cluster.still(rules)
  assert.deepEqual(placed(cluster), ['a web:1', 'b web:1'])
  await cluster.client.delete(pods, cluster.all(pods).find((pod) => targetNodeOf(pod) === 'a')!.metadata)
  await cluster.still(rules)
  assert.deepEqual(placed(cluster), ['a web:2', 'b web:1'])
})

test('a failed daemon is replaced, later and later while it goes on failing', async () => {
  await using cluster = new TestCluster(loops)
  await withNodes(cluster, 'a')
  cluster.start()
  await cluster.client.create(daemonSets, newSet())
  const replacedAtS: number[] = []
  let last = ''
  for (let second = 0; second < 40; second += 1) {
    await cluster.clock.run(1000)
    for (const pod of cluster.all(pods)) {
      if (pod.metadata.name !== last) replacedAtS.push(second)
      last = pod.metadata.name
      if (pod.status?.phase === 'Pending') {
        cluster.client.change(pods, `shop/${last}`, (draft) => {
          draft.spec.nodeName = 'a'
          draft.status!.phase = 'Failed'
        })
      }
    }
  }
  assert.ok(replacedAtS.length >= 4 && replacedAtS.length < 8, String(replacedAtS))
  const told = cluster.all(events).find(({ reason }) => reason === 'FailedDaemonPod')
  assert.match(told!.message!, /^Found failed daemon pod shop\/agent-\w+ on node a, will try to kill it$/)
})

test('no kill leaves a node with two daemons, or without one, in the middle of an update', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await withNodes(cluster, 'a', 'b')
      await cluster.client.create(daemonSets, newSet())
      await cluster.still(rules)
      setImage(cluster, 'web:2')
      await cluster.still(rules)
    },
    (cluster, kill) => assert.deepEqual(placed(cluster), ['a web:2', 'b web:2'], `killed after write ${kill}`),
    rules,
  )
  assert.ok(kills > 8)
})
