// Services of type LoadBalancer on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointSlices, events, nodes, services } from '@aksel/api/resources'
import type { Service } from '@aksel/api/types/core-v1'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { readyNode } from '../testing/objects.ts'
import { serviceLoadBalancerController } from './controller.ts'
import type { LoadBalancerRequest, LoadBalancers } from './load-balancers.ts'

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

  get only(): LoadBalancerRequest {
    const [first] = this.balancers.values()
    return first!
  }
}

function loopsWith(loadBalancers: LoadBalancers): MakeLoops {
  return (parts) => [serviceLoadBalancerController({ ...parts, loadBalancers })]
}

function newService(spec: Partial<Service['spec']> = {}): Service {
  return {
    metadata: { name: 'web', namespace: 'shop' },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }], ...spec },
  }
}

async function withService(cluster: TestCluster, spec: Partial<Service['spec']> = {}): Promise<void> {
  cluster.client.put(nodes, readyNode('node-1', '10.224.0.4'))
  cluster.client.put(nodes, readyNode('node-2', '10.224.0.5'))
  await cluster.clock.run(1)
  await cluster.client.create(services, newService(spec))
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
      sourceRanges: ['10.1.0.0/16'],
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

test('with local traffic only nodes that hold ready pods are backends', async () => {
  const fake = new FakeLoadBalancers()
  await using cluster = new TestCluster(loopsWith(fake))
  cluster.start()
  await withService(cluster, { externalTrafficPolicy: 'Local' })
  assert.deepEqual(fake.only.rules[0]!.backends, [])
  cluster.client.put(endpointSlices, {
    metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [],
    endpoints: [{ addresses: ['10.244.1.2'], nodeName: 'node-2', conditions: { ready: true } }],
  })
  await cluster.still()
  assert.deepEqual(fake.only.rules[0]!.backends, [{ address: '10.224.0.5', port: 30080 }])
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

test('an internal load balancer is refused in an event that says why', async () => {
  const fake = new FakeLoadBalancers()
  await using cluster = new TestCluster(loopsWith(fake))
  cluster.start()
  const annotations = { 'service.beta.kubernetes.io/azure-load-balancer-internal': 'true' }
  await cluster.client.create(services, { ...newService(), metadata: { ...newService().metadata, annotations } })
  await cluster.clock.run(1000)
  const [event] = cluster.all(events)
  assert.equal(event!.reason, 'SyncLoadBalancerFailed')
  assert.match(event!.message!, /^Error syncing load balancer: internal load balancers are not available/)
  assert.equal(fake.balancers.size, 0)
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
