// Quotas on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deployments, pods, resourceQuotas, secrets } from '@aksel/api/resources'
import type { ResourceQuota } from '@aksel/api/types/core-v1'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newDeployment, newPod } from '../testing/objects.ts'
import { resourceQuotaController } from './controller.ts'

const loops: MakeLoops = (parts) => [resourceQuotaController(parts)]

function newQuota(hard: Readonly<Record<string, string>>): ResourceQuota {
  return { metadata: { name: 'team', namespace: 'shop' }, spec: { hard } }
}

function used(cluster: TestCluster): object {
  return cluster.client.peek(resourceQuotas, 'shop/team')!.status!.used!
}

const asking = { containers: [{ name: 'c', resources: { requests: { memory: '256Mi' } } }] }

test('a quota counts what is there, follows what comes and goes, and a changed limit', async () => {
  await using cluster = new TestCluster(loops)
  await cluster.client.create(pods, newPod('a', asking))
  cluster.start()
  await cluster.client.create(resourceQuotas, newQuota({ pods: '5', 'requests.memory': '1Gi', secrets: '2' }))
  await cluster.still()
  assert.deepEqual(used(cluster), { pods: '1', 'requests.memory': '256Mi', secrets: '0' })
  await cluster.client.create(pods, newPod('b', asking))
  await cluster.client.create(secrets, { metadata: { name: 's', namespace: 'shop' } })
  await cluster.client.create(secrets, { metadata: { name: 's', namespace: 'elsewhere' } })
  await cluster.still()
  // Admission counts what comes, and the loop now and then what is there.
  assert.deepEqual(used(cluster), { pods: '1', 'requests.memory': '256Mi', secrets: '0' })
  await cluster.clock.run(300_000)
  assert.deepEqual(used(cluster), { pods: '2', 'requests.memory': '512Mi', secrets: '1' })
  cluster.finish(cluster.client.peek(pods, 'shop/a')!, 0)
  cluster.client.change(resourceQuotas, 'shop/team', (draft) => {
    draft.spec!.hard = { pods: '9' }
  })
  await cluster.still()
  assert.deepEqual(cluster.client.peek(resourceQuotas, 'shop/team')!.status, {
    hard: { pods: '9' },
    used: { pods: '1' },
  })
})

test('a quota on the number of any kind counts it from its first quota on', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(deployments, newDeployment('web'))
  await cluster.client.create(resourceQuotas, newQuota({ 'count/deployments.apps': '5', 'count/ghosts.ex.io': '1' }))
  await cluster.clock.run(1000)
  assert.deepEqual(used(cluster), { 'count/deployments.apps': '1' })
  await cluster.client.create(deployments, newDeployment('api'))
  await cluster.clock.run(300_000)
  assert.deepEqual(used(cluster), { 'count/deployments.apps': '2' })
  const ghosts = { group: 'ex.io', version: 'v1', kind: 'Ghost', plural: 'ghosts', namespaced: true }
  await cluster.client.create(ghosts, { metadata: { name: 'g', namespace: 'shop' } })
  await cluster.clock.run(60_000)
  assert.deepEqual(used(cluster), { 'count/deployments.apps': '2', 'count/ghosts.ex.io': '1' })
})

test('what admission granted and is not there yet is not taken back when something else comes', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(resourceQuotas, newQuota({ secrets: '4' }))
  await cluster.still()
  const grant = (amount: string): void => {
    cluster.client.change(resourceQuotas, 'shop/team', (draft) => {
      draft.status!.used = { secrets: amount }
    })
  }
  grant('1')
  grant('2')
  await cluster.client.create(secrets, { metadata: { name: 'first', namespace: 'shop' } })
  await cluster.still()
  assert.deepEqual(used(cluster), { secrets: '2' })
  await cluster.client.create(secrets, { metadata: { name: 'second', namespace: 'shop' } })
  await cluster.client.delete(secrets, { namespace: 'shop', name: 'first' })
  await cluster.still()
  assert.deepEqual(used(cluster), { secrets: '1' })
})

test('no kill leaves a quota with a wrong sum', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(resourceQuotas, newQuota({ pods: '5' }))
      for (const name of ['a', 'b', 'c']) {
        await cluster.client.create(pods, newPod(name))
        await cluster.still()
        await cluster.clock.run(300_000)
      }
    },
    (cluster, kill) => assert.deepEqual(used(cluster), { pods: '3' }, `killed after write ${kill}`),
  )
  assert.ok(kills >= 3)
})
