// The status of a pod, from facts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod, PodSpec, PodStatus } from '@aksel/api/types/core-v1'
import type { ContainerRun, RuntimeView } from './runtime-view.ts'
import { podStatus } from './status.ts'
import type { StatusFacts } from './status.ts'

const nowMs = Date.UTC(2026, 10, 24, 12)

function run(name: string, more: Partial<ContainerRun> = {}): ContainerRun {
  return {
    id: `${name}-id`,
    sandboxId: 's0',
    name,
    attempt: 0,
    state: 'CONTAINER_RUNNING',
    hash: '',
    image: 'docker.io/library/busybox:1.36',
    imageRef: 'sha256:1',
    createdAtMs: nowMs - 2000,
    startedAtMs: nowMs - 1000,
    finishedAtMs: 0,
    exitCode: 0,
    reason: '',
    message: '',
    annotations: {},
    ...more,
  }
}

const ended = (name: string, exitCode: number, more: Partial<ContainerRun> = {}): ContainerRun =>
  run(name, { state: 'CONTAINER_EXITED', exitCode, finishedAtMs: nowMs, ...more })

const podOf = (spec: Partial<PodSpec> = {}, status?: PodStatus): Pod => ({
  metadata: { name: 'web', namespace: 'default', uid: 'u', generation: 2 },
  spec: { containers: [{ name: 'main', image: 'busybox:1.36' }], restartPolicy: 'Always', ...spec },
  ...(status === undefined ? {} : { status }),
})

function statusOf(pod: Pod, containers: readonly ContainerRun[], more: Partial<StatusFacts> = {}): PodStatus {
  const view: RuntimeView = {
    sandboxes: [{ id: 's0', attempt: 0, ready: true, createdAtMs: 0, ips: ['10.244.0.5'] }],
    containers,
  }
  return podStatus({
    pod,
    view,
    nowMs,
    hostIps: ['10.224.0.4'],
    probes: () => ({ started: true, ready: true }),
    waiting: new Map(),
    inForce: () => ({}),
    wholeInForce: {},
    resize: { refused: undefined, going: undefined },
    terminationMessage: () => '',
    ...more,
  })
}

const conditionOf = (status: PodStatus, type: string): string => {
  const found = status.conditions?.find((entry) => entry.type === type)
  return [found?.status, found?.reason, found?.message].filter((part) => part !== undefined).join(' | ')
}

test('a pod without containers yet is Pending and says which are unready', () => {
  const status = statusOf(podOf(), [], { view: { sandboxes: [], containers: [] } })
  assert.equal(status.phase, 'Pending')
  assert.deepEqual(status.containerStatuses?.[0]?.state, { waiting: { reason: 'ContainerCreating' } })
  assert.equal(conditionOf(status, 'PodReadyToStartContainers'), 'False')
  assert.equal(conditionOf(status, 'Initialized'), 'True')
  assert.equal(conditionOf(status, 'Ready'), 'False | ContainersNotReady | containers with unready status: [main]')
  assert.equal(conditionOf(status, 'PodScheduled'), 'True')
  assert.equal(status.startTime, '2026-11-24T12:00:00Z')
})

test('a running pod has its addresses, its containers and its generation', () => {
  const status = statusOf(podOf(), [run('main')])
  assert.equal(status.phase, 'Running')
  assert.deepEqual([status.podIP, status.podIPs, status.hostIP], ['10.244.0.5', [{ ip: '10.244.0.5' }], '10.224.0.4'])
  assert.equal(conditionOf(status, 'Ready'), 'True')
  assert.equal(status.observedGeneration, 2)
  const [container] = status.containerStatuses!
  assert.deepEqual(
    [container!.ready, container!.started, container!.restartCount, container!.containerID],
    [true, true, 0, 'containerd://main-id'],
  )
})

test('a condition keeps the time at which it changed', () => {
  const before = statusOf(podOf(), [run('main')])
  const later = statusOf(podOf({}, before), [run('main')], { nowMs: nowMs + 60_000 })
  assert.deepEqual(later, before)
  const unready = statusOf(podOf({}, before), [run('main')], {
    nowMs: nowMs + 60_000,
    probes: () => ({ started: true, ready: false }),
  })
  const times = unready.conditions?.map(
    ({ type, lastTransitionTime }) => `${type} ${String(lastTransitionTime).slice(11, 16)}`,
  )
  assert.ok(times?.includes('Ready 12:01') && times.includes('Initialized 12:00'))
})

test('conditions of others stay', () => {
  const others = [{ type: 'DisruptionTarget', status: 'True' }]
  assert.equal(conditionOf(statusOf(podOf({}, { conditions: others }), [run('main')]), 'DisruptionTarget'), 'True')
})

