// When maintenance windows are open, and what channels want: tables of moments and versions.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../records.ts'
import { isOpen } from './maintenance-window.ts'
import { nextVersion, stalePools } from './upgrade-channels.ts'

const window = (schedule: Json, more: Json = {}): Json => ({
  schedule,
  durationHours: 4,
  utcOffset: '+00:00',
  startTime: '02:00',
  ...more,
})
const weekly = (intervalWeeks: number, dayOfWeek = 'Saturday'): Json => ({ weekly: { intervalWeeks, dayOfWeek } })

test('a window is open from its start for its hours, over midnight, in its own offset', () => {
  const rows: readonly (readonly [Json, string, boolean])[] = [
    [window(weekly(1)), '2026-11-28T01:59:00Z', false],
    [window(weekly(1)), '2026-11-28T02:00:00Z', true],
    [window(weekly(1)), '2026-11-28T05:59:00Z', true],
    [window(weekly(1)), '2026-11-28T06:00:00Z', false],
    [window(weekly(1)), '2026-11-27T03:00:00Z', false],
    [window(weekly(1), { startTime: '22:00' }), '2026-11-29T01:00:00Z', true],
    [window(weekly(1), { utcOffset: '+05:30' }), '2026-11-27T20:30:00Z', true],
    [window(weekly(1), { utcOffset: '-08:00' }), '2026-11-28T10:30:00Z', true],
    [window(weekly(1), { startDate: '2026-12-01' }), '2026-11-28T03:00:00Z', false],
    [
      window(weekly(1), { notAllowedDates: [{ start: '2026-11-28', end: '2026-11-30' }] }),
      '2026-11-28T03:00:00Z',
      false,
    ],
    [window(weekly(2), { startDate: '2026-11-28' }), '2026-12-05T03:00:00Z', false],
    [window(weekly(2), { startDate: '2026-11-28' }), '2026-12-12T03:00:00Z', true],
    [window({ daily: { intervalDays: 3 } }, { startDate: '2026-11-01' }), '2026-11-04T03:00:00Z', true],
    [window({ daily: { intervalDays: 3 } }, { startDate: '2026-11-01' }), '2026-11-05T03:00:00Z', false],
    [window({ absoluteMonthly: { intervalMonths: 1, dayOfMonth: 31 } }), '2026-11-30T03:00:00Z', true],
    [
      window({ absoluteMonthly: { intervalMonths: 2, dayOfMonth: 1 } }, { startDate: '2026-11-01' }),
      '2026-12-01T03:00:00Z',
      false,
    ],
    [
      window({ relativeMonthly: { intervalMonths: 1, weekIndex: 'Last', dayOfWeek: 'Monday' } }),
      '2026-11-30T03:00:00Z',
      true,
    ],
    [
      window({ relativeMonthly: { intervalMonths: 1, weekIndex: 'First', dayOfWeek: 'Monday' } }),
      '2026-11-02T03:00:00Z',
      true,
    ],
    [
      window({ relativeMonthly: { intervalMonths: 1, weekIndex: 'First', dayOfWeek: 'Monday' } }),
      '2026-11-09T03:00:00Z',
      false,
    ],
  ]
  for (const [given, at, open] of rows)
    assert.equal(isOpen(given, Date.parse(at)), open, `${JSON.stringify(given)} ${at}`)
})

test('a channel goes to its version a minor at a time, never back, and brings pools after the control plane', () => {
  const next = (upgradeChannel: string, version: string, pools: readonly string[] = [version]): string | undefined =>
    nextVersion(
      { version, properties: { autoUpgradeProfile: { upgradeChannel } } as never },
      pools.map((each) => ({ version: each })),
    )
  assert.equal(next('rapid', '1.34.10'), '1.35.7')
  assert.equal(next('rapid', '1.35.7'), '1.36.3')
  assert.equal(next('rapid', '1.36.3'), undefined)
  assert.equal(next('stable', '1.34.10'), '1.35.7')
  assert.equal(next('stable', '1.36.3'), undefined)
  assert.equal(next('patch', '1.34.2'), '1.34.10')
  assert.equal(next('patch', '1.34.10'), undefined)
  assert.equal(next('none', '1.34.2'), undefined)
  assert.equal(next('stable', '1.35.7', ['1.35.7', '1.34.10']), '1.35.7')
})

test('node images are stale a week later, for channels that want the newest and pools that run', () => {
  const pool = {
    version: '1.35.7',
    nodeImageVersion: 'AKSUbuntu-2404gen2containerd-202611.23.0',
    properties: { osSKU: 'Ubuntu' } as never,
  }
  const stale = (profile: Json, at: string, more: object = {}): number =>
    stalePools(
      { version: '1.35.7', properties: { autoUpgradeProfile: profile } as never },
      [{ ...pool, ...more }],
      Date.parse(at),
    ).length
  assert.equal(stale({ nodeOSUpgradeChannel: 'NodeImage' }, '2026-11-27T00:00:00Z'), 0)
  assert.equal(stale({ nodeOSUpgradeChannel: 'NodeImage' }, '2026-11-30T00:00:00Z'), 1)
  assert.equal(stale({ upgradeChannel: 'node-image' }, '2026-11-30T00:00:00Z'), 1)
  assert.equal(stale({ nodeOSUpgradeChannel: 'None' }, '2026-11-30T00:00:00Z'), 0)
  assert.equal(stale({ nodeOSUpgradeChannel: 'NodeImage' }, '2026-11-30T00:00:00Z', { power: 'Stopped' }), 0)
})
