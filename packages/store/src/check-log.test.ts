// The check of a log finds what is damaged and changes nothing.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@aksel/base/ids'
import { checkLog } from './check-log.ts'
import { put } from './contract-help.ts'
import { openLogStore } from './log-store.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { testScope } from './test-scope.ts'

const directory = '/store'

async function filled(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk(seededRandom(1))
  await using store = await openLogStore(testScope(), {
    disk,
    directory,
    limits: { segmentBytes: 800, slackBytes: 600 },
  })
  for (let i = 0; i < 60; i++) await put(store, `k/${i % 20}`, `value ${i}`)
  await assert.rejects(checkLog(disk, directory), { kind: 'Locked' })
  return disk
}

test('an intact log is said to be intact, with what it holds', async () => {
  const disk = await filled()
  const before = disk.files()
  const checked = await checkLog(disk, directory)
  assert.deepEqual([checked.revision, checked.keys, checked.tornBytes], [60, 20, 0])
  assert.ok(checked.files >= 2)
  assert.deepEqual(disk.files(), before)
})

test('a flipped bit in the middle of a segment is found', async () => {
  const files = (await filled()).files()
  const [, bytes] = [...files].find(([path]) => path.endsWith('.log') || path.endsWith('.base'))!
  bytes[60]! ^= 1
  await assert.rejects(checkLog(new SimulatedDisk(seededRandom(2), {}, files), directory), { kind: 'Corrupt' })
})
