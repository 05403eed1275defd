// Table tests of the stages: what a pod's status becomes, and when, by what its annotation and its node's faults say.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod, PodStatus } from '@aksel/api/types/core-v1'
import { noFaults, type NodeFaults } from './faults.ts'
import type { Stage } from './stage.ts'
import { stagesAnnotation, type StageOptions } from './stage-options.ts'
import { nextStage } from './stages.ts'

const START_MS = Date.UTC(2026, 0, 1)

interface Given {
  readonly options?: StageOptions | string
  readonly spec?: Partial<Pod['spec']>
  readonly metadata?: Partial<Pod['metadata']>
}

function podOf({ options, spec, metadata }: Given = {}): Pod {
  const text = typeof options === 'string' ? options : JSON.stringify(options)
  return {
    metadata: {
      name: 'p',
      namespace: 'n',
      uid: 'u',
      ...(options === undefined ? {} : { annotations: { [stagesAnnotation]: text! } }),
      ...metadata,
    },
    spec: { containers: [{ name: 'c', image: 'i', resources: {} }], ...spec },
  }
}

function stageAt(pod: Pod, seconds: number, faults: Partial<NodeFaults> = {}): Stage | undefined {
  return nextStage(pod, {
    nowMs: START_MS + seconds * 1000,
    podAddress: () => '10.244.0.2',
    nodeAddress: '198.18.0.1',
    faults: { ...noFaults, ...faults },
    exactMs: (time) => Date.parse(time ?? ''),
  })
}

/** Takes a pod through its stages until `untilSeconds`, and says what each write showed. */
function history(pod: Pod, untilSeconds: number): readonly string[] {
  const seen: string[] = []
  let current = pod
  let seconds = 0
  while (seconds <= untilSeconds && seen.length < 50) {
    const stage = stageAt(current, seconds)
    if (stage === undefined) break
    if (stage.kind === 'remove') return [...seen, `${seconds} removed`]
    if (stage.kind === 'wait') seconds += stage.afterMs / 1000
    else {
      current = { ...current, status: stage.status }
      seen.push(`${seconds} ${shown(stage.status)}`)
    }
  }
  return seen
}

function shown(status: PodStatus): string {
  const ready = status.conditions?.find(({ type }) => type === 'Ready')?.status === 'True' ? ' ready' : ''
  const states = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].map(
    ({ state, restartCount }) => {
      const word =
        state?.waiting?.reason ?? (state?.terminated === undefined ? 'up' : `exit ${state.terminated.exitCode}`)
      return restartCount === 0 ? word : `${word} (${restartCount})`
    },
  )
  return `${status.phase}${ready}: ${states.join(', ')}`
}

const job = { ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'x', controller: true }] }

