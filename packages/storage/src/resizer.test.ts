// A claim that asks for more: the disk grows, then the volume, then the node is told; killed anywhere it ends alike.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, persistentVolumeClaims, persistentVolumes } from '@aksel/api/resources'
import type { PersistentVolume, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import { createCaches } from '@aksel/runtime/caches'
import { FakeClient, type FakeCall } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import { planResize } from './resize-plan.ts'
import { diskResizer } from './resizer.ts'
import { diskDriver } from './storage-classes.ts'

const GIB = 2 ** 30

function claim(
  wanted: string,
  status: Partial<NonNullable<PersistentVolumeClaim['status']>> = {},
): PersistentVolumeClaim {
  return {
    metadata: { name: 'data', namespace: 'shop', uid: 'u1' },
    spec: { volumeName: 'pv', resources: { requests: { storage: wanted } } },
    status: { phase: 'Bound', capacity: { storage: '1Gi' }, ...status },
  }
}

function volume(storage: string, driver: string = diskDriver): PersistentVolume {
  return {
    metadata: { name: 'pv' },
    spec: {
      capacity: { storage },
      csi: { driver, volumeHandle: '/disks/pv' },
      claimRef: { namespace: 'shop', name: 'data', uid: 'u1' },
    },
  }
}

test('planResize() grows by whole GiB, leaves what is no claim of ours, and asks the node when the disk is large enough', () => {
  const kind = (of: PersistentVolumeClaim, with_: PersistentVolume | undefined = volume('1Gi')): string =>
    planResize(of, with_).kind
  assert.deepEqual(planResize(claim('1500Mi'), volume('1Gi')), { kind: 'grow', sizeBytes: 2 * GIB, capacity: '2Gi' })
  assert.equal(kind(claim('1Gi')), 'none')
  assert.equal(kind(claim('2Gi', { phase: 'Pending' })), 'none')
  assert.equal(kind(claim('2Gi'), volume('1Gi', 'other.example.com')), 'none')
  assert.equal(kind({ ...claim('2Gi'), metadata: { name: 'data', uid: 'other' } }), 'none')
  assert.equal(kind(claim('2Gi'), volume('2Gi')), 'node')
  const pending = [{ type: 'FileSystemResizePending', status: 'True' }]
  assert.equal(kind(claim('2Gi', { conditions: pending }), volume('2Gi')), 'none')
  assert.deepEqual(planResize(claim('70000Gi'), volume('1Gi')), {
    kind: 'refuse',
    message: 'the size of the disk must not exceed 65536 GiB, 70000 GiB are asked for',
  })
})

class World {
  readonly scope = testScope()
  readonly sizes = new Map([['pv', GIB]])
  after: (call: FakeCall) => void = () => {}
  readonly client = new FakeClient({ ...this.scope, after: (call) => this.after(call) })
  afterGrow: () => void = () => {}

  constructor(wanted: string) {
    this.client.put(persistentVolumes, volume('1Gi'))
    this.client.put(persistentVolumeClaims, claim(wanted))
  }

  /** One pass of a fresh controller, as after a restart. */
  async pass(): Promise<void> {
    await using caches = createCaches(this.scope, this.client)
    const images = {
      grow: async (name: string, sizeBytes: number): Promise<void> => {
        this.sizes.set(name, Math.max(sizeBytes, this.sizes.get(name)!))
        this.afterGrow()
      },
    }
    const controller = diskResizer({ client: this.client, caches, images })
    await Promise.all([persistentVolumeClaims, persistentVolumes].map((type) => caches.of(type).synced()))
    await controller.reconcile(this.scope, 'shop/data')
  }

  /** What is to be seen in the end. */
  get end(): unknown {
    const { status } = this.client.peek(persistentVolumeClaims, 'shop/data')!
    return {
      bytes: this.sizes.get('pv'),
      capacity: this.client.peek(persistentVolumes, 'pv')!.spec.capacity,
      conditions: status!.conditions!.map(({ type, message }) => [type, message]),
      present: status!.capacity,
      allocated: [status!.allocatedResources, status!.allocatedResourceStatuses],
    }
  }
}

const grown = {
  bytes: 3 * GIB,
  capacity: { storage: '3Gi' },
  conditions: [
    ['FileSystemResizePending', 'Waiting for user to (re-)start a pod to finish file system resize of volume on node.'],
  ],
  present: { storage: '1Gi' },
  allocated: [{ storage: '3Gi' }, { storage: 'NodeResizePending' }],
}

test('the disk grows, its volume says so, and the claim waits for the node', async () => {
  const world = new World('3Gi')
  await world.pass()
  assert.deepEqual(world.end, grown)
  assert.deepEqual(
    world.client.peekAll(events).map(({ type, reason, message }) => [type, reason, message]),
    [
      ['Normal', 'Resizing', 'External resizer is resizing volume pv'],
      ['Normal', 'FileSystemResizeRequired', 'Require file system resize of volume on node'],
    ],
  )
  const writes = world.client.writes.length
  await world.pass()
  assert.equal(world.client.writes.length, writes, 'a second pass has nothing to do')
})

test('killed after any write and run again, the resizer ends alike', async () => {
  for (let at = 0; ; at += 1) {
    const world = new World('3Gi')
    let left = at
    const die = (): void => {
      if (left-- === 0) throw new Error('killed')
    }
    world.after = die
    world.afterGrow = die
    const died = await world.pass().then(
      () => false,
      () => true,
    )
    world.after = () => {}
    world.afterGrow = () => {}
    await world.pass()
    assert.deepEqual(world.end, grown, `killed after write ${at}`)
    if (!died && left >= 0) return assert.ok(at > 4, `${at} places to die at`)
  }
})

test('a size that no disk has is refused once', async () => {
  const world = new World('70000Gi')
  await world.pass()
  await world.pass()
  assert.equal(world.sizes.get('pv'), GIB)
  const told = world.client.peekAll(events)
  assert.deepEqual(
    told.map(({ reason, message, count }) => [reason, message, count]),
    [
      [
        'VolumeResizeFailed',
        `resize volume "pv" by resizer "${diskDriver}" failed: the size of the disk must not exceed 65536 GiB, 70000 GiB are asked for`,
        1,
      ],
    ],
  )
})
