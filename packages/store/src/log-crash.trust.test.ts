// What the log store survives: power cuts and I/O errors at every call, damaged files.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fraction, seededRandom } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import { checkPowerCuts, crashDirectory, Load, openCrashStore } from './crash-harness.ts'
import { put, text } from './contract-help.ts'
import { SimulatedDisk, type DiskCall, type DiskFault, type DiskPlan } from './simulated-disk.ts'
import { StoreError } from './store.ts'

const BURSTS = 45
const FLIPS = sized({ gate: 1_000, full: 10_000 })
const IMAGES = sized({ gate: 2_000, full: 20_000 })

/** A run of load `seed` on a disk with this plan, until the store refuses or the load is done. */
async function runLoad(seed: number, plan: DiskPlan): Promise<{ readonly disk: SimulatedDisk; readonly load: Load }> {
  const disk = new SimulatedDisk(seededRandom(seed), plan)
  const load = new Load(seed)
  try {
    await using store = await openCrashStore(disk, seed)
    await load.run(store, BURSTS)
    await load.check(store)
  } catch (error) {
    if (!isSimulated(error)) throw error
  }
  return { disk, load }
}

/** Whether the error, or one that it was caused by, is a fault of the plan. */
function isSimulated(error: unknown): boolean {
  if (error instanceof StoreError) return isSimulated(error.cause)
  return error instanceof Error && /simulated at/.test(error.message)
}

function at(call: number, fault: DiskFault): DiskPlan {
  return { faultAt: (n) => (n === call ? fault : undefined) }
}

describe('the log store and power cuts', () => {
  for (const seed of [1, 2]) {
    test(`a power cut at any call loses nothing acknowledged, seed ${seed}`, async () => {
      const kinds: DiskCall[] = []
      const whole = await runLoad(seed, { faultAt: (_, kind) => void kinds.push(kind) })
      assert.ok(whole.load.acknowledged > 30)
      for (const kind of ['rename', 'remove', 'syncDirectory', 'datasync'] as const) {
        assert.ok(kinds.filter((one) => one === kind).length >= 2, `the load makes the store call ${kind}`)
      }
      const images = Math.ceil(IMAGES / 2 / kinds.length)
      for (let call = 1; call <= kinds.length; call++) {
        const { disk, load } = await runLoad(seed, at(call, 'power'))
        await checkPowerCuts(disk, load, images, call)
      }
    })
  }

  test('a power cut during recovery from a power cut loses nothing either', async () => {
    for (let call = 20; call < 200; call += 7) {
      const { disk, load } = await runLoad(3, at(call, 'power'))
      for (let again = 1; again < 20; again++) {
        const left = disk.afterPowerCut(seededRandom(call * 31 + again))
        left.setPlan(at(again, 'power'))
        await openCrashStore(left).then(
          (store) => store[Symbol.asyncDispose](),
          () => undefined,
        )
        await checkPowerCuts(left, load, 2, again)
      }
    }
  })

  test('the harness catches a disk whose fdatasync does nothing', async () => {
    const { disk, load } = await runLoad(1, { ignoresSync: true })
    await assert.rejects(checkPowerCuts(disk, load, 20, 1))
  })
})

