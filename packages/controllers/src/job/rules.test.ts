// The tables of a job's decisions: indexes, failure policy, success policy, ends, plans.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Job, JobSpec, JobStatus, PodFailurePolicyRule, SuccessPolicyRule } from '@aksel/api/types/batch-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { newJob } from '../testing/objects.ts'
import { judgeFailure } from './failure-policy.ts'
import { formatIndexes, indexAnnotation, parseIndexes } from './indexes.ts'
import { judgeEnding } from './judge.ts'
import { observe } from './observe.ts'
import { backOffMs, planPods } from './plan.ts'
import { newPod, trackingFinalizer } from './pods.ts'
import { metRule } from './success-policy.ts'
import { account } from './tracking.ts'

const nowMs = Date.UTC(2026, 0, 2)

for (const [text, numbers] of [
  ['', []],
  ['3', [3]],
  ['1,2', [1, 2]],
  ['1-3,5,7-8', [1, 2, 3, 5, 7, 8]],
  ['0-2,x,9-20', [0, 1, 2, 9]],
] as const) {
  test(`indexes "${text}" below ten`, () => assert.deepEqual([...parseIndexes(text, 10)], numbers))
}

test('three indexes in a row are written as a range, two are not', () => {
  assert.equal(formatIndexes(new Set([5, 1, 2, 8, 7, 9, 11])), '1,2,5,7-9,11')
})

interface PodFacts {
  readonly index?: number
  readonly phase?: string
  readonly exitCode?: number
  readonly condition?: string
  readonly going?: boolean
  readonly failures?: number
  readonly endedMs?: number
}

let uids = 0
function pod(facts: PodFacts = {}): Pod {
  const { index, phase = 'Running', exitCode, condition, going = false, failures, endedMs = nowMs } = facts
  const name = `p${(uids += 1)}`
  return {
    metadata: {
      name,
      namespace: 'shop',
      uid: name,
      creationTimestamp: formatTime(nowMs - 60_000),
      finalizers: [trackingFinalizer],
      annotations: {
        ...(index === undefined ? {} : { [indexAnnotation]: String(index) }),
        ...(failures === undefined ? {} : { 'batch.kubernetes.io/job-index-failure-count': String(failures) }),
      },
      ...(going ? { deletionTimestamp: formatTime(nowMs) } : {}),
    },
    spec: { containers: [], nodeName: 'n' },
    status: {
      phase,
      conditions: condition === undefined ? [] : [{ type: condition, status: 'True' }],
      ...(exitCode === undefined
        ? {}
        : {
            containerStatuses: [
              {
                name: 'main',
                image: '',
                imageID: '',
                ready: false,
                restartCount: 0,
                state: { terminated: { exitCode, finishedAt: formatTime(endedMs) } },
              },
            ],
          }),
    },
  }
}

function job(spec: Partial<JobSpec> = {}, status: JobStatus = {}): Job {
  return { ...newJob('work', spec), status }
}

const failures: readonly { readonly why: string; readonly rule: PodFailurePolicyRule; readonly action: string }[] = [
  { why: 'the code', rule: { action: 'FailJob', onExitCodes: { operator: 'In', values: [3, 42] } }, action: 'FailJob' },
  { why: 'another code', rule: { action: 'FailJob', onExitCodes: { operator: 'In', values: [3] } }, action: 'Count' },
  {
    why: 'every code but',
    rule: { action: 'Ignore', onExitCodes: { operator: 'NotIn', values: [3] } },
    action: 'Ignore',
  },
  {
    why: 'another container',
    rule: { action: 'FailJob', onExitCodes: { containerName: 'side', operator: 'In', values: [42] } },
    action: 'Count',
  },
  {
    why: 'the condition',
    rule: { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    action: 'Ignore',
  },
  {
    why: 'an index without a limit per index',
    rule: { action: 'FailIndex', onExitCodes: { operator: 'In', values: [42] } },
    action: 'Count',
  },
]

for (const { why, rule, action } of failures) {
  test(`a failure policy on ${why}: ${action}`, () => {
    const failed = pod({ phase: 'Failed', exitCode: 42, condition: 'DisruptionTarget' })
    assert.equal(judgeFailure(job({ podFailurePolicy: { rules: [rule] } }), failed).action, action)
  })
}

test('a job that a pod fails says which container, code and rule', () => {
  const rules = [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } }]
  const failed = pod({ phase: 'Failed', exitCode: 42 })
  const { message } = judgeFailure(job({ podFailurePolicy: { rules } }), failed)
  const what = `Container main for pod shop/${failed.metadata.name} failed with exit code 42`
  assert.equal(message, `${what} matching FailJob rule at index 0`)
})

