// Autoscalers on a cluster in memory, against metrics that the test makes up.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deployments, events, horizontalPodAutoscalers, pods } from '@aksel/api/resources'
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec } from '@aksel/api/types/autoscaling-v2'
import { formatTime } from '@aksel/base/clock'
import { createCaches } from '@aksel/runtime/caches'
import type { Source } from '@aksel/runtime/controller'
import { testScope } from '@aksel/testing/test-scope'
import { deploymentController } from '../deployment/controller.ts'
import { replicaSetController } from '../replica-set/controller.ts'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newDeployment, template } from '../testing/objects.ts'
import { horizontalPodAutoscalerController } from './controller.ts'

const loops: MakeLoops = (parts) => [
  deploymentController(parts),
  replicaSetController(parts),
  horizontalPodAutoscalerController(parts),
]

const cpu: MetricSpec = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
}

function newAutoscaler(name: string, spec: Partial<HorizontalPodAutoscalerSpec> = {}): HorizontalPodAutoscaler {
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
  return {
    metadata: { name, namespace: 'shop' },
    spec: { scaleTargetRef, minReplicas: 1, maxReplicas: 10, metrics: [cpu], ...spec },
  }
}

function webDeployment(replicas: number): ReturnType<typeof newDeployment> {
  const base = template('web')
  const containers = [{ ...base.spec!.containers[0]!, resources: { requests: { cpu: '100m' } } }]
  return newDeployment('web', { replicas, template: { ...base, spec: { containers } } })
}

/** Metrics of all running pods: each uses this many millicores. */
function usage(cluster: TestCluster, milli: () => number): (path: string) => unknown {
  return (path) => {
    if (!path.startsWith('/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods?labelSelector=app%3Dweb')) return undefined
    const items = cluster.all(pods).map(({ metadata }) => ({
      metadata: { name: metadata.name },
      timestamp: formatTime(cluster.clock.now()),
      window: '15s',
      containers: [{ name: 'main', usage: { cpu: `${milli()}m` } }],
    }))
    return { items }
  }
}

async function run(cluster: TestCluster, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    await cluster.clock.run(1000)
    cluster.runPods()
    for (const pod of cluster.all(pods)) {
      if (pod.status?.phase !== 'Running' || pod.status.startTime !== undefined) continue
      cluster.client.change(pods, `shop/${pod.metadata.name}`, (draft) => {
        draft.status!.startTime = formatTime(cluster.clock.now() - 600_000)
      })
    }
  }
}

function autoscalerIn(cluster: TestCluster, name = 'web'): HorizontalPodAutoscaler {
  return cluster.client.peek(horizontalPodAutoscalers, `shop/${name}`)!
}

function size(cluster: TestCluster): number {
  return cluster.client.peek(deployments, 'shop/web')!.spec.replicas!
}

function condition(cluster: TestCluster, type: string, name = 'web'): string {
  const found = autoscalerIn(cluster, name).status!.conditions!.find((each) => each.type === type)
  return `${found?.status} ${found?.reason}: ${found?.message}`
}

test('an autoscaler follows the load up at once, and down when it has been low for five minutes', async () => {
  await using cluster = new TestCluster(loops)
  let load = 240
  cluster.start({ respond: usage(cluster, () => load / Math.max(1, cluster.all(pods).length)) })
  await cluster.client.create(deployments, webDeployment(1))
  await run(cluster, 20)
  await cluster.client.create(horizontalPodAutoscalers, newAutoscaler('web'))
  await run(cluster, 60)
  assert.equal(size(cluster), 5)
  const { status } = autoscalerIn(cluster)
  assert.deepEqual(status!.currentMetrics, [
    { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 48, averageValue: '48m' } } },
  ])
  assert.ok(status!.lastScaleTime)
  const reason = 'cpu resource utilization (percentage of request) above target'
  const told = cluster.all(events).filter((event) => event.reason === 'SuccessfulRescale')
  assert.ok(
    told.some(({ message }) => message === `New size: 4; reason: ${reason}`),
    JSON.stringify(told),
  )
  load = 40
  await run(cluster, 200)
  assert.equal(size(cluster), 5)
  assert.match(condition(cluster, 'AbleToScale'), /^True ScaleDownStabilized: recent recommendations were higher/)
  await run(cluster, 150)
  assert.equal(size(cluster), 1)
  assert.match(
    condition(cluster, 'ScalingActive'),
    /^True ValidMetricFound: .* a replica count from cpu resource utiliz/,
  )
})

