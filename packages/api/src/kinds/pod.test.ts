// Pods: each rule by an example that is refused with upstream's text, and what the server fills in.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nowMs, rowHarness, setAt, withValues } from './row-harness.ts'

const harness = await rowHarness()
const main = 'spec.containers.0'
const pod = {
  metadata: { name: 'web' },
  spec: {
    containers: [{ name: 'main', image: 'web:1', resources: { requests: { cpu: '100m' }, limits: { cpu: '200m' } } }],
    volumes: [{ name: 'data', emptyDir: {} }],
  },
}

test('a pod gets its defaults, its phase and its class', () => {
  const { object } = harness.create('Pod', withValues(pod, { [`${main}.livenessProbe`]: { httpGet: { port: 80 } } }))
  assert.deepEqual(object['spec']!['containers'], [
    {
      name: 'main',
      image: 'web:1',
      resources: { limits: { cpu: '200m' }, requests: { cpu: '100m' } },
      livenessProbe: {
        httpGet: { path: '/', port: 80, scheme: 'HTTP' },
        timeoutSeconds: 1,
        periodSeconds: 10,
        successThreshold: 1,
        failureThreshold: 3,
      },
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      imagePullPolicy: 'IfNotPresent',
    },
  ])
  assert.deepEqual(object['status'], { phase: 'Pending', qosClass: 'Burstable' })
  assert.equal(object['metadata']!['generation'], 1)
  const image = (name: string): unknown =>
    harness.create('Pod', withValues(pod, { [`${main}.image`]: name })).object['spec']!['containers']![0]![
      'imagePullPolicy'
    ]
  assert.deepEqual(['a', 'a:latest', 'a:1', 'host:5000/a', 'a@sha256:00'].map(image), [
    'Always',
    'Always',
    'IfNotPresent',
    'Always',
    'IfNotPresent',
  ])
})

test('a changed spec raises the generation of a pod', () => {
  const { object } = harness.update('Pod', pod, { change: (draft) => setAt(draft, `${main}.image`, 'web:2') })
  assert.equal(object['metadata']!['generation'], 2)
})

test('a write of the status keeps the spec, and a write of the pod keeps the status', () => {
  const change = (draft: object): void => {
    setAt(draft, 'spec.nodeName', 'n1')
    setAt(draft, 'status.phase', 'Running')
  }
  const status = harness.update('Pod', pod, { subresource: 'status', change }).object
  assert.equal(status['status']!['phase'], 'Running')
  assert.equal('nodeName' in status['spec']!, false)
  assert.equal(harness.update('Pod', pod, { change }).object['status']!['phase'], 'Pending')
  const { errors } = harness.update('Pod', pod, {
    subresource: 'status',
    change: (draft) => setAt(draft, 'status.qosClass', 'Guaranteed'),
  })
  assert.deepEqual(errors, ['status.qosClass: Invalid value: "Guaranteed": field is immutable'])
})

test('through resize a container changes its resources, and nothing else of the pod', () => {
  const change = (draft: object): void => {
    setAt(draft, `${main}.resources.limits.cpu`, '400m')
    setAt(draft, `${main}.image`, 'web:2')
    setAt(draft, 'metadata.labels', { a: 'b' })
  }
  const { object, errors } = harness.update('Pod', pod, { subresource: 'resize', change })
  assert.deepEqual(errors, [])
  const container = object['spec']!['containers']![0]!
  assert.deepEqual([container['resources']!['limits'], container['image']], [{ cpu: '400m' }, 'web:1'])
  assert.deepEqual([object['metadata']!['generation'], object['metadata']!['labels']], [2, undefined])
})

test('a pod is bound once', () => {
  const bind = harness.row('Pod').subresourceActions['binding']!
  const { object } = harness.create('Pod', pod)
  const context = {
    release: { minor: '1.35', gates: () => true } as const,
    nowMs,
    random: { nextBytes: (count: number) => new Uint8Array(count) },
    user: { name: 'scheduler' },
  }
  assert.throws(
    () => bind.apply(object as never, { target: {} }, context),
    /Binding "web" is invalid: target.name: Required value/,
  )
  bind.apply(object as never, { target: { kind: 'Node', name: 'n1' } }, context)
  assert.equal(object['spec']!['nodeName'], 'n1')
  assert.throws(() => bind.apply(object as never, { target: { kind: 'Node', name: 'n2' } }, context), {
    reason: 'Conflict',
    message: 'Operation cannot be fulfilled on pods/binding "web": pod web is already assigned to node "n1"',
  })
})

