// A mounted disk whose volume became larger: the file system follows, claim and pod are told, once.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, persistentVolumeClaims } from '@aksel/api/resources'
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import { growDisk } from './claim-growth.ts'

const pod: Pod = { metadata: { name: 'p', namespace: 'shop', uid: 'p' }, spec: { containers: [] } }
const persistent: PersistentVolume = {
  metadata: { name: 'pv' },
  spec: { capacity: { storage: '3Gi' }, csi: { driver: 'disk.csi.azure.com', volumeHandle: '/disks/pv' } },
}
const wish: PersistentVolumeClaim = {
  metadata: { name: 'data', namespace: 'shop' },
  spec: { volumeName: 'pv' },
  status: {
    phase: 'Bound',
    capacity: { storage: '1Gi' },
    conditions: [{ type: 'FileSystemResizePending', status: 'True' }],
    allocatedResources: { storage: '3Gi' },
    allocatedResourceStatuses: { storage: 'NodeResizePending' },
  },
}

test('growDisk() lets the file system follow once, and the claim has its size then', async () => {
  using scope = testScope()
  const client = new FakeClient(scope)
  const asked: string[] = []
  let growth: 'grown' | 'at-next-mount' = 'at-next-mount'
  const disks = {
    mount: () => Promise.reject(new Error('not asked')),
    unmount: () => Promise.reject(new Error('not asked')),
    grow: async (_: unknown, { volumeHandle, owner }: { volumeHandle: string; owner: string }) => {
      asked.push(`${volumeHandle} ${owner}`)
      return growth
    },
  }
  const host = { client, disks, owner: 'machine/n1' }
  const claim = (): PersistentVolumeClaim => client.peek(persistentVolumeClaims, 'shop/data')!
  client.put(persistentVolumeClaims, wish)
  await growDisk(scope, host, { pod, persistent, claim: claim() })
  assert.deepEqual([claim().status, client.peekAll(events)], [wish.status, []])
  growth = 'grown'
  await growDisk(scope, host, { pod, persistent, claim: claim() })
  await growDisk(scope, host, { pod, persistent, claim: claim() })
  assert.deepEqual(asked, ['/disks/pv machine/n1', '/disks/pv machine/n1'])
  assert.deepEqual(claim().status, {
    phase: 'Bound',
    capacity: { storage: '3Gi' },
    conditions: [],
    allocatedResources: { storage: '3Gi' },
  })
  assert.deepEqual(
    client.peekAll(events).map(({ reason, involvedObject }) => `${involvedObject.kind} ${reason}`),
    ['Pod FileSystemResizeSuccessful', 'PersistentVolumeClaim FileSystemResizeSuccessful'],
  )
})

test('growDisk() tells why a file system did not follow, and leaves the claim as it is', async () => {
  using scope = testScope()
  const client = new FakeClient(scope)
  const refuse = (): Promise<never> => Promise.reject(new Error('resize2fs: no space'))
  client.put(persistentVolumeClaims, wish)
  const claim = client.peek(persistentVolumeClaims, 'shop/data')!
  const host = { client, owner: 'machine/n1', disks: { mount: refuse, unmount: refuse, grow: refuse } }
  await assert.rejects(growDisk(scope, host, { pod, persistent, claim }), /no space/)
  assert.deepEqual(client.peek(persistentVolumeClaims, 'shop/data')!.status, wish.status)
  const [told] = client.peekAll(events)
  assert.equal(told!.message, 'NodeExpandVolume.NodeExpandVolume failed for volume "pv" : resize2fs: no space')
})
