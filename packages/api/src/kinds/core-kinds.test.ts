// Namespaces, nodes, config maps, secrets, roles, leases, slices, volumes and claims: refusals, immutability, status, cells.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubernetesObject } from '../resource.ts'
import { rowHarness, setAt, withValues } from './row-harness.ts'

const harness = await rowHarness()
const named = { metadata: { name: 'a' } }
const reader = { rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] }
const roleRef = { kind: 'ClusterRole', name: 'view', apiGroup: 'rbac.authorization.k8s.io' }

const valid: Readonly<Record<string, unknown>> = {
  Namespace: named,
  Node: { ...named, spec: { podCIDRs: ['10.244.0.0/24'], providerID: 'aksel://n1' } },
  ConfigMap: { ...named, data: { a: '1' } },
  Secret: { ...named, data: { a: 'YQ==' } },
  ServiceAccount: named,
  Role: { ...named, ...reader },
  ClusterRole: { ...named, ...reader },
  RoleBinding: { ...named, roleRef, subjects: [{ kind: 'User', name: 'ann' }] },
  ClusterRoleBinding: { ...named, roleRef, subjects: [{ kind: 'ServiceAccount', name: 'sa', namespace: 'x' }] },
  Lease: { ...named, spec: { holderIdentity: 'me', leaseDurationSeconds: 15 } },
  EndpointSlice: {
    ...named,
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.1.0.1'] }],
    ports: [{ name: 'web', port: 80 }],
  },
  StorageClass: { ...named, provisioner: 'disk.aksel.dev', parameters: { a: 'b' } },
  PersistentVolumeClaim: {
    ...named,
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  },
  PersistentVolume: {
    ...named,
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, csi: { driver: 'd', volumeHandle: 'h' } },
  },
}

const key =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

