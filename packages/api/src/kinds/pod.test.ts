// Pods: each rule by an example that is refused with upstream's text, and what the server fills in.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nowMs, rowHarness, setAt, withValues } from './row-harness.ts'

const harness = await rowHarness()
const pod = {
  metadata: { name: 'web' },
  spec: {
    containers: [{ name: 'main', image: 'web:1', resources: { requests: { cpu: '100m' }, limits: { cpu: '200m' } } }],
    volumes: [{ name: 'data', emptyDir: {} }],
  },
}

const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

const main = 'spec.containers.0'
const refused: readonly (readonly [Readonly<Record<string, unknown>>, readonly string[]])[] = [
  [{ 'metadata.name': 'Web' }, [`metadata.name: Invalid value: "Web": ${subdomain}`]],
  [{ 'metadata.name': undefined }, ['metadata.name: Required value: name or generateName is required']],
  [
    { 'metadata.labels': { a: 'b c' } },
    [
      `metadata.labels: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    ],
  ],
  [{ 'spec.containers': [] }, ['spec.containers: Required value']],
  [{ [`${main}.image`]: '' }, ['spec.containers[0].image: Required value']],
  [{ [`${main}.name`]: 'Main' }, [`spec.containers[0].name: Invalid value: "Main": ${label}`]],
  [{ 'spec.containers.1': { name: 'main', image: 'x' } }, ['spec.containers[1].name: Duplicate value: "main"']],
  [
    { [`${main}.imagePullPolicy`]: 'Sometimes' },
    [
      'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
    ],
  ],
  [
    { 'spec.restartPolicy': 'Maybe' },
    ['spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "Never", "OnFailure"'],
  ],
  [{ 'spec.dnsPolicy': 'None' }, ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None']],
  [
    { [`${main}.ports`]: [{ containerPort: 70000 }] },
    ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
  ],
  [
    {
      [`${main}.ports`]: [
        { containerPort: 80, name: 'a' },
        { containerPort: 81, name: 'a' },
      ],
    },
    ['spec.containers[0].ports[1].name: Duplicate value: "a"'],
  ],
  [
    { [`${main}.env`]: [{ name: 'A=B' }] },
    [
      `spec.containers[0].env[0].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than '='`,
    ],
  ],
  [
    { [`${main}.env`]: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] },
    ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
  ],
  [
    { [`${main}.env`]: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.replicas' } } }] },
    [
      'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.replicas": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
    ],
  ],
  [
    { [`${main}.volumeMounts`]: [{ name: 'nope', mountPath: '/a' }] },
    ['spec.containers[0].volumeMounts[0].name: Not found: "nope"'],
  ],
  [
    {
      [`${main}.volumeMounts`]: [
        { name: 'data', mountPath: '/a' },
        { name: 'data', mountPath: '/a' },
      ],
    },
    ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique'],
  ],
  [
    { [`${main}.volumeMounts`]: [{ name: 'data', mountPath: '/a', subPath: '../x' }] },
    [`spec.containers[0].volumeMounts[0].subPath: Invalid value: "../x": must not contain '..'`],
  ],
  [
    { [`${main}.resources.requests.cpu`]: '300m' },
    ['spec.containers[0].resources.requests: Invalid value: "300m": must be less than or equal to cpu limit of 200m'],
  ],
  [
    { [`${main}.resources.limits.memory`]: '-1' },
    [
      'spec.containers[0].resources.limits[memory]: Invalid value: "-1": must be greater than or equal to 0',
      'spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0',
    ],
  ],
  [
    { [`${main}.resources.requests`]: { 'example.com/gpu': '1' } },
    ['spec.containers[0].resources.limits: Invalid value: "": Limit must be set for non overcommitable resources'],
  ],
  [
    { [`${main}.livenessProbe`]: { httpGet: { port: 80 }, successThreshold: 2 } },
    ['spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1'],
  ],
  [
    { [`${main}.livenessProbe`]: {} },
    ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
  ],
  [
    { [`${main}.readinessProbe`]: { exec: { command: ['x'] }, tcpSocket: { port: 1 } } },
    ['spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type'],
  ],
  [
    { 'spec.initContainers': [{ name: 'i', image: 'x', readinessProbe: { exec: { command: ['x'] } } }] },
    [
      'spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
    ],
  ],
  [
    { 'spec.volumes.0': { name: 'data', emptyDir: {}, hostPath: { path: '/x' } } },
    ['spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type'],
  ],
  [{ 'spec.volumes.1': { name: 'data', emptyDir: {} } }, ['spec.volumes[1].name: Duplicate value: "data"']],
  [{ 'spec.volumes.1': { name: 's', secret: {} } }, ['spec.volumes[1].secret.secretName: Required value']],
  [
    {
      'spec.volumes.1': {
        name: 't',
        projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 10 } }] },
      },
    },
    [
      'spec.volumes[1].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes',
    ],
  ],
  [
    { 'spec.tolerations': [{ operator: 'Equal', value: 'x' }] },
    [
      'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
  ],
  [
    { 'spec.tolerations': [{ key: 'a', operator: 'Exists', effect: 'NoSchedule', tolerationSeconds: 5 }] },
    [
      `spec.tolerations[0].effect: Invalid value: "NoSchedule": effect must be 'NoExecute' when \`tolerationSeconds\` is set`,
    ],
  ],
  [
    { 'spec.affinity': { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: {} }] } } },
    [
      'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty',
    ],
  ],
  [
    {
      'spec.affinity': {
        nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 101, preference: {} }] },
      },
    },
    [
      'spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100',
    ],
  ],
  [
    { 'spec.topologySpreadConstraints': [{ maxSkew: 0, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }] },
    ['spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than 0'],
  ],
  [
    { 'spec.securityContext': { runAsUser: -1 } },
    ['spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive'],
  ],
  [
    { 'spec.activeDeadlineSeconds': 0 },
    ['spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive'],
  ],
  [
    { 'spec.ephemeralContainers': [{ name: 'e', image: 'x' }] },
    ['spec.ephemeralContainers: Forbidden: cannot be set on create'],
  ],
  [
    { 'spec.schedulingGates': [{ name: 'a' }], 'spec.nodeName': 'n1' },
    ['spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared'],
  ],
]

