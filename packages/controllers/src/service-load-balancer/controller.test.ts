// Services of type LoadBalancer on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, nodes, services } from '@aksel/api/resources'
import type { Service } from '@aksel/api/types/core-v1'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { readyNode } from '../testing/objects.ts'
import { annotations } from './annotations.ts'
import { serviceLoadBalancerController } from './controller.ts'
import type { LoadBalancerRequest, LoadBalancers, ProbeNews } from './load-balancers.ts'

class FakeLoadBalancers implements LoadBalancers {
  readonly balancers = new Map<string, LoadBalancerRequest>()

  ensure(_scope: unknown, request: LoadBalancerRequest): Promise<{ address: string }> {
    this.balancers.set(request.id, request)
    return Promise.resolve({ address: request.address ?? '20.0.0.1' })
  }

  remove(_scope: unknown, id: string): Promise<void> {
    this.balancers.delete(id)
    return Promise.resolve()
  }

  readonly listeners = new Set<(news: ProbeNews) => void>()

  vnetRanges(): readonly string[] {
    return ['10.224.0.0/12', '10.244.0.0/16']
  }

  onProbe(listener: (news: ProbeNews) => void): Disposable {
    this.listeners.add(listener)
    return { [Symbol.dispose]: () => void this.listeners.delete(listener) }
  }

  get only(): LoadBalancerRequest {
    const [first] = this.balancers.values()
    return first!
  }
}

function loopsWith(loadBalancers: LoadBalancers): MakeLoops {
  return (parts) => [serviceLoadBalancerController({ ...parts, loadBalancers })]
}

function newService(spec: Partial<Service['spec']> = {}, annotations?: Readonly<Record<string, string>>): Service {
  return {
    metadata: { name: 'web', namespace: 'shop', ...(annotations === undefined ? {} : { annotations }) },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }], ...spec },
  }
}

async function withService(
  cluster: TestCluster,
  spec: Partial<Service['spec']> = {},
  annotations?: Readonly<Record<string, string>>,
): Promise<void> {
  cluster.client.put(nodes, readyNode('node-1', '10.224.0.4'))
  cluster.client.put(nodes, readyNode('node-2', '10.224.0.5'))
  await cluster.clock.run(1)
  await cluster.client.create(services, newService(spec, annotations))
  await cluster.still()
}

function web(cluster: TestCluster): Service | undefined {
  return cluster.client.peek(services, 'shop/web')
}

test('a service gets an address, a finalizer and two events', async () => {
  const fake = new FakeLoadBalancers()
  await using cluster = new TestCluster(loopsWith(fake))
  cluster.start()
  await withService(cluster, { loadBalancerSourceRanges: ['10.1.0.0/16'] })
  assert.deepEqual(web(cluster)!.status!.loadBalancer!.ingress, [{ ip: '20.0.0.1', ipMode: 'VIP' }])
  assert.deepEqual(web(cluster)!.metadata.finalizers, ['service.kubernetes.io/load-balancer-cleanup'])
  assert.deepEqual(fake.only.rules, [
    {
      protocol: 'TCP',
      port: 80,
      backends: [
        { address: '10.224.0.4', port: 30080 },
        { address: '10.224.0.5', port: 30080 },
      ],
      sourceRanges: ['10.1.0.0/16', '10.224.0.0/12', '10.244.0.0/16'],
      idleTimeoutMinutes: 4,
      probe: { protocol: 'Tcp', port: 30080, intervalSeconds: 5, failures: 2 },
    },
  ])
  assert.deepEqual(
    cluster.all(events).map(({ reason }) => reason),
    ['EnsuringLoadBalancer', 'EnsuredLoadBalancer'],
  )
})

test('a node that is no longer ready leaves the backends', async () => {
  const fake = new FakeLoadBalancers()
  await using cluster = new TestCluster(loopsWith(fake))
  cluster.start()
  await withService(cluster)
  cluster.client.change(nodes, 'node-1', (draft) => {
    draft.status!.conditions = [{ type: 'Ready', status: 'Unknown' }]
  })
  await cluster.still()
  assert.deepEqual(fake.only.rules[0]!.backends, [{ address: '10.224.0.5', port: 30080 }])
  assert.equal(cluster.all(events).at(-1)!.reason, 'UpdatedLoadBalancer')
})

test('with local traffic every node is a backend, and is asked at the health check port', async () => {
  const fake = new FakeLoadBalancers()
  await using cluster = new TestCluster(loopsWith(fake))
  cluster.start()
  await withService(cluster, { externalTrafficPolicy: 'Local', healthCheckNodePort: 30999 })
  const [rule] = fake.only.rules
  assert.equal(rule!.backends.length, 2)
  assert.deepEqual(rule!.probe, { protocol: 'Http', port: 30999, path: '/healthz', intervalSeconds: 5, failures: 2 })
})

