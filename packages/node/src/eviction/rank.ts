// Who goes first when a node runs out of something: upstream's order, by what a pod uses beyond what it asked for. Pure.

import type { Container, Pod } from '@aksel/api/types/core-v1'
import { quantityUnits } from '@aksel/base/quantity'
import { isSidecar } from '../pod/names.ts'
import type { Signal } from './thresholds.ts'

export interface ContainerUsage {
  readonly name: string
  readonly memoryBytes: number
  /** Of its root file system and its logs. */
  readonly diskBytes: number
}

/** What a pod uses; absent parts were not measured. */
export interface PodUsage {
  readonly containers: readonly ContainerUsage[]
  readonly memoryBytes: number
  readonly processes: number
  /** Containers and the volumes that live on the node's disk. */
  readonly diskBytes: number
  readonly inodes: number
  /** By volume: those of kind emptyDir. */
  readonly emptyDirBytes: ReadonlyMap<string, number>
}

export type StarvedResource = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids'

/** What an event and a pod's message call the thing that the node runs out of. */
export function resourceOf(signal: Signal): StarvedResource {
  if (signal === 'memory.available') return 'memory'
  if (signal === 'pid.available') return 'pids'
  return signal.endsWith('.inodesFree') ? 'inodes' : 'ephemeral-storage'
}

type Compare = (left: Pod, right: Pod) => number

/** First to go first. A pod that could not be measured goes before all that could. */
export function rankForEviction(
  pods: readonly Pod[],
  usageOf: (pod: Pod) => PodUsage | undefined,
  resource: StarvedResource,
): readonly Pod[] {
  const used = (pod: Pod): number => {
    const usage = usageOf(pod)
    return usage === undefined ? Infinity : usedOf(usage, resource)
  }
  const beyond = (pod: Pod): number => used(pod) - requestOf(pod, resource)
  const exceeds: Compare = (left, right) => Number(beyond(right) > 0) - Number(beyond(left) > 0)
  const priority: Compare = (left, right) => (left.spec.priority ?? 0) - (right.spec.priority ?? 0)
  const greed: Compare = (left, right) => {
    const [a, b] = [beyond(left), beyond(right)]
    return a === b ? 0 : b - a
  }
  const order = resource === 'pids' ? [priority, greed] : [exceeds, priority, greed]
  return pods.toSorted((left, right) => {
    for (const compare of order) {
      const verdict = compare(left, right)
      if (verdict !== 0) return verdict
    }
    return 0
  })
}

export function usedOf(usage: PodUsage, resource: StarvedResource): number {
  switch (resource) {
    case 'memory':
      return usage.memoryBytes
    case 'ephemeral-storage':
      return usage.diskBytes
    case 'inodes':
      return usage.inodes
    case 'pids':
      return usage.processes
    default:
      return resource satisfies never
  }
}

/** What the pod asked for, in bytes; nothing can be asked of inodes and processes. */
export function requestOf(pod: Pod, resource: StarvedResource): number {
  if (resource === 'inodes' || resource === 'pids') return 0
  const of = (container: Container): number => containerRequest(container, resource)
  const inits = pod.spec.initContainers ?? []
  const beside = [...pod.spec.containers, ...inits.filter(isSidecar)].reduce((sum, one) => sum + of(one), 0)
  return Math.max(beside, ...inits.filter((one) => !isSidecar(one)).map(of))
}

export function containerRequest({ resources }: Container, resource: 'memory' | 'ephemeral-storage'): number {
  const value = resources?.requests?.[resource] ?? resources?.limits?.[resource]
  return value === undefined ? 0 : quantityUnits(value)
}
