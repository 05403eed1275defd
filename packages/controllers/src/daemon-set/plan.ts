// Which pods of a daemon set to make and take away now: first one on every node that should have one, then the rolling update.

import type { DaemonSet } from '@aksel/api/types/apps-v1'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { scaledValue } from '../int-or-percent.ts'
import { isAvailable, isReady, isTerminating } from '../pod-facts.ts'
import { hashLabel, judgePlacement, targetNodeOf } from './placement.ts'

export interface DaemonFacts {
  readonly set: DaemonSet
  readonly nodes: readonly Node[]
  /** All of its pods, terminating ones too. */
  readonly pods: readonly Pod[]
  /** Of the newest template. */
  readonly hash: string
  readonly nowMs: number
}

export interface DaemonPlan {
  /** Names of nodes that need a pod. */
  readonly create: readonly string[]
  readonly remove: readonly Removal[]
}

export interface Removal {
  readonly pod: Pod
  readonly why: 'failed' | 'succeeded' | 'excess' | 'misplaced' | 'update'
}

/** Pods by the node that they run on or are meant for. */
export function podsByNode(pods: readonly Pod[]): ReadonlyMap<string, readonly Pod[]> {
  const result = new Map<string, Pod[]>()
  for (const pod of pods) {
    const node = targetNodeOf(pod)
    if (node === undefined) continue
    const known = result.get(node)
    if (known === undefined) result.set(node, [pod])
    else known.push(pod)
  }
  return result
}

export interface Limits {
  readonly maxUnavailable: number
  readonly maxSurge: number
}