const successes: readonly { readonly rules: readonly SuccessPolicyRule[]; readonly met: string | undefined }[] = [
  { rules: [{ succeededCount: 3 }], met: undefined },
  { rules: [{ succeededCount: 2 }], met: 'Matched rules at index 0' },
  { rules: [{ succeededIndexes: '0,1' }, { succeededIndexes: '0,4' }], met: 'Matched rules at index 1' },
  { rules: [{ succeededIndexes: '0-2', succeededCount: 1 }], met: 'Matched rules at index 0' },
  { rules: [{ succeededIndexes: '1-3', succeededCount: 1 }], met: undefined },
]

for (const { rules, met } of successes) {
  test(`success policy ${JSON.stringify(rules)} with 0 and 4 done: ${met}`, () => {
    assert.equal(metRule(job({ completions: 5, successPolicy: { rules } }), new Set([0, 4])), met)
  })
}

const failed = (facts: PodFacts = {}): Pod => pod({ phase: 'Failed', exitCode: 1, ...facts })
const done = (index?: number): Pod => pod({ phase: 'Succeeded', ...(index === undefined ? {} : { index }) })
const indexed: Partial<JobSpec> = { completionMode: 'Indexed', completions: 3, parallelism: 3 }
const perIndex: Partial<JobSpec> = { ...indexed, backoffLimit: 2147483647, backoffLimitPerIndex: 1 }

const endings: readonly {
  readonly why: string
  readonly spec: Partial<JobSpec>
  readonly status?: JobStatus
  readonly pods: readonly Pod[]
  readonly reason: string | undefined
}[] = [
  { why: 'no failure over the limit', spec: { backoffLimit: 1 }, pods: [failed()], reason: undefined },
  { why: 'a failure over it', spec: { backoffLimit: 1 }, pods: [failed(), failed()], reason: 'BackoffLimitExceeded' },
  {
    why: 'failures counted before',
    spec: { backoffLimit: 1 },
    status: { failed: 1 },
    pods: [failed()],
    reason: 'BackoffLimitExceeded',
  },
  {
    why: 'the deadline',
    spec: { activeDeadlineSeconds: 10 },
    status: { startTime: formatTime(nowMs - 10_000) },
    pods: [pod()],
    reason: 'DeadlineExceeded',
  },
  {
    why: 'the deadline of a suspended job',
    spec: { activeDeadlineSeconds: 10, suspend: true },
    status: { startTime: formatTime(nowMs - 10_000) },
    pods: [],
    reason: undefined,
  },
  { why: 'an index that may fail once more', spec: perIndex, pods: [failed({ index: 1 })], reason: undefined },
  {
    why: 'failed indexes when all others are done',
    spec: perIndex,
    pods: [failed({ index: 1, failures: 1 }), done(0), done(2)],
    reason: 'FailedIndexes',
  },
  {
    why: 'too many failed indexes',
    spec: { ...perIndex, maxFailedIndexes: 0 },
    pods: [failed({ index: 1, failures: 1 })],
    reason: 'MaxFailedIndexesExceeded',
  },
  {
    why: 'an index that its policy fails',
    spec: {
      ...perIndex,
      maxFailedIndexes: 0,
      podFailurePolicy: { rules: [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [1] } }] },
    },
    pods: [failed({ index: 1 })],
    reason: 'MaxFailedIndexesExceeded',
  },
  {
    why: 'a verdict that stands',
    spec: {},
    status: { conditions: [{ type: 'FailureTarget', status: 'True', reason: 'DeadlineExceeded' }] },
    pods: [],
    reason: 'DeadlineExceeded',
  },
]

