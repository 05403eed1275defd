// Objects that got past validation, with any field missing or senseless, beside sound ones: no loop may stop for them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  cronJobs,
  daemonSets,
  deployments,
  endpointSlices,
  horizontalPodAutoscalers,
  jobs,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  resourceQuotas,
  serviceAccounts,
  services,
  statefulSets,
} from '@aksel/api/resources'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { controllersFor } from './all.ts'
import { TestCluster } from './testing/cluster.ts'
import { newClaim, newDeployment, newJob, newPod, newStatefulSet, readyNode, template } from './testing/objects.ts'
import { targetNodeOf } from './daemon-set/placement.ts'

type Json = Readonly<Record<string, unknown>>

/** Never changed: without them an object is none. */
const kept = new Set(['metadata', 'name', 'namespace', 'uid', 'resourceVersion', 'creationTimestamp', 'generation'])

/** The object with one field missing or senseless, one variant a path; types stay, since the decoder keeps them. */
function* variants(value: unknown, isTop = true): Generator<unknown> {
  if (Array.isArray(value)) {
    yield []
    for (const [index, item] of value.entries()) for (const each of variants(item, false)) yield value.with(index, each)
    return
  }
  if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      if (!(isTop && (key === 'metadata' || key === 'spec')) && !kept.has(key)) {
        const { [key]: _, ...rest } = value as Json
        yield rest
      }
      if (key === 'name' || key === 'namespace') continue
      for (const each of variants(item, isTop && false)) yield { ...value, [key]: each }
    }
    return
  }
  if (typeof value === 'string') for (const each of ['', 'no sense!']) yield each
  if (typeof value === 'number') for (const each of [0, -1]) yield each
}

const rows: readonly (readonly [ResourceType<never> | ResourceType, object])[] = [
  [
    pods,
    {
      ...newPod('x', { nodeName: 'a' }, { app: 'web' }),
      status: {
        phase: 'Running',
        podIP: '10.0.0.1',
        startTime: '2026-01-01T00:00:00Z',
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
        containerStatuses: [
          { name: 'main', restartCount: 1, state: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:00:00Z' } } },
        ],
      },
    },
  ],
  [deployments, newDeployment('x', { replicas: 1 })],
  [replicaSets, { metadata: { name: 'x', namespace: 'shop' }, spec: newDeployment('x').spec }],
  [
    replicationControllers,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: { replicas: 1, selector: { app: 'x' }, template: template('x') },
    },
  ],
  [
    statefulSets,
    newStatefulSet('x', {
      replicas: 1,
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' },
      volumeClaimTemplates: [newClaim('data')],
    }),
  ],
  [
    daemonSets,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: {
        selector: { matchLabels: { app: 'x' } },
        template: template('x'),
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: '10%' } },
      },
    },
  ],
  [
    jobs,
    {
      ...newJob('x', {
        completions: 2,
        completionMode: 'Indexed',
        backoffLimitPerIndex: 1,
        activeDeadlineSeconds: 9,
        podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [1] } }] },
        successPolicy: { rules: [{ succeededIndexes: '0' }] },
      }),
      status: {
        startTime: '2026-01-01T00:00:00Z',
        completedIndexes: '0',
        uncountedTerminatedPods: { succeeded: ['u'] },
        conditions: [{ type: 'Suspended', status: 'False' }],
      },
    },
  ],
  [
    cronJobs,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: {
        schedule: '*/5 * * * *',
        timeZone: 'Europe/Berlin',
        startingDeadlineSeconds: 10,
        concurrencyPolicy: 'Forbid',
        jobTemplate: { metadata: { labels: { a: 'b' } }, spec: newJob('x').spec },
        successfulJobsHistoryLimit: 1,
      },
      status: { lastScheduleTime: '2026-01-01T00:00:00Z', active: [{ name: 'j', uid: 'u' }] },
    },
  ],
  [
    services,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: {
        type: 'LoadBalancer',
        clusterIP: '10.0.0.9',
        clusterIPs: ['10.0.0.9'],
        ipFamilies: ['IPv4'],
        selector: { app: 'web' },
        ports: [{ port: 80, targetPort: 'http', protocol: 'TCP' }],
      },
    },
  ],
  [
    endpointSlices,
    {
      metadata: { name: 'x', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ port: 80 }],
      endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true }, targetRef: { kind: 'Pod', name: 'x' } }],
    },
  ],
  [
    nodes,
    {
      ...readyNode('x', '10.0.0.1'),
      spec: { taints: [{ key: 'k', effect: 'NoExecute', timeAdded: '2026-01-01T00:00:00Z' }] },
    },
  ],
  [
    persistentVolumes,
    {
      metadata: { name: 'x' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        claimRef: { namespace: 'shop', name: 'data', uid: 'u' },
        persistentVolumeReclaimPolicy: 'Delete',
      },
      status: { phase: 'Bound' },
    },
  ],
  [
    persistentVolumeClaims,
    {
      ...newClaim('x', { volumeName: 'v', storageClassName: 'fast' }),
      status: { phase: 'Bound', capacity: { storage: '1Gi' } },
    },
  ],
  [
    podDisruptionBudgets,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: { minAvailable: '50%', selector: { matchLabels: { app: 'web' } } },
      status: { disruptedPods: { p: '2026-01-01T00:00:00Z' }, disruptionsAllowed: 1 },
    },
  ],
  [
    resourceQuotas,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: {
        hard: { pods: '1' },
        scopes: ['BestEffort'],
        scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] },
      },
      status: { used: { pods: '1' } },
    },
  ],
  [
    horizontalPodAutoscalers,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'none' },
        minReplicas: 1,
        maxReplicas: 3,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
        ],
        behavior: { scaleUp: { policies: [{ type: 'Pods', value: 1, periodSeconds: 10 }] } },
      },
    },
  ],
  [serviceAccounts, { metadata: { name: 'x', namespace: 'shop' }, secrets: [{ name: 's' }] }],
  [namespaces, { metadata: { name: 'x' }, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }],
]

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

for (const [type, object] of rows as readonly (readonly [ResourceType, KubernetesObject])[]) {
  test(`no loop stops for a ${type.kind} with a field that is missing or makes no sense`, async () => {
    await using cluster = new TestCluster((parts) => controllersFor({ ...parts, rootCaPem: 'PEM' }))
    await cluster.client.create(nodes, readyNode('sound', '10.0.0.1'))
    let count = 0
    for (const variant of variants(object)) {
      count += 1
      const { metadata, ...rest } = variant as KubernetesObject
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
