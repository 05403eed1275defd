// Endpoints on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpoints, pods, services } from '@aksel/api/resources'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import { newPod } from '../testing/objects.ts'
import { endpointsController } from './controller.ts'

test('a service has endpoints: ready addresses, those that are not, and their ports; they go with it', async () => {
  await using cluster = new TestCluster((parts) => [endpointsController(parts)])
  const client = cluster.start()
  await cluster.client.create(services, {
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  })
  for (const name of ['a', 'b']) await cluster.client.create(pods, newPod(name, { nodeName: 'node-1' }, { app: 'web' }))
  await cluster.still({ ready: (pod) => pod.metadata.name === 'a' })
  const [subset, ...others] = cluster.client.peek(endpoints, 'shop/web')!.subsets!
  assert.equal(others.length, 0)
  assert.deepEqual(
    subset!.addresses!.map(({ targetRef }) => targetRef!.name),
    ['a'],
  )
  assert.deepEqual(
    subset!.notReadyAddresses!.map(({ targetRef }) => targetRef!.name),
    ['b'],
  )
  assert.deepEqual(subset!.ports, [{ protocol: 'TCP', port: 8080 }])
  const writes = client.writes.length
  await cluster.clock.run(60_000)
  assert.equal(client.writes.length, writes)
  await cluster.client.delete(services, { namespace: 'shop', name: 'web' })
  await cluster.still()
  assert.equal(cluster.client.peek(endpoints, 'shop/web'), undefined)
})

test('a service of both families shows the addresses of its first one', async () => {
  for (const [ipFamilies, expected] of [
    [['IPv4', 'IPv6'], '10.244.0.7'],
    [['IPv6', 'IPv4'], 'fd00::7'],
  ] as const) {
    await using cluster = new TestCluster((parts) => [endpointsController(parts)])
    cluster.start()
    const spec = { selector: { app: 'web' }, ports: [{ port: 80 }], ipFamilies }
    await cluster.client.create(services, { metadata: { name: 'web', namespace: 'shop' }, spec })
    const pod = newPod('a', { nodeName: 'node-1' }, { app: 'web' })
    const podIPs = [{ ip: '10.244.0.7' }, { ip: 'fd00::7' }]
    cluster.client.put(pods, { ...pod, status: { phase: 'Running', podIP: '10.244.0.7', podIPs } })
    await cluster.clock.run(1000)
    const [subset] = cluster.client.peek(endpoints, 'shop/web')!.subsets!
    assert.equal((subset!.addresses ?? subset!.notReadyAddresses)![0]!.ip, expected)
  }
})

test('no kill leaves a service without its endpoints', async () => {
  const kills = await killEverywhere(
    (parts) => [endpointsController(parts)],
    async (cluster) => {
      const spec = { selector: { app: 'web' }, ports: [{ port: 80 }] }
      await cluster.client.create(services, { metadata: { name: 'web', namespace: 'shop' }, spec })
      for (const name of ['a', 'b']) {
        await cluster.client.create(pods, newPod(name, { nodeName: 'node-1' }, { app: 'web' }))
        await cluster.still()
      }
    },
    (cluster, kill) => {
      const [subset] = cluster.client.peek(endpoints, 'shop/web')!.subsets!
      assert.equal(subset!.addresses!.length, 2, `killed after write ${kill}`)
    },
  )
  assert.ok(kills >= 3)
})
