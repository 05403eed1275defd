// What a scheduling plug-in is: a documented verdict on one node for one pod, and a preference among those that fit.

import type { PersistentVolume, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { StorageClass } from '@aksel/api/types/storage-v1'
import type { NodeState } from './snapshot.ts'

/** What a decision may look at. */
export interface World {
  readonly nodes: ReadonlyMap<string, NodeState>
  namespaceLabels(name: string): Readonly<Record<string, string>>
  claim(key: string): PersistentVolumeClaim | undefined
  volume(name: string): PersistentVolume | undefined
  storageClass(name: string): StorageClass | undefined
}

/** Why a node does not fit, in upstream's words; several where several things lack. */
export type Misfit = readonly string[]

/** A verdict on the pod as a whole: no node can take it until something else changes. */
export interface Blocked {
  readonly blocked: string
}

/** One plug-in, made ready for one pod. */
export interface PreparedPlugin {
  /** Undefined when the node fits. */
  filter?(state: NodeState): Misfit | undefined
  /** From 0 to 100, larger is better, before weighing; `normalise` sees all nodes' scores. */
  score?(state: NodeState): number
  normalise?(scores: Float64Array): void
}

/** Changes after which a pod that a plug-in turned away may fit. */
export const wakeUps = ['node', 'pod-gone', 'pod-changed', 'volume', 'namespace'] as const
export type WakeUp = (typeof wakeUps)[number]

export interface Plugin {
  /** Upstream's name: `NodeResourcesFit`. */
  readonly name: string
  /** Weight of its score, as upstream's default profile has it. */
  readonly weight: number
  readonly wokenBy: readonly WakeUp[]
  /** Undefined when this pod does not concern the plug-in. */
  prepare(pod: Pod, world: World): PreparedPlugin | Blocked | undefined
}

/** Scales scores to 0–100 by the largest; `reverse` makes the smallest the best. */
export function scaleToHundred(scores: Float64Array, options: { readonly reverse: boolean }): void {
  let most = 0
  for (const score of scores) most = Math.max(most, score)
  for (let index = 0; index < scores.length; index += 1) {
    const scaled = most === 0 ? 0 : (scores[index]! * 100) / most
    scores[index] = options.reverse ? 100 - scaled : scaled
  }
}
