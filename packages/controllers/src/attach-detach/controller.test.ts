// Volumes that follow their pods from node to node, with an attacher that does what it is asked.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  csiDrivers,
  events,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  volumeAttachments,
} from '@aksel/api/resources'
import { keyOf } from '@aksel/api/resource'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newClaim, newPod, readyNode } from '../testing/objects.ts'
import { attachDetachController } from './controller.ts'

const loops: MakeLoops = (parts) => [attachDetachController(parts)]
const driver = 'disk.example.com'

async function prepare(cluster: TestCluster): Promise<void> {
  for (const name of ['a', 'b']) await cluster.client.create(nodes, readyNode(name, '10.0.0.1'))
  cluster.client.put(persistentVolumes, {
    metadata: { name: 'pv' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      csi: { driver, volumeHandle: 'h1' },
      claimRef: { namespace: 'shop', name: 'data' },
    },
  })
  await cluster.client.create(persistentVolumeClaims, newClaim('data', { volumeName: 'pv' }))
}

function user(name: string, nodeName: string) {
  return newPod(name, { nodeName, volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] })
}

/** The driver's attacher, once: what is asked for is attached, what goes is let go. */
function attacher(cluster: TestCluster, message?: string): void {
  for (const { metadata } of cluster.all(volumeAttachments))
    cluster.client.change(volumeAttachments, keyOf({ metadata }), (draft) => {
      draft.status = message === undefined ? { attached: true } : { attached: false, attachError: { message } }
    })
}

const where = (cluster: TestCluster): readonly string[] =>
  cluster.all(volumeAttachments).map(({ spec }) => spec.nodeName)
const told = (cluster: TestCluster): readonly string[] =>
  cluster.all(events).map(({ reason, message, source }) => `${source?.component} ${reason}: ${message}`)

test('a volume is attached for its pod, told, and follows to the next node', async () => {
  await using cluster = new TestCluster(loops)
  await prepare(cluster)
  cluster.start()
  await cluster.client.create(pods, user('one', 'a'))
  await cluster.clock.run(1000)
  const [made] = cluster.all(volumeAttachments)
  assert.match(made!.metadata.name, /^csi-[0-9a-f]{64}$/)
  assert.deepEqual(made!.spec, { attacher: driver, nodeName: 'a', source: { persistentVolumeName: 'pv' } })
  attacher(cluster, 'no room')
  await cluster.clock.run(1000)
  attacher(cluster)
  await cluster.clock.run(1000)
  assert.deepEqual(told(cluster), [
    'attachdetach-controller FailedAttachVolume: AttachVolume.Attach failed for volume "pv" : no room',
    'attachdetach-controller SuccessfulAttachVolume: AttachVolume.Attach succeeded for volume "pv" ',
  ])
  const attached = [{ name: `kubernetes.io/csi/${driver}^h1`, devicePath: '' }]
  assert.deepEqual(cluster.client.peek(nodes, 'a')!.status!.volumesAttached, attached)

  await cluster.client.create(pods, user('two', 'b'))
  await cluster.clock.run(1000)
  assert.deepEqual(where(cluster), ['a'])
  cluster.finish(cluster.client.peek(pods, 'shop/one')!, 0)
  await cluster.clock.run(1000)
  assert.deepEqual(where(cluster), ['b'])
  assert.equal(cluster.client.peek(nodes, 'a')!.status!.volumesAttached, undefined)
})

test('a volume that its node still uses stays, until the node says otherwise', async () => {
  await using cluster = new TestCluster(loops)
  await prepare(cluster)
  cluster.start()
  await cluster.client.create(pods, user('one', 'a'))
  await cluster.clock.run(1000)
  const uses = (names: string[]) =>
    cluster.client.change(nodes, 'a', (draft) => void (draft.status!.volumesInUse = names))
  uses([`kubernetes.io/csi/${driver}^h1`])
  await cluster.client.delete(pods, user('one', 'a').metadata, { gracePeriodSeconds: 0 })
  await cluster.clock.run(3_600_000)
  assert.deepEqual(where(cluster), ['a'])
  uses([])
  await cluster.clock.run(1000)
  assert.deepEqual(where(cluster), [])
})

test('a driver that needs no attaching gets none, from when it says so', async () => {
  await using cluster = new TestCluster(loops)
  await prepare(cluster)
  cluster.start()
  await cluster.client.create(pods, user('one', 'a'))
  await cluster.clock.run(1000)
  assert.deepEqual(where(cluster), ['a'])
  await cluster.client.create(csiDrivers, { metadata: { name: driver }, spec: { attachRequired: false } })
  await cluster.clock.run(1000)
  assert.deepEqual(where(cluster), [])
})

test('no kill leaves a volume on two nodes, or on none', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await prepare(cluster)
      await cluster.client.create(pods, user('one', 'a'))
      await cluster.clock.run(1000)
      attacher(cluster)
      await cluster.client.delete(pods, user('one', 'a').metadata, { gracePeriodSeconds: 0 })
      await cluster.client.create(pods, user('two', 'b'))
      await cluster.clock.run(2000)
    },
    (cluster) => assert.deepEqual(where(cluster), ['b']),
    {},
    (cluster) => cluster.clock.run(10_000),
  )
  assert.ok(kills >= 3, `only ${kills} kills`)
})
