// What a quota counts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubernetesObject } from '@aksel/api/resource'
import { isInScope, usageOf } from '@aksel/api/quota/usage'
import type { Counted } from '@aksel/api/quota/usage'
import type { PodSpec, ResourceQuotaSpec } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { formatQuantity } from '@aksel/base/quantity'
import { countedKinds, judgeQuota } from './judge.ts'

const nowMs = Date.UTC(2026, 0, 2)
const podKind: Counted = { group: '', plural: 'pods' }
const claimKind: Counted = { group: '', plural: 'persistentvolumeclaims' }
const serviceKind: Counted = { group: '', plural: 'services' }

function pod(spec: Partial<PodSpec>, rest: object = {}): KubernetesObject {
  return { metadata: { name: 'p' }, spec: { containers: [], ...spec }, ...rest } as KubernetesObject
}

const asking = (cpu: string, limit?: string): PodSpec['containers'][number] => ({
  name: 'c',
  resources: { requests: { cpu }, ...(limit === undefined ? {} : { limits: { cpu: limit } }) },
})

const amounts: readonly {
  readonly why: string
  readonly kind: Counted
  readonly object: KubernetesObject
  readonly gives: object
}[] = [
  {
    why: 'a pod adds its containers up',
    kind: podKind,
    object: pod({ containers: [asking('100m', '1'), asking('200m')] }),
    gives: { 'count/pods': '1', pods: '1', cpu: '300m', 'requests.cpu': '300m', 'limits.cpu': '1' },
  },
  {
    why: 'a large init container counts instead, with the sidecars before it',
    kind: podKind,
    object: pod({
      containers: [asking('100m')],
      initContainers: [{ ...asking('50m'), restartPolicy: 'Always' }, asking('2')],
    }),
    gives: { 'count/pods': '1', pods: '1', cpu: '2050m', 'requests.cpu': '2050m' },
  },
  {
    why: 'an ended pod is only counted',
    kind: podKind,
    object: pod({ containers: [asking('1')] }, { status: { phase: 'Failed' } }),
    gives: { 'count/pods': '1' },
  },
  {
    why: 'a pod past its grace is only counted',
    kind: podKind,
    object: pod(
      { containers: [asking('1')] },
      { metadata: { name: 'p', deletionTimestamp: formatTime(nowMs - 31_000), deletionGracePeriodSeconds: 30 } },
    ),
    gives: { 'count/pods': '1' },
  },
  {
    why: 'a load balancer takes node ports',
    kind: serviceKind,
    object: pod({}, { spec: { type: 'LoadBalancer', ports: [{ port: 1 }, { port: 2 }] } }),
    gives: { 'count/services': '1', services: '1', 'services.loadbalancers': '1', 'services.nodeports': '2' },
  },
  {
    why: 'a claim counts in its class too',
    kind: claimKind,
    object: pod({}, { spec: { storageClassName: 'fast', resources: { requests: { storage: '1Gi' } } } }),
    gives: {
      'count/persistentvolumeclaims': '1',
      persistentvolumeclaims: '1',
      'requests.storage': '1Gi',
      'fast.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
      'fast.storageclass.storage.k8s.io/requests.storage': '1Gi',
    },
  },
  {
    why: 'any kind has a count',
    kind: { group: 'apps', plural: 'deployments' },
    object: pod({}),
    gives: { 'count/deployments.apps': '1' },
  },
]

for (const { why, kind, object, gives } of amounts) {
  test(`quota usage: ${why}`, () => {
    const usage = usageOf(kind, object, nowMs)
    assert.deepEqual(Object.fromEntries([...usage].map(([name, amount]) => [name, formatQuantity(amount)])), gives)
  })
}

const scopes: readonly {
  readonly spec: ResourceQuotaSpec
  readonly pod: Partial<PodSpec>
  readonly within: boolean
}[] = [
  { spec: { scopes: ['Terminating'] }, pod: { activeDeadlineSeconds: 5 }, within: true },
  { spec: { scopes: ['Terminating'] }, pod: {}, within: false },
  { spec: { scopes: ['NotTerminating'] }, pod: {}, within: true },
  { spec: { scopes: ['BestEffort'] }, pod: {}, within: true },
  { spec: { scopes: ['BestEffort'] }, pod: { containers: [asking('1')] }, within: false },
  { spec: { scopes: ['NotBestEffort', 'NotTerminating'] }, pod: { containers: [asking('1')] }, within: true },
  { spec: { scopes: ['CrossNamespacePodAffinity'] }, pod: {}, within: false },
  ...(
    [
      ['In', ['high'], 'high', true],
      ['In', ['high'], 'low', false],
      ['NotIn', ['high'], 'low', true],
      ['Exists', [], 'low', true],
      ['DoesNotExist', [], 'low', false],
      ['DoesNotExist', [], undefined, true],
    ] as const
  ).map(([operator, values, priorityClassName, within]) => ({
    spec: { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator, values }] } },
    pod: priorityClassName === undefined ? {} : { priorityClassName },
    within,
  })),
]

for (const { spec, pod: podSpec, within } of scopes) {
  test(`a quota of ${JSON.stringify(spec)} ${within ? 'counts' : 'leaves out'} ${JSON.stringify(podSpec)}`, () => {
    const quota = { metadata: { name: 'q' }, spec }
    assert.equal(isInScope(quota, podKind, pod(podSpec)), within)
    assert.equal(isInScope(quota, serviceKind, pod({})), false)
  })
}

test('a quota looks at the kinds that its limits name', () => {
  const hard = {
    'requests.nvidia.com/gpu': '1',
    'limits.cpu': '1',
    'services.nodeports': '1',
    'gold.storageclass.storage.k8s.io/requests.storage': '1Gi',
    'count/widgets.example.com': '1',
    secrets: '1',
  }
  assert.deepEqual(
    countedKinds({ metadata: { name: 'q' }, spec: { hard } }).map(({ group, plural }) => `${plural}.${group}`),
    ['pods.', 'services.', 'persistentvolumeclaims.', 'widgets.example.com', 'secrets.'],
  )
})

test('limits that nothing takes from stand at zero, and a kind that is not known keeps its count', () => {
  const quota = {
    metadata: { name: 'q' },
    spec: { hard: { pods: '5', 'count/widgets.example.com': '2' } },
    status: { used: { pods: '3', 'count/widgets.example.com': '1' } },
  }
  const counted = [
    { kind: podKind, objects: [] },
    { kind: { group: 'example.com', plural: 'widgets' }, objects: undefined },
  ]
  assert.deepEqual(judgeQuota(quota, counted, nowMs).used, { pods: '0', 'count/widgets.example.com': '1' })
})
