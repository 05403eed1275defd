// Whole rollouts on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deployments, events, pods, replicaSets } from '@aksel/api/resources'
import type { Deployment } from '@aksel/api/types/apps-v1'
import { isReady } from '../pod-facts.ts'
import { replicaSetController } from '../replica-set/controller.ts'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newDeployment, template } from '../testing/objects.ts'
import { deploymentController } from './controller.ts'
import { conditionOf } from './status.ts'

const loops: MakeLoops = (parts) => [deploymentController(parts), replicaSetController(parts)]
const key = 'shop/web'

function setImage(cluster: TestCluster, image: string): void {
  cluster.client.change(deployments, key, (draft) => {
    draft.spec.template.spec!.containers[0]!.image = image
  })
}

function web(cluster: TestCluster): Deployment {
  return cluster.client.peek(deployments, key)!
}

function sizes(cluster: TestCluster): Record<string, number> {
  return Object.fromEntries(
    cluster.all(replicaSets).map(({ spec }) => [spec.template!.spec!.containers[0]!.image!, spec.replicas!]),
  )
}

function runningImages(cluster: TestCluster): readonly string[] {
  return cluster
    .all(pods)
    .map(({ spec }) => spec.containers[0]!.image!)
    .toSorted()
}

test('a new deployment gets one replica set, its pods, and a status that says it is available', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(deployments, newDeployment('web'))
  await cluster.still()
  const [set, ...others] = cluster.all(replicaSets)
  assert.equal(others.length, 0)
  assert.equal(cluster.all(pods).length, 3)
  const hash = set!.metadata.labels!['pod-template-hash']!
  assert.match(hash, /^[bcdfghjklmnpqrstvwxz2456789]{8,10}$/)
  assert.equal(set!.metadata.name, `web-${hash}`)
  assert.equal(set!.spec.selector.matchLabels!['pod-template-hash'], hash)
  assert.match(cluster.all(pods)[0]!.metadata.name, new RegExp(`^web-${hash}-[a-z0-9]{5}$`))
  assert.equal(web(cluster).metadata.annotations!['deployment.kubernetes.io/revision'], '1')
  const { status } = web(cluster)
  assert.deepEqual(
    [
      status!.replicas,
      status!.updatedReplicas,
      status!.readyReplicas,
      status!.availableReplicas,
      status!.unavailableReplicas,
    ],
    [3, 3, 3, 3, undefined],
  )
  assert.equal(conditionOf(status, 'Progressing')?.reason, 'NewReplicaSetAvailable')
  assert.equal(conditionOf(status, 'Available')?.reason, 'MinimumReplicasAvailable')
  const messages = cluster.all(events).map(({ reason, message }) => `${reason}: ${message}`)
  assert.ok(messages.includes(`ScalingReplicaSet: Scaled up replica set web-${hash} from 0 to 3`), messages.join('\n'))
})

test('a rolling update never goes above the surge nor below the availability that it promises', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2, maxUnavailable: 1 } }
  await cluster.client.create(deployments, newDeployment('web', { replicas: 6, strategy }))
  await cluster.still()
  let most = 0
  let fewest = 6
  setImage(cluster, 'web:2')
  for (let step = 0; step < 60; step += 1) {
    await cluster.clock.run(100)
    const living = cluster.all(pods).filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    most = Math.max(most, living.length)
    fewest = Math.min(fewest, living.filter(isReady).length)
    cluster.runPods()
  }
  assert.deepEqual({ most, fewest }, { most: 8, fewest: 5 })
  assert.deepEqual(sizes(cluster), { 'web:1': 0, 'web:2': 6 })
  assert.equal(web(cluster).metadata.annotations!['deployment.kubernetes.io/revision'], '2')
})

test('going back to an earlier template uses its replica set again, under a new revision', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(deployments, newDeployment('web'))
  await cluster.still()
  setImage(cluster, 'web:2')
  await cluster.still()
  setImage(cluster, 'web:1')
  await cluster.still()
  assert.deepEqual(sizes(cluster), { 'web:1': 3, 'web:2': 0 })
  assert.equal(cluster.all(replicaSets).length, 2)
  assert.equal(web(cluster).metadata.annotations!['deployment.kubernetes.io/revision'], '3')
  const first = cluster.all(replicaSets).find(({ spec }) => spec.replicas === 3)!
  assert.equal(first.metadata.annotations!['deployment.kubernetes.io/revision-history'], '1')
})

