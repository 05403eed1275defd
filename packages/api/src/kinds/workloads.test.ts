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