const histories: readonly { readonly name: string; readonly given: Given; readonly shows: readonly string[] }[] = [
  { name: 'a pod that asks for nothing runs at once and stays', given: {}, shows: ['0 Running ready: up'] },
  {
    name: 'a pod that starts slowly waits first',
    given: { options: { startSeconds: 3 } },
    shows: ['0 Pending: ContainerCreating', '3 Running ready: up'],
  },
  {
    name: 'readiness comes when it was declared',
    given: { options: { readySeconds: 5 } },
    shows: ['0 Running: up', '5 Running ready: up'],
  },
  { name: 'a pod may never be ready', given: { options: { ready: false } }, shows: ['0 Running: up'] },
  {
    name: "a Job's pod completes by itself after a second",
    given: { metadata: job, spec: { restartPolicy: 'Never' } },
    shows: ['0 Running ready: up', '1 Succeeded: exit 0'],
  },
  {
    name: 'a pod that may not restart fails with the code it was given',
    given: { options: { runSeconds: 2, exitCodes: [3] }, spec: { restartPolicy: 'Never' } },
    shows: ['0 Running ready: up', '2 Failed: exit 3'],
  },
  {
    name: 'a pod restarts on failure, first at once, then after a back-off, until it succeeds',
    given: { options: { runSeconds: 1, exitCodes: [1, 1, 0] }, spec: { restartPolicy: 'OnFailure' } },
    shows: [
      '0 Running ready: up',
      '1 Running: exit 1',
      '1 Running ready: up (1)',
      '2 Running: exit 1 (1)',
      '2 Running: CrashLoopBackOff (1)',
      '12 Running ready: up (2)',
      '13 Succeeded: exit 0 (2)',
    ],
  },
  {
    name: 'init containers run one after another before the containers',
    given: {
      options: { initSeconds: 2 },
      spec: {
        initContainers: [
          { name: 'a', resources: {} },
          { name: 'b', resources: {} },
        ],
      },
    },
    shows: [
      '0 Pending: up, PodInitializing, PodInitializing',
      '2 Pending: exit 0, up, PodInitializing',
      '4 Running ready: exit 0, exit 0, up',
    ],
  },
  {
    name: 'a failing init container ends a pod that may not restart',
    given: {
      options: { initExitCodes: [7] },
      spec: { restartPolicy: 'Never', initContainers: [{ name: 'a', resources: {} }] },
    },
    shows: ['0 Failed: exit 7, PodInitializing'],
  },
  {
    name: 'an init container is tried again where the pod may restart',
    given: { options: { initExitCodes: [1, 0] }, spec: { initContainers: [{ name: 'a', resources: {} }] } },
    shows: ['0 Pending: exit 1, PodInitializing', '0 Running ready: exit 0 (1), up'],
  },
  {
    name: 'a side-car runs beside what follows and ends with the pod',
    given: {
      options: { runSeconds: 1, containers: { s: {} } },
      spec: { restartPolicy: 'Never', initContainers: [{ name: 's', restartPolicy: 'Always', resources: {} }] },
    },
    shows: ['0 Running ready: up, up', '1 Succeeded: exit 0, exit 0'],
  },
  {
    name: 'an image that cannot be pulled',
    given: { options: { imagePullFails: true } },
    shows: ['0 Pending: ErrImagePull', '0 Pending: ImagePullBackOff'],
  },
  {
    name: 'a deadline ends a pod that runs',
    given: { spec: { activeDeadlineSeconds: 4 } },
    shows: ['0 Running ready: up', '4 Failed: exit 137'],
  },
  {
    name: 'containers may differ',
    given: {
      options: { containers: { c: { runSeconds: 1 }, d: { runSeconds: 2, exitCodes: [5] } } },
      spec: {
        restartPolicy: 'Never',
        containers: [
          { name: 'c', resources: {} },
          { name: 'd', resources: {} },
        ],
      },
    },
    shows: ['0 Running ready: up, up', '1 Running: exit 0, up', '2 Failed: exit 0, exit 5'],
  },
  {
    name: 'a word that cannot be read is told, and nothing runs',
    given: { options: '{"startSecond": 1}' },
    shows: ['0 Pending: CreateContainerConfigError'],
  },
]

for (const { name, given, shows } of histories) {
  test(`nextStage(): ${name}`, () => assert.deepEqual(history(podOf(given), 20), shows))
}

test('nextStage() says what it could not read', () => {
  const stage = stageAt(podOf({ options: '{"exitCodes": [300]}' }), 0)
  const state = stage?.kind === 'status' ? stage.status.containerStatuses?.[0]?.state : undefined
  assert.match(state?.waiting?.message ?? '', /exitCodes must be a list of exit codes from 0 to 255, not \[300\]/)
})

function runningPod(metadata: Partial<Pod['metadata']> = {}): Pod {
  const pod = podOf({ metadata })
  const stage = stageAt({ ...pod, metadata: { name: 'p', namespace: 'n', uid: 'u' } }, 0)
  assert.equal(stage?.kind, 'status')
  return { ...pod, status: stage.status }
}

test('nextStage() removes a pod that is to go, and shows the end of one that a finalizer holds', () => {
  const deletionTimestamp = '2026-01-01T00:00:30Z'
  assert.deepEqual(stageAt(runningPod({ deletionTimestamp }), 1), { kind: 'remove' })
  const stage = stageAt(runningPod({ deletionTimestamp, finalizers: ['batch.kubernetes.io/job-tracking'] }), 1)
  assert.equal(stage?.kind === 'status' && shown(stage.status), 'Failed: exit 143')
})