for (const { why, spec, status, pods, reason } of endings) {
  test(`the end of a job by ${why}: ${reason}`, () => {
    const subject = job(spec, status)
    assert.equal(judgeEnding(subject, observe(subject, pods), nowMs)?.reason, reason)
  })
}

const idle = { count: 0, lastMs: 0 }

const plans: readonly {
  readonly why: string
  readonly spec: Partial<JobSpec>
  readonly pods: readonly Pod[]
  readonly creates?: number | readonly number[]
  readonly removes?: number
  readonly waitMs?: number
}[] = [
  { why: 'parallelism bounds', spec: { completions: 5, parallelism: 2 }, pods: [pod()], creates: 1 },
  { why: 'what is left bounds', spec: { completions: 2, parallelism: 4 }, pods: [done()], creates: 1 },
  { why: 'a work queue makes no more after a success', spec: { parallelism: 3 }, pods: [done(), pod()] },
  { why: 'a work queue without a success fills up', spec: { parallelism: 3 }, pods: [pod()], creates: 2 },
  { why: 'less parallelism takes away', spec: { completions: 5, parallelism: 1 }, pods: [pod(), pod()], removes: 1 },
  { why: 'suspension takes all away', spec: { completions: 5, suspend: true }, pods: [pod()], removes: 1 },
  { why: 'a terminating pod is replaced at once', spec: { completions: 1 }, pods: [pod({ going: true })], creates: 1 },
  {
    why: 'a terminating pod is waited for',
    spec: { completions: 1, podReplacementPolicy: 'Failed' },
    pods: [pod({ going: true })],
  },
  { why: 'the lowest free indexes', spec: indexed, pods: [pod({ index: 1 })], creates: [0, 2] },
  { why: 'an index twice', spec: indexed, pods: [0, 1, 1, 2].map((index) => pod({ index })), removes: 1 },
  { why: 'an index out of range', spec: indexed, pods: [pod({ index: 7 })], removes: 1 },
  {
    why: 'an index that failed waits, the others do not',
    spec: perIndex,
    pods: [failed({ index: 1 })],
    creates: [0, 2],
    waitMs: 10_000,
  },
]

for (const { why, spec, pods, creates = 0, removes = 0, waitMs = 0 } of plans) {
  test(`pods of a job: ${why}`, () => {
    const subject = job(spec)
    const plan = planPods(subject, observe(subject, pods), idle, nowMs)
    const made = typeof creates === 'number' ? plan.create.length : plan.create.map(({ index }) => index)
    assert.deepEqual([made, plan.remove.length, plan.waitMs], [creates, removes, waitMs])
  })
}

test('the wait after a failure doubles from ten seconds to ten minutes', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 20].map((count) => backOffMs({ count, lastMs: nowMs }, nowMs)),
    [0, 10_000, 20_000, 40_000, 600_000],
  )
})

test('the pod that follows a failed one of its index carries the count on', () => {
  const next = newPod(job(perIndex), 1, failed({ index: 1, failures: 2 }))
  assert.equal(next.metadata.annotations!['batch.kubernetes.io/job-index-failure-count'], '3')
  assert.equal(next.spec.hostname, 'work-1')
  assert.equal(next.spec.containers[0]!.env![0]!.name, 'JOB_COMPLETION_INDEX')
})

test('a uid moves into the count when its pod has lost the finalizer, and not before', () => {
  const one = done()
  const counted = account(job({ completions: 2 }), observe(job({ completions: 2 }), [one]), undefined, () => true)
  assert.deepEqual(counted.status.uncountedTerminatedPods, { succeeded: [one.metadata.uid] })
  assert.equal(counted.status.succeeded, undefined)
  const again = account(
    job({ completions: 2 }, counted.status),
    observe(job({ completions: 2 }, counted.status), [one], () => false),
    undefined,
    () => false,
  )
  assert.deepEqual([again.status.succeeded, again.status.uncountedTerminatedPods], [1, {}])
})
