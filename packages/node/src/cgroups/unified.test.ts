// Pods and classes of service on a host with the unified tree alone.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import { delegate } from '@aksel/host/cgroup-world'
import { ROOT, UnifiedCgroups } from '@aksel/host/testing/kernel-cgroups'
import { makePodCgroup } from '../pod/pod-cgroup.ts'
import { applyQos } from './qos.ts'

const capacity = { cpuMilli: 2000, memoryBytes: 2 ** 33, podPidsMax: 100 }
const plan = { cpuShares: 1945, memoryBytes: 7_000_000_000, burstableShares: 1024, bestEffortShares: 2 }

const podOf = (uid: string, resources: object = {}): Pod => ({
  metadata: { name: uid, uid },
  spec: { containers: [{ name: 'c', image: 'i', resources }] },
})

/** With the machine's own programs in a leaf, as whoever makes machines leaves it. */
async function machine(): Promise<UnifiedCgroups> {
  const world = new UnifiedCgroups()
  const { controllers } = (await world.trees())[0]!
  for (const path of ['aksel', 'aksel/m1']) {
    await delegate(world, join(ROOT, path, '..'), controllers)
    await world.makeFolder(join(ROOT, path))
  }
  await delegate(world, join(ROOT, 'aksel/m1'), controllers)
  await world.makeFolder(join(ROOT, 'aksel/m1/system'))
  await world.write(join(ROOT, 'aksel/m1/system/cgroup.procs'), 1)
  return world
}

test('classes of service have their weights and their memory before the first pod comes', async () => {
  const world = await machine()
  await applyQos('/aksel/m1', plan, world)
  const read = (file: string): Promise<string> => world.read(join(ROOT, 'aksel/m1/kubepods', file))
  assert.deepEqual(
    [
      await read('memory.max'),
      await read('cpu.weight'),
      await read('burstable/cpu.weight'),
      await read('besteffort/cpu.weight'),
    ],
    ['7000000000', '75', '39', '1'],
  )
})

test('a pod of each class is bounded in its place, and its containers may be bounded below it', async () => {
  const world = await machine()
  const limits = { cpu: '500m', memory: '64Mi' }
  await makePodCgroup('/aksel/m1', podOf('g', { requests: limits, limits }), capacity, world)
  await makePodCgroup('/aksel/m1', podOf('b', { requests: { cpu: '250m' } }), capacity, world)
  await makePodCgroup('/aksel/m1', podOf('e'), capacity, world)
  await applyQos('/aksel/m1', plan, world)
  // Once more, larger: a resize.
  const more = { cpu: '1', memory: '128Mi' }
  await makePodCgroup('/aksel/m1', podOf('g', { requests: more, limits: more }), capacity, world)
  const read = (file: string): Promise<string> => world.read(join(ROOT, 'aksel/m1/kubepods', file))
  assert.deepEqual(
    [
      await read('podg/cpu.max'),
      await read('podg/memory.max'),
      await read('podg/cpu.weight'),
      await read('podg/pids.max'),
    ],
    ['100000 100000', String(128 * 2 ** 20), '39', '100'],
  )
  assert.deepEqual([await read('burstable/podb/cpu.weight'), await read('burstable/podb/memory.max')], ['10', 'max'])
  assert.equal(await read('besteffort/pode/cpu.weight'), '1')
  // As runc does it for a container.
  await delegate(world, join(ROOT, 'aksel/m1/kubepods/podg'), ['cpu', 'memory', 'pids'])
  await world.makeFolder(join(ROOT, 'aksel/m1/kubepods/podg/c1'))
  await world.write(join(ROOT, 'aksel/m1/kubepods/podg/c1/cgroup.procs'), 5)
  await assert.rejects(world.write(join(ROOT, 'aksel/m1/kubepods/podg/cgroup.procs'), 5), { code: 'EBUSY' })
})
