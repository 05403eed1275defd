// Objects that got past validation, with any field missing or senseless, beside sound ones: no loop may stop for them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  daemonSets,
  deployments,
  deviceTaintRules,
  endpointSlices,
  jobs,
  nodes,
  persistentVolumeClaims,
  podDisruptionBudgets,
  replicationControllers,
  resourceQuotas,
  services,
  statefulSets,
} from '@aksel/api/resources'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { createCaches } from '@aksel/runtime/caches'
import type { Controller, Source } from '@aksel/runtime/controller'
import { createAuthority, createServiceAccountKey } from '@aksel/runtime/pki'
import { variantsOf } from '@aksel/testing/malformed'
import { testScope } from '@aksel/testing/test-scope'
import { controllersFor } from './all.ts'
import { cloudNodeController } from './cloud-node/controller.ts'
import { nodeRepairController } from './node-repair/controller.ts'
import type { LoopParts } from './parts.ts'
import { TestCluster } from './testing/cluster.ts'
import { malformedRows } from './testing/malformed-rows.ts'
import { newClaim, newDeployment, newJob, newStatefulSet, readyNode, template } from './testing/objects.ts'
import { targetNodeOf } from './daemon-set/placement.ts'

type Json = Readonly<Record<string, unknown>>

const scope = testScope()
const authority = await createAuthority(scope, { commonName: 'ca', years: 1 })
const loadBalancers = {
  vnetRanges: () => [],
  ensure: () => Promise.resolve({ address: '100.66.0.1' }),
  remove: () => Promise.resolve(),
  onProbe: () => ({ [Symbol.dispose]: () => {} }),
}
/** So that no loop is left out. */
const keys = {
  rootCaPem: 'PEM',
  authority,
  tokenKey: await createServiceAccountKey(),
  loadBalancers,
  nodeIpam: { clusterCidrs: ['10.0.0.0/8'], masks: { 4: 24 } },
  routes: {
    routes: { list: () => Promise.resolve([]), ensure: () => Promise.resolve(), remove: () => Promise.resolve() },
    isPodCidr: () => true,
  },
  deviceTaintRules,
}
const instance = { providerId: 'azure:///x', instanceType: 'Standard_D2s_v5', region: 'westeurope', zone: '1' }
const machines = { mayRepair: () => Promise.resolve(true), repair: () => Promise.resolve() }
/** Those of the manager and those of the server that has the machines. */
const everyLoop = (parts: LoopParts): readonly Controller[] => [
  ...controllersFor({ ...parts, ...keys }),
  cloudNodeController({ ...parts, instances: { find: () => ({ ...instance, isShutDown: false }) } }),
  nodeRepairController({ ...parts, machines }),
]

test('every kind that wakes a loop has a row below', () => {
  const cluster = new TestCluster(() => [])
  const caches = createCaches(scope, cluster.client)
  const seen = new Set(
    everyLoop({ client: cluster.client, caches }).flatMap(({ sources }) =>
      (sources as readonly Source[]).map(({ type }) => type.kind),
    ),
  )
  scope.abort()
  const rowed = new Set((malformedRows as readonly (readonly [ResourceType, object])[]).map(([type]) => type.kind))
  assert.deepEqual(
    [...seen].filter((kind) => !rowed.has(kind)),
    [],
  )
  assert.ok(seen.size > 25, `only ${seen.size} kinds`)
})

/** Sound work of every sort, which must be done whatever stands beside it. */
async function order(cluster: TestCluster): Promise<void> {
  const { client } = cluster
  await client.create(deployments, newDeployment('web'))
  await client.create(statefulSets, newStatefulSet('db'))
  await client.create(replicationControllers, {
    metadata: { name: 'old', namespace: 'shop' },
    spec: { replicas: 1, selector: { app: 'old' }, template: template('old') },
  })
  await client.create(daemonSets, {
    metadata: { name: 'agent', namespace: 'shop' },
    spec: { selector: { matchLabels: { app: 'agent' } }, template: template('agent') },
  })
  await client.create(jobs, newJob('work'))
  await client.create(services, {
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80 }], clusterIP: '10.0.0.10', clusterIPs: ['10.0.0.10'] },
  })
  await client.create(podDisruptionBudgets, {
    metadata: { name: 'web', namespace: 'shop' },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
  })
  await client.create(resourceQuotas, {
    metadata: { name: 'team', namespace: 'shop' },
    spec: { hard: { services: '9' } },
  })
  await client.create(persistentVolumeClaims, newClaim('data', { storageClassName: '' }))
}

function seen(cluster: TestCluster): Json {
  const { client } = cluster
  return {
    web: client.peek(deployments, 'shop/web')?.status?.availableReplicas,
    db: client.peek(statefulSets, 'shop/db')?.status?.readyReplicas,
    old: client.peek(replicationControllers, 'shop/old')?.status?.readyReplicas,
    agent: (client.peek(daemonSets, 'shop/agent')?.status?.numberReady ?? 0) >= 1,
    job: client.peek(jobs, 'shop/work')?.status?.active,
    budget: client.peek(podDisruptionBudgets, 'shop/web')?.status?.observedGeneration,
    quota: client.peek(resourceQuotas, 'shop/team')?.status?.hard,
    slice: client.peekAll(endpointSlices).some(({ metadata }) => metadata.ownerReferences?.[0]?.name === 'web'),
  }
}

for (const [type, object] of malformedRows as readonly (readonly [ResourceType, KubernetesObject])[]) {
  test(`no loop stops for a ${type.kind} with a field that is missing or makes no sense`, async () => {
    await using cluster = new TestCluster(everyLoop)
    await cluster.client.create(nodes, readyNode('sound', '10.0.0.1'))
    let count = 0
    for (const { metadata, ...rest } of variantsOf(object)) {
      count += 1
      // Selectors of their own, so that they compete for nothing but attention.
      cluster.client.put(type, { ...rest, metadata: { ...metadata, name: `x-${count}` } } as KubernetesObject)
    }
    assert.ok(count > 1, `only ${count} variants`)
    cluster.start()
    await order(cluster)
    const rules = { node: (pod: Parameters<typeof targetNodeOf>[0]): string => targetNodeOf(pod) ?? 'sound' }
    for (let second = 0; second < 30; second += 1) {
      await cluster.clock.run(1000)
      cluster.runPods({ ...rules, starts: ({ metadata }) => !metadata.name.startsWith('x-') })
    }
    const wanted = { web: 3, db: 3, old: 1, agent: true, job: 1, budget: 1, quota: { services: '9' }, slice: true }
    assert.deepEqual(seen(cluster), wanted)
    const broken = cluster.lines.filter(({ level }) => level === 'error')
    assert.deepEqual(broken, [])
    const bugs = cluster.lines
      .filter(({ message }) => message === 'reconcile failed')
      .map(({ fields }) => fields as { readonly error: Error; readonly controller: string; readonly key: string })
      .filter(({ error }) => error instanceof TypeError || error instanceof RangeError)
    assert.deepEqual(
      bugs.map(({ error, controller, key }) => `${controller} ${key}: ${error.stack?.slice(0, 300)}`),
      [],
    )
  })
}
