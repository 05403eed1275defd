// The kinds beyond the first shop: one or more refusals each, conversions, and what the server stamps.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubernetesObject } from '../resource.ts'
import { rowHarness, setAt, withValues } from './row-harness.ts'

const harness = await rowHarness()
const named = { metadata: { name: 'a' } }
const request = btoa('-----BEGIN CERTIFICATE REQUEST-----\nx\n-----END CERTIFICATE REQUEST-----\n')
const autoscaler = {
  ...named,
  spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' } },
}

const valid: Readonly<Record<string, unknown>> = {
  Endpoints: { ...named, subsets: [{ addresses: [{ ip: '10.1.0.1' }], ports: [{ port: 80 }] }] },
  'Event.': { ...named, involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' }, reason: 'R', message: 'm' },
  'Event.events': {
    ...named,
    eventTime: '2026-01-01T00:00:00.000000Z',
    regarding: { namespace: 'default' },
    reason: 'R',
    action: 'A',
    reportingController: 'c',
    reportingInstance: 'i',
    type: 'Normal',
  },
  LimitRange: { ...named, spec: { limits: [{ type: 'Container', max: { cpu: '1' }, min: { cpu: '100m' } }] } },
  ResourceQuota: { ...named, spec: { hard: { pods: '5' } } },
  PodDisruptionBudget: { ...named, spec: { minAvailable: 1, selector: {} } },
  PriorityClass: { ...named, value: 10 },
  NetworkPolicy: { ...named, spec: { podSelector: {}, egress: [{}] } },
  Ingress: {
    ...named,
    spec: {
      rules: [
        {
          host: 'a.example.com',
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
          },
        },
      ],
    },
  },
  IngressClass: { ...named, spec: { controller: 'example.com/ingress' } },
  HorizontalPodAutoscaler: autoscaler,
  CertificateSigningRequest: {
    ...named,
    spec: { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'] },
  },
  RuntimeClass: { ...named, handler: 'runc' },
  CSIDriver: { metadata: { name: 'disk.aksel.dev' }, spec: {} },
  CSINode: { ...named, spec: { drivers: [{ name: 'disk.aksel.dev', nodeID: 'n1' }] } },
  VolumeAttachment: {
    ...named,
    spec: { attacher: 'disk.aksel.dev', nodeName: 'n1', source: { persistentVolumeName: 'v' } },
  },
  ControllerRevision: { ...named, revision: 1, data: {} },
  PodTemplate: { ...named, template: { spec: { containers: [{ name: 'a', image: 'b' }] } } },
}

test('a certificate request carries who asked, and decisions go through /approval alone', () => {
  const { object } = harness.create(
    'CertificateSigningRequest',
    withValues(valid['CertificateSigningRequest'], { 'spec.username': 'root' }),
  )
  assert.deepEqual([object['spec']!['username'], object['spec']!['groups']], ['ann', ['system:authenticated']])
  const change = (draft: object): void => setAt(draft, 'status.conditions', [{ type: 'Approved', status: 'True' }])
  const approved = harness.update('CertificateSigningRequest', valid['CertificateSigningRequest'], {
    subresource: 'approval',
    change,
  })
  assert.deepEqual(approved.errors, [])
  assert.equal(approved.object['status']!['conditions']![0]!['lastTransitionTime'], '2026-01-02T03:04:05Z')
  const status = harness.update('CertificateSigningRequest', valid['CertificateSigningRequest'], {
    subresource: 'status',
    change,
  })
  assert.deepEqual(status.errors, [
    'status.conditions: Forbidden: updates may not add or remove a condition of type "Approved" or "Denied"',
  ])
})

test('an event of the newer group is stored as one of the core group, and comes back the same', () => {
  const row = harness.row('Event.events')
  const { object } = harness.create(
    'Event.events',
    withValues(valid['Event.events'], { note: 'said', deprecatedCount: 2 }),
  )
  const stored = row.storedAs!.toStored(structuredClone(object) as never)
  const view = stored as unknown as Record<string, unknown>
  assert.deepEqual(
    [view['apiVersion'], view['message'], view['count'], view['reportingComponent']],
    ['v1', 'said', 2, 'c'],
  )
  const { apiVersion: _a, kind: _k, ...back } = row.storedAs!.fromStored(stored as KubernetesObject)
  assert.deepEqual(back, object)
  assert.equal(harness.row('Event.').storagePrefix, row.storagePrefix)
})

test('the older autoscaler is a view of the newer one, and loses nothing', () => {
  const newer = harness.create(
    'HorizontalPodAutoscaler',
    withValues(autoscaler, { 'spec.behavior.scaleUp': {} }),
  ).object
  const old = oldAutoscaler()
  const view = old.storedAs!.fromStored({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    ...newer,
  } as unknown as KubernetesObject) as unknown as { spec: Record<string, unknown> }
  assert.equal(view.spec['targetCPUUtilizationPercentage'], 80)
  const back = old.storedAs!.toStored(view as never) as unknown as Record<string, unknown>
  assert.deepEqual(back['spec'], newer['spec'])
})

function oldAutoscaler() {
  const newer = harness.row('HorizontalPodAutoscaler')
  const older = harness.rows().find((row) => row.kind === newer.kind && row.version === 'v1')
  assert.ok(older)
  return older
}

test('kinds that the first shop does not use are served with their columns', () => {
  const aged = { 'metadata.creationTimestamp': '2026-01-02T03:03:05Z' }
  assert.deepEqual(harness.cells('Ingress', withValues(valid['Ingress'], aged)), [
    'a',
    '<none>',
    'a.example.com',
    '',
    '80',
    '60s',
  ])
  assert.deepEqual(harness.cells('PodDisruptionBudget', withValues(valid['PodDisruptionBudget'], aged)), [
    'a',
    '1',
    'N/A',
    0,
    '60s',
  ])
  assert.deepEqual(
    harness.cells(
      'HorizontalPodAutoscaler',
      withValues(autoscaler, {
        ...aged,
        'spec.minReplicas': 1,
        'spec.metrics': [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
        ],
      }),
    ),
    ['a', 'Deployment/web', 'cpu: <unknown>/80%', '1', '3', '0', '60s'],
  )
  assert.deepEqual(
    harness.cells(
      'Event.',
      withValues(valid['Event.'], {
        firstTimestamp: '2026-01-02T03:03:05Z',
        lastTimestamp: '2026-01-02T03:04:00Z',
        type: 'Warning',
        source: { component: 'kubelet', host: 'n1' },
      }),
    ),
    ['5s', 'Warning', 'R', 'pod/p', '', 'kubelet, n1', 'm', '60s', '1', 'a'],
  )
})

test('every row has as many cells as columns', () => {
  for (const row of harness.rows()) {
    if (row.virtual) continue
    const object = harness.decoded(row)
    assert.equal(row.cells(object, 0).length, row.columns.length, `${row.group}/${row.version} ${row.kind}`)
  }
})
