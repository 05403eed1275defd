// Claims for devices of pods on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, pods, resourceClaims, resourceClaimTemplates } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import type { ResourceClaimTemplate } from '@aksel/api/types/resource-v1'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newPod } from '../testing/objects.ts'
import { resourceClaimController } from './controller.ts'
import { claimFinalizer } from './judge.ts'

const loops: MakeLoops = (parts) => [resourceClaimController(parts)]

const template: ResourceClaimTemplate = {
  metadata: { name: 'gpu', namespace: 'shop' },
  spec: {
    metadata: { labels: { team: 'ml' } },
    spec: { devices: { requests: [{ name: 'one', exactly: { deviceClassName: 'gpu' } }] } },
  },
}

function asking(name: string): Pod {
  const wishes = [
    { name: 'own', resourceClaimTemplateName: 'gpu' },
    { name: 'shared', resourceClaimName: 'common' },
  ]
  return newPod(name, { resourceClaims: wishes })
}

test('a pod gets a claim of its own from a template, and its name in the status', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const pod = await cluster.client.create(pods, asking('train'))
  await cluster.clock.run(1000)
  assert.match(
    cluster.all(events)[0]!.message!,
    /^PodResourceClaim own: resource claim template "gpu": resourceclaimtemplate.resource.k8s.io "gpu" not found$/,
  )
  assert.equal(cluster.all(events)[0]!.reason, 'FailedResourceClaimCreation')
  await cluster.client.create(resourceClaimTemplates, template)
  await cluster.clock.run(1000)
  const [claim, ...more] = cluster.all(resourceClaims)
  assert.equal(more.length, 0)
  assert.match(claim!.metadata.name, /^train-own-/)
  assert.equal(claim!.metadata.annotations!['resource.kubernetes.io/pod-claim-name'], 'own')
  assert.equal(claim!.metadata.labels!['team'], 'ml')
  assert.deepEqual(claim!.spec, template.spec.spec)
  const [owner] = claim!.metadata.ownerReferences!
  assert.deepEqual([owner!.uid, owner!.controller, owner!.blockOwnerDeletion], [pod.metadata.uid, true, true])
  assert.deepEqual(cluster.client.peek(pods, 'shop/train')!.status!.resourceClaimStatuses, [
    { name: 'own', resourceClaimName: claim!.metadata.name },
  ])
  const { revision } = cluster.objects
  await cluster.clock.run(600_000)
  assert.equal(cluster.objects.revision, revision)
})

test('a claim is given back when its last pod ended, and one made for that pod goes', async () => {
  await using cluster = new TestCluster(loops)
  await cluster.client.create(resourceClaimTemplates, template)
  cluster.start()
  const pod = await cluster.client.create(pods, asking('train'))
  await cluster.clock.run(1000)
  const reservedFor = [{ resource: 'pods', name: 'train', uid: pod.metadata.uid! }]
  const [own] = cluster.all(resourceClaims)
  const common = {
    metadata: { name: 'common', namespace: 'shop', finalizers: [claimFinalizer] },
    spec: template.spec.spec,
  }
  cluster.client.put(resourceClaims, { ...common, status: { allocation: {}, reservedFor } })
  cluster.client.change(resourceClaims, `shop/${own!.metadata.name}`, (draft) => {
    draft.status = { allocation: {}, reservedFor }
    draft.metadata.finalizers = [claimFinalizer]
  })
  await cluster.clock.run(1000)
  assert.deepEqual(cluster.client.peek(resourceClaims, 'shop/common')!.status!.reservedFor, reservedFor)
  cluster.finish(cluster.client.peek(pods, 'shop/train')!, 0)
  await cluster.clock.run(1000)
  const left = cluster.all(resourceClaims)
  assert.deepEqual(
    left.map(({ metadata, status }) => [metadata.name, metadata.finalizers, status]),
    [['common', [], {}]],
  )
})

test('no kill makes two claims for a pod, or keeps one from a pod that ended', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(resourceClaimTemplates, template)
      await cluster.client.create(pods, asking('one'))
      await cluster.client.create(pods, asking('two'))
      await cluster.clock.run(2000)
      cluster.finish(cluster.client.peek(pods, 'shop/two')!, 0)
      await cluster.clock.run(2000)
    },
    (cluster) => {
      const owners = cluster.all(resourceClaims).map(({ metadata }) => metadata.ownerReferences![0]!.name)
      assert.deepEqual(owners, ['one'])
      const { resourceClaimStatuses } = cluster.client.peek(pods, 'shop/one')!.status!
      assert.equal(resourceClaimStatuses![0]!.resourceClaimName, cluster.all(resourceClaims)[0]!.metadata.name)
    },
    {},
    (cluster) => cluster.clock.run(10_000),
  )
  assert.ok(kills >= 4, `only ${kills} kills`)
})