test('bounds are kept without any metric, a target of zero is left alone, and no target is told', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(deployments, webDeployment(1))
  await cluster.client.create(horizontalPodAutoscalers, newAutoscaler('web', { minReplicas: 3 }))
  await run(cluster, 20)
  assert.equal(size(cluster), 3)
  assert.match(condition(cluster, 'ScalingActive'), /^False FailedGetResourceMetric: the HPA was unable to compute/)
  const failed = cluster.all(events).find(({ reason }) => reason === 'FailedComputeMetricsReplicas')
  assert.match(
    failed!.message!,
    /^invalid metrics \(1 invalid out of 1\), first error is: failed to get cpu resource metric value: failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API/,
  )
  cluster.client.change(deployments, 'shop/web', (draft) => {
    draft.spec.replicas = 0
  })
  await run(cluster, 20)
  assert.equal(size(cluster), 0)
  assert.match(condition(cluster, 'ScalingActive'), /^False ScalingDisabled/)
  await cluster.client.delete(deployments, { namespace: 'shop', name: 'web' })
  await run(cluster, 20)
  assert.match(condition(cluster, 'AbleToScale'), /^False FailedGetScale: the HPA controller was unable to get/)
})

test('two autoscalers on the same pods change nothing and say so', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start({ respond: usage(cluster, () => 500) })
  await cluster.client.create(deployments, webDeployment(2))
  await run(cluster, 5)
  await cluster.client.create(horizontalPodAutoscalers, newAutoscaler('one', { maxReplicas: 2 }))
  await cluster.client.create(horizontalPodAutoscalers, newAutoscaler('two', { maxReplicas: 2 }))
  await run(cluster, 40)
  assert.equal(
    condition(cluster, 'ScalingActive', 'two'),
    'False AmbiguousSelector: pods by selector app=web are controlled by multiple HPAs: [shop/one shop/two]',
  )
  assert.equal(size(cluster), 2)
})

test('the largest proposal of several metrics counts, and none is taken away while one is not known', async () => {
  await using cluster = new TestCluster(loops)
  let queue: string | undefined = '9'
  const resource = usage(cluster, () => 10)
  cluster.start({
    respond: (path) => {
      const items = (value: string): unknown => ({ items: [{ timestamp: formatTime(0), value }] })
      if (path.startsWith('/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue?labelSelector=q%3Da'))
        return queue === undefined ? undefined : items(queue)
      if (path.startsWith('/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/deployments.apps/web/hits'))
        return items('2')
      return resource(path)
    },
  })
  await cluster.client.create(deployments, webDeployment(4))
  await run(cluster, 5)
  const external: MetricSpec = {
    type: 'External',
    external: {
      metric: { name: 'queue', selector: { matchLabels: { q: 'a' } } },
      target: { type: 'AverageValue', averageValue: '1500m' },
    },
  }
  const describedObject = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
  const object: MetricSpec = {
    type: 'Object',
    object: { describedObject, metric: { name: 'hits' }, target: { type: 'Value', value: '4' } },
  }
  await cluster.client.create(
    horizontalPodAutoscalers,
    newAutoscaler('web', {
      metrics: [cpu, external, object],
      behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
    }),
  )
  await run(cluster, 40)
  assert.equal(size(cluster), 6)
  assert.deepEqual(
    autoscalerIn(cluster).status!.currentMetrics.map(({ type, external: from, object: of }) => [
      type,
      from?.current.averageValue ?? of?.current.value,
    ]),
    [
      ['Resource', undefined],
      ['External', '1500m'],
      ['Object', '2'],
    ],
  )
  queue = undefined
  await run(cluster, 40)
  assert.equal(size(cluster), 6)
  assert.match(condition(cluster, 'ScalingActive'), /^False FailedGetExternalMetric/)
  queue = '3'
  await run(cluster, 60)
  assert.equal(size(cluster), 2)
})

