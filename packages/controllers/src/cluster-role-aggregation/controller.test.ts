// Aggregated cluster roles on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterRoles } from '@aksel/api/resources'
import type { ClusterRole } from '@aksel/api/types/rbac-v1'
import { TestCluster } from '../testing/cluster.ts'
import { clusterRoleAggregationController } from './controller.ts'

const label = 'rbac.authorization.k8s.io/aggregate-to-view'
const view: ClusterRole = {
  metadata: { name: 'view' },
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [label]: 'true' } }] },
  rules: [],
}

function part(name: string, resource: string): ClusterRole {
  return {
    metadata: { name, labels: { [label]: 'true' } },
    rules: [{ apiGroups: [''], resources: [resource], verbs: ['get'] }],
  }
}

test('a role gathers the rules of those that carry its label, each once, and lets them go again', async () => {
  await using cluster = new TestCluster((parts) => [clusterRoleAggregationController(parts)])
  cluster.start()
  await cluster.client.create(clusterRoles, view)
  for (const [name, resource] of [
    ['b', 'services'],
    ['a', 'pods'],
    ['c', 'pods'],
  ] as const) {
    await cluster.client.create(clusterRoles, part(name, resource))
  }
  await cluster.still()
  const resources = (): readonly (string | undefined)[] =>
    cluster.client.peek(clusterRoles, 'view')!.rules!.map((rule) => rule.resources![0])
  assert.deepEqual(resources(), ['pods', 'services'])
  await cluster.client.delete(clusterRoles, { name: 'b' })
  await cluster.still()
  assert.deepEqual(resources(), ['pods'])
})
