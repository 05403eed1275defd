// How many pods may go.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import type { PodDisruptionBudgetSpec } from '@aksel/api/types/policy-v1'
import { formatTime } from '@aksel/base/clock'
import { judgeBudget, staleInMs } from './judge.ts'

const nowMs = Date.UTC(2026, 0, 2)

function pod(name: string, ready = true, going = false): Pod {
  return {
    metadata: { name, ...(going ? { deletionTimestamp: formatTime(nowMs) } : {}) },
    spec: { containers: [] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }
}

const three = ['a', 'b', 'c'].map((name) => pod(name))

const rows: readonly {
  readonly why: string
  readonly spec: PodDisruptionBudgetSpec
  readonly pods: readonly Pod[]
  readonly scale?: number
  readonly gone?: Readonly<Record<string, string>>
  /** allowed, healthy, desired, expected */
  readonly gives: readonly [number, number, number, number]
}[] = [
  { why: 'a number to keep', spec: { minAvailable: 2 }, pods: three, gives: [1, 3, 2, 3] },
  { why: 'a share to keep rounds up', spec: { minAvailable: '34%' }, pods: three, scale: 3, gives: [1, 3, 2, 3] },
  { why: 'a number that may go', spec: { maxUnavailable: 1 }, pods: three, scale: 3, gives: [1, 3, 2, 3] },
  { why: 'a share that may go rounds up', spec: { maxUnavailable: '1%' }, pods: three, scale: 3, gives: [1, 3, 2, 3] },
  { why: 'pods that are missing count', spec: { maxUnavailable: 1 }, pods: three, scale: 5, gives: [0, 3, 4, 5] },
  {
    why: 'unready and terminating pods do not help',
    spec: { minAvailable: 1 },
    pods: [pod('a'), pod('b', false), pod('c', true, true)],
    gives: [0, 1, 1, 3],
  },
  { why: 'no pods, nothing may go', spec: { minAvailable: 0 }, pods: [], gives: [0, 0, 0, 0] },
  {
    why: 'an eviction that is not seen yet counts as gone',
    spec: { minAvailable: 2 },
    pods: three,
    gone: { a: formatTime(nowMs - 1000) },
    gives: [0, 2, 2, 3],
  },
  {
    why: 'an evicted pod that stayed counts again',
    spec: { minAvailable: 2 },
    pods: three,
    gone: { a: formatTime(nowMs - 121_000), gone: formatTime(nowMs) },
    gives: [1, 3, 2, 3],
  },
]

for (const { why, spec, pods, scale = 0, gone, gives } of rows) {
  test(`a disruption budget: ${why}`, () => {
    const status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }
    const disruptedPods = gone === undefined ? {} : { disruptedPods: gone }
    const budget = { metadata: { name: 'b', generation: 4 }, spec, status: { ...status, ...disruptedPods } }
    const verdict = judgeBudget({ budget, pods, scale, nowMs })
    const { disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods } = verdict.status
    assert.deepEqual([disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods], gives)
    const reason = disruptionsAllowed > 0 ? 'SufficientPods' : 'InsufficientPods'
    assert.equal(verdict.status.conditions![0]!.reason, reason)
    assert.equal(verdict.status.observedGeneration, 4)
  })
}

test('a pod that was meant to go is unmarked two minutes later, one that goes is not', () => {
  const lastTransitionTime = formatTime(nowMs - 60_000)
  const marked = (phase: string, going = false): Pod => ({
    ...pod('a', true, going),
    status: { phase, conditions: [{ type: 'DisruptionTarget', status: 'True', lastTransitionTime }] },
  })
  assert.equal(staleInMs(marked('Running'), nowMs), 60_000)
  assert.equal(staleInMs(marked('Running', true), nowMs), undefined)
  assert.equal(staleInMs(marked('Failed'), nowMs), undefined)
})
