// A profile: which plug-ins filter and score for the pods of one schedulerName, with what weights and arguments.

import type { NodeAffinity, TopologySpreadConstraint } from '@aksel/api/types/core-v1'

export interface ResourceWeight {
  readonly name: string
  readonly weight: number
}

export interface ShapePoint {
  /** Per cent used, 0 to 100. */
  readonly utilization: number
  /** 0 to 10. */
  readonly score: number
}

interface Weighed {
  readonly resources: readonly ResourceWeight[]
}

export type ScoringStrategy =
  | (Weighed & { readonly type: 'LeastAllocated' | 'MostAllocated' })
  | (Weighed & { readonly type: 'RequestedToCapacityRatio'; readonly shape: readonly ShapePoint[] })

export interface Profile {
  readonly schedulerName: string
  readonly filters: ReadonlySet<string>
  /** Weights by plug-in. */
  readonly scores: ReadonlyMap<string, number>
  readonly preempts: boolean
  readonly scoring: ScoringStrategy
  readonly balancedResources: readonly ResourceWeight[]
  isIgnoredResource(name: string): boolean
  readonly addedAffinity: NodeAffinity | undefined
  readonly hardPodAffinityWeight: number
  readonly ignorePreferredTermsOfExistingPods: boolean
  readonly defaultSpread: {
    readonly constraints: readonly Omit<TopologySpreadConstraint, 'labelSelector'>[]
    /** Upstream's own, rather than the operator's. */
    readonly isBuiltIn: boolean
  }
  readonly minCandidateNodesPercentage: number
  readonly minCandidateNodesAbsolute: number
  readonly bindTimeoutSeconds: number
}

export const filterPlugins = [
  'NodeUnschedulable',
  'NodeName',
  'TaintToleration',
  'NodeAffinity',
  'NodePorts',
  'NodeResourcesFit',
  'VolumeRestrictions',
  'NodeVolumeLimits',
  'VolumeBinding',
  'VolumeZone',
  'PodTopologySpread',
  'InterPodAffinity',
  'DynamicResources',
] as const

/** With the weights of upstream's default profile. */
export const scorePlugins: readonly (readonly [string, number])[] = [
  ['TaintToleration', 3],
  ['NodeAffinity', 2],
  ['NodeResourcesFit', 1],
  ['PodTopologySpread', 2],
  ['InterPodAffinity', 2],
  ['NodeResourcesBalancedAllocation', 1],
  ['ImageLocality', 1],
  ['DynamicResources', 2],
]

/** Plug-ins that a profile may name beside those: they neither filter nor score. */
export const otherPlugins = ['SchedulingGates', 'PrioritySort', 'DefaultPreemption', 'DefaultBinder'] as const

const cpuAndMemory: readonly ResourceWeight[] = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
]

export function defaultProfile(schedulerName = 'default-scheduler'): Profile {
  return {
    schedulerName,
    filters: new Set(filterPlugins),
    scores: new Map(scorePlugins),
    preempts: true,
    scoring: { type: 'LeastAllocated', resources: cpuAndMemory },
    balancedResources: cpuAndMemory,
    isIgnoredResource: () => false,
    addedAffinity: undefined,
    hardPodAffinityWeight: 1,
    ignorePreferredTermsOfExistingPods: false,
    defaultSpread: {
      isBuiltIn: true,
      constraints: [
        { topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 3 },
        { topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 5 },
      ],
    },
    minCandidateNodesPercentage: 10,
    minCandidateNodesAbsolute: 100,
    bindTimeoutSeconds: 600,
  }
}
