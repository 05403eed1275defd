// Disruption budgets on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deployments, events, podDisruptionBudgets, pods, replicationControllers } from '@aksel/api/resources'
import type { ResourceType } from '@aksel/api/resource'
import type { PodDisruptionBudget, PodDisruptionBudgetSpec } from '@aksel/api/types/policy-v1'
import { formatTime } from '@aksel/base/clock'
import { deploymentController } from '../deployment/controller.ts'
import { replicaSetController } from '../replica-set/controller.ts'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newDeployment, newPod } from '../testing/objects.ts'
import { disruptionController } from './controller.ts'

const loops: MakeLoops = (parts) => [
  deploymentController(parts),
  replicaSetController(parts),
  disruptionController(parts),
]

function newBudget(spec: PodDisruptionBudgetSpec): PodDisruptionBudget {
  return {
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  }
}

function budgetIn(cluster: TestCluster): PodDisruptionBudget {
  return cluster.client.peek(podDisruptionBudgets, 'shop/web')!
}

test('a budget follows its deployment through a rollout, and counts it once', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(podDisruptionBudgets, newBudget({ maxUnavailable: '50%' }))
  await cluster.client.create(deployments, newDeployment('web', { replicas: 4 }))
  await cluster.still()
  const { status } = budgetIn(cluster)
  assert.deepEqual([status!.expectedPods, status!.desiredHealthy, status!.disruptionsAllowed], [4, 2, 2])
  cluster.client.change(deployments, 'shop/web', (draft) => {
    draft.spec.template.spec!.containers[0]!.image = 'web:broken'
  })
  await cluster.still({ ready: ({ spec }) => spec.containers[0]!.image !== 'web:broken' })
  assert.equal(budgetIn(cluster).status!.expectedPods, 4)
  assert.equal(budgetIn(cluster).status!.currentHealthy, 3)
})

test('a budget over pods of a custom kind asks for its scale; over a kind without one it says why nothing may go', async () => {
  const robots: ResourceType = { group: 'ex.io', version: 'v1', kind: 'Robot', plural: 'robots', namespaced: true }
  for (const [kind, reason] of [
    ['Robot', 'SufficientPods'],
    ['Ghost', 'SyncFailed'],
  ] as const) {
    await using cluster = new TestCluster(loops)
    cluster.start()
    const spec = { spec: { replicas: 2 } }
    await cluster.client.create(robots, { metadata: { name: 'r', namespace: 'shop' }, ...spec })
    for (const name of ['a', 'b']) {
      const pod = newPod(name, {}, { app: 'web' })
      const owner = { apiVersion: 'ex.io/v1', kind, name: 'r', uid: 'u', controller: true }
      await cluster.client.create(pods, { ...pod, metadata: { ...pod.metadata, ownerReferences: [owner] } })
    }
    await cluster.client.create(podDisruptionBudgets, newBudget({ maxUnavailable: 1 }))
    for (let step = 0; step < 5; step += 1) {
      await cluster.clock.run(1000)
      cluster.runPods()
    }
    await cluster.clock.run(60_000)
    const condition = budgetIn(cluster).status!.conditions![0]!
    assert.equal(condition.reason, reason)
    if (kind === 'Ghost') assert.equal(condition.message, 'ghosts.ex.io does not implement the scale subresource')
  }
})

test('pods without a workload are told, and counted where a number of them is to stay', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(pods, newPod('a', {}, { app: 'web' }))
  await cluster.client.create(podDisruptionBudgets, newBudget({ maxUnavailable: 1 }))
  await cluster.still()
  assert.equal(budgetIn(cluster).status!.expectedPods, 0)
  assert.ok(cluster.all(events).some(({ reason }) => reason === 'UnmanagedPods'))
  cluster.client.change(podDisruptionBudgets, 'shop/web', (draft) => {
    draft.spec = { selector: draft.spec.selector!, minAvailable: 1 }
  })
  await cluster.still()
  assert.deepEqual([budgetIn(cluster).status!.expectedPods, budgetIn(cluster).status!.disruptionsAllowed], [1, 0])
})

test('an evicted pod that stays is told and counts again, and a mark of disruption goes after two minutes', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(pods, newPod('a', {}, { app: 'web' }))
  await cluster.client.create(podDisruptionBudgets, newBudget({ minAvailable: 1 }))
  await cluster.still()
  const now = formatTime(cluster.clock.now())
  cluster.client.change(podDisruptionBudgets, 'shop/web', (draft) => {
    draft.status!.disruptedPods = { a: now }
  })
  cluster.client.change(pods, 'shop/a', (draft) => {
    draft.status!.conditions!.push({ type: 'DisruptionTarget', status: 'True', lastTransitionTime: now })
  })
  await cluster.clock.run(60_000)
  assert.equal(budgetIn(cluster).status!.currentHealthy, 0)
  await cluster.clock.run(70_000)
  assert.deepEqual([budgetIn(cluster).status!.currentHealthy, budgetIn(cluster).status!.disruptedPods], [1, undefined])
  assert.ok(cluster.all(events).some(({ reason }) => reason === 'NotDeleted'))
  const mark = cluster.client.peek(pods, 'shop/a')!.status!.conditions!.find(({ type }) => type === 'DisruptionTarget')
  assert.equal(mark!.status, 'False')
})

test('no kill leaves a budget with a wrong count', async () => {
  const kills = await killEverywhere(
    (parts) => [disruptionController(parts)],
    async (cluster) => {
      await cluster.client.create(replicationControllers, {
        metadata: { name: 'rc', namespace: 'shop' },
        spec: { replicas: 2 },
      })
      const { uid } = cluster.client.peek(replicationControllers, 'shop/rc')!.metadata
      const owner = { apiVersion: 'v1', kind: 'ReplicationController', name: 'rc', uid: uid!, controller: true }
      await cluster.client.create(podDisruptionBudgets, newBudget({ maxUnavailable: 1 }))
      for (const name of ['a', 'b']) {
        const pod = newPod(name, {}, { app: 'web' })
        await cluster.client.create(pods, { ...pod, metadata: { ...pod.metadata, ownerReferences: [owner] } })
        await cluster.still()
      }
    },
    (cluster, kill) => assert.equal(budgetIn(cluster).status!.disruptionsAllowed, 1, `killed after write ${kill}`),
  )
  assert.ok(kills > 3)
})
