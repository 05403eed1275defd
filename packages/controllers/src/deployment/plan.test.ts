// How large each replica set may be: steps of a rollout, and shares when the deployment itself is resized.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Deployment, ReplicaSet } from '@aksel/api/types/apps-v1'
import { newDeployment } from '../testing/objects.ts'
import { newSetSize, planNewSet, planOldSets } from './plan-rollout.ts'
import { isScalingEvent, planScale } from './plan-scale.ts'

type Limits = readonly [surge: number | string, unavailable: number | string]

function deploymentOf(replicas: number, [maxSurge, maxUnavailable]: Limits = ['25%', '25%']): Deployment {
  return newDeployment('web', {
    replicas,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
  })
}

interface SetFacts {
  readonly size: number
  readonly available?: number
  /** As it was annotated when it was sized last. */
  readonly desired?: number
  readonly max?: number
}

/** The first of several is the oldest. */
function setOf({ size, available = size, desired, max }: SetFacts, age: number): ReplicaSet {
  const annotations = {
    ...(desired === undefined ? {} : { 'deployment.kubernetes.io/desired-replicas': String(desired) }),
    ...(max === undefined ? {} : { 'deployment.kubernetes.io/max-replicas': String(max) }),
  }
  const creationTimestamp = `2026-01-01T00:00:${String(10 + age)}Z`
  const { selector, template } = newDeployment('web').spec
  return {
    metadata: { name: `set-${age}`, creationTimestamp, annotations },
    spec: { replicas: size, selector, template },
    status: { replicas: size, availableReplicas: available },
  }
}

const shown = (resizes: readonly { readonly set: ReplicaSet; readonly replicas: number }[]): string =>
  resizes.map(({ set, replicas }) => `${set.metadata.name}=${replicas}`).join(' ')

const growth: readonly { why: string; replicas: number; limits: Limits; old: number; now: number; size: number }[] = [
  { why: 'from nothing by the surge', replicas: 10, limits: [3, 2], old: 10, now: 0, size: 3 },
  { why: 'as far as old ones went', replicas: 10, limits: [3, 2], old: 8, now: 3, size: 5 },
  { why: 'never above what is wanted', replicas: 10, limits: [3, 2], old: 0, now: 9, size: 10 },
  { why: 'not at all where all room is taken', replicas: 10, limits: [0, 2], old: 10, now: 0, size: 0 },
  { why: 'by shares rounded up', replicas: 10, limits: ['25%', 0], old: 10, now: 0, size: 3 },
  { why: 'not back where it is too large already', replicas: 2, limits: [1, 1], old: 5, now: 1, size: 1 },
]
for (const { why, replicas, limits, old, now, size } of growth)
  test(`newSetSize(): the new set grows ${why}`, () => {
    const all = [setOf({ size: old }, 0), setOf({ size: now }, 1)]
    assert.equal(newSetSize(deploymentOf(replicas, limits), all, now), size)
  })

test('planNewSet() shrinks a new set that is too large, whatever else stands, and leaves one that fits', () => {
  const old = [setOf({ size: 9 }, 0)]
  assert.equal(planNewSet(deploymentOf(3), setOf({ size: 5 }, 1), old)?.replicas, 3)
  assert.equal(planNewSet(deploymentOf(3), setOf({ size: 3 }, 1), old), undefined)
  assert.equal(planNewSet(deploymentOf(3, [0, 1]), setOf({ size: 1 }, 1), old), undefined)
})

const shrinking: readonly {
  why: string
  replicas: number
  limits: Limits
  now: SetFacts
  old: readonly SetFacts[]
  steps: string
}[] = [
  {
    why: 'as many as may be missing',
    replicas: 10,
    limits: [3, 2],
    now: { size: 3, available: 0 },
    old: [{ size: 10 }],
    steps: 'set-0=8',
  },
  {
    why: 'what is not available first, from the oldest on',
    replicas: 10,
    limits: [0, 2],
    now: { size: 2, available: 2 },
    old: [
      { size: 4, available: 4 },
      { size: 4, available: 1 },
    ],
    steps: 'set-1=2',
  },
  {
    why: 'one for each that became available',
    replicas: 10,
    limits: [3, 0],
    now: { size: 3, available: 2 },
    old: [{ size: 10 }],
    steps: 'set-0=8',
  },
  {
    why: 'none while the new ones do not come up',
    replicas: 10,
    limits: [3, 0],
    now: { size: 3, available: 0 },
    old: [{ size: 10 }],
    steps: '',
  },
  {
    why: 'all at the end, the oldest set first',
    replicas: 4,
    limits: [1, 1],
    now: { size: 4, available: 4 },
    old: [{ size: 1 }, { size: 2 }],
    steps: 'set-0=0 set-1=0',
  },
]
for (const { why, replicas, limits, now, old, steps } of shrinking)
  test(`planOldSets(): old sets lose ${why}`, () => {
    const sets = old.map((facts, age) => setOf(facts, age))
    assert.equal(shown(planOldSets(deploymentOf(replicas, limits), setOf(now, 9), sets)), steps)
  })

const scaling: readonly { why: string; replicas: number; now?: SetFacts; old: readonly SetFacts[]; steps: string }[] = [
  { why: 'the only active set takes all', replicas: 7, now: { size: 3 }, old: [{ size: 0 }], steps: 'set-9=7' },
  {
    why: 'without an active set the new one does',
    replicas: 2,
    now: { size: 0 },
    old: [{ size: 0 }],
    steps: 'set-9=2',
  },
  { why: 'without any, the newest', replicas: 2, old: [{ size: 0 }, { size: 0 }], steps: 'set-1=2' },
  {
    why: 'a new set that is whole empties the others',
    replicas: 5,
    now: { size: 5, desired: 5 },
    old: [{ size: 1 }],
    steps: 'set-0=0',
  },
  {
    why: 'in the middle of a rollout each grows by its share, and the largest takes what is left over',
    replicas: 20,
    now: { size: 5, desired: 10, max: 13 },
    old: [{ size: 8, desired: 10, max: 13 }],
    steps: 'set-0=15 set-9=10',
  },
  {
    why: 'and shrinks by its share',
    replicas: 5,
    now: { size: 5, desired: 10, max: 13 },
    old: [{ size: 8, desired: 10, max: 13 }],
    steps: 'set-0=4 set-9=3',
  },
  {
    why: 'to nothing at once',
    replicas: 0,
    now: { size: 5, desired: 10, max: 13 },
    old: [{ size: 8, desired: 10, max: 13 }],
    steps: 'set-0=0 set-9=0',
  },
]
for (const { why, replicas, now, old, steps } of scaling)
  test(`planScale(): ${why}`, () => {
    const sets = old.map((facts, age) => setOf(facts, age))
    const plan = planScale(deploymentOf(replicas), now === undefined ? undefined : setOf(now, 9), sets)
    assert.equal(shown(plan), steps)
  })

test('isScalingEvent() is told by what an active set was sized for', () => {
  const of = (facts: SetFacts): boolean => isScalingEvent(deploymentOf(5), [setOf(facts, 0)])
  assert.deepEqual(
    [of({ size: 1, desired: 4 }), of({ size: 1, desired: 5 }), of({ size: 0, desired: 4 }), of({ size: 1 })],
    [true, false, false, false],
  )
})
