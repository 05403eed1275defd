// The scheduler's benchmark measures only what passes every stage, and only placings that are right.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { runWorkload } from './run.ts'
import { solve } from './solver.ts'
import { basic, workloads } from './workloads.ts'

const scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}

test('a workload of a few pods passes the whole path, and is measured only then', async () => {
  const preemption = workloads.find(({ preempts }) => preempts === true)!
  const overNamespaces = workloads.find(({ namespaces }) => namespaces !== undefined)!
  for (const workload of [basic, preemption, { ...overNamespaces, namespaces: 2 }]) {
    const sizes = { nodes: 4, initial: 1, pods: 3 }
    const { podsPerSecond, stages } = await runWorkload(scope, workload, { sizes, scheduler: true })
    assert.ok(podsPerSecond > 0)
    for (const stage of ['rbac', 'admission', 'validation', 'audit', 'durability'] as const)
      assert.equal(stages[stage].ran, true, stages[stage].evidence)
  }
})

test('the solver finds a place for every pod', () => {
  assert.ok(solve(10, 50) > 0)
})
