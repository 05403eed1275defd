// What operations show of the work that is being done for their resource.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Steps } from './steps.ts'

const cluster = '/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/Demo'

test('the operations of two pools that run at once show each its own step', () => {
  const steps = new Steps()
  steps.set(`${cluster}/agentPools/one`, 'Upgrading pool one: 1 of 3 nodes')
  steps.set(`${cluster}/agentPools/two`, 'Starting machines of pool two (2)')
  assert.equal(steps.of(`${cluster}/agentPools/ONE`), 'Upgrading pool one: 1 of 3 nodes')
  assert.equal(steps.of(`${cluster.toLowerCase()}/agentpools/two`), 'Starting machines of pool two (2)')
  assert.equal(steps.of(cluster), 'Starting machines of pool two (2)', 'the cluster shows what was told last')
})

test('a pool for which nothing was done yet shows what is done for its cluster, and nothing outlives the work', () => {
  const steps = new Steps()
  assert.equal(steps.of(`${cluster}/agentPools/one`), undefined)
  steps.set(cluster, 'Preparing the network of demo')
  assert.equal(steps.of(`${cluster}/agentPools/one`), 'Preparing the network of demo')
  steps.set(`${cluster}/agentPools/one`, 'Draining 1 nodes of pool one')
  steps.clear(cluster)
  assert.deepEqual([steps.of(cluster), steps.of(`${cluster}/agentPools/one`)], [undefined, undefined])
})

test('what was told of a pool is over when the whole cluster is worked on again', () => {
  const steps = new Steps()
  steps.set(`${cluster}/agentPools/one`, 'Waiting for nodes of pool one: 3 of 3 Ready')
  steps.set(cluster, 'Upgrading the control plane from 1.35.7 to 1.36.3')
  assert.equal(steps.of(`${cluster}/agentPools/one`), 'Upgrading the control plane from 1.35.7 to 1.36.3')
})
