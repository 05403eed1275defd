// Snapshots: consistent while writes go on, whole or absent after a crash at any point, restored elsewhere without a difference,
// refused when damaged.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fraction, seededRandom } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import { copyInto, readArchive, restoreArchive, writeArchive } from './archive.ts'
import { openLogStore } from './log-store.ts'
import { createMemoryStore } from './memory-store.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { put, remove, text } from './contract-help.ts'
import { StoreError, type KeyValue, type Store } from './store.ts'
import { testScope } from './test-scope.ts'

const SNAPSHOTS = sized({ gate: 20, full: 200 })
const path = '/snapshots/one'

/** Many at a time, as group commit likes it. */
async function fill(store: Store, count: number): Promise<void> {
  for (let i = 0; i < count; i += 250) {
    await Promise.all(Array.from({ length: Math.min(250, count - i) }, (_, j) => change(store, i + j)))
  }
}

async function change(store: Store, i: number): Promise<void> {
  await Promise.all([
    put(store, `clusters/a/pods/default/web-${i % 700}`, `${i} ${'x'.repeat(i % 90)}`),
    i % 11 === 0 ? remove(store, `clusters/a/pods/default/web-${(i * 7 + 1) % 700}`) : undefined,
    i % 5 === 0 ? put(store, `clusters/b/pods/default/web-${i}`, 'of another') : undefined,
  ])
}

function shown(items: readonly KeyValue[], prefix: string): readonly unknown[] {
  return items.map((item) => [item.key.slice(prefix.length), text(item), item.createRevision, item.modRevision])
}

async function open(disk: SimulatedDisk, directory: string, seed = 1): Promise<Store> {
  return await openLogStore(testScope(seed), { disk, directory })
}

test('a snapshot shows one revision although writes go on, and is restored elsewhere with every revision', async () => {
  const disk = new SimulatedDisk(seededRandom(1))
  await using store = await open(disk, '/store')
  await fill(store, 3_000)
  const before = store.revision
  const expected = shown((await store.range({ prefix: 'clusters/a/' })).items, 'clusters/a/')
  const [archive] = await Promise.all([
    writeArchive({ disk, path, store, prefix: 'clusters/a/', random: seededRandom(2) }),
    fill(store, 500),
  ])
  assert.deepEqual([archive.revision, archive.keys], [before, expected.length])
  await restoreArchive({ disk, path, directory: '/elsewhere', random: seededRandom(3) })
  await using restored = await open(disk, '/elsewhere', 2)
  assert.deepEqual(shown((await restored.range({ prefix: '' })).items, ''), expected)
  assert.equal(restored.revision, before)
  // It is a store like any other, and the archive stays as it is.
  await put(restored, 'pods/default/new', '1')
  assert.equal(restored.revision, before + 1)
  assert.equal((await readArchive(disk, path)).keys, expected.length)
})

test(`${SNAPSHOTS} snapshots killed at random points and restored elsewhere: no difference`, async () => {
  let complete = 0
  let absent = 0
  for (let seed = 1; seed <= SNAPSHOTS; seed++) {
    const random = seededRandom(seed)
    const disk = new SimulatedDisk(random)
    const store = await open(disk, '/store', seed)
    await fill(store, 1_500)
    const expected = shown((await store.range({ prefix: 'clusters/a/' })).items, 'clusters/a/')
    const killAt = 1 + Math.floor(fraction(random) * 12)
    disk.setPlan({ faultAt: (call) => (call === killAt ? 'power' : undefined) })
    await writeArchive({ disk, path, store, prefix: 'clusters/a/', random }).catch(() => undefined)
    const left = disk.afterPowerCut(seededRandom(seed + 1_000))
    const names = await left.list('/snapshots')
    if (!names.includes('one')) {
      absent += 1
      await using again = await open(left, '/store', seed)
      await writeArchive({ disk: left, path, store: again, prefix: 'clusters/a/', random })
    } else complete += 1
    await restoreArchive({ disk: left, path, directory: '/elsewhere', random })
    await using restored = await open(left, '/elsewhere', seed)
    assert.deepEqual(shown((await restored.range({ prefix: '' })).items, ''), expected, `seed ${seed}`)
  }
  assert.ok(complete > 0 && absent > 0, `${complete} were complete and ${absent} absent: both must be seen`)
})

