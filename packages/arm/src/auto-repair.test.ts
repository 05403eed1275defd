// Which machines are left alone by node auto-repair.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeRepairable } from './resource-providers/container-service/auto-repair.ts'

const progress = { provisioningState: 'Succeeded' } as const
const upgrade = {} as NonNullable<Parameters<typeof judgeRepairable>[1]>['upgrade'] & object

for (const [why, cluster, pool, machine, expected] of [
  ['a machine that nobody has in hand', { progress }, { progress }, {}, true],
  ['one that nobody knows', { progress }, { progress }, undefined, false],
  ['one of a stopped cluster', { progress, power: 'Stopped' }, { progress }, {}, false],
  ['one of a stopped pool', { progress }, { progress, power: 'Stopped' }, {}, false],
  ['one of a pool that goes', { progress }, { progress: { ...progress, deleting: true } }, {}, false],
  ['one of a pool that is upgraded', { progress }, { progress, upgrade }, {}, false],
  ['one with a step', { progress }, { progress }, { step: { kind: 'Reimaging', sinceMs: 1 } }, false],
  ['one that leaves', { progress }, { progress }, { leavingSinceMs: 1 }, false],
  ['one that was evicted', { progress }, { progress }, { eviction: { sinceMs: 1, why: 'price' } }, false],
  ['one in quarantine', { progress }, { progress }, { quarantinedBy: 'o' }, false],
] as const)
  test(`auto-repair and ${why}: ${expected ? 'repaired' : 'left alone'}`, () =>
    assert.equal(judgeRepairable(cluster, pool, machine), expected))
