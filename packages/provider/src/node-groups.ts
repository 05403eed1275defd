// The seam between the cluster autoscaler and the pools that it scales: groups of like nodes, made larger and smaller.

import type { Node } from '@aksel/api/types/core-v1'

export interface NodeGroup {
  /** `aks-apps-12345678-vmss`. */
  readonly name: string
  readonly minCount: number
  readonly maxCount: number
  /** Nodes that are ordered, those on their way included. */
  readonly target: number
  /** Nodes that stay, by name; some may not have registered yet. */
  readonly nodeNames: readonly string[]
  /** What a new node will say of itself. */
  readonly template: Node
}

export interface NodeGroups {
  list(): Promise<readonly NodeGroup[]>
  /** Orders so many nodes in all. False where the group was changed meanwhile. */
  resize(name: string, target: number): Promise<boolean>
  /** Has these nodes drained and taken away; the target shrinks by them. False where the group was changed meanwhile. */
  remove(name: string, nodeNames: readonly string[]): Promise<boolean>
}