/** Of the nodes that should have a pod; both round up, and both 0 would never end. */
export function limitsOf({ spec }: DaemonSet, desired: number): Limits {
  const { maxUnavailable = 1, maxSurge = 0 } = spec.updateStrategy?.rollingUpdate ?? {}
  const surge = scaledValue(maxSurge, desired, 'up')
  const unavailable = scaledValue(maxUnavailable, desired, 'up')
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

export function allowsSurge(set: DaemonSet): boolean {
  return isRolling(set) && limitsOf(set, 100).maxSurge > 0
}

export function isRolling({ spec }: DaemonSet): boolean {
  return (spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate'
}

export function planNodes(facts: DaemonFacts): DaemonPlan {
  const { set, nodes, pods } = facts
  const byNode = podsByNode(pods)
  const known = new Set(nodes.map(({ metadata }) => metadata.name))
  const create: string[] = []
  const remove: Removal[] = []
  for (const node of nodes) {
    const { name } = node.metadata
    const placed = byNode.get(name) ?? []
    const { shouldRun, mayStay } = judgePlacement(set, node)
    if (mayStay && placed.length > 0) remove.push(...excessOn(facts, placed))
    else if (shouldRun) create.push(name)
    else if (!mayStay)
      remove.push(...placed.filter((pod) => !isTerminating(pod)).map((pod) => ({ pod, why: 'misplaced' as const })))
  }
  // No scheduler will ever place a pod that waits for a node which is gone.
  for (const pod of pods) {
    const target = targetNodeOf(pod)
    const waits = (pod.spec.nodeName ?? '') === '' && target !== undefined && !known.has(target)
    if (waits && !isTerminating(pod)) remove.push({ pod, why: 'misplaced' })
  }
  return { create, remove }
}

/** Pods of one node that are ended, or one too many. */
function excessOn({ set, hash, nowMs }: DaemonFacts, placed: readonly Pod[]): readonly Removal[] {
  const removals: Removal[] = []
  const running: Pod[] = []
  for (const pod of placed) {
    if (isTerminating(pod)) continue
    if (pod.status?.phase === 'Failed') removals.push({ pod, why: 'failed' })
    else if (pod.status?.phase === 'Succeeded') removals.push({ pod, why: 'succeeded' })
    else running.push(pod)
  }
  running.sort(byAge)
  const excess = (pods: readonly Pod[]): readonly Removal[] => pods.map((pod) => ({ pod, why: 'excess' }))
  if (!allowsSurge(set)) return [...removals, ...excess(running.slice(1))]
  // The oldest of the new template and the oldest of any other may stand together while one hands over to the other.
  const [newPod, oldPod] = [true, false].map((isNew) => running.find((pod) => isOfHash(pod, hash) === isNew))
  removals.push(...excess(running.filter((pod) => pod !== newPod && pod !== oldPod)))
  if (newPod !== undefined && oldPod !== undefined) {
    const isDue = !isReady(oldPod) || isAvailable(newPod, set.spec.minReadySeconds ?? 0, nowMs)
    if (isDue) removals.push(...excess([oldPod]))
  }
  return removals
}

/** Placed ones first, then the older, then by name. */
export function byAge(left: Pod, right: Pod): number {
  const placed = Number((right.spec.nodeName ?? '') !== '') - Number((left.spec.nodeName ?? '') !== '')
  if (placed !== 0) return placed
  const [leftTime = '', rightTime = ''] = [left.metadata.creationTimestamp, right.metadata.creationTimestamp]
  if (leftTime !== rightTime) return leftTime < rightTime ? -1 : 1
  return left.metadata.name < right.metadata.name ? -1 : 1
}

export function isOfHash({ metadata }: Pod, hash: string): boolean {
  return metadata.labels?.[hashLabel] === hash
}

/** What of the old template may be replaced now. */
export function planUpdate(facts: DaemonFacts): DaemonPlan {
  const { set, nodes, pods } = facts
  const byNode = new Map(podsByNode(pods))
  let desired = 0
  for (const node of nodes) {
    if (!judgePlacement(set, node).shouldRun) continue
    desired += 1
    if (!byNode.has(node.metadata.name)) byNode.set(node.metadata.name, [])
  }
  const limits = limitsOf(set, desired)
  const pairs = [...byNode].map(([node, placed]) => ({ node, ...pairOf(placed, facts.hash) }))
  return limits.maxSurge === 0 ? planInPlace(facts, limits, pairs) : planSurge(facts, limits, pairs)
}

interface Pair {
  readonly node: string
  /** False while a node has more than one pod of a kind: the first step has to clean up. */
  readonly isClear: boolean
  readonly newPod: Pod | undefined
  readonly oldPod: Pod | undefined
}

function pairOf(placed: readonly Pod[], hash: string): Omit<Pair, 'node'> {
  const living = placed.filter((pod) => !isTerminating(pod))
  const fresh = living.filter((pod) => isOfHash(pod, hash))
  const stale = living.filter((pod) => !isOfHash(pod, hash))
  return { isClear: fresh.length <= 1 && stale.length <= 1, newPod: fresh[0], oldPod: stale[0] }
}

/** Takes away just as many as stay under the limit; the first step of the next pass makes their successors. */
function planInPlace({ set, nowMs }: DaemonFacts, { maxUnavailable }: Limits, pairs: readonly Pair[]): DaemonPlan {
  const available = (pod: Pod): boolean => isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)
  let unavailable = 0
  const broken: Pod[] = []
  const candidates: Pod[] = []
  for (const { isClear, newPod, oldPod } of pairs) {
    if (!isClear || (oldPod === undefined) === (newPod === undefined)) unavailable += 1
    else if (newPod !== undefined) unavailable += available(newPod) ? 0 : 1
    else if (available(oldPod!)) candidates.push(oldPod!)
    else {
      broken.push(oldPod!)
      unavailable += 1
    }
  }
  const room = Math.max(0, maxUnavailable - unavailable)
  return { create: [], remove: [...broken, ...candidates.slice(0, room)].map((pod) => ({ pod, why: 'update' })) }
}

/** Makes the successor beside its predecessor, and takes that away when the successor is available. */
function planSurge({ set, nowMs }: DaemonFacts, { maxSurge }: Limits, pairs: readonly Pair[]): DaemonPlan {
  const available = (pod: Pod): boolean => isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)
  let surging = 0
  const broken: string[] = []
  const candidates: string[] = []
  const replaced: Pod[] = []
  for (const { node, isClear, newPod, oldPod } of pairs) {
    if (!isClear) surging += 1
    else if (oldPod === undefined) continue
    else if (newPod === undefined) (available(oldPod) ? candidates : broken).push(node)
    else if (available(newPod)) replaced.push(oldPod)
    else surging += 1
  }
  const room = Math.max(0, maxSurge - surging)
  return {
    create: [...broken, ...candidates.slice(0, room)],
    remove: replaced.map((pod) => ({ pod, why: 'update' })),
  }
}
