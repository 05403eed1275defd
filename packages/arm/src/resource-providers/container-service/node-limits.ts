// How many nodes a cluster may have by what its network can do: AKS's limits for each model.

import { invalidParameter } from '../../azure-errors.ts'
import type { ClusterRecord, PoolRecord } from '../../records.ts'
import { textAt } from '../body.ts'
import { modelOf } from './network-model.ts'

/** The tightest limit and what sets it. Pure. */
export function nodeLimitOf({ properties }: Pick<ClusterRecord, 'properties'>): {
  readonly nodes: number
  readonly why: string
} {
  const network = properties.networkProfile
  const engine = textAt(network, 'networkPolicy')?.toLowerCase()
  // Its manager programs every node for every change of a pod.
  if (engine === 'azure') return { nodes: 250, why: 'network policy azure' }
  // A route table holds 400 routes, and each node needs one.
  if (modelOf(network) === 'kubenet') return { nodes: 400, why: 'network plugin kubenet' }
  return { nodes: 5_000, why: 'a managed cluster' }
}

/** Throws where the pools, as large as the autoscaler may make them, are too many nodes together. */
export function judgeNodeLimit(
  cluster: Pick<ClusterRecord, 'properties'>,
  pools: readonly Pick<PoolRecord, 'properties'>[],
): void {
  const { nodes, why } = nodeLimitOf(cluster)
  const wanted = pools.reduce((sum, { properties }) => sum + largest(properties), 0)
  if (wanted <= nodes) return
  throw invalidParameter(
    'agentPoolProfile.count',
    `the agent pools have ${wanted} nodes together, more than the ${nodes} that ${why} allows`,
  )
}

function largest({ count, ...properties }: PoolRecord['properties']): number {
  const most = properties['enableAutoScaling'] === true ? Number(properties['maxCount'] ?? 0) : 0
  return Math.max(count, most)
}