test('a rollout that does not come up stops at its limits and is told as stuck after its deadline', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(deployments, newDeployment('web', { replicas: 4, progressDeadlineSeconds: 60 }))
  await cluster.still()
  setImage(cluster, 'web:broken')
  const rules = {
    ready: (pod: { spec: { containers: readonly { image?: string }[] } }) =>
      pod.spec.containers[0]!.image !== 'web:broken',
  }
  await cluster.still(rules)
  assert.deepEqual(sizes(cluster), { 'web:1': 3, 'web:broken': 2 })
  assert.equal(conditionOf(web(cluster).status, 'Progressing')?.status, 'True')
  await cluster.clock.run(62_000)
  const stuck = conditionOf(web(cluster).status, 'Progressing')!
  assert.deepEqual([stuck.status, stuck.reason], ['False', 'ProgressDeadlineExceeded'])
  assert.match(stuck.message!, /^ReplicaSet "web-\w+" has timed out progressing\.$/)
})

test('scaling in the middle of a rollout shares the new size out', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } }
  await cluster.client.create(deployments, newDeployment('web', { replicas: 10, strategy }))
  await cluster.still()
  setImage(cluster, 'web:broken')
  const rules = {
    ready: (pod: { spec: { containers: readonly { image?: string }[] } }) =>
      pod.spec.containers[0]!.image !== 'web:broken',
  }
  await cluster.still(rules)
  assert.deepEqual(sizes(cluster), { 'web:1': 8, 'web:broken': 5 })
  cluster.client.change(deployments, key, (draft) => {
    draft.spec.replicas = 15
  })
  await cluster.still(rules)
  // The example of the Kubernetes documentation: 8 + 5 become 11 + 7.
  assert.deepEqual(sizes(cluster), { 'web:1': 11, 'web:broken': 7 })
})

test('Recreate has no new pod before the last old one is gone', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(deployments, newDeployment('web', { strategy: { type: 'Recreate' } }))
  await cluster.still()
  setImage(cluster, 'web:2')
  await cluster.clock.run(1000)
  assert.deepEqual(sizes(cluster), { 'web:1': 0 })
  assert.equal(cluster.all(pods).filter(({ metadata }) => metadata.deletionTimestamp !== undefined).length, 3)
  cluster.end(cluster.all(pods)[0]!)
  await cluster.clock.run(1000)
  assert.deepEqual(sizes(cluster), { 'web:1': 0 })
  await cluster.still()
  assert.deepEqual(runningImages(cluster), ['web:2', 'web:2', 'web:2'])
})

test('a paused deployment scales and does not roll, and rolls when it is resumed', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(deployments, newDeployment('web'))
  await cluster.still()
  cluster.client.change(deployments, key, (draft) => {
    draft.spec.paused = true
    draft.spec.replicas = 5
    draft.spec.template.spec!.containers[0]!.image = 'web:2'
  })
  await cluster.still()
  assert.deepEqual(sizes(cluster), { 'web:1': 5 })
  assert.equal(conditionOf(web(cluster).status, 'Progressing')?.reason, 'DeploymentPaused')
  cluster.client.change(deployments, key, (draft) => {
    draft.spec.paused = false
  })
  await cluster.still()
  assert.deepEqual(sizes(cluster), { 'web:1': 0, 'web:2': 5 })
})

test('old replica sets past the history limit are forgotten', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(deployments, newDeployment('web', { revisionHistoryLimit: 1 }))
  for (const image of ['web:2', 'web:3', 'web:4']) {
    await cluster.still()
    setImage(cluster, image)
  }
  await cluster.still()
  assert.deepEqual(sizes(cluster), { 'web:3': 0, 'web:4': 3 })
})

test('a replica set name that another template holds is passed by', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(deployments, newDeployment('web'))
  await cluster.still()
  const [set] = cluster.all(replicaSets)
  await cluster.stop()
  for (const each of cluster.all(pods)) cluster.end(each)
  cluster.objects.remove(replicaSets, `shop/${set!.metadata.name}`)
  cluster.client.put(replicaSets, {
    metadata: { name: set!.metadata.name, namespace: 'shop' },
    spec: { replicas: 0, selector: { matchLabels: { app: 'other' } }, template: template('other') },
  })
  cluster.start()
  await cluster.still()
  assert.equal(web(cluster).status?.collisionCount, 1)
  assert.equal(runningImages(cluster).length, 3)
})

test('at rest the loops write nothing and hold no timer', async () => {
  await using cluster = new TestCluster(loops)
  const client = cluster.start()
  await cluster.client.create(deployments, newDeployment('web'))
  await cluster.still()
  const writes = client.writes.length
  await cluster.clock.run(3_600_000)
  assert.equal(client.writes.length, writes)
  assert.equal(cluster.clock.timerCount, 0)
})

test('a rollout that is killed after any write is finished by the next process', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(deployments, newDeployment('web', { replicas: 2 }))
      await cluster.still()
      setImage(cluster, 'web:2')
      await cluster.still()
    },
    (cluster, kill) => {
      assert.deepEqual(runningImages(cluster), ['web:2', 'web:2'], `killed after write ${kill}`)
      assert.equal(web(cluster).status?.availableReplicas, 2)
    },
  )
  assert.ok(kills > 20, `only ${kills} writes were tried`)
})