describe('the log store and I/O errors', () => {
  for (const fault of ['EIO', 'ENOSPC', 'short'] as const) {
    test(`${fault} at any call: nothing acknowledged is lost, and the store works again when opened again`, async () => {
      const { disk: whole } = await runLoad(4, {})
      for (let call = 1; call <= whole.calls; call++) {
        const { disk, load } = await runLoad(4, at(call, fault))
        await checkPowerCuts(disk, load, 1, call)
        disk.setPlan({})
        const later = await openCrashStore(disk)
        await load.check(later)
        await load.run(later, 3)
        await load.check(later)
        await checkPowerCuts(disk, load, 1, call)
        await later[Symbol.asyncDispose]()
        await checkPowerCuts(disk, load, 1, call)
      }
    })
  }

  test('a full disk refuses writes by name, reads go on, and it needs no reopening when there is room again', async () => {
    const disk = new SimulatedDisk(seededRandom(5))
    await using store = await openCrashStore(disk)
    await put(store, 'a', '1')
    disk.setPlan({ faultAt: (_, kind) => (kind === 'write' ? 'short' : undefined) })
    const refused = await Promise.allSettled([put(store, 'a', '2'), put(store, 'b', '2')])
    assert.deepEqual(
      refused.map((result) => result.status === 'rejected' && (result.reason as StoreError).kind),
      ['NoSpace', 'NoSpace'],
    )
    assert.deepEqual([text(await store.get('a')), store.revision], ['1', 1])
    disk.setPlan({})
    assert.deepEqual(await put(store, 'a', '3'), { committed: true, revision: 2 })
  })

  test('a new segment that the full disk left half made is finished before anything else is written', async () => {
    const disk = new SimulatedDisk(seededRandom(10))
    const store = await openCrashStore(disk)
    const filler = 'x'.repeat(1_600)
    await put(store, 'a', filler)
    disk.setPlan({ faultAt: (_, kind) => (kind === 'syncDirectory' ? 'ENOSPC' : undefined) })
    for (let i = 0; i < 3; i++) await assert.rejects(put(store, 'b', filler), { kind: 'NoSpace' })
    disk.setPlan({})
    await put(store, 'c', '3')
    await store[Symbol.asyncDispose]()
    await using again = await openCrashStore(disk)
    assert.deepEqual([again.revision, text(await again.get('c'))], [2, '3'])
  })

  test('after a failed fdatasync the store is poisoned: it reads what is durable and refuses to write', async () => {
    const disk = new SimulatedDisk(seededRandom(6))
    const store = await openCrashStore(disk)
    await put(store, 'a', '1')
    disk.setPlan({ faultAt: (call, kind) => (kind === 'datasync' ? 'EIO' : undefined) })
    await assert.rejects(put(store, 'a', '2'), { kind: 'Poisoned' })
    disk.setPlan({})
    await assert.rejects(put(store, 'a', '3'), { kind: 'Poisoned' })
    assert.deepEqual([text(await store.get('a')), store.revision], ['1', 1])
    await store[Symbol.asyncDispose]()
  })

  test('a folder that is open is refused', async () => {
    const disk = new SimulatedDisk(seededRandom(7))
    const store = await openCrashStore(disk)
    await assert.rejects(openCrashStore(disk), { kind: 'Locked' })
    await store[Symbol.asyncDispose]()
    await using again = await openCrashStore(disk)
    assert.equal(again.revision, 0)
  })
})

describe('the log store and damaged files', () => {
  test('a flipped bit is refused or harmless, never served', async () => {
    const { disk, load } = await runLoad(8, {})
    const files = disk.files()
    const random = seededRandom(8)
    let refused = 0
    for (let round = 0; round < FLIPS; round++) {
      const copies = new Map([...files].map(([path, bytes]) => [path, Buffer.from(bytes)]))
      const [, bytes] = [...copies][Math.floor(fraction(random) * copies.size)]!
      bytes[Math.floor(fraction(random) * bytes.length)]! ^= 1 << Math.floor(fraction(random) * 8)
      try {
        await using store = await openCrashStore(new SimulatedDisk(random, {}, copies))
        await load.check(store)
      } catch (error) {
        assert.ok(error instanceof StoreError && error.kind === 'Corrupt', String(error))
        refused += 1
      }
    }
    assert.ok(refused > FLIPS * 0.75, `${refused} of ${FLIPS} were noticed`)
  })

  test('a missing file is refused', async () => {
    const { disk } = await runLoad(9, {})
    const files = disk.files()
    const paths = [...files.keys()].filter((path) => path.startsWith(crashDirectory))
    assert.ok(paths.length >= 2)
    for (const path of paths.slice(0, -1)) {
      const left = new Map([...files].filter(([other]) => other !== path))
      await assert.rejects(openCrashStore(new SimulatedDisk(seededRandom(1), {}, left)), { kind: 'Corrupt' })
    }
  })
})
