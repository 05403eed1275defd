// The rows of group `up`, made of runs and probes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stagesForTest } from '../stages-for-test.ts'
import { upRows } from './group.ts'
import type { UpRun } from './timed-run.ts'

const cost = (role: string, rssAnonMaxBytes: number): UpRun['processes'][number] => ({
  role,
  count: 1,
  cpuSeconds: 1,
  rssAnonBytes: rssAnonMaxBytes,
  rssFileBytes: 1,
  rssAnonMaxBytes,
})

function run(apiSeconds: number, processes = [cost('server', 120e6), cost('agent', 40e6)]): UpRun {
  return {
    apiSeconds,
    podSeconds: 1,
    dnsSeconds: 1.2,
    milestones: { 'API answers': apiSeconds },
    processes,
    stages: stagesForTest(),
    benchLoopDelayMs: { p99: 1, max: 2 },
  }
}

const floor = { node: { startSeconds: 0.04, rssAnonBytes: 20e6 }, criPodSeconds: 0.2 }

test('upRows() gives each time and each memory beside its own floor', () => {
  const rows = upRows([run(0.5), run(0.4), run(0.3)], { before: floor, after: floor })
  assert.deepEqual(
    rows.map(({ name, value, unit, ratio }) => [name.split(' ')[0], value, unit, Number(ratio.toFixed(6))]),
    [
      ['C3.api', 0.4, 's', 10],
      ['C3.pod', 1, 's', 5],
      ['C3.dns', 1.2, 's', 6],
      ['C3.server', 120e6, 'bytes', 6],
      ['C3.agent', 40e6, 'bytes', 2],
    ],
  )
  assert.deepEqual(rows[0]?.details.runs, [0.5, 0.4, 0.3])
})

test('upRows() refuses a run in which a process was not seen', () => {
  assert.throws(
    () => upRows([run(0.5, [cost('server', 1)])], { before: floor, after: floor }),
    /No process of role "agent"/,
  )
})
