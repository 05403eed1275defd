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

const path = 'spec.rules.0.http.paths.0'
const refused: readonly (readonly [string, Readonly<Record<string, unknown>>, readonly string[]])[] = [
  [
    'Endpoints',
    { 'subsets.0.addresses.0.ip': 'x' },
    ['subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ],
  [
    'Event.',
    { 'involvedObject.namespace': 'other' },
    ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
  ],
  ['Event.events', { reason: undefined }, ['reason: Required value']],
  [
    'LimitRange',
    { 'spec.limits.0.min.cpu': '2' },
    [
      'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
      'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than default request value 1',
    ],
  ],
  [
    'ResourceQuota',
    { 'spec.hard.pods': '-1' },
    ['spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0'],
  ],
  [
    'ResourceQuota',
    { 'spec.scopes': ['BestEffort', 'NotBestEffort'] },
    ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'],
  ],
  [
    'PodDisruptionBudget',
    { 'spec.maxUnavailable': 1 },
    [
      'spec: Invalid value: {"minAvailable":1,"selector":{},"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set',
    ],
  ],
  [
    'PriorityClass',
    { value: 2000000000 },
    ['value: Forbidden: maximum allowed value of a user defined priority is 1000000000'],
  ],
  [
    'PriorityClass',
    { 'metadata.name': 'system-mine' },
    [
      "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: only system-node-critical, system-cluster-critical are allowed",
    ],
  ],
  ['NetworkPolicy', { 'spec.egress': [{ to: [{}] }] }, ['spec.egress[0].to[0]: Required value: must specify a peer']],
  [
    'NetworkPolicy',
    { 'spec.egress': [{ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/9'] } }] }] },
    ['spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "11.0.0.0/9": must be a strict subset of `cidr`'],
  ],
  [
    'NetworkPolicy',
    { 'spec.egress': [{ ports: [{ port: 90, endPort: 80 }] }] },
    ['spec.egress[0].ports[0].endPort: Invalid value: 90: must be greater than or equal to `port`'],
  ],
  ['Ingress', { 'spec.rules': [] }, ['spec: Invalid value: {}: either `defaultBackend` or `rules` must be specified']],
  [
    'Ingress',
    { [`${path}.pathType`]: undefined },
    ['spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified'],
  ],
  [
    'Ingress',
    { [`${path}.path`]: 'a//b' },
    [
      'spec.rules[0].http.paths[0].path: Invalid value: "a//b": must be an absolute path',
      `spec.rules[0].http.paths[0].path: Invalid value: "a//b": must not contain '//'`,
    ],
  ],
  [
    'Ingress',
    { 'spec.rules.0.host': '10.0.0.1' },
    ['spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'],
  ],
  [
    'IngressClass',
    { 'spec.controller': 'plain' },
    ['spec.controller: Invalid value: "plain": must be a domain-prefixed path (such as "acme.io/foo")'],
  ],
  [
    'HorizontalPodAutoscaler',
    { 'spec.minReplicas': 5 },
    ['spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`'],
  ],
  [
    'HorizontalPodAutoscaler',
    { 'spec.metrics': [{ type: 'Pods' }] },
    ['spec.metrics[0].pods: Required value: must populate information for the given metric source'],
  ],
  [
    'CertificateSigningRequest',
    { 'spec.request': 'eA==' },
    ['spec.request: Invalid value: "eA==": PEM block type must be CERTIFICATE REQUEST'],
  ],
  ['CertificateSigningRequest', { 'spec.usages': [] }, ['spec.usages: Required value']],
  [
    'CertificateSigningRequest',
    { 'spec.expirationSeconds': 10 },
    ['spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 600 seconds (10 minutes)'],
  ],
  ['RuntimeClass', { handler: '' }, ['handler: Required value']],
  ['CSINode', { 'spec.drivers.0.nodeID': '' }, ['spec.drivers[0].nodeID: Required value']],
  [
    'VolumeAttachment',
    { 'spec.source': {} },
    ['spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName'],
  ],
  ['ControllerRevision', { data: undefined }, ['data: Required value: data is mandatory']],
  ['PodTemplate', { 'template.spec.containers.0.image': '' }, ['template.spec.containers[0].image: Required value']],
]

test('what a kind may not say is refused', () => {
  for (const [kind, object] of Object.entries(valid)) assert.deepEqual(harness.create(kind, object).errors, [], kind)
  for (const [kind, values, errors] of refused) {
    const found = harness.create(kind, withValues(valid[kind], values)).errors
    errors.forEach((error, index) =>
      assert.ok(found[index]?.startsWith(error), `${kind} ${JSON.stringify(values)}: ${found.join(' | ')}`),
    )
    if (kind !== 'LimitRange') assert.equal(found.length, errors.length, `${kind}: ${found.join(' | ')}`)
  }
})

const immutable: readonly (readonly [string, string, unknown, readonly string[]])[] = [
  ['PriorityClass', 'value', 11, ['value: Forbidden: may not be changed in an update.']],
  [
    'IngressClass',
    'spec.controller',
    'other.com/x',
    ['spec.controller: Invalid value: "other.com/x": field is immutable'],
  ],
  ['RuntimeClass', 'handler', 'runsc', ['handler: Invalid value: "runsc": field is immutable']],
  ['CSIDriver', 'spec.attachRequired', false, ['spec.attachedRequired: Invalid value: false: field is immutable']],
  ['ControllerRevision', 'data', { a: 1 }, ['data: Invalid value: {"a":1}: field is immutable']],
]

test('what a kind is stays as it was', () => {
  for (const [kind, at, value, errors] of immutable) {
    assert.deepEqual(
      harness.update(kind, valid[kind], { change: (object) => setAt(object, at, value) }).errors,
      errors,
      kind,
    )
  }
  const attachment = harness.update('VolumeAttachment', valid['VolumeAttachment'], {
    change: (object) => setAt(object, 'spec.nodeName', 'n2'),
  })
  assert.match(attachment.errors.join(), /^spec: Invalid value: .*: field is immutable$/)
})

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
