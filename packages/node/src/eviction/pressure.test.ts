// When a node is under pressure, when it may evict, and when it is over.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationMs } from '@aksel/base/duration'
import { judgePressure, noPressure } from './pressure.ts'
import type { PressureMemory } from './pressure.ts'
import { parseThresholds } from './thresholds.ts'
import type { EvictionSettings, Signal } from './thresholds.ts'

const none: EvictionSettings = {
  evictionHard: {},
  evictionSoft: {},
  evictionSoftGracePeriod: {},
  evictionMinimumReclaim: {},
}

const GI = 2 ** 30

function judge(
  settings: Partial<EvictionSettings>,
  available: Partial<Record<Signal, number>>,
  {
    before = noPressure,
    nowMs = 0,
    transitionMs = 300_000,
  }: { before?: PressureMemory; nowMs?: number; transitionMs?: number } = {},
  thresholds = parseThresholds({ ...none, ...settings }),
) {
  const observations = new Map(
    Object.entries(available).map(([signal, value]) => [signal as Signal, { available: value, capacity: 10 * GI }]),
  )
  return { thresholds, ...judgePressure({ thresholds, observations, nowMs, transitionMs, before }) }
}

test('a hard threshold acts at once, in bytes or as a part of the capacity', () => {
  const bytes = judge({ evictionHard: { 'memory.available': '100Mi' } }, { 'memory.available': 99 * 2 ** 20 })
  assert.deepEqual([bytes.acting.length, [...bytes.conditions]], [1, ['MemoryPressure']])
  const enough = judge({ evictionHard: { 'memory.available': '100Mi' } }, { 'memory.available': 100 * 2 ** 20 })
  assert.deepEqual([enough.acting.length, [...enough.conditions]], [0, []])
  const part = judge({ evictionHard: { 'nodefs.available': '10%' } }, { 'nodefs.available': GI - 1 })
  assert.deepEqual([...part.conditions], ['DiskPressure'])
  const pids = judge({ evictionHard: { 'pid.available': '2000' } }, { 'pid.available': 1999 })
  assert.deepEqual([...pids.conditions], ['PIDPressure'])
})

test('what was not observed meets no threshold', () => {
  assert.equal(judge({ evictionHard: { 'imagefs.available': '15%' } }, {}).acting.length, 0)
})

test('a soft threshold is a condition at once, acts after its grace, and begins anew when it was over meanwhile', () => {
  const settings = {
    evictionSoft: { 'memory.available': '1Gi' },
    evictionSoftGracePeriod: { 'memory.available': '1m30s' },
  }
  const low = { 'memory.available': GI / 2 }
  const first = judge(settings, low)
  assert.deepEqual([first.acting.length, [...first.conditions]], [0, ['MemoryPressure']])
  const soon = judge(settings, low, { before: first.memory, nowMs: 89_999 }, first.thresholds)
  assert.equal(soon.acting.length, 0)
  const due = judge(settings, low, { before: soon.memory, nowMs: 90_000 }, first.thresholds)
  assert.equal(due.acting.length, 1)
  const over = judge(settings, { 'memory.available': 2 * GI }, { before: soon.memory, nowMs: 90_000 }, first.thresholds)
  const again = judge(settings, low, { before: over.memory, nowMs: 91_000 }, first.thresholds)
  assert.deepEqual([over.acting.length, again.acting.length], [0, 0])
})

test('an acting threshold is over only when its minimum is reclaimed as well', () => {
  const settings = {
    evictionHard: { 'nodefs.available': '1Gi' },
    evictionMinimumReclaim: { 'nodefs.available': '500Mi' },
  }
  const first = judge(settings, { 'nodefs.available': GI - 1 })
  const between = { 'nodefs.available': GI + 100 * 2 ** 20 }
  assert.equal(judge(settings, between, { before: first.memory, nowMs: 10 }, first.thresholds).acting.length, 1)
  assert.equal(judge(settings, between).acting.length, 0, 'it would not have begun there')
  const enough = { 'nodefs.available': GI + 500 * 2 ** 20 }
  assert.equal(judge(settings, enough, { before: first.memory, nowMs: 10 }, first.thresholds).acting.length, 0)
})

test('a condition is held for its transition period after it was last seen', () => {
  const settings = { evictionHard: { 'memory.available': '1Gi' } }
  const first = judge(settings, { 'memory.available': 0 }, { transitionMs: 1000 })
  const enough = { 'memory.available': 2 * GI }
  const held = judge(settings, enough, { before: first.memory, nowMs: 999, transitionMs: 1000 }, first.thresholds)
  assert.deepEqual([...held.conditions], ['MemoryPressure'])
  const over = judge(settings, enough, { before: held.memory, nowMs: 1000, transitionMs: 1000 }, first.thresholds)
  assert.deepEqual([...over.conditions], [])
})

test('memory comes before everything else', () => {
  const settings = { evictionHard: { 'nodefs.available': '1Gi', 'memory.available': '1Gi' } }
  const { acting } = judge(settings, { 'nodefs.available': 0, 'memory.available': 0 })
  assert.deepEqual(
    acting.map(({ signal }) => signal),
    ['memory.available', 'nodefs.available'],
  )
})

test('settings that mean nothing are refused by name', () => {
  const refused = (settings: Partial<EvictionSettings>): void => void parseThresholds({ ...none, ...settings })
  assert.throws(() => refused({ evictionHard: { 'disk.available': '1Gi' } }), /unknown eviction signal disk.available/)
  assert.throws(() => refused({ evictionHard: { 'memory.available': 'much' } }), /neither a quantity nor a percentage/)
  assert.throws(() => refused({ evictionHard: { 'memory.available': '101%' } }), /must be <= 100%/)
  assert.throws(() => refused({ evictionSoft: { 'memory.available': '1Gi' } }), /grace period must be specified/)
  assert.deepEqual(parseThresholds({ ...none, evictionHard: { 'nodefs.available': '0%' } }), [], '0 turns it off')
  assert.deepEqual(
    ['1h30m', '5m0s', '250ms', '0'].map((text) => durationMs('x', text)),
    [5_400_000, 300_000, 250, 0],
  )
  assert.throws(() => durationMs('x', '5 minutes'), /"5 minutes" is no duration/)
})