test('a deleted service, and one of another type, gives its load balancer back', async () => {
  const fake = new FakeLoadBalancers()
  await using cluster = new TestCluster(loopsWith(fake))
  cluster.start()
  await withService(cluster)
  cluster.client.change(services, 'shop/web', (draft) => {
    draft.spec.type = 'ClusterIP'
  })
  await cluster.still()
  assert.equal(fake.balancers.size, 0)
  assert.deepEqual(web(cluster)!.status!.loadBalancer, {})
  assert.equal(web(cluster)!.metadata.finalizers, undefined)
  cluster.client.change(services, 'shop/web', (draft) => {
    draft.spec.type = 'LoadBalancer'
  })
  await cluster.still()
  assert.equal(fake.balancers.size, 1)
  await cluster.client.delete(services, { namespace: 'shop', name: 'web' })
  await cluster.still()
  assert.equal(fake.balancers.size, 0)
  assert.equal(web(cluster), undefined)
})

test('an internal load balancer asks for a subnet and an address of it', async () => {
  const fake = new FakeLoadBalancers()
  await using cluster = new TestCluster(loopsWith(fake))
  cluster.start()
  await withService(
    cluster,
    {},
    { [annotations.internal]: 'true', [annotations.subnet]: 'apps', [annotations.address]: '10.225.0.9' },
  )
  assert.deepEqual(fake.only.internal, { subnet: 'apps' })
  assert.equal(fake.only.address, '10.225.0.9')
  assert.equal(fake.only.isShared, true)
})

test('what cannot be done is told in an event, in the words of the provider', async () => {
  const fake = new FakeLoadBalancers()
  await using cluster = new TestCluster(loopsWith(fake))
  cluster.start()
  await cluster.client.create(services, newService({}, { [annotations.idleTimeout]: '3' }))
  await cluster.clock.run(1000)
  const [event] = cluster.all(events)
  assert.equal(event!.reason, 'SyncLoadBalancerFailed')
  assert.equal(
    event!.message,
    `Error syncing load balancer: failed to ensure load balancer: error parsing idle timeout key: ${annotations.idleTimeout}, err: idle timeout value must be a whole number representing minutes between 4 and 100, actual value: 3`,
  )
  assert.equal(fake.balancers.size, 0)
})

test('annotations that are not carried out, and ranges that are none, are told, and the rest is done', async () => {
  const fake = new FakeLoadBalancers()
  await using cluster = new TestCluster(loopsWith(fake))
  cluster.start()
  const pls = 'service.beta.kubernetes.io/azure-pls-create'
  await withService(cluster, {}, { [pls]: 'true', [annotations.allowedRanges]: '10.0.0.0' })
  assert.deepEqual(
    cluster.all(events).map(({ type, reason }) => `${type} ${reason}`),
    [
      'Normal EnsuringLoadBalancer',
      'Warning InvalidConfiguration',
      'Warning UnsupportedAnnotation',
      'Normal EnsuredLoadBalancer',
    ],
  )
  assert.match(
    cluster.all(events)[2]!.message!,
    /azure-pls-create is not carried out: there are no private link services/,
  )
})

test('a backend that its probe loses is told on the service, with node and reason', async () => {
  const fake = new FakeLoadBalancers()
  await using cluster = new TestCluster(loopsWith(fake))
  cluster.start()
  await withService(cluster)
  const probe = { protocol: 'Tcp', port: 30080, intervalSeconds: 5, failures: 2 } as const
  const news = { id: web(cluster)!.metadata.uid!, address: '10.224.0.5', probe }
  for (const listener of fake.listeners) listener({ ...news, isUp: false, why: 'connection refused' })
  await cluster.still()
  const event = cluster.all(events).at(-1)!
  assert.equal(event.reason, 'HealthProbeDown')
  assert.equal(
    event.message,
    'The health probe TCP 30080 of node node-2 fails: connection refused. The load balancer sends it nothing',
  )
})

test('no kill leaves a load balancer behind', async () => {
  const fake = new FakeLoadBalancers()
  const kills = await killEverywhere(
    loopsWith(fake),
    async (cluster) => {
      fake.balancers.clear()
      await withService(cluster)
      await cluster.client.delete(services, { namespace: 'shop', name: 'web' })
      await cluster.still()
    },
    (cluster, kill) => {
      assert.equal(web(cluster), undefined, `killed after write ${kill}`)
      assert.equal(fake.balancers.size, 0)
    },
  )
  assert.ok(kills > 4)
})
