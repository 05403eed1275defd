// What the metrics API is made of, whoever measured it.

import type { Node, Pod } from '@aksel/api/types/core-v1'

export interface Usage {
  /** When it was measured, wall time. */
  readonly atMs: number
  /** Over how long. */
  readonly windowMs: number
  readonly cpuNanoCores: number
  /** The working set. */
  readonly memoryBytes: number
}

/** By container; all of them are known, or the pod is not. */
export type PodUsage = ReadonlyMap<string, Usage>

export interface ResourceUsage {
  /** By name; nodes of which nothing is known are left out. */
  ofNodes(nodes: readonly Node[], signal: AbortSignal): Promise<ReadonlyMap<string, Usage>>
  /** By uid; pods of which nothing is known are left out. */
  ofPods(pods: readonly Pod[], signal: AbortSignal): Promise<ReadonlyMap<string, PodUsage>>
}
