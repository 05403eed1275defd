// Where daemons run, and which may be replaced.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DaemonSet, RollingUpdateDaemonSet } from '@aksel/api/types/apps-v1'
import type { Node, Pod, PodSpec, Taint } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { template } from '../testing/objects.ts'
import { planNodes, planUpdate } from './plan.ts'
import { judgePlacement, podForNode, targetNodeOf } from './placement.ts'

const nowMs = Date.UTC(2026, 0, 2)

function set(podSpec: Partial<PodSpec> = {}, rollingUpdate: RollingUpdateDaemonSet = {}): DaemonSet {
  const base = template('agent')
  return {
    metadata: { name: 'agent', namespace: 'shop', uid: 'set' },
    spec: {
      selector: { matchLabels: { app: 'agent' } },
      template: { ...base, spec: { ...base.spec!, ...podSpec } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate },
    },
  }
}

function node(name: string, taints: readonly Taint[] = [], labels: Readonly<Record<string, string>> = {}): Node {
  return { metadata: { name, labels }, spec: { taints } }
}

interface Facts {
  readonly hash?: string
  readonly ready?: boolean
  readonly phase?: string
  readonly going?: boolean
  readonly ageMs?: number
}

function pod(nodeName: string, facts: Facts = {}): Pod {
  const { hash = 'old', ready = true, phase = 'Running', going = false, ageMs = 60_000 } = facts
  const time = formatTime(nowMs - ageMs)
  return {
    metadata: {
      name: `${nodeName}-${hash}-${ageMs}`,
      labels: { 'controller-revision-hash': hash },
      creationTimestamp: time,
      ...(going ? { deletionTimestamp: time } : {}),
    },
    spec: { containers: [], nodeName },
    status: { phase, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: time }] },
  }
}

const placements: readonly {
  readonly why: string
  readonly spec?: Partial<PodSpec>
  readonly taint?: Taint
  readonly gives: readonly [shouldRun: boolean, mayStay: boolean]
}[] = [
  { why: 'a plain node', gives: [true, true] },
  { why: 'a node with another label', spec: { nodeSelector: { disk: 'hdd' } }, gives: [false, false] },
  { why: 'a node with the label', spec: { nodeSelector: { disk: 'ssd' } }, gives: [true, true] },
  { why: 'another node by name', spec: { nodeName: 'b' }, gives: [false, false] },
  { why: 'a taint against new pods', taint: { key: 'gpu', effect: 'NoSchedule' }, gives: [false, true] },
  { why: 'a taint against all pods', taint: { key: 'gpu', effect: 'NoExecute' }, gives: [false, false] },
  { why: 'a taint that is a wish', taint: { key: 'gpu', effect: 'PreferNoSchedule' }, gives: [true, true] },
  {
    why: 'a taint that the template tolerates',
    spec: { tolerations: [{ key: 'gpu', operator: 'Exists' }] },
    taint: { key: 'gpu', effect: 'NoExecute' },
    gives: [true, true],
  },
  {
    why: 'a node that is lost',
    taint: { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' },
    gives: [true, true],
  },
  {
    why: 'a cordoned node',
    taint: { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' },
    gives: [true, true],
  },
  {
    why: 'a node without network',
    taint: { key: 'node.kubernetes.io/network-unavailable', effect: 'NoSchedule' },
    gives: [false, true],
  },
  {
    why: 'a node without network, for a pod of the host network',
    spec: { hostNetwork: true },
    taint: { key: 'node.kubernetes.io/network-unavailable', effect: 'NoSchedule' },
    gives: [true, true],
  },
  {
    why: 'affinity to another node',
    spec: {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'NotIn', values: ['ssd'] }] }],
          },
        },
      },
    },
    gives: [false, false],
  },
]

for (const { why, spec, taint, gives } of placements) {
  test(`a daemon on ${why}: ${gives.join(', ')}`, () => {
    const placement = judgePlacement(set(spec), node('a', taint === undefined ? [] : [taint], { disk: 'ssd' }))
    assert.deepEqual([placement.shouldRun, placement.mayStay], gives)
  })
}

test('the pod for a node is bound to it by a field term that replaces what the template required', () => {
  const made = podForNode(set({ nodeSelector: { disk: 'ssd' } }), 'a', 'h1')
  assert.equal(targetNodeOf(made), 'a')
  assert.equal(made.metadata.labels!['controller-revision-hash'], 'h1')
  assert.deepEqual(made.spec.nodeSelector, { disk: 'ssd' })
  assert.equal(made.spec.tolerations!.filter(({ key }) => key === 'node.kubernetes.io/unreachable').length, 1)
})

const surge = { maxSurge: 1, maxUnavailable: 0 }

