// From metrics to replicas, and what holds an autoscaler back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HorizontalPodAutoscalerBehavior } from '@aksel/api/types/autoscaling-v2'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { limitReplicas, noteChange } from './limits.ts'
import type { ScaleHistory } from './limits.ts'
import { groupPods } from './pods.ts'
import type { PodMetric } from './pods.ts'
import { replicasByAverage, replicasByShare, replicasByUtilization, replicasByValue } from './replicas.ts'

const nowMs = Date.UTC(2026, 0, 2)
const tolerances = { scaleDown: 0.1, scaleUp: 0.1 }

interface PodFacts {
  readonly use?: number
  readonly ready?: boolean
  readonly phase?: string
  readonly startedMs?: number
  readonly changedMs?: number
  readonly going?: boolean
}

function pod(name: string, facts: PodFacts): Pod {
  const { ready = true, phase = 'Running', startedMs = 600_000, changedMs = 590_000, going = false } = facts
  return {
    metadata: { name, ...(going ? { deletionTimestamp: formatTime(nowMs) } : {}) },
    spec: { containers: [] },
    status: {
      phase,
      startTime: formatTime(nowMs - startedMs),
      conditions: [
        { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: formatTime(nowMs - changedMs) },
      ],
    },
  }
}

const starting: PodFacts = { ready: false, startedMs: 10_000, changedMs: 10_000 }

const cases: readonly {
  readonly why: string
  readonly pods: readonly PodFacts[]
  /** Percent of requests of one core a pod. */
  readonly target: number
  readonly replicas: number
  readonly resource?: string
}[] = [
  { why: 'above target', pods: [{ use: 300 }, { use: 500 }, { use: 700 }], target: 30, replicas: 5 },
  {
    why: 'below target',
    pods: [{ use: 100 }, { use: 300 }, { use: 500 }, { use: 250 }, { use: 250 }],
    target: 50,
    replicas: 3,
  },
  { why: 'within tolerance', pods: [{ use: 1010 }, { use: 1030 }, { use: 1020 }], target: 100, replicas: 3 },
  {
    why: 'unready pods count as idle on the way up',
    pods: [{ use: 300, ...starting }, { use: 500 }, { use: 700 }],
    target: 30,
    replicas: 4,
  },
  {
    why: 'unready pods hold a rise back altogether',
    pods: [{ use: 400, ...starting }, { use: 500 }, { use: 700, ...starting }],
    target: 30,
    replicas: 3,
  },
  {
    why: 'unready pods do not count on the way down',
    pods: [{ use: 100 }, { use: 100 }, { use: 900, ...starting }],
    target: 50,
    replicas: 1,
  },
  { why: 'missing metrics count as idle on the way up', pods: [{ use: 1000 }, {}], target: 60, replicas: 2 },
  {
    why: 'missing metrics count as full on the way down',
    pods: [{ use: 100 }, { use: 100 }, {}, {}],
    target: 60,
    replicas: 4,
  },
  { why: 'pending pods are not ready', pods: [{ use: 900 }, { phase: 'Pending' }], target: 30, replicas: 3 },
  {
    why: 'failed and terminating pods do not count',
    pods: [{ use: 600 }, { phase: 'Failed' }, { use: 900, going: true }],
    target: 30,
    replicas: 2,
  },
  {
    why: 'memory of a starting pod counts',
    pods: [{ use: 300, ...starting }, { use: 500 }, { use: 700 }],
    target: 30,
    replicas: 5,
    resource: 'memory',
  },
  {
    why: 'a pod that was ready long ago, and is not now, counts',
    pods: [{ use: 600, ready: false, changedMs: 60_000 }, { use: 600 }],
    target: 30,
    replicas: 4,
  },
]

for (const { why, pods: facts, target, replicas, resource = 'cpu' } of cases) {
  test(`replicas by utilization: ${why}`, () => {
    const pods = facts.map((each, index) => pod(`p${index}`, each))
    const metrics = new Map<string, PodMetric>()
    for (const [index, { use }] of facts.entries())
      if (use !== undefined) metrics.set(`p${index}`, { milli: use, atMs: nowMs, windowMs: 30_000 })
    const requests = new Map(pods.map(({ metadata }) => [metadata.name, 1000]))
    const groups = groupPods(pods, metrics, resource, nowMs)
    const current = facts.filter(({ phase }) => phase !== 'Failed').length
    assert.equal(replicasByUtilization({ current, metrics, groups, tolerances }, requests, target).replicas, replicas)
  })
}

test('replicas by average, by value and by share', () => {
  const metrics = new Map(
    [20_000, 10_000, 30_000].map((milli, index) => [`p${index}`, { milli, atMs: nowMs, windowMs: 0 }]),
  )
  const groups = { readyCount: 3, unready: new Set<string>(), missing: new Set<string>(), ignored: new Set<string>() }
  assert.deepEqual(replicasByAverage({ current: 3, metrics, groups, tolerances }, 15_000), {
    replicas: 4,
    averageMilli: 20_000,
  })
  const whole = { current: 3, readyCount: 2, tolerances }
  assert.equal(replicasByValue(whole, 20_000, 10_000), 4)
  assert.equal(replicasByValue(whole, 10_500, 10_000), 3)
  assert.equal(replicasByValue({ ...whole, current: 0 }, 20_000, 10_000), 2)
  assert.deepEqual(replicasByShare(whole, 8600, 2200), { replicas: 4, averageMilli: 2867 })
  assert.equal(replicasByShare(whole, 6600, 2200).replicas, 3)
})

