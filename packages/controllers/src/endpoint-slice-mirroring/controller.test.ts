// Endpoints by hand and their slices.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpoints, endpointSlices, services } from '@aksel/api/resources'
import { endpointsController } from '../endpoints/controller.ts'
import { endpointSliceController } from '../endpoint-slice/controller.ts'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { endpointSliceMirroringController } from './controller.ts'

const loops: MakeLoops = (parts) => [
  endpointSliceMirroringController(parts),
  endpointSliceController(parts),
  endpointsController(parts),
]

const ref = { name: 'legacy', namespace: 'shop' }

async function setUp(cluster: TestCluster): Promise<void> {
  await cluster.client.create(services, { metadata: ref, spec: { ports: [{ port: 80 }] } })
  await cluster.client.create(endpoints, {
    metadata: { ...ref, labels: { team: 'a' }, annotations: { note: 'kept' } },
    subsets: [
      {
        addresses: [{ ip: '10.1.1.1' }, { ip: 'fd00::1' }],
        notReadyAddresses: [{ ip: '10.1.1.2' }],
        ports: [{ port: 8080 }],
      },
    ],
  })
  await cluster.clock.run(1000)
}

function shown(cluster: TestCluster): readonly string[] {
  return cluster.all(endpointSlices).map(({ addressType, endpoints: all, ports }) => {
    const each = all.map(({ addresses, conditions }) => `${addresses[0]} ${conditions?.ready}`)
    return `${addressType} ${ports?.[0]?.port}: ${each.join(', ')}`
  })
}

test('endpoints by hand are mirrored by family, followed, and taken away with them', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await setUp(cluster)
  assert.deepEqual(shown(cluster), ['IPv4 8080: 10.1.1.1 true, 10.1.1.2 false', 'IPv6 8080: fd00::1 true'])
  const [slice] = cluster.all(endpointSlices)
  assert.deepEqual(slice!.metadata.labels, {
    team: 'a',
    'kubernetes.io/service-name': 'legacy',
    'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
  })
  assert.deepEqual(
    [slice!.metadata.annotations, slice!.metadata.ownerReferences![0]!.kind],
    [{ note: 'kept' }, 'Endpoints'],
  )
  cluster.client.change(endpoints, 'shop/legacy', (draft) => {
    draft.subsets = [{ addresses: [{ ip: '10.1.1.9' }], ports: [{ port: 8080 }] }]
  })
  await cluster.clock.run(1000)
  assert.deepEqual(shown(cluster), ['IPv4 8080: 10.1.1.9 true'])
  await cluster.client.delete(endpoints, ref)
  await cluster.clock.run(1000)
  assert.deepEqual(shown(cluster), [])
})

test('endpoints of a service with a selector, and ones that say so, are not mirrored', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await setUp(cluster)
  cluster.client.change(endpoints, 'shop/legacy', (draft) => {
    draft.metadata.labels = { 'endpointslice.kubernetes.io/skip-mirror': 'true' }
  })
  await cluster.clock.run(1000)
  assert.deepEqual(shown(cluster), [])
  cluster.client.change(endpoints, 'shop/legacy', (draft) => {
    draft.metadata.labels = {}
  })
  await cluster.clock.run(1000)
  assert.equal(shown(cluster).length, 2)
  cluster.client.change(services, 'shop/legacy', (draft) => {
    draft.spec.selector = { app: 'legacy' }
  })
  await cluster.clock.run(1000)
  const mirrored = cluster
    .all(endpointSlices)
    .filter(({ metadata }) => metadata.ownerReferences![0]!.kind === 'Endpoints')
  assert.deepEqual(mirrored, [])
})

test('no kill leaves a mirror twice or incomplete', async () => {
  const kills = await killEverywhere(
    loops,
    setUp,
    (cluster, kill) => assert.equal(shown(cluster).length, 2, `killed after write ${kill}`),
    {},
    (cluster) => cluster.clock.run(6 * 60_000),
  )
  assert.equal(kills, 2)
})
