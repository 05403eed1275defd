// Pods are taken in once, in turn, and by what the node is.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodes } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import { NodeAdmission } from './node-admission.ts'

const podOf = (name: string, spec: Partial<Pod['spec']> = {}): Pod => ({
  metadata: { name, namespace: 'default', uid: name },
  spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '600m' } } }], ...spec },
})

async function setUp(labels: Record<string, string> = {}) {
  const { clock, random } = testScope()
  const client = new FakeClient({ clock, random })
  await client.create(nodes, { metadata: { name: 'n1', labels }, spec: {} })
  const pods: Pod[] = []
  const admission = new NodeAdmission({
    client,
    nodeName: 'n1',
    allocatable: { cpu: '1', memory: '1Gi' },
    maxPods: 10,
    refuses: ({ metadata }) => (metadata.name === 'unwanted' ? { reason: 'Evicted', message: 'full' } : undefined),
    pods: () => pods,
  })
  return { client, pods, admission }
}

test('of two pods that come at once for one place, one is refused; when the first has gone there is room', async () => {
  const { pods, admission } = await setUp()
  pods.push(podOf('a'), podOf('b'))
  const [a, b] = await Promise.all(pods.map((pod) => admission.admit(pod)))
  assert.deepEqual([a, b?.reason], [undefined, 'OutOfcpu'])
  pods.splice(0, 2, podOf('c'))
  assert.equal(await admission.admit(pods[0]!), undefined)
  assert.equal((await admission.admit(podOf('unwanted')))?.reason, 'Evicted')
})

test('labels are those of the moment; a pod from a file is not asked for them', async () => {
  const { client, admission } = await setUp({ disk: 'ssd' })
  const choosy = podOf('choosy', { nodeSelector: { disk: 'ssd', new: 'yes' } })
  assert.deepEqual(await admission.admit(choosy), {
    reason: 'NodeAffinity',
    message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
  })
  await client.patch(nodes, { name: 'n1' }, { kind: 'merge', body: { metadata: { labels: { new: 'yes' } } } })
  assert.equal(await admission.admit(choosy), undefined)
  const own = podOf('own', { nodeSelector: { disk: 'tape' }, containers: [{ name: 'c', image: 'i' }] })
  const annotations = { 'kubernetes.io/config.source': 'file' }
  assert.equal(await admission.admit({ ...own, metadata: { ...own.metadata, annotations } }), undefined)
})