test('a tolerance of its own makes an autoscaler react to less, or to nothing', () => {
  const facts = { current: 10, readyCount: 10 }
  assert.equal(replicasByValue({ ...facts, tolerances: { scaleUp: 0.02, scaleDown: 0.5 } }, 1050, 1000), 11)
  assert.equal(replicasByValue({ ...facts, tolerances: { scaleUp: 0.02, scaleDown: 0.5 } }, 600, 1000), 10)
})

function fresh(): ScaleHistory {
  return { recommendations: [], ups: [], downs: [] }
}

function limit(
  history: ScaleHistory,
  behavior: HorizontalPodAutoscalerBehavior | undefined,
  current: number,
  desired: number,
  atMs = nowMs,
): string {
  const spec = { scaleTargetRef: { kind: 'Deployment', name: 'd' }, minReplicas: 2, maxReplicas: 100 }
  const autoscaler = { metadata: { name: 'a' }, spec: behavior === undefined ? spec : { ...spec, behavior } }
  const { replicas, news } = limitReplicas(autoscaler, history, { current, desired }, atMs)
  if (replicas !== current) noteChange(autoscaler, history, { from: current, to: replicas }, atMs)
  return `${replicas} ${news.map(({ reason }) => reason).join(' ')}`
}

test('without behaviour an autoscaler doubles at most, and waits five minutes before it shrinks', () => {
  const history = fresh()
  assert.equal(limit(history, undefined, 1, 50), '4 ReadyForNewScale ScaleUpLimit')
  assert.equal(limit(history, undefined, 10, 50), '20 ReadyForNewScale ScaleUpLimit')
  assert.equal(limit(history, undefined, 60, 500), '100 ReadyForNewScale TooManyReplicas')
  const calm = fresh()
  assert.equal(limit(calm, undefined, 10, 10), '10 ReadyForNewScale DesiredWithinRange')
  assert.equal(limit(calm, undefined, 10, 3, nowMs + 60_000), '10 ScaleDownStabilized DesiredWithinRange')
  assert.equal(limit(calm, undefined, 10, 1, nowMs + 301_000), '3 ScaleDownStabilized DesiredWithinRange')
  assert.equal(limit(calm, undefined, 3, 1, nowMs + 700_000), '2 ReadyForNewScale TooFewReplicas')
})

test('policies bound what is added in their period, the largest or the smallest of them', () => {
  const policies = [
    { type: 'Pods', value: 4, periodSeconds: 60 },
    { type: 'Percent', value: 100, periodSeconds: 60 },
  ]
  const most = fresh()
  assert.equal(limit(most, { scaleUp: { policies } }, 10, 50), '20 ReadyForNewScale ScaleUpLimit')
  assert.equal(limit(most, { scaleUp: { policies } }, 20, 50, nowMs + 30_000), '20 ReadyForNewScale ScaleUpLimit')
  assert.equal(limit(most, { scaleUp: { policies } }, 20, 50, nowMs + 61_000), '40 ReadyForNewScale ScaleUpLimit')
  const least = { scaleUp: { policies, selectPolicy: 'Min' } }
  assert.equal(limit(fresh(), least, 10, 50), '14 ReadyForNewScale ScaleUpLimit')
  assert.equal(limit(fresh(), { scaleUp: { selectPolicy: 'Disabled' } }, 10, 50), '10 ReadyForNewScale ScaleUpLimit')
})

test('policies bound what is taken away, and a window of its own replaces the five minutes', () => {
  const behavior = {
    scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 10, periodSeconds: 60 }] },
  }
  const history = fresh()
  assert.equal(limit(history, behavior, 50, 5), '45 ReadyForNewScale ScaleDownLimit')
  assert.equal(limit(history, behavior, 45, 5, nowMs + 1000), '45 ReadyForNewScale ScaleDownLimit')
  assert.equal(limit(history, behavior, 45, 5, nowMs + 61_000), '40 ReadyForNewScale ScaleDownLimit')
})

test('a window on the way up takes the lowest of what was wished for lately', () => {
  const behavior = { scaleUp: { stabilizationWindowSeconds: 60 } }
  const history = fresh()
  assert.equal(limit(history, behavior, 3, 3), '3 ReadyForNewScale DesiredWithinRange')
  assert.equal(limit(history, behavior, 3, 6, nowMs + 15_000), '3 ScaleUpStabilized DesiredWithinRange')
  assert.equal(limit(history, behavior, 3, 6, nowMs + 70_000), '6 ReadyForNewScale DesiredWithinRange')
})
