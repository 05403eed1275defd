// Which pod goes first.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { podsToDelete } from './plan.ts'

const nowMs = Date.UTC(2026, 0, 2)

interface Facts {
  readonly node?: string
  readonly phase?: string
  readonly readyForMs?: number
  readonly ageMs?: number
  readonly cost?: number
  readonly restarts?: number
}

function pod(name: string, facts: Facts): Pod {
  const { node, phase = 'Running', readyForMs, ageMs = 3_600_000, cost, restarts = 0 } = facts
  return {
    metadata: {
      name,
      uid: name,
      creationTimestamp: formatTime(nowMs - ageMs),
      ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': String(cost) } }),
    },
    spec: { containers: [], ...(node === undefined ? {} : { nodeName: node }) },
    status: {
      phase,
      conditions: [
        readyForMs === undefined
          ? { type: 'Ready', status: 'False' }
          : { type: 'Ready', status: 'True', lastTransitionTime: formatTime(nowMs - readyForMs) },
      ],
      containerStatuses: [{ name: 'main', image: '', imageID: '', ready: true, restartCount: restarts }],
    },
  }
}

const rows: readonly { readonly why: string; readonly first: Facts; readonly last: Facts }[] = [
  { why: 'a pod without a node', first: { phase: 'Pending' }, last: { node: 'a', phase: 'Pending' } },
  { why: 'a pending pod', first: { node: 'a', phase: 'Pending' }, last: { node: 'a' } },
  { why: 'a pod that is not ready', first: { node: 'a' }, last: { node: 'a', readyForMs: 60_000 } },
  {
    why: 'a pod of lower deletion cost',
    first: { node: 'a', readyForMs: 600_000, cost: -5 },
    last: { node: 'a', readyForMs: 60_000 },
  },
  {
    why: 'a pod that became ready much later',
    first: { node: 'a', readyForMs: 60_000 },
    last: { node: 'a', readyForMs: 6_000_000 },
  },
  {
    why: 'a pod that restarted more',
    first: { node: 'a', readyForMs: 60_000, restarts: 3 },
    last: { node: 'a', readyForMs: 60_000 },
  },
  {
    why: 'a much younger pod',
    first: { node: 'a', readyForMs: 60_000, ageMs: 61_000 },
    last: { node: 'a', readyForMs: 60_000, ageMs: 6_000_000 },
  },
]

for (const { why, first, last } of rows) {
  test(`${why} goes first`, () => {
    const pair = [pod('keep', last), pod('go', first)]
    assert.deepEqual(
      podsToDelete(pair, pair, nowMs).map(({ metadata }) => metadata.name),
      ['go', 'keep'],
    )
  })
}

test('a pod on the node with most pods of the owner goes first', () => {
  const ready = { readyForMs: 60_000 }
  const crowd = [
    pod('a1', { node: 'a', ...ready }),
    pod('b1', { node: 'b', ...ready }),
    pod('b2', { node: 'b', ...ready }),
  ]
  assert.equal(podsToDelete(crowd, crowd, nowMs)[0]!.spec.nodeName, 'b')
})