for (const bug of ['the last object is left out', 'an older value', 'a reused revision'] as const) {
  test(`the harness catches a snapshot with a planted bug: ${bug}`, async () => {
    const disk = new SimulatedDisk(seededRandom(1))
    await using store = await open(disk, '/store')
    await fill(store, 300)
    const { items } = await store.range({ prefix: 'clusters/a/' })
    const last = items.length - 1
    const wrong = (item: KeyValue, i: number): readonly KeyValue[] => {
      if (i !== last) return [item]
      if (bug === 'the last object is left out') return []
      if (bug === 'an older value') return [{ ...item, value: items[0]!.value }]
      return [{ ...item, modRevision: items[0]!.modRevision }]
    }
    const lying = new Proxy(store, {
      get: (target, name) => {
        if (name === 'range') {
          return async (query: Parameters<Store['range']>[0]) => {
            const found = await target.range(query)
            return {
              ...found,
              items: found.items.flatMap((item) => (item.key === items[last]!.key ? wrong(item, last) : [item])),
            }
          }
        }
        const member: unknown = Reflect.get(target, name, target)
        return typeof member === 'function' ? (member as (...args: never[]) => unknown).bind(target) : member
      },
    })
    await writeArchive({ disk, path, store: lying, prefix: 'clusters/a/', random: seededRandom(2) })
    await restoreArchive({ disk, path, directory: '/elsewhere', random: seededRandom(3) })
    await using restored = await open(disk, '/elsewhere', 2)
    assert.notDeepEqual(shown((await restored.range({ prefix: '' })).items, ''), shown(items, 'clusters/a/'))
  })
}

test('a restore that is cut off at any call is done again, and then whole', async () => {
  const disk = new SimulatedDisk(seededRandom(1))
  await using store = await open(disk, '/store')
  await fill(store, 300)
  await writeArchive({ disk, path, store, prefix: 'clusters/a/', random: seededRandom(2) })
  const expected = shown((await store.range({ prefix: 'clusters/a/' })).items, 'clusters/a/')
  const files = disk.files()
  for (let call = 1; call < 30; call++) {
    const copy = new SimulatedDisk(seededRandom(call), { faultAt: (n) => (n === call ? 'power' : undefined) }, files)
    await restoreArchive({ disk: copy, path, directory: '/elsewhere', random: seededRandom(3) }).catch(() => undefined)
    const left = copy.afterPowerCut(seededRandom(call + 7))
    await restoreArchive({ disk: left, path, directory: '/elsewhere', random: seededRandom(4) })
    await using restored = await open(left, '/elsewhere', call)
    assert.deepEqual(shown((await restored.range({ prefix: '' })).items, ''), expected)
  }
})

test('a damaged archive is refused, and nothing is made of it', async () => {
  const disk = new SimulatedDisk(seededRandom(1))
  await using store = await open(disk, '/store')
  await fill(store, 200)
  await writeArchive({ disk, path, store, prefix: 'clusters/a/', random: seededRandom(2) })
  const whole = disk.files().get(path)!
  const random = seededRandom(5)
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.from(whole)
    const cut = round % 10 === 0
    if (!cut) bytes[Math.floor(fraction(random) * bytes.length)]! ^= 1 << Math.floor(fraction(random) * 8)
    const damaged = cut ? bytes.subarray(0, Math.floor(fraction(random) * bytes.length)) : bytes
    const other = new SimulatedDisk(seededRandom(round), {}, new Map([[path, damaged]]))
    await assert.rejects(
      restoreArchive({ disk: other, path, directory: '/elsewhere', random }),
      (error) => error instanceof StoreError && error.kind === 'Corrupt',
    )
    assert.deepEqual(await other.list('/elsewhere'), [])
  }
})

test('copied into another store, what was changed later is never older', async () => {
  const disk = new SimulatedDisk(seededRandom(1))
  await using store = await open(disk, '/store')
  await fill(store, 2_000)
  const { items } = await store.range({ prefix: 'clusters/a/' })
  await using other = createMemoryStore(testScope(2))
  await copyInto(
    other,
    'x/',
    items.map((item) => ({ ...item, key: item.key.slice('clusters/a/'.length) })),
  )
  const copied = (await other.range({ prefix: 'x/' })).items
  assert.deepEqual(copied.map(text), items.map(text))
  const order = items.map((item, i) => ({ before: item.modRevision, after: copied[i]!.modRevision }))
  order.sort((left, right) => left.before - right.before)
  assert.ok(order.every(({ after }, i) => i === 0 || order[i - 1]!.after <= after))
})