const firstSteps: readonly {
  readonly why: string
  readonly pods: readonly Pod[]
  readonly strategy?: RollingUpdateDaemonSet
  readonly nodes?: readonly Node[]
  readonly creates?: readonly string[]
  readonly removes?: readonly string[]
}[] = [
  { why: 'a node without a pod gets one', pods: [pod('a')], creates: ['b'] },
  {
    why: 'a terminating pod is waited for',
    pods: [pod('a', { going: true }), pod('b')],
  },
  {
    why: 'failed and succeeded pods are taken away first',
    pods: [pod('a', { phase: 'Failed' }), pod('b', { phase: 'Succeeded' })],
    removes: ['failed a-old-60000', 'succeeded b-old-60000'],
  },
  {
    why: 'of two the older stays',
    pods: [pod('a', { ageMs: 1000 }), pod('a', { ageMs: 9000 }), pod('b')],
    removes: ['excess a-old-1000'],
  },
  {
    why: 'a pod on a node it does not suit goes',
    nodes: [node('a', [{ key: 'x', effect: 'NoExecute' }]), node('b', [{ key: 'x', effect: 'NoSchedule' }])],
    pods: [pod('a'), pod('b')],
    removes: ['misplaced a-old-60000'],
  },
  {
    why: 'with surge an old ready pod stays beside a new one that is not',
    strategy: surge,
    pods: [pod('a'), pod('a', { hash: 'new', ready: false }), pod('b')],
  },
  {
    why: 'with surge an old pod goes when the new one is available',
    strategy: surge,
    pods: [pod('a'), pod('a', { hash: 'new' }), pod('b')],
    removes: ['excess a-old-60000'],
  },
  {
    why: 'with surge an old pod that is not ready goes at once',
    strategy: surge,
    pods: [pod('a', { ready: false }), pod('a', { hash: 'new', ready: false }), pod('b')],
    removes: ['excess a-old-60000'],
  },
]

for (const { why, pods, strategy, nodes = [node('a'), node('b')], creates = [], removes = [] } of firstSteps) {
  test(`one pod a node: ${why}`, () => {
    const plan = planNodes({ set: set({}, strategy), nodes, pods, hash: 'new', nowMs })
    assert.deepEqual(plan.create, creates)
    assert.deepEqual(
      plan.remove.map((each) => `${each.why} ${each.pod.metadata.name}`),
      removes,
    )
  })
}

test('a pod that waits for a node which is gone is taken away', () => {
  const { nodeName: _, ...spec } = podForNode(set(), 'gone', 'new').spec
  const waiting: Pod = { metadata: { name: 'w' }, spec }
  assert.equal(planNodes({ set: set(), nodes: [], pods: [waiting], hash: 'new', nowMs }).remove[0]!.pod, waiting)
})

const abc = ['a', 'b', 'c'].map((name) => node(name))

const updates: readonly {
  readonly why: string
  readonly strategy?: RollingUpdateDaemonSet
  readonly pods: readonly Pod[]
  readonly creates?: number
  readonly removes?: number
}[] = [
  { why: 'one at a time by default', pods: [pod('a'), pod('b'), pod('c')], removes: 1 },
  { why: 'a share rounds up', strategy: { maxUnavailable: '50%' }, pods: [pod('a'), pod('b'), pod('c')], removes: 2 },
  { why: 'a node without its pod counts', pods: [pod('a'), pod('b')], removes: 0 },
  { why: 'a new pod that is not ready counts', pods: [pod('a', { hash: 'new', ready: false }), pod('b'), pod('c')] },
  {
    why: 'broken old pods are replaced whatever the limit',
    pods: [pod('a', { ready: false }), pod('b', { ready: false }), pod('c')],
    removes: 2,
  },
  { why: 'nothing is left to do', pods: ['a', 'b', 'c'].map((name) => pod(name, { hash: 'new' })) },
  { why: 'surge makes one more first', strategy: surge, pods: [pod('a'), pod('b'), pod('c')], creates: 1 },
  {
    why: 'surge takes the old one away when the new one is available',
    strategy: surge,
    pods: [pod('a'), pod('a', { hash: 'new' }), pod('b'), pod('c')],
    creates: 1,
    removes: 1,
  },
  {
    why: 'surge waits for one that is not available',
    strategy: surge,
    pods: [pod('a'), pod('a', { hash: 'new', ready: false }), pod('b'), pod('c')],
  },
  {
    why: 'surge replaces a broken one beside the limit',
    strategy: surge,
    pods: [pod('a', { ready: false }), pod('b'), pod('c')],
    creates: 2,
  },
]

for (const { why, strategy, pods, creates = 0, removes = 0 } of updates) {
  test(`update of daemons: ${why}`, () => {
    const plan = planUpdate({ set: set({}, strategy), nodes: abc, pods, hash: 'new', nowMs })
    assert.deepEqual([plan.create.length, plan.remove.length], [creates, removes])
  })
}
