// Nodes and pods of the published scheduler_perf configurations, as facts: the same sizes, labels and constraints.

import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { CSINode } from '@aksel/api/types/storage-v1'

export interface Workload {
  readonly row: string
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: Partial<Pod['spec']>
  /** Each pod has a bound claim on a CSI volume of its own. */
  readonly volumes?: boolean
  /** Pods of priority 10 that fill the nodes before, four a node; the measured ones must make room. */
  readonly preempts?: boolean
  /** The pods that stand before are spread over so many namespaces, labelled `team=devops` as the measured one's is. */
  readonly namespaces?: number
  /** The pods are of these kinds in turn. */
  readonly mixes?: readonly Pick<Workload, 'labels' | 'spec'>[]
}

const ZONE = 'topology.kubernetes.io/zone'
const HOST = 'kubernetes.io/hostname'

const term = (color: string, topologyKey: string) => ({ topologyKey, labelSelector: { matchLabels: { color } } })
const spread = (whenUnsatisfiable: string) => ({
  maxSkew: 5,
  topologyKey: ZONE,
  whenUnsatisfiable,
  labelSelector: { matchLabels: { color: 'blue' } },
})
const required = 'requiredDuringSchedulingIgnoredDuringExecution'
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'

export const basic: Workload = { row: 'S1 pods created, bound and seen' }

/** The four kinds of (anti)affinity between pods; `more` goes into every term. */
const kinds = (more: object = {}) =>
  ({
    anti: {
      labels: { color: 'green' },
      spec: { affinity: { podAntiAffinity: { [required]: [{ ...term('green', HOST), ...more }] } } },
    },
    affinity: {
      labels: { color: 'blue' },
      spec: { affinity: { podAffinity: { [required]: [{ ...term('blue', ZONE), ...more }] } } },
    },
    preferred: {
      labels: { color: 'red' },
      spec: {
        affinity: {
          podAffinity: { [preferred]: [{ weight: 1, podAffinityTerm: { ...term('red', HOST), ...more } }] },
        },
      },
    },
    'preferred-anti': {
      labels: { color: 'yellow' },
      spec: {
        affinity: {
          podAntiAffinity: { [preferred]: [{ weight: 1, podAffinityTerm: { ...term('yellow', HOST), ...more } }] },
        },
      },
    },
  }) as const
const plain = kinds()
const overNamespaces = kinds({ namespaceSelector: { matchLabels: { team: 'devops' } } })

export const workloads: readonly Workload[] = [
  { row: 'S3.anti SchedulingPodAntiAffinity', ...plain.anti },
  { row: 'S3.affinity SchedulingPodAffinity', ...plain.affinity },
  { row: 'S3.preferred SchedulingPreferredPodAffinity', ...plain.preferred },
  { row: 'S3.preferred-anti SchedulingPreferredPodAntiAffinity', ...plain['preferred-anti'] },
  { row: 'S3.ns-anti SchedulingRequiredPodAntiAffinityWithNSSelector', namespaces: 100, ...overNamespaces.anti },
  { row: 'S3.ns-affinity SchedulingRequiredPodAffinityWithNSSelector', namespaces: 100, ...overNamespaces.affinity },
  { row: 'S3.ns-preferred SchedulingPreferredAffinityWithNSSelector', namespaces: 100, ...overNamespaces.preferred },
  {
    row: 'S3.ns-preferred-anti SchedulingPreferredAntiAffinityWithNSSelector',
    namespaces: 100,
    ...overNamespaces['preferred-anti'],
  },
  {
    row: 'S3.mixed MixedSchedulingBasePod',
    mixes: [{}, plain.affinity, plain.anti, plain.preferred, plain['preferred-anti']],
  },
  {
    row: 'S3.node SchedulingNodeAffinity',
    spec: {
      affinity: {
        nodeAffinity: {
          [required]: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: ZONE, operator: 'In', values: ['zone0', 'zone1'] }] }],
          },
        },
      },
    },
  },
  {
    row: 'S4.spread TopologySpreading',
    labels: { color: 'blue' },
    spec: { topologySpreadConstraints: [spread('DoNotSchedule')] },
  },
  {
    row: 'S4.preferred PreferredTopologySpreading',
    labels: { color: 'blue' },
    spec: { topologySpreadConstraints: [spread('ScheduleAnyway')] },
  },
  { row: 'S4.csi SchedulingCSIPVs', volumes: true },
  { row: 'S7 Preemption', preempts: true },
]

export function benchNode(index: number): Node {
  const name = `node-${index}`
  const amounts = { cpu: '4', memory: '32Gi', pods: '110' }
  return {
    metadata: { name, labels: { [HOST]: name, [ZONE]: `zone${index % 3}` } },
    spec: {},
    status: { capacity: amounts, allocatable: amounts },
  }
}

export function benchPod(workload: Workload, name: string, namespace: string): Pod {
  const requests = workload.preempts === true ? { cpu: '3', memory: '500Mi' } : { cpu: '100m', memory: '500Mi' }
  const { mixes } = workload
  const { labels, spec } = mixes?.[Number(name.split('-').at(-1)) % mixes.length] ?? workload
  return {
    metadata: { name, namespace, ...(labels === undefined ? {} : { labels }) },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: 'pause', image: 'registry.k8s.io/pause:3.6', resources: { requests } }],
      ...(workload.preempts === true ? { priorityClassName: 'bench-high' } : {}),
      ...(workload.volumes === true ? { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: name } }] } : {}),
      ...spec,
    },
  }
}

/** How many volumes of its driver a node takes, as the published configurations have it. */
export function benchCsiNode(index: number): CSINode {
  const name = `node-${index}`
  return {
    metadata: { name },
    spec: { drivers: [{ name: 'ebs.csi.aws.com', nodeID: name, topologyKeys: [], allocatable: { count: 39 } }] },
  }
}

/** Fills a quarter of a node. */
export function lowPod(name: string, namespace: string): Pod {
  return {
    metadata: { name, namespace },
    spec: {
      automountServiceAccountToken: false,
      priorityClassName: 'bench-low',
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'pause',
          image: 'registry.k8s.io/pause:3.6',
          resources: { requests: { cpu: '900m', memory: '500Mi' } },
        },
      ],
    },
  }
}

export function boundVolume(
  name: string,
  namespace: string,
): { readonly volume: PersistentVolume; readonly claim: PersistentVolumeClaim } {
  const capacity = { storage: '1Gi' }
  const accessModes = ['ReadOnlyMany']
  return {
    volume: {
      metadata: { name },
      spec: {
        accessModes,
        capacity,
        csi: { driver: 'ebs.csi.aws.com', volumeHandle: name },
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace },
      },
    },
    claim: {
      metadata: { name, namespace, annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
      spec: { accessModes, resources: { requests: capacity }, volumeName: name },
    },
  }
}
