// The provisioner against the fake API: what it makes, what it deletes, and that it may be killed after any call.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, nodes, persistentVolumeClaims, persistentVolumes, storageClasses } from '@aksel/api/resources'
import type { Node, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import { createCaches } from '@aksel/runtime/caches'
import { FakeClient, type FakeCall } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import { DiskInUseError } from './disk-attachments.ts'
import { diskProvisioner, type DiskImages } from './provisioner.ts'
import { builtInStorageClasses, diskDriver } from './storage-classes.ts'
import { selectedNodeAnnotation } from './volume-plan.ts'

class MemoryImages implements DiskImages {
  readonly sizes = new Map<string, number>()
  holder: string | undefined
  /** Called after each change; what it throws, the change rejects with. */
  after: () => void = () => {}

  async create(name: string, sizeBytes: number): Promise<void> {
    if (!this.sizes.has(name)) this.sizes.set(name, sizeBytes)
    this.after()
  }

  async grow(name: string, sizeBytes: number): Promise<void> {
    this.sizes.set(name, Math.max(sizeBytes, this.sizes.get(name) ?? 0))
    this.after()
  }

  async remove(name: string): Promise<void> {
    if (this.holder !== undefined) throw new DiskInUseError(name, this.holder)
    this.sizes.delete(name)
    this.after()
  }

  async exists(name: string): Promise<boolean> {
    return this.sizes.has(name)
  }
}

/** A cluster with a node and a claim whose pod was given that node. */
class World {
  readonly scope = testScope()
  readonly images = new MemoryImages()
  after: ((call: FakeCall) => void) | undefined
  readonly client = new FakeClient({ ...this.scope, after: (call) => this.after?.(call) })

  constructor(annotations: Readonly<Record<string, string>> = { [selectedNodeAnnotation]: 'n1' }) {
    for (const one of builtInStorageClasses({ kubernetesVersion: '1.35.7' })) this.client.put(storageClasses, one)
    this.client.put(nodes, { metadata: { name: 'n1', labels: {} } } as Node)
    const provisioner = { 'volume.kubernetes.io/storage-provisioner': diskDriver }
    this.client.put<PersistentVolumeClaim>(persistentVolumeClaims, {
      metadata: { name: 'data', namespace: 'shop', uid: 'u1', annotations: { ...provisioner, ...annotations } },
      spec: {
        storageClassName: 'default',
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
      },
    })
  }

  /** One pass of a fresh controller, as after a restart. */
  async pass(key: string): Promise<void> {
    await using caches = createCaches(this.scope, this.client)
    const parts = { client: this.client, caches, images: this.images, diskIdPrefix: '/disks/' }
    const controller = diskProvisioner(parts)
    await Promise.all(
      [persistentVolumeClaims, persistentVolumes].map((type) => caches.of<never>(type as never).synced()),
    )
    await controller.reconcile(this.scope, key)
  }

  release(): void {
    this.client.change(persistentVolumes, 'pvc-u1', (draft) => void (draft.status = { phase: 'Released' }))
  }

  reasons(): readonly string[] {
    return this.client.peekAll(events).map((event) => event.reason!)
  }
}

const claimKey = 'claim/shop/data/u1'
const volumeKey = 'volume/pvc-u1'

test('a claim whose pod has a node gets a disk and a volume, and events say so', async () => {
  const world = new World()
  await world.pass(claimKey)
  assert.deepEqual([...world.images.sizes], [['pvc-u1', 2 ** 30]])
  assert.equal(world.client.peek(persistentVolumes, 'pvc-u1')?.spec?.csi?.volumeHandle, '/disks/pvc-u1')
  assert.deepEqual(world.reasons(), ['Provisioning', 'ProvisioningSucceeded'])
  await world.pass(claimKey)
  assert.equal(world.client.peekAll(persistentVolumes).length, 1)
})

test('a claim that waits for its first consumer gets nothing', async () => {
  const world = new World({})
  await world.pass(claimKey)
  assert.deepEqual([world.images.sizes.size, world.client.writes.length], [0, 0])
})

test('a claim whose node is gone is given back to the scheduler', async () => {
  const world = new World({ [selectedNodeAnnotation]: 'gone' })
  await world.pass(claimKey)
  const claim = world.client.peek(persistentVolumeClaims, 'shop/data')
  assert.equal(claim?.metadata.annotations?.[selectedNodeAnnotation], undefined)
  assert.equal(world.images.sizes.size, 0)
})

test('a released volume goes with its disk', async () => {
  const world = new World()
  await world.pass(claimKey)
  await world.pass(volumeKey)
  assert.equal(world.images.sizes.size, 1)
  world.release()
  await world.pass(volumeKey)
  assert.deepEqual([world.images.sizes.size, world.client.peekAll(persistentVolumes).length], [0, 0])
})

test('a released volume whose disk a node still has stays, and an event says why', async () => {
  const world = new World()
  await world.pass(claimKey)
  world.release()
  world.images.holder = 'machine/n1'
  await assert.rejects(world.pass(volumeKey), DiskInUseError)
  assert.ok(world.reasons().includes('VolumeFailedDelete'))
  assert.equal(world.client.peekAll(persistentVolumes).length, 1)
})

test('a volume that was told to stay keeps its disk and loses the finalizer', async () => {
  const world = new World()
  await world.pass(claimKey)
  world.client.change(
    persistentVolumes,
    'pvc-u1',
    (draft) => void (draft.spec!.persistentVolumeReclaimPolicy = 'Retain'),
  )
  world.release()
  await world.pass(volumeKey)
  assert.deepEqual(world.client.peek(persistentVolumes, 'pvc-u1')?.metadata.finalizers, [])
  assert.equal(world.images.sizes.size, 1)
})

test('the disk of a claim that went before its volume was made is removed', async () => {
  const world = new World()
  world.images.sizes.set('pvc-u1', 1)
  await world.client.delete(persistentVolumeClaims, { namespace: 'shop', name: 'data' })
  await world.pass(claimKey)
  assert.equal(world.images.sizes.size, 0)
})

test('killed after any call and run again, it ends with one disk and one volume, then with none', async () => {
  const whole = new World()
  let calls = 0
  whole.after = () => void (calls += 1)
  whole.images.after = () => void (calls += 1)
  await runThrough(whole)
  assert.ok(calls >= 6)
  for (let fatal = 1; fatal <= calls; fatal++) {
    const world = new World()
    let call = 0
    const die = (): void => {
      call += 1
      if (call === fatal) throw new Error('killed')
    }
    world.after = die
    world.images.after = die
    await runThrough(world)
  }
})

async function runThrough(world: World): Promise<void> {
  const again = async (key: string): Promise<void> => {
    await world.pass(key).catch(() => undefined)
    await world.pass(key)
  }
  await again(claimKey)
  assert.deepEqual([world.images.sizes.size, world.client.peekAll(persistentVolumes).length], [1, 1])
  world.release()
  await again(volumeKey)
  assert.deepEqual([world.images.sizes.size, world.client.peekAll(persistentVolumes).length], [0, 0])
}
