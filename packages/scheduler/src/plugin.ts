// What a scheduling plug-in is: a documented verdict on every node for one pod, and a preference among those that fit.

import type { PersistentVolume, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { CSIDriver, CSINode, CSIStorageCapacity, StorageClass } from '@aksel/api/types/storage-v1'
import type { LabelSelector } from '@aksel/api/types/meta-v1'
import type { Profile } from './profile.ts'
import type { Refusals } from './refusals.ts'
import type { ClusterState } from './state/cluster-state.ts'
import type { VolumeUse } from './state/volume-use.ts'
import type { PodTemplate } from './template.ts'

/** Objects beside nodes and pods that a decision may look at. */
export interface Objects {
  namespaceLabels(name: string): Readonly<Record<string, string>>
  claim(key: string): PersistentVolumeClaim | undefined
  volume(name: string): PersistentVolume | undefined
  /** Volumes of a class that no claim holds, nor is about to. */
  freeVolumes(storageClass: string): readonly PersistentVolume[]
  storageClass(name: string): StorageClass | undefined
  csiNode(name: string): CSINode | undefined
  csiDriver(name: string): CSIDriver | undefined
  storageCapacities(storageClass: string): readonly CSIStorageCapacity[]
  /** Selectors of the services, and of the set that owns the pod: what the default spreading spreads. */
  defaultSelector(pod: Pod): LabelSelector | undefined
}

/** What a plug-in is made ready with. */
export interface World {
  readonly state: ClusterState
  readonly volumes: VolumeUse
  readonly objects: Objects
  readonly refusals: Refusals
  readonly profile: Profile
}

export interface Filter {
  /** Writes the refusal's code for every node that was not turned away before; `one` is asked where this is absent. */
  all?(verdicts: Uint16Array): void
  /** The refusal's code, or 0 where the node fits; judged from the state as it is now. */
  one(slot: number): number
}

export interface Score {
  /** As upstream's profile names it. */
  readonly plugin: string
  /** From 0 to 100 for each of the slots, larger is better, normalised over them. */
  fill(slots: Int32Array, scores: Float64Array): void
  /** The score, where it is now the same for every node: it need not be written down for each. */
  constant?(): number | undefined
}

/** A verdict on the pod as a whole: no node can take it until something else changes. */
export interface Blocked {
  readonly plugin: string
  readonly blocked: string
}

export interface Prepared {
  readonly filter?: Filter
  /** All that `filter` would write, where it is kept as a column. */
  readonly verdicts?: Uint16Array
  /** Weighed scores by slot, kept as one column: what `scores` would give, in one addition a node. */
  readonly weighed?: Float64Array
  readonly scores?: readonly Score[]
  /** Of an extension: nobody knows what it judges by. */
  readonly isExtension?: boolean
}

/** Made once for a profile; it may keep what it worked out for pods that are alike. */
export interface Plugin {
  /** Upstream's names of what it does. */
  readonly names: readonly string[]
  /** Undefined when this pod does not concern it. */
  prepare(pod: Pod, template: PodTemplate): Prepared | Blocked | undefined
}

export const NO_NODE = 0xffff

/** Marks what `one` turns away among the slots that nothing has turned away. */
export function filterEach(verdicts: Uint16Array, high: number, one: (slot: number) => number): void {
  for (let slot = 0; slot < high; slot += 1) if (verdicts[slot] === 0) verdicts[slot] = one(slot)
}

/** Scales scores to 0–100 by the largest, in whole numbers; `reverse` makes the smallest the best. */
export function scaleToHundred(scores: Float64Array, count: number, options: { readonly reverse: boolean }): void {
  let most = 0
  for (let index = 0; index < count; index += 1) if (scores[index]! > most) most = scores[index]!
  for (let index = 0; index < count; index += 1) {
    const scaled = most === 0 ? 0 : Math.trunc((scores[index]! * 100) / most)
    scores[index] = options.reverse ? 100 - scaled : scaled
  }
}