test('nextStage(): memory runs out for what started before the order, and not again for what came after', () => {
  const killed = stageAt(runningPod(), 5, { oomBeforeMs: START_MS + 4000 })
  const end = killed?.kind === 'status' ? killed.status.containerStatuses?.[0]?.state?.terminated : undefined
  assert.deepEqual([end?.exitCode, end?.reason], [137, 'OOMKilled'])
  assert.equal(stageAt(runningPod(), 5, { oomBeforeMs: START_MS - 1000 }), undefined)
})

test('nextStage(): a full disk evicts what is not critical', () => {
  const stage = stageAt(runningPod(), 5, { diskFull: true })
  assert.equal(stage?.kind === 'status' && stage.status.reason, 'Evicted')
  const critical = { ...runningPod(), spec: { ...podOf().spec, priority: 2_000_000_000 } }
  assert.equal(stageAt(critical, 5, { diskFull: true }), undefined)
})

test('nextStage(): a readiness gate holds readiness back until its condition is met', () => {
  const pod = podOf({ spec: { readinessGates: [{ conditionType: 'x/y' }] } })
  const first = stageAt(pod, 0)
  assert.equal(first?.kind === 'status' && shown(first.status), 'Running: up')
  if (first?.kind !== 'status') return
  assert.equal(stageAt({ ...pod, status: first.status }, 1), undefined)
  const conditions = [...(first.status.conditions ?? []), { type: 'x/y', status: 'True' }]
  const second = stageAt({ ...pod, status: { ...first.status, conditions } }, 2)
  assert.equal(second?.kind === 'status' && shown(second.status), 'Running ready: up')
})

test('a running pod whose resources are spelled in another order is where it should be', () => {
  const requests = { cpu: '10m' }
  const limits = { cpu: '20m' }
  const pod = podOf({ spec: { containers: [{ name: 'c', image: 'i', resources: { requests, limits } }] } })
  const started = stageAt(pod, 0)
  assert.ok(started?.kind === 'status')
  const [container] = started.status.containerStatuses!
  const stored = { ...container!, resources: { limits, requests } }
  const running = { ...pod, status: { ...started.status, containerStatuses: [stored] } }
  assert.equal(stageAt(running, 1), undefined)
})

test('a container’s own restart policy and rules stand before the pod’s', () => {
  const rule = (action: string, ...values: number[]) => ({ action, exitCodes: { operator: 'In', values } })
  const podWith = (exitCodes: readonly number[], container: Partial<Pod['spec']['containers'][number]>): Pod =>
    podOf({
      options: { runSeconds: 1, exitCodes },
      spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i', resources: {}, ...container }] },
    })
  const outcomes = [
    podWith([1], {}),
    podWith([1, 0], { restartPolicy: 'OnFailure' }),
    podWith([42, 0], { restartPolicy: 'Never', restartPolicyRules: [rule('Restart', 42)] }),
    podWith([41], { restartPolicy: 'Never', restartPolicyRules: [rule('Restart', 42)] }),
  ].map((pod) => history(pod, 30).at(-1))
  assert.deepEqual(outcomes, [
    '1 Failed: exit 1',
    '2 Succeeded: exit 0 (1)',
    '2 Succeeded: exit 0 (1)',
    '1 Failed: exit 41',
  ])
})

test('a container that ends by a rule for all restarts them all, with the init steps', () => {
  const rules = [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [7] } }]
  const containers = [
    { name: 'main', image: 'i', resources: {}, restartPolicy: 'Never', restartPolicyRules: rules },
    { name: 'other', image: 'i', resources: {} },
  ]
  const initContainers = [
    { name: 'init', image: 'i', resources: {} },
    { name: 'side', image: 'i', resources: {}, restartPolicy: 'Always' },
  ]
  const options = { containers: { main: { runSeconds: 1, exitCodes: [7, 0] } } }
  const pod = podOf({ options, spec: { restartPolicy: 'Always', containers, initContainers } })
  assert.deepEqual(history(pod, 30).slice(0, 4), [
    '0 Running ready: exit 0, up, up, up',
    '1 Running: exit 0, up, exit 7, up',
    '1 Running ready: exit 0 (1), up (1), up (1), up (1)',
    '2 Running: exit 0 (1), up (1), exit 0 (1), up (1)',
  ])
})
