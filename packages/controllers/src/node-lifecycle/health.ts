// What a node's silence means: its conditions, and the taints that keep pods off it.

import type { Node, NodeCondition, Taint } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'

export const taintKeys = {
  notReady: 'node.kubernetes.io/not-ready',
  unreachable: 'node.kubernetes.io/unreachable',
  unschedulable: 'node.kubernetes.io/unschedulable',
  memoryPressure: 'node.kubernetes.io/memory-pressure',
  diskPressure: 'node.kubernetes.io/disk-pressure',
  pidPressure: 'node.kubernetes.io/pid-pressure',
  networkUnavailable: 'node.kubernetes.io/network-unavailable',
} as const

const heartbeatConditions = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const

export function conditionOf(node: Node, type: string): NodeCondition | undefined {
  return node.status?.conditions?.find((condition) => condition.type === type)
}

export function isNodeReady(node: Node): boolean {
  return conditionOf(node, 'Ready')?.status === 'True'
}

/** Conditions of a node that has been silent too long; undefined when they say so already. */
export function silencedConditions(node: Node, nowMs: number): readonly NodeCondition[] | undefined {
  const now = formatTime(nowMs)
  const known = node.status?.conditions ?? []
  let isChanged = false
  const silenced = heartbeatConditions.map((type): NodeCondition => {
    const condition = known.find((each) => each.type === type)
    if (condition === undefined) {
      isChanged = true
      const message = 'Kubelet never posted node status.'
      const { creationTimestamp = now } = node.metadata
      return {
        type,
        status: 'Unknown',
        reason: 'NodeStatusNeverUpdated',
        message,
        lastHeartbeatTime: creationTimestamp,
        lastTransitionTime: now,
      }
    }
    if (condition.status === 'Unknown') return condition
    isChanged = true
    const message = 'Kubelet stopped posting node status.'
    return { ...condition, status: 'Unknown', reason: 'NodeStatusUnknown', message, lastTransitionTime: now }
  })
  if (!isChanged) return undefined
  const rest = known.filter(({ type }) => !(heartbeatConditions as readonly string[]).includes(type))
  return [...rest, ...silenced]
}

const conditionTaints: readonly { readonly type: string; readonly status: string; readonly key: string }[] = [
  { type: 'Ready', status: 'False', key: taintKeys.notReady },
  { type: 'Ready', status: 'Unknown', key: taintKeys.unreachable },
  { type: 'MemoryPressure', status: 'True', key: taintKeys.memoryPressure },
  { type: 'DiskPressure', status: 'True', key: taintKeys.diskPressure },
  { type: 'PIDPressure', status: 'True', key: taintKeys.pidPressure },
  { type: 'NetworkUnavailable', status: 'True', key: taintKeys.networkUnavailable },
]

const ownedKeys: ReadonlySet<string> = new Set(Object.values(taintKeys))
const evictingKeys: ReadonlySet<string> = new Set([taintKeys.notReady, taintKeys.unreachable])

/**
 * The node's taints as its conditions want them; the same list when nothing changes. `mayEvict` says whether a silent node's pods
 * may be driven off; a taint that drives them off already stays while its reason does.
 */
export function judgeTaints(node: Node, mayEvict: boolean, nowMs: number): readonly Taint[] {
  const known = node.spec?.taints ?? []
  const wanted = wantedTaints(node, mayEvict, nowMs)
  const kept = known.filter((taint) => !isOwned(taint) || wanted.some((each) => isSameTaint(each, taint)))
  const missing = wanted.filter((taint) => !known.some((each) => isSameTaint(each, taint)))
  return kept.length === known.length && missing.length === 0 ? known : [...kept, ...missing]
}

function wantedTaints(node: Node, mayEvict: boolean, nowMs: number): readonly Taint[] {
  const timeAdded = formatTime(nowMs)
  const keys = conditionTaints
    .filter(({ type, status }) => conditionOf(node, type)?.status === status)
    .map(({ key }) => key)
  if (conditionOf(node, 'Ready') === undefined) keys.push(taintKeys.notReady)
  if (node.spec?.unschedulable === true) keys.push(taintKeys.unschedulable)
  const evicting = keys.filter((key) => mayEvict && evictingKeys.has(key))
  return [
    ...keys.map((key) => ({ key, effect: 'NoSchedule', timeAdded })),
    ...evicting.map((key) => ({ key, effect: 'NoExecute', timeAdded })),
  ]
}

function isOwned({ key, effect }: Taint): boolean {
  return effect === 'NoExecute' ? evictingKeys.has(key) : effect === 'NoSchedule' && ownedKeys.has(key)
}

export function isSameTaint(left: Taint, right: Taint): boolean {
  return left.key === right.key && left.effect === right.effect
}

/** True while a taint drives the pods off because the node is silent or not ready. */
export function isEvicting(node: Node): boolean {
  return (node.spec?.taints ?? []).some(({ key, effect }) => effect === 'NoExecute' && evictingKeys.has(key))
}