test('a readiness gate holds back Ready but not ContainersReady', () => {
  const spec = { readinessGates: [{ conditionType: 'example.org/lb' }] }
  const missing = statusOf(podOf(spec), [run('main')])
  assert.equal(conditionOf(missing, 'ContainersReady'), 'True')
  assert.match(conditionOf(missing, 'Ready'), /ReadinessGatesNotReady.*"example.org\/lb" does not exist/)
  const given = { conditions: [{ type: 'example.org/lb', status: 'True' }] }
  assert.equal(conditionOf(statusOf(podOf(spec, given), [run('main')]), 'Ready'), 'True')
})

test('phases follow the restart policy', () => {
  const rows = [
    ['Always', [ended('main', 0)], 'Running'],
    ['Never', [ended('main', 0)], 'Succeeded'],
    ['Never', [ended('main', 1)], 'Failed'],
    ['OnFailure', [ended('main', 1)], 'Running'],
    ['OnFailure', [ended('main', 0)], 'Succeeded'],
    ['Never', [run('main', { state: 'CONTAINER_CREATED' })], 'Pending'],
  ] as const
  for (const [restartPolicy, containers, phase] of rows) {
    assert.equal(
      statusOf(podOf({ restartPolicy }), containers).phase,
      phase,
      `${restartPolicy} ${containers[0].exitCode}`,
    )
  }
})

test('a pod whose init container failed for good is Failed, one that waits for it is Pending', () => {
  const initContainers = [{ name: 'init' }]
  const failed = statusOf(podOf({ restartPolicy: 'Never', initContainers }), [ended('init', 1)])
  assert.equal(failed.phase, 'Failed')
  const waiting = statusOf(podOf({ initContainers }), [run('init')])
  assert.equal(waiting.phase, 'Pending')
  assert.deepEqual(waiting.containerStatuses?.[0]?.state, { waiting: { reason: 'PodInitializing' } })
  assert.equal(
    conditionOf(waiting, 'Initialized'),
    'False | ContainersNotInitialized | containers with incomplete status: [init]',
  )
})

test('a resting container waits and shows its last end', () => {
  const waiting = new Map([['main', { reason: 'CrashLoopBackOff', message: 'back-off 10s' }]])
  const [container] = statusOf(podOf(), [ended('main', 2, { attempt: 3 })], {
    waiting,
    terminationMessage: () => 'oops',
  }).containerStatuses!
  assert.deepEqual(container!.state, { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } })
  assert.equal(container!.lastState?.terminated?.message, 'oops')
  assert.equal(container!.lastState?.terminated?.reason, 'Error')
  assert.deepEqual([container!.restartCount, container!.ready], [3, false])
})

test('a pod that was deleted comes to a final phase', () => {
  assert.equal(statusOf(podOf(), [ended('main', 0)], { ended: true }).phase, 'Succeeded')
  assert.equal(statusOf(podOf(), [ended('main', 137)], { ended: true }).phase, 'Failed')
})

test('what the runtime has forgotten is not invented anew', () => {
  const known: PodStatus = {
    phase: 'Succeeded',
    containerStatuses: [
      {
        name: 'main',
        ready: false,
        restartCount: 0,
        image: 'i',
        imageID: 'x',
        state: { terminated: { exitCode: 0, reason: 'Completed' } },
      },
    ],
  }
  const status = statusOf(podOf({ restartPolicy: 'Never' }, known), [], { view: { sandboxes: [], containers: [] } })
  assert.equal(status.phase, 'Succeeded')
  assert.equal(status.containerStatuses?.[0]?.state?.terminated?.reason, 'Completed')
})

test('while all containers restart a condition says so, and the phase stays', () => {
  const rules = [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [42] } }]
  const containers = [{ name: 'main', image: 'busybox:1.36', restartPolicy: 'Never', restartPolicyRules: rules }]
  const pod = podOf({ restartPolicy: 'Never', containers }, { phase: 'Running' })
  const during = statusOf(pod, [ended('main', 42)])
  assert.equal(during.phase, 'Running')
  assert.equal(conditionOf(during, 'AllContainersRestarting'), 'True')
  assert.equal(conditionOf(statusOf(pod, [run('main')]), 'AllContainersRestarting'), 'False')
  const over = statusOf(pod, [ended('main', 1)])
  assert.equal(over.phase, 'Failed')
  assert.equal(conditionOf(over, 'AllContainersRestarting'), 'False | PodFailed')
  assert.equal(conditionOf(statusOf(podOf(), [run('main')]), 'AllContainersRestarting'), '')
})

test('a pod that says what it needs as a whole shows what is in force', () => {
  const pod = podOf({ resources: { requests: { cpu: '2' }, limits: { cpu: '2' } } })
  const wholeInForce = { requests: { cpu: '1' }, limits: { cpu: '2' } }
  const refused = { reason: 'Deferred', message: '' } as const
  const { resources, allocatedResources } = statusOf(pod, [run('main')], {
    wholeInForce,
    resize: { refused, going: undefined },
  })
  assert.deepEqual([resources, allocatedResources], [wholeInForce, { cpu: '1' }])
  assert.equal(statusOf(podOf(), [run('main')]).resources, undefined)
})
