// Upstream's order of steps for a stateful set's pods: what is made, mended and taken away in one pass.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StatefulSet } from '@aksel/api/types/apps-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { newStatefulSet } from '../testing/objects.ts'
import { missingIdentity } from './identity.ts'
import { planPods, slotsOf, type Step } from './plan.ts'

const nowMs = Date.UTC(2026, 0, 2)

type State = 'ready' | 'unready' | 'pending' | 'failed' | 'leaving'

function podOf(set: StatefulSet, ordinal: number, state: State, revision: string): Pod {
  const name = `db-${ordinal}`
  const isReady = state === 'ready' || state === 'leaving'
  const bare: Pod = {
    metadata: {
      name,
      namespace: 'shop',
      labels: { 'controller-revision-hash': revision },
      ...(state === 'leaving' ? { deletionTimestamp: formatTime(nowMs) } : {}),
    },
    spec: { containers: [{ name: 'main' }] },
    status: {
      phase: state === 'pending' ? 'Pending' : state === 'failed' ? 'Failed' : 'Running',
      conditions: [
        { type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: formatTime(nowMs - 60_000) },
      ],
    },
  }
  return { ...bare, metadata: { ...bare.metadata, labels: missingIdentity(set, bare)! } }
}

const words = (step: Step): string =>
  step.kind === 'create'
    ? `create ${step.ordinal} ${step.revision}`
    : step.kind === 'mend'
      ? `mend ${step.pod.metadata.name}`
      : `delete ${step.pod.metadata.name} ${step.why}`

interface Row {
  readonly why: string
  readonly spec?: Partial<StatefulSet['spec']>
  /** By ordinal: its state, `old ready` for one of the revision before. */
  readonly pods: Readonly<Record<number, State | `old ${State}`>>
  readonly steps: readonly string[]
}

const parallel = { podManagementPolicy: 'Parallel' } as const
const rolling = (rollingUpdate: object): Partial<StatefulSet['spec']> => ({
  updateStrategy: { type: 'RollingUpdate', rollingUpdate },
})

const rows: readonly Row[] = [
  { why: 'the first pod is made alone', pods: {}, steps: ['create 0 update'] },
  { why: 'the next one when the one before is ready', pods: { 0: 'ready' }, steps: ['create 1 update'] },
  { why: 'none while the one before is not ready', pods: { 0: 'unready' }, steps: [] },
  { why: 'one that waits is looked after', pods: { 0: 'pending' }, steps: ['mend db-0'] },
  {
    why: 'a hole is filled before anything above is touched',
    pods: { 0: 'ready', 2: 'unready' },
    steps: ['create 1 update'],
  },
  { why: 'one that failed goes, and its successor waits', pods: { 0: 'failed' }, steps: ['delete db-0 failed'] },
  { why: 'until it is gone nothing else is done', pods: { 0: 'ready', 1: 'leaving' }, steps: [] },
  {
    why: 'a parallel set makes all at once',
    spec: parallel,
    pods: { 1: 'unready' },
    steps: ['create 0 update', 'create 2 update'],
  },
  {
    why: 'pods below the partition are made of the old revision',
    spec: { ...parallel, ...rolling({ partition: 2 }) },
    pods: {},
    steps: ['create 0 current', 'create 1 current', 'create 2 update'],
  },
  {
    why: 'ordinals may begin elsewhere',
    spec: { ordinals: { start: 5 }, ...parallel, replicas: 2 },
    pods: {},
    steps: ['create 5 update', 'create 6 update'],
  },
  {
    why: 'the highest goes first, alone',
    spec: { replicas: 1 },
    pods: { 0: 'ready', 1: 'ready', 2: 'ready' },
    steps: ['delete db-2 scale'],
  },
  {
    why: 'the next waits until it is gone',
    spec: { replicas: 1 },
    pods: { 0: 'ready', 1: 'ready', 2: 'leaving' },
    steps: [],
  },
  {
    why: 'a sound one waits for one below it that is not',
    spec: { replicas: 1 },
    pods: { 0: 'ready', 1: 'unready', 2: 'unready' },
    steps: [],
  },
  {
    why: 'a parallel set loses all at once',
    spec: { ...parallel, replicas: 0 },
    pods: { 0: 'ready', 1: 'unready' },
    steps: ['delete db-1 scale', 'delete db-0 scale'],
  },
  {
    why: 'an update goes from the highest down, one at a time',
    pods: { 0: 'old ready', 1: 'old ready', 2: 'old ready' },
    steps: ['delete db-2 update'],
  },
  { why: 'and waits for the new one', pods: { 0: 'old ready', 1: 'old ready', 2: 'unready' }, steps: [] },
  {
    why: 'down to the partition',
    spec: rolling({ partition: 2 }),
    pods: { 0: 'old ready', 1: 'old ready', 2: 'ready' },
    steps: [],
  },
  {
    why: 'by several where several may be missing',
    spec: { ...parallel, ...rolling({ maxUnavailable: 2 }) },
    pods: { 0: 'old ready', 1: 'old ready', 2: 'old ready' },
    steps: ['delete db-2 update', 'delete db-1 update'],
  },
  {
    why: 'by nobody’s hand but the user’s on delete',
    spec: { updateStrategy: { type: 'OnDelete' } },
    pods: { 0: 'old ready', 1: 'old ready', 2: 'old ready' },
    steps: [],
  },
  {
    why: 'one that is ready for too short a time is not there yet',
    spec: { minReadySeconds: 600 },
    pods: { 0: 'ready' },
    steps: [],
  },
]

for (const { why, spec, pods, steps } of rows)
  test(`steps of a stateful set: ${why}`, () => {
    const set = newStatefulSet('db', spec)
    const all = Object.entries(pods).map(([ordinal, state]) => {
      const isOld = state.startsWith('old ')
      return podOf(set, Number(ordinal), (isOld ? state.slice(4) : state) as State, isOld ? 'rev-1' : 'rev-2')
    })
    assert.deepEqual(planPods({ set, pods: all, updateRevision: 'rev-2', nowMs }).map(words), steps)
  })

test('a set that is deleted gets no steps, and pods out of range are condemned from the highest down', () => {
  const set = newStatefulSet('db', { replicas: 1 })
  const pods = [1, 3, 0, 2].map((ordinal) => podOf(set, ordinal, 'ready', 'rev-1'))
  const { replicas, condemned } = slotsOf(set, pods)
  assert.deepEqual(
    [...replicas, ...condemned].map((pod) => pod?.metadata.name),
    ['db-0', 'db-3', 'db-2', 'db-1'],
  )
  const leaving = { ...set, metadata: { ...set.metadata, deletionTimestamp: formatTime(nowMs) } }
  assert.deepEqual(planPods({ set: leaving, pods, updateRevision: 'rev-1', nowMs }), [])
})