test('the usage of one container counts alone, and so does a number that pods tell of themselves', async () => {
  await using cluster = new TestCluster(loops)
  // Of all pods together: more of them have less each.
  let [milli, queued] = [160, 2]
  cluster.start({
    respond: (path) => {
      const timestamp = formatTime(cluster.clock.now())
      const names = cluster.all(pods).map(({ metadata: { name } }) => ({ name }))
      const share = (sum: number): string => String(sum / names.length)
      if (path.startsWith('/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods?labelSelector=app%3Dweb')) {
        // What stands beside it is busier, and must not count.
        const containers = [
          { name: 'main', usage: { cpu: `${share(milli)}m` } },
          { name: 'mesh', usage: { cpu: '900m' } },
        ]
        return { items: names.map((metadata) => ({ metadata, timestamp, window: '15s', containers })) }
      }
      if (path.startsWith('/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/queued?labelSelector=app%3Dweb'))
        return { items: names.map((describedObject) => ({ describedObject, timestamp, value: share(queued) })) }
      return undefined
    },
  })
  await cluster.client.create(deployments, webDeployment(2))
  await run(cluster, 5)
  const target = { type: 'Utilization', averageUtilization: 40 } as const
  const metrics: readonly MetricSpec[] = [
    { type: 'ContainerResource', containerResource: { name: 'cpu', container: 'main', target } },
    { type: 'Pods', pods: { metric: { name: 'queued' }, target: { type: 'AverageValue', averageValue: '3' } } },
  ]
  const behavior = { scaleDown: { stabilizationWindowSeconds: 0 } }
  await cluster.client.create(horizontalPodAutoscalers, newAutoscaler('web', { metrics, behavior }))
  await run(cluster, 60)
  // Each of two used 80 of the 100 millicores that it asks for.
  assert.equal(size(cluster), 4)
  assert.deepEqual(autoscalerIn(cluster).status!.currentMetrics, [
    {
      type: 'ContainerResource',
      containerResource: { name: 'cpu', container: 'main', current: { averageUtilization: 40, averageValue: '40m' } },
    },
    { type: 'Pods', pods: { metric: { name: 'queued' }, current: { averageValue: '500m' } } },
  ])
  ;[milli, queued] = [10, 18]
  await run(cluster, 60)
  assert.equal(size(cluster), 6)
  const containerResource = { name: 'cpu', container: 'nobody', target }
  await cluster.client.patch(
    horizontalPodAutoscalers,
    { name: 'web', namespace: 'shop' },
    { kind: 'merge', body: { spec: { metrics: [{ type: 'ContainerResource', containerResource }] } } },
  )
  await run(cluster, 30)
  assert.equal(
    condition(cluster, 'ScalingActive'),
    'False FailedGetContainerResourceMetric: the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: container nobody not present in metrics for pods',
  )
})

test('no kill leaves a workload at a size of its own', async () => {
  let cluster!: TestCluster
  const kills = await killEverywhere(
    (parts) => [horizontalPodAutoscalerController(parts)],
    async (made) => {
      cluster = made
      await made.client.create(deployments, webDeployment(1))
      await made.client.create(horizontalPodAutoscalers, newAutoscaler('web', { minReplicas: 4 }))
      await made.clock.run(40_000)
    },
    (made, kill) => {
      assert.equal(size(made), 4, `killed after write ${kill}`)
      assert.equal(autoscalerIn(made).status!.currentReplicas, 4, `killed after write ${kill}`)
    },
    {},
    (made) => made.clock.run(40_000),
  )
  assert.ok(kills >= 2 && size(cluster) === 4)
})

test('an autoscaler is looked at when it is made and when its spec changes, though it has no generation', async () => {
  await using cluster = new TestCluster(() => [])
  const parts = { client: cluster.client, caches: createCaches(testScope({ clock: cluster.clock }), cluster.client) }
  const source = horizontalPodAutoscalerController(parts).sources[0] as Source<HorizontalPodAutoscaler>
  const made = newAutoscaler('web')
  assert.deepEqual(source.keysOf(made, undefined), ['shop/web'])
  assert.deepEqual(source.keysOf(newAutoscaler('web', { maxReplicas: 20 }), made), ['shop/web'])
  assert.deepEqual(source.keysOf(undefined, made), ['shop/web'])
  assert.deepEqual(
    source.keysOf({ ...newAutoscaler('web'), status: { desiredReplicas: 3, currentMetrics: [] } }, made),
    [],
  )
})
