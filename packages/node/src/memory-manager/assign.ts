// The static policy of the memory manager: a Guaranteed pod's containers have memory of as few NUMA nodes as hold it, and a node
// that serves containers alone serves none together with other nodes. Pure; upstream's rules where no topology manager speaks.

import type { Container, Pod } from '@aksel/api/types/core-v1'
import { quantityUnits } from '@aksel/base/quantity'
import type { Refusal } from '../pod/admission.ts'
import { isSidecar } from '../pod/names.ts'
import { qosOf } from '../pod/resources.ts'

/** A NUMA node of the machine. */
export interface MemoryNode {
  readonly id: number
  readonly totalBytes: number
  /** What pods never get of it: the machine's own programs have it, and the eviction threshold. */
  readonly reservedBytes: number
}

export interface MemoryGrant {
  /** Ascending. Several: all of them together, and nobody else but containers that need the very same. */
  readonly nodes: readonly number[]
  readonly bytes: number
  /** Of them new: what an init container had before is used again. */
  readonly chargedBytes: number
}

/** By pod uid, then by container. */
export type MemoryGrants = ReadonlyMap<string, ReadonlyMap<string, MemoryGrant>>

/** Bytes that the container has of certain nodes; 0: of any. */
export function pinnedBytes(pod: Pod, { resources }: Container): number {
  // Of amounts that the pod has as a whole nobody knows which container will use them.
  if (qosOf(pod) !== 'Guaranteed' || pod.spec.resources !== undefined) return 0
  const value = resources?.requests?.['memory'] ?? resources?.limits?.['memory']
  return value === undefined ? 0 : quantityUnits(value)
}

/** What the pod's containers get; a refusal in upstream's words where there is not enough. */
export function assignMemory(
  machine: readonly MemoryNode[],
  grants: MemoryGrants,
  pod: Pod,
): ReadonlyMap<string, MemoryGrant> | Refusal {
  const own = new Map<string, MemoryGrant>()
  const taken = [...grants.values()].flatMap((each) => [...each.values()])
  // What ends before the others begin is used again by them, where they get the same nodes.
  const reusable = new Map<string, number>()
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    const bytes = pinnedBytes(pod, container)
    if (bytes === 0) continue
    const nodes = choose(machine, [...taken, ...own.values()], bytes, reusable)
    if (nodes === undefined) return tooLittle
    const key = nodes.join()
    const again = reusable.get(key) ?? 0
    own.set(container.name, { nodes, bytes, chargedBytes: Math.max(0, bytes - again) })
    const isInit = pod.spec.initContainers?.includes(container) === true && !isSidecar(container)
    reusable.set(key, isInit ? Math.max(again, bytes) : Math.max(0, again - bytes))
  }
  return own
}

const tooLittle: Refusal = {
  reason: 'UnexpectedAdmissionError',
  message:
    'Allocate failed due to [memorymanager] failed to get the default NUMA affinity, no NUMA nodes with enough memory is available, which is unexpected',
}

/** The fewest nodes that have as much free, the lowest ones first. */
function choose(
  machine: readonly MemoryNode[],
  taken: readonly MemoryGrant[],
  bytes: number,
  reusable: ReadonlyMap<string, number>,
): readonly number[] | undefined {
  const sets = subsetsOf(machine.map(({ id }) => id).toSorted((left, right) => left - right))
  return sets.find((ids) => {
    const key = ids.join()
    // Whoever has some of these nodes has exactly these.
    if (taken.some(({ nodes }) => nodes.join() !== key && nodes.some((id) => ids.includes(id)))) return false
    const all = machine.filter(({ id }) => ids.includes(id))
    const allocatable = all.reduce((sum, node) => sum + node.totalBytes - node.reservedBytes, 0)
    const used = taken.reduce((sum, { nodes, chargedBytes }) => sum + (nodes.join() === key ? chargedBytes : 0), 0)
    return bytes <= allocatable && bytes <= allocatable - used + (reusable.get(key) ?? 0)
  })
}

/** Smaller sets first; of one size as their bits compare, so `1,2` before `0,3`. */
function subsetsOf(ids: readonly number[]): readonly (readonly number[])[] {
  const masks = Array.from({ length: 2 ** ids.length - 1 }, (_, index) => index + 1)
  const members = (mask: number): readonly number[] => ids.filter((_, bit) => (mask & (1 << bit)) !== 0)
  return masks
    .map((mask) => ({ mask, ids: members(mask) }))
    .toSorted((left, right) => left.ids.length - right.ids.length || left.mask - right.mask)
    .map((each) => each.ids)
}