test('a pod that no node runs goes at once, another after its grace', () => {
  const { deletion } = harness.row('Pod')
  const grace = (object: never, seconds: number | undefined) => deletion.gracePeriodSeconds?.(object, seconds)
  const of = (values: Readonly<Record<string, unknown>>) =>
    harness.create('Pod', withValues(pod, values)).object as never
  assert.equal(grace(of({}), undefined), 0)
  assert.equal(grace(of({ 'spec.nodeName': 'n1' }), undefined), 30)
  assert.equal(grace(of({ 'spec.nodeName': 'n1' }), 5), 5)
  assert.equal(grace(of({ 'spec.nodeName': 'n1' }), -1), 1)
})

const created = '2026-01-02T03:03:05Z'
const running = { name: 'main', ready: true, started: true, restartCount: 0, state: { running: {} } }
const rows: readonly (readonly [string, Readonly<Record<string, unknown>>, readonly string[]])[] = [
  ['running', { 'status.phase': 'Running', 'status.containerStatuses': [running] }, ['1/1', 'Running', '0']],
  [
    'waiting',
    {
      'status.phase': 'Pending',
      'status.containerStatuses': [{ ...running, ready: false, state: { waiting: { reason: 'ContainerCreating' } } }],
    },
    ['0/1', 'ContainerCreating', '0'],
  ],
  [
    'crashing',
    {
      'status.phase': 'Running',
      'status.containerStatuses': [
        {
          ...running,
          ready: false,
          restartCount: 3,
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-02T03:04:00Z' } },
        },
      ],
    },
    ['0/1', 'CrashLoopBackOff', '3 (5s ago)'],
  ],
  [
    'done',
    {
      'status.phase': 'Succeeded',
      'status.containerStatuses': [
        { ...running, ready: false, state: { terminated: { exitCode: 0, reason: 'Completed' } } },
      ],
    },
    ['0/1', 'Completed', '0'],
  ],
  [
    'failed without a reason',
    {
      'status.phase': 'Failed',
      'status.containerStatuses': [{ ...running, ready: false, state: { terminated: { exitCode: 3 } } }],
    },
    ['0/1', 'ExitCode:3', '0'],
  ],
  [
    'deleting',
    { 'status.phase': 'Running', 'metadata.deletionTimestamp': created, 'status.containerStatuses': [running] },
    ['1/1', 'Terminating', '0'],
  ],
  [
    'lost',
    { 'status.phase': 'Running', 'status.reason': 'NodeLost', 'metadata.deletionTimestamp': created },
    ['0/1', 'Unknown', '0'],
  ],
  [
    'gated',
    {
      'status.phase': 'Pending',
      'status.conditions': [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
    },
    ['0/1', 'SchedulingGated', '0'],
  ],
  [
    'initializing',
    {
      'status.phase': 'Pending',
      'spec.initContainers': [{ name: 'a' }, { name: 'b' }],
      'status.initContainerStatuses': [
        { name: 'a', state: { terminated: { exitCode: 0 } } },
        { name: 'b', state: { running: {} } },
      ],
    },
    ['0/1', 'Init:1/2', '0'],
  ],
  [
    'failing to initialize',
    {
      'status.phase': 'Pending',
      'spec.initContainers': [{ name: 'a' }],
      'status.initContainerStatuses': [
        { name: 'a', restartCount: 2, state: { waiting: { reason: 'CrashLoopBackOff' } } },
      ],
    },
    ['0/1', 'Init:CrashLoopBackOff', '2'],
  ],
  [
    'with a sidecar',
    {
      'status.phase': 'Running',
      'spec.initContainers': [{ name: 's', restartPolicy: 'Always' }],
      'status.initContainerStatuses': [{ name: 's', ready: true, started: true, state: { running: {} } }],
      'status.containerStatuses': [running],
    },
    ['2/2', 'Running', '0'],
  ],
]

test('a row shows what the pod does, as kubectl users know it', () => {
  for (const [name, values, shown] of rows) {
    const cells = harness.cells('Pod', withValues(pod, { 'metadata.creationTimestamp': created, ...values }))
    assert.deepEqual(cells.slice(1, 5), [...shown, '60s'], name)
    assert.equal(cells.length, harness.row('Pod').columns.length)
  }
})
