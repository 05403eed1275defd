// What a command's pod says of it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PodStatus } from '@aksel/api/types/core-v1'
import { judgeCommand } from './run-command.ts'

const of = (state: object): PodStatus =>
  ({ phase: 'Running', containerStatuses: [{ name: 'command', state }] }) as unknown as PodStatus

const unschedulable = {
  phase: 'Pending',
  conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }],
} as unknown as PodStatus

for (const [why, status, afterMs, verdict] of [
  ['that waits for a node', unschedulable, 59_999, undefined],
  [
    'that waited too long for a node',
    unschedulable,
    60_000,
    {
      provisioningState: 'Failed',
      reason:
        'KubernetesPerformanceError: the container of the command did not start within 60s: 0/1 nodes are available',
    },
  ],
  ['that runs, however long', of({ running: {} }), 3_600_000, undefined],
  [
    'that ended badly',
    of({ terminated: { exitCode: 3, startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:00:02Z' } }),
    1000,
    {
      provisioningState: 'Succeeded',
      exitCode: 3,
      startedAt: '2026-01-01T00:00:00Z',
      finishedAt: '2026-01-01T00:00:02Z',
    },
  ],
  [
    'that was evicted',
    { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' } as PodStatus,
    1000,
    { provisioningState: 'Failed', reason: 'The node was low on resource: memory.' },
  ],
] as const)
  test(`a command ${why} is ${verdict === undefined ? 'still running' : verdict.provisioningState}`, () =>
    assert.deepEqual(judgeCommand({ status }, 0, afterMs), verdict))

test('a command whose pod never came, or went, has failed', () => {
  assert.equal(judgeCommand(undefined, 0, 59_999), undefined)
  assert.equal(judgeCommand(undefined, 0, 60_000)?.provisioningState, 'Failed')
})