const refused: readonly (readonly [string, Readonly<Record<string, unknown>>, readonly string[]])[] = [
  ['Namespace', { 'metadata.name': 'a.b' }, [`metadata.name: Invalid value: "a.b": ${label}`]],
  [
    'Namespace',
    { 'metadata.labels': { 'kubernetes.io/metadata.name': 'x' } },
    ['metadata.labels[kubernetes.io/metadata.name]: Invalid value: "x": field is immutable'],
  ],
  [
    'Node',
    { 'spec.taints': [{ key: 'a', effect: 'Never' }] },
    [
      'spec.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ],
  ],
  [
    'Node',
    {
      'spec.taints': [
        { key: 'a', effect: 'NoExecute' },
        { key: 'a', effect: 'NoExecute' },
      ],
    },
    ['spec.taints[1]: Duplicate value: {"key":"a","effect":"NoExecute"}'],
  ],
  ['ConfigMap', { data: { 'a b': '1' } }, [`data[a b]: Invalid value: "a b": ${key}`]],
  ['ConfigMap', { binaryData: { a: 'YQ==' } }, ['data[a]: Invalid value: "a": duplicate of key present in binaryData']],
  ['ConfigMap', { data: { a: 'x'.repeat(1048577) } }, [': Too long: may not be more than 1048576 bytes']],
  ['Secret', { type: 'kubernetes.io/tls' }, ['data[tls.crt]: Required value', 'data[tls.key]: Required value']],
  [
    'Secret',
    { type: 'kubernetes.io/service-account-token' },
    ['metadata.annotations[kubernetes.io/service-account.name]: Required value'],
  ],
  [
    'Secret',
    { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'eA==' } },
    ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character'],
  ],
  [
    'ServiceAccount',
    { 'metadata.ownerReferences': [{ apiVersion: 'v1', kind: 'Pod', name: 'p' }] },
    ['metadata.ownerReferences[0].uid: Invalid value: "": must not be empty'],
  ],
  [
    'ServiceAccount',
    { 'metadata.finalizers': ['mine'] },
    [
      'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ],
  ],
  ['Role', { 'metadata.name': 'a/b' }, [`metadata.name: Invalid value: "a/b": may not contain '/'`]],
  [
    'Role',
    { rules: [{ apiGroups: [''], resources: ['pods'] }] },
    ['rules[0].verbs: Required value: verbs must contain at least one value'],
  ],
  [
    'Role',
    { rules: [{ verbs: ['get'], nonResourceURLs: ['/metrics'] }] },
    ['rules[0].nonResourceURLs: Invalid value: ["/metrics"]: namespaced rules cannot apply to non-resource URLs'],
  ],
  ['ClusterRole', { rules: [{ verbs: ['get'], nonResourceURLs: ['/metrics'] }] }, []],
  [
    'ClusterRole',
    { rules: [{ verbs: ['get'], resources: ['pods'] }] },
    ['rules[0].apiGroups: Required value: resource rules must supply at least one api group'],
  ],
  [
    'ClusterRole',
    { aggregationRule: {} },
    [
      'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
    ],
  ],
  [
    'RoleBinding',
    { 'subjects.0.kind': 'Robot' },
    ['subjects[0].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"'],
  ],
  [
    'ClusterRoleBinding',
    { 'roleRef.kind': 'Role' },
    ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
  ],
  ['ClusterRoleBinding', { 'subjects.0.namespace': undefined }, ['subjects[0].namespace: Required value']],
  [
    'Lease',
    { 'spec.leaseDurationSeconds': 0 },
    ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
  ],
  [
    'Lease',
    { 'spec.leaseTransitions': -1 },
    ['spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0'],
  ],
  [
    'EndpointSlice',
    { addressType: 'Any' },
    [
      'addressType: Unsupported value: "Any": supported values: "FQDN", "IPv4", "IPv6"',
      'endpoints[0].addresses[0]: Invalid value: "10.1.0.1": must be an Any address',
    ],
  ],
  [
    'EndpointSlice',
    { endpoints: [{ addresses: [] }] },
    ['endpoints[0].addresses: Required value: must contain at least 1 address'],
  ],
  [
    'EndpointSlice',
    { endpoints: [{ addresses: ['127.0.0.1'] }] },
    ['endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  ],
  ['EndpointSlice', { 'ports.1': { name: 'web' } }, ['ports[1].name: Duplicate value: "web"']],
  ['StorageClass', { provisioner: '' }, ['provisioner: Required value']],
  [
    'StorageClass',
    { volumeBindingMode: 'Later' },
    ['volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"'],
  ],
  [
    'PersistentVolumeClaim',
    { 'spec.accessModes': [] },
    ['spec.accessModes: Required value: at least 1 access mode is required'],
  ],
  [
    'PersistentVolumeClaim',
    { 'spec.accessModes': ['Always'] },
    [
      'spec.accessModes: Unsupported value: "Always": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
    ],
  ],
  [
    'PersistentVolumeClaim',
    { 'spec.accessModes': ['ReadWriteOncePod', 'ReadWriteOnce'] },
    ['spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes'],
  ],
  ['PersistentVolumeClaim', { 'spec.resources.requests': {} }, ['spec.resources[storage]: Required value']],
  [
    'PersistentVolumeClaim',
    { 'spec.resources.requests.storage': '0' },
    ['spec.resources[storage]: Invalid value: "0": must be greater than zero'],
  ],
  ['PersistentVolume', { 'spec.capacity': undefined }, ['spec.capacity: Required value']],
  ['PersistentVolume', { 'spec.csi': undefined }, ['spec: Required value: must specify a volume type']],
  [
    'PersistentVolume',
    { 'spec.hostPath': { path: '/x' } },
    ['spec.csi: Forbidden: may not specify more than 1 volume type'],
  ],
  [
    'PersistentVolume',
    { 'spec.csi': undefined, 'spec.local': { path: '/x' } },
    ['spec.nodeAffinity: Required value: Local volume requires node affinity'],
  ],
  [
    'PersistentVolume',
    { 'spec.csi': undefined, 'spec.hostPath': { path: '/' }, 'spec.persistentVolumeReclaimPolicy': 'Recycle' },
    ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
  ],
]

test('what a kind may not say is refused', () => {
  for (const [kind, object] of Object.entries(valid)) assert.deepEqual(harness.create(kind, object).errors, [], kind)
  for (const [kind, values, errors] of refused) {
    const shown = JSON.stringify(values).slice(0, 200)
    assert.deepEqual(harness.create(kind, withValues(valid[kind], values)).errors, errors, `${kind} ${shown}`)
  }
})

const locked = { immutable: true }
const claimFrozen =
  'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'
const immutable: readonly (readonly [string, Readonly<Record<string, unknown>>, string, unknown, readonly string[]])[] =
  [
    [
      'Node',
      {},
      'spec.podCIDRs',
      ['10.244.9.0/24'],
      ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'],
    ],
    [
      'Node',
      {},
      'spec.providerID',
      'other',
      ['spec.providerID: Forbidden: node updates may not change providerID except from "" to valid'],
    ],
    ['Node', {}, 'spec.unschedulable', true, []],
    [
      'Node',
      {},
      'spec.externalID',
      'x',
      [
        'spec: Forbidden: node updates may only change labels, taints, or capacity (or configSource, if the DynamicKubeletConfig feature gate is enabled)',
      ],
    ],
    ['ConfigMap', locked, 'data.a', '2', ['data: Forbidden: field is immutable when `immutable` is set']],
    ['ConfigMap', locked, 'immutable', undefined, ['immutable: Forbidden: field is immutable when `immutable` is set']],
    ['ConfigMap', {}, 'data.a', '2', []],
    ['Secret', locked, 'data.a', 'Yg==', ['data: Forbidden: field is immutable when `immutable` is set']],
    ['Secret', {}, 'type', 'other', ['type: Invalid value: "other": field is immutable']],
    [
      'RoleBinding',
      {},
      'roleRef.name',
      'edit',
      [
        'roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"}: cannot change roleRef',
      ],
    ],
    [
      'EndpointSlice',
      {},
      'addressType',
      'FQDN',
      ['endpoints[0].addresses[0]: x', 'addressType: Invalid value: "FQDN": field is immutable'],
    ],
    ['StorageClass', {}, 'provisioner', 'other', ['provisioner: Forbidden: updates to provisioner are forbidden.']],
    ['StorageClass', {}, 'parameters.a', 'c', ['parameters: Forbidden: updates to parameters are forbidden.']],
    [
      'StorageClass',
      {},
      'reclaimPolicy',
      'Retain',
      ['reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.'],
    ],
    [
      'StorageClass',
      {},
      'volumeBindingMode',
      'WaitForFirstConsumer',
      ['volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable'],
    ],
    ['StorageClass', {}, 'allowVolumeExpansion', true, []],
    ['PersistentVolumeClaim', {}, 'spec.accessModes', ['ReadWriteMany'], [claimFrozen]],
    ['PersistentVolumeClaim', {}, 'spec.resources.requests.storage', '2Gi', [claimFrozen]],
    ['PersistentVolumeClaim', {}, 'spec.volumeName', 'v1', []],
    [
      'PersistentVolume',
      {},
      'spec.csi.volumeHandle',
      'other',
      ['spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation'],
    ],
    [
      'PersistentVolume',
      {},
      'spec.volumeMode',
      'Block',
      ['spec.volumeMode: Invalid value: "Block": field is immutable'],
    ],
    ['PersistentVolume', {}, 'spec.claimRef', { name: 'c', namespace: 'x' }, []],
  ]

test('what a kind is stays as it was', () => {
  for (const [kind, values, path, value, errors] of immutable) {
    const { errors: found } = harness.update(kind, withValues(valid[kind], values), {
      change: (object) => setAt(object, path, value),
    })
    if (kind === 'EndpointSlice') assert.equal(found.at(-1), errors.at(-1))
    else assert.deepEqual(found, errors, `${kind} ${path}`)
  }
})

test('a bound claim may grow, and shrink no further than to what it has', () => {
  const row = harness.row('PersistentVolumeClaim')
  const context = { nowMs: 0, random: { nextBytes: () => new Uint8Array() }, user: { name: 'a' } }
  const bound = (asked: string): KubernetesObject => {
    const { object } = harness.create(
      'PersistentVolumeClaim',
      withValues(valid['PersistentVolumeClaim'], { 'spec.resources.requests.storage': asked }),
    )
    setAt(object, 'status', { phase: 'Bound', capacity: { storage: '2Gi' } })
    return object as unknown as KubernetesObject
  }
  const say = (from: string, to: string): readonly string[] =>
    row.validateUpdate(bound(to), bound(from), context).map(({ field }) => field)
  assert.deepEqual(say('2Gi', '5Gi'), [])
  assert.deepEqual(say('5Gi', '3Gi'), [])
  assert.deepEqual(say('5Gi', '1Gi'), ['spec.resources.requests.storage'])
})

test('a namespace waits for the finalizers in its spec, which only /finalize removes', () => {
  const { object } = harness.create('Namespace', named)
  assert.deepEqual([object['spec'], object['status']], [{ finalizers: ['kubernetes'] }, { phase: 'Active' }])
  const { deletion } = harness.row('Namespace')
  deletion.mark!(object as never)
  assert.deepEqual(object['status'], { phase: 'Terminating' })
  assert.equal(deletion.isHeld!(object as unknown as KubernetesObject), true)
  const change = (draft: object): void => setAt(draft, 'spec.finalizers', [])
  assert.deepEqual(harness.update('Namespace', named, { change }).object['spec'], { finalizers: ['kubernetes'] })
  assert.deepEqual(harness.update('Namespace', named, { subresource: 'finalize', change }).object['spec'], {
    finalizers: [],
  })
  const ended = harness.update('Namespace', named, {
    subresource: 'status',
    change: (draft) => setAt(draft, 'status.phase', 'Terminating'),
  })
  assert.deepEqual(ended.errors, [
    'status.Phase: Invalid value: "Terminating": may only be \'Active\' if `deletionTimestamp` is empty',
  ])
})

test('a node registers with its status, and only /status changes it', () => {
  const node = withValues(valid['Node'], { 'status.capacity': { cpu: '2' } })
  assert.deepEqual(harness.create('Node', node).object['status']!['allocatable'], { cpu: '2' })
  const change = (draft: object): void => setAt(draft, 'status.capacity.cpu', '4')
  assert.equal(harness.update('Node', node, { change }).object['status']!['capacity']!['cpu'], '2')
  assert.equal(
    harness.update('Node', node, { subresource: 'status', change }).object['status']!['capacity']!['cpu'],
    '4',
  )
})

test('text of a secret becomes bytes', () => {
  const { object } = harness.create('Secret', { ...named, data: { a: 'YQ==' }, stringData: { b: 'ä' } })
  assert.deepEqual(object['data'], { a: 'YQ==', b: 'w6Q=' })
  assert.deepEqual([object['type'], 'stringData' in object], ['Opaque', false])
})

test('rows of these kinds read as in kubectl', () => {
  const aged = { 'metadata.creationTimestamp': '2026-01-02T03:03:05Z' }
  const node = withValues(valid['Node'], {
    ...aged,
    'metadata.labels': { 'node-role.kubernetes.io/agent': '', 'kubernetes.io/role': 'agent' },
    'spec.unschedulable': true,
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: [{ type: 'InternalIP', address: '10.224.0.4' }],
      nodeInfo: {
        kubeletVersion: 'v1.35.7',
        osImage: 'Debian 12',
        kernelVersion: '6.18',
        containerRuntimeVersion: 'containerd://1.6.20',
      },
    },
  })
  assert.deepEqual(harness.cells('Node', node), [
    'a',
    'Ready,SchedulingDisabled',
    'agent',
    '60s',
    'v1.35.7',
    '10.224.0.4',
    '<none>',
    'Debian 12',
    '6.18',
    'containerd://1.6.20',
  ])
  assert.deepEqual(harness.cells('ConfigMap', withValues(valid['ConfigMap'], { ...aged, binaryData: { b: '' } })), [
    'a',
    2,
    '60s',
  ])
  assert.deepEqual(harness.cells('RoleBinding', withValues(valid['RoleBinding'], aged)), [
    'a',
    'ClusterRole/view',
    '60s',
    'ann',
    '',
    '',
  ])
  assert.deepEqual(harness.cells('EndpointSlice', withValues(valid['EndpointSlice'], aged)), [
    'a',
    'IPv4',
    '80',
    '10.1.0.1',
    '60s',
  ])
  assert.deepEqual(
    harness.cells(
      'StorageClass',
      withValues(valid['StorageClass'], {
        ...aged,
        reclaimPolicy: 'Delete',
        'metadata.annotations': { 'storageclass.kubernetes.io/is-default-class': 'true' },
      }),
    ),
    ['a (default)', 'disk.aksel.dev', 'Delete', 'Immediate', false, '60s'],
  )
  const claim = withValues(valid['PersistentVolumeClaim'], {
    ...aged,
    'spec.volumeName': 'v',
    'spec.volumeMode': 'Filesystem',
    status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] },
  })
  assert.deepEqual(harness.cells('PersistentVolumeClaim', claim), [
    'a',
    'Bound',
    'v',
    '1Gi',
    'RWO',
    '',
    '<unset>',
    '60s',
    'Filesystem',
  ])
})