test('what a pod may not say is refused', () => {
  assert.deepEqual(harness.create('Pod', pod).errors, [])
  for (const [values, errors] of refused) {
    assert.deepEqual(harness.create('Pod', withValues(pod, values)).errors, errors, JSON.stringify(values))
  }
})

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

const frozen =
  'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

const changes: readonly (readonly [string, unknown, readonly string[]])[] = [
  [`${main}.image`, 'web:2', []],
  ['metadata.labels', { a: 'b' }, []],
  ['spec.tolerations', [{ key: 'a', operator: 'Exists' }], []],
  ['spec.activeDeadlineSeconds', 30, []],
  [`${main}.command`, ['sh'], [frozen]],
  ['spec.nodeName', 'n2', [frozen]],
  [
    'spec.containers.1',
    { name: 'b', image: 'x' },
    ['spec.containers: Forbidden: pod updates may not add or remove containers'],
  ],
  [
    'spec.schedulingGates',
    [{ name: 'a' }],
    ["spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate 'a'"],
  ],
  ['metadata.name', 'other', ['metadata.name: Invalid value: "other": field is immutable']],
  ['metadata.uid', 'other', ['metadata.uid: Invalid value: "other": field is immutable']],
]

test('of a pod little may change, and a changed spec raises its generation', () => {
  for (const [path, value, errors] of changes) {
    const { errors: found } = harness.update('Pod', pod, { change: (object) => setAt(object, path, value) })
    assert.deepEqual(
      found.filter((error) => !error.startsWith('spec.containers[1]')),
      errors,
      path,
    )
  }
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

test('resources change through resize alone, and the class of service stays', () => {
  const change = (draft: object): void => setAt(draft, `${main}.resources.limits.cpu`, '400m')
  assert.deepEqual(harness.update('Pod', pod, { change }).errors, [frozen])
  assert.deepEqual(harness.update('Pod', pod, { subresource: 'resize', change }).errors, [])
  const image = (draft: object): void => setAt(draft, `${main}.image`, 'web:2')
  assert.deepEqual(harness.update('Pod', pod, { subresource: 'resize', change: image }).errors, [
    'spec: Forbidden: only cpu and memory resources are mutable',
  ])
  const guaranteed = (draft: object): void =>
    setAt(draft, `${main}.resources`, { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1', memory: '1Gi' } })
  assert.deepEqual(harness.update('Pod', pod, { subresource: 'resize', change: guaranteed }).errors, [
    'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
  ])
})

test('a pod is bound once', () => {
  const bind = harness.row('Pod').subresourceActions['binding']!
  const { object } = harness.create('Pod', pod)
  const context = {
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
