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

test('a bound claim may grow, and shrink no further than to what it has', () => {
  const row = harness.row('PersistentVolumeClaim')
  const release = { minor: '1.35', gates: () => false } as const
  const context = { release, nowMs: 0, random: { nextBytes: () => new Uint8Array() }, user: { name: 'a' } }
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
