// Deployments, replica sets, stateful sets, daemon sets, jobs: defaults, refusals, scaling, cells.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ScaleRules } from '../kind-row.ts'
import type { KubernetesObject } from '../resource.ts'
import { rowHarness, setAt, withValues } from './row-harness.ts'

const harness = await rowHarness()

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'web:1' }] } }
const workload = { metadata: { name: 'web' }, spec: { selector: { matchLabels: { app: 'web' } }, template } }
const setOf = withValues(workload, { 'spec.serviceName': 'web' })
const job = { metadata: { name: 'web' }, spec: { template: withValues(template, { 'spec.restartPolicy': 'Never' }) } }
const cron = { metadata: { name: 'web' }, spec: { schedule: '*/5 * * * *', jobTemplate: { spec: job.spec } } }

const valid: Readonly<Record<string, unknown>> = {
  Deployment: workload,
  ReplicaSet: workload,
  StatefulSet: setOf,
  DaemonSet: workload,
  Job: job,
  CronJob: cron,
  ReplicationController: { metadata: { name: 'web' }, spec: { template } },
}

const mismatch =
  'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'

const refused: readonly (readonly [string, Readonly<Record<string, unknown>>, readonly string[]])[] = [
  ['Deployment', { 'spec.selector': undefined }, ['spec.selector: Required value']],
  [
    'Deployment',
    { 'spec.selector': {} },
    ['spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
  ],
  [
    'StatefulSet',
    { 'spec.selector': {} },
    ['spec.selector: Invalid value: {}: empty selector is invalid for statefulset'],
  ],
  ['DaemonSet', { 'spec.selector': {} }, ['spec.selector: Invalid value: {}: empty selector is invalid for daemonset']],
  ['Deployment', { 'spec.selector.matchLabels.app': 'other' }, [mismatch]],
  ['ReplicaSet', { 'spec.selector.matchLabels.app': 'other' }, [mismatch]],
  ['Deployment', { 'spec.replicas': -1 }, ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
  [
    'Deployment',
    { 'spec.template.spec.restartPolicy': 'Never' },
    ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
  ],
  [
    'Deployment',
    { 'spec.template.spec.containers.0.image': '' },
    ['spec.template.spec.containers[0].image: Required value'],
  ],
  [
    'Deployment',
    { 'spec.strategy': { type: 'Sometimes' } },
    ['spec.strategy.type: Unsupported value: "Sometimes": supported values: "Recreate", "RollingUpdate"'],
  ],
  [
    'Deployment',
    { 'spec.strategy': { type: 'Recreate', rollingUpdate: {} } },
    ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
  ],
  [
    'Deployment',
    { 'spec.strategy': { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
    ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0'],
  ],
  [
    'Deployment',
    { 'spec.strategy': { rollingUpdate: { maxUnavailable: '101%' } } },
    ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
  ],
  [
    'Deployment',
    { 'spec.strategy': { rollingUpdate: { maxSurge: 'many' } } },
    [
      "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"many\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    ],
  ],
  [
    'Deployment',
    { 'spec.minReadySeconds': 700 },
    ['spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds'],
  ],
  [
    'StatefulSet',
    { 'spec.podManagementPolicy': 'Any' },
    ['spec.podManagementPolicy: Unsupported value: "Any": supported values: "OrderedReady", "Parallel"'],
  ],
  [
    'StatefulSet',
    { 'spec.updateStrategy': { type: 'OnDelete', rollingUpdate: {} } },
    ["spec.updateStrategy.rollingUpdate: Invalid value: {}: only allowed for updateStrategy 'RollingUpdate'"],
  ],
  [
    'StatefulSet',
    { 'spec.ordinals.start': -1 },
    ['spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0'],
  ],
  [
    'DaemonSet',
    { 'spec.updateStrategy': { rollingUpdate: { maxUnavailable: 0 } } },
    ['spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0'],
  ],
  [
    'DaemonSet',
    { 'spec.updateStrategy': { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } } },
    ['spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero'],
  ],
  ['ReplicationController', { 'spec.selector': { app: 'other' } }, [mismatch]],
  [
    'Job',
    { 'spec.template.spec.restartPolicy': 'Always' },
    ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
  ],
  ['Job', { 'spec.completionMode': 'Indexed' }, []],
  [
    'Job',
    { 'spec.completionMode': 'Indexed', 'spec.parallelism': 2 },
    ['spec.completions: Required value: when completion mode is Indexed'],
  ],
  ['Job', { 'spec.backoffLimit': -1 }, ['spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0']],
  [
    'Job',
    { 'spec.backoffLimitPerIndex': 1 },
    ['spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode'],
  ],
  [
    'CronJob',
    { 'spec.schedule': 'hourly' },
    ['spec.schedule: Invalid value: "hourly": expected exactly 5 fields, found 1: [hourly]'],
  ],
  [
    'CronJob',
    { 'spec.schedule': '61 * * * *' },
    ['spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61'],
  ],
  [
    'CronJob',
    { 'spec.schedule': 'TZ=UTC 1 * * * *' },
    [
      'spec.schedule: Invalid value: "TZ=UTC 1 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ],
  ],
  [
    'CronJob',
    { 'spec.timeZone': 'Mars/Base' },
    ['spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base'],
  ],
  [
    'CronJob',
    { 'metadata.name': 'a'.repeat(53) },
    [`metadata.name: Invalid value: "${'a'.repeat(53)}": must be no more than 52 characters`],
  ],
  [
    'CronJob',
    { 'spec.concurrencyPolicy': 'Any' },
    ['spec.concurrencyPolicy: Unsupported value: "Any": supported values: "Allow", "Forbid", "Replace"'],
  ],
]

test('what a workload may not say is refused', () => {
  for (const [kind, object] of Object.entries(valid)) assert.deepEqual(harness.create(kind, object).errors, [], kind)
  for (const [kind, values, errors] of refused) {
    assert.deepEqual(
      harness.create(kind, withValues(valid[kind], values)).errors,
      errors,
      `${kind} ${JSON.stringify(values)}`,
    )
  }
})

const statefulFrozen =
  "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"

const immutable: readonly (readonly [string, string, unknown, readonly string[]])[] = [
  [
    'Deployment',
    'spec.selector.matchLabels',
    { app: 'web', tier: 'x' },
    [
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
      'spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"x"}}: field is immutable',
    ],
  ],
  [
    'ReplicaSet',
    'spec.selector.matchExpressions',
    [{ key: 'app', operator: 'Exists' }],
    [
      'spec.selector: Invalid value: {"matchLabels":{"app":"web"},"matchExpressions":[{"key":"app","operator":"Exists"}]}: field is immutable',
    ],
  ],
  ['StatefulSet', 'spec.serviceName', 'other', [statefulFrozen]],
  ['StatefulSet', 'spec.replicas', 3, []],
  ['Job', 'spec.completions', 7, ['spec.completions: Invalid value: 7: field is immutable']],
  ['Job', 'spec.parallelism', 7, []],
]

test('what a workload is made of stays as it was', () => {
  for (const [kind, path, value, errors] of immutable) {
    const { errors: found } = harness.update(kind, valid[kind], { change: (object) => setAt(object, path, value) })
    assert.deepEqual(found, errors, `${kind} ${path}`)
  }
  const { errors } = harness.update('Job', job, {
    change: (object) => setAt(object, 'spec.template.spec.containers.0.image', 'web:2'),
  })
  assert.match(errors.join(), /^spec\.template: Invalid value: .*: field is immutable$/)
})

test('a deployment gets upstream’s defaults', () => {
  const { object } = harness.create('Deployment', workload)
  const { template: made, ...spec } = object['spec']! as unknown as { template: { spec: object } }
  assert.deepEqual(spec, {
    selector: { matchLabels: { app: 'web' } },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
    replicas: 1,
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
  })
  assert.equal((made.spec as { schedulerName: string }).schedulerName, 'default-scheduler')
  assert.equal('enableServiceLinks' in made.spec, false)
})

test('the generation rises with the spec, for deployments with annotations too, and not with the status', () => {
  const generation = (kind: string, path: string, value: unknown, subresource = ''): unknown =>
    harness.update(kind, valid[kind], { subresource, change: (object) => setAt(object, path, value) }).object[
      'metadata'
    ]!['generation']
  assert.equal(generation('Deployment', 'spec.replicas', 3), 2)
  assert.equal(generation('Deployment', 'metadata.annotations', { a: 'b' }), 2)
  assert.equal(generation('Deployment', 'metadata.labels', { a: 'b' }), 1)
  assert.equal(generation('ReplicaSet', 'metadata.annotations', { a: 'b' }), 1)
  assert.equal(generation('Deployment', 'status.replicas', 1, 'status'), 1)
})

test('a status keeps the spec and must agree with itself', () => {
  const change = (draft: object): void => {
    setAt(draft, 'spec.replicas', 9)
    setAt(draft, 'status.readyReplicas', 2)
  }
  for (const kind of ['Deployment', 'ReplicaSet']) {
    const { object, errors } = harness.update(kind, workload, { subresource: 'status', change })
    assert.equal(object['spec']!['replicas'], 1)
    assert.deepEqual(errors, ['status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas'])
  }
  const ends = [
    { type: 'Complete', status: 'True' },
    { type: 'Failed', status: 'True' },
  ]
  const { errors } = harness.update('Job', job, {
    subresource: 'status',
    change: (draft) => setAt(draft, 'status.conditions', ends),
  })
  assert.match(errors[0]!, /cannot set Complete=True and Failed=true conditions/)
})

test('a job is tied to its pods by its uid', () => {
  const { object } = harness.create('Job', job)
  assert.deepEqual(object['spec']!['selector'], {
    matchLabels: { 'batch.kubernetes.io/controller-uid': '11111111-2222-4333-8444-555555555555' },
  })
  assert.equal(object['spec']!['template']!['metadata']!['labels']!['job-name'], 'web')
  assert.equal(object['spec']!['backoffLimit'], 6)
})

test('a replication controller takes selector and labels from its template', () => {
  const { object } = harness.create('ReplicationController', valid['ReplicationController'])
  assert.deepEqual([object['spec']!['selector'], object['metadata']!['labels']], [{ app: 'web' }, { app: 'web' }])
})

test('scaling reads and writes the replicas, with the selector as text', () => {
  const scale = harness.row('Deployment').scale as ScaleRules<KubernetesObject>
  const { object } = harness.create(
    'Deployment',
    withValues(workload, {
      'spec.selector.matchExpressions': [{ key: 'app', operator: 'In', values: ['web', 'api'] }],
    }),
  )
  const answer = scale.toScale(object as unknown as KubernetesObject)
  assert.deepEqual(answer.spec, { replicas: 1 })
  assert.deepEqual(answer.status, { replicas: 0, selector: 'app=web,app in (api,web)' })
  scale.applyScale(object as never, { ...answer, spec: { replicas: 4 } })
  assert.equal(object['spec']!['replicas'], 4)
})

test('workloads show their counts', () => {
  const aged = { 'metadata.creationTimestamp': '2026-01-02T03:03:05Z' }
  const deployment = withValues(workload, {
    ...aged,
    'spec.replicas': 3,
    status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 },
  })
  assert.deepEqual(harness.cells('Deployment', deployment), ['web', '2/3', 3, 2, '60s', 'main', 'web:1', 'app=web'])
  assert.deepEqual(
    harness.cells(
      'ReplicaSet',
      withValues(workload, { ...aged, 'spec.replicas': 3, status: { replicas: 3, readyReplicas: 2 } }),
    ),
    ['web', 3, 3, 2, '60s', 'main', 'web:1', 'app=web'],
  )
  assert.deepEqual(
    harness.cells('StatefulSet', withValues(setOf, { ...aged, 'spec.replicas': 3, status: { readyReplicas: 1 } })),
    ['web', '1/3', '60s', 'main', 'web:1'],
  )
  const done = withValues(job, {
    ...aged,
    'spec.completions': 1,
    status: {
      succeeded: 1,
      startTime: '2026-01-02T03:03:05Z',
      completionTime: '2026-01-02T03:03:15Z',
      conditions: [{ type: 'Complete', status: 'True' }],
    },
  })
  assert.deepEqual(harness.cells('Job', done).slice(0, 5), ['web', 'Complete', '1/1', '10s', '60s'])
})
