// What happens in a cluster that may let a waiting pod fit, and which plug-in's refusal it may lift.

import type { Node, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { ResourceClaim } from '@aksel/api/types/resource-v1'
import { matchesSelector } from '@aksel/runtime/selectors'
import { hasClaim } from './dynamic-resources/pod-claims.ts'
import { amountsOf, requestOf } from './pod-resources.ts'
import type { Room } from './room.ts'
import { matchesNode } from '@aksel/runtime/node-selectors'
import { hostPortsOf } from './template.ts'
import { untolerated } from './tolerations.ts'
import { claimKeysOf } from './volumes.ts'

export type ClusterEvent =
  /** Came, or changed in what scheduling looks at. */
  | { readonly kind: 'node'; readonly now: Node; readonly before: Node | undefined }
  | { readonly kind: 'node-gone'; readonly node: Node }
  /** A pod with a node: it got there, or changed its labels or asks for less. */
  | { readonly kind: 'pod-placed' | 'pod-changed'; readonly pod: Pod }
  /** `room`: what is free now where it was; absent where nobody knows. */
  | { readonly kind: 'pod-gone'; readonly pod: Pod; readonly room?: Room | undefined }
  /** The waiting pod itself. */
  | { readonly kind: 'self' }
  | { readonly kind: 'claim'; readonly claim: PersistentVolumeClaim }
  /** `isFreed`: its devices may be somebody else's now. */
  | { readonly kind: 'resource-claim'; readonly claim: ResourceClaim; readonly isFreed: boolean }
  | { readonly kind: 'volume' | 'storage-class' | 'csi' | 'namespace' | 'devices' }

export type EventKind = ClusterEvent['kind']

/** True where the event may make the plug-in's refusal void: wrong towards true costs a try, towards false a hanging pod. */
type Hint = (pod: Pod, event: ClusterEvent) => boolean

const always: Hint = () => true

interface Interest {
  readonly kinds: ReadonlySet<EventKind>
  readonly hint: Hint
}

const interest = (kinds: readonly EventKind[], hint: Hint = always): Interest => ({ kinds: new Set(kinds), hint })

/** By plug-in: what it is woken by. A plug-in that is not named is woken by everything. */
const interests: Readonly<Record<string, Interest>> = {
  NodeUnschedulable: interest(['node', 'self'], (pod, event) => event.kind !== 'node' || fitsWords(pod, event.now)),
  NodeName: interest(['node']),
  TaintToleration: interest(['node', 'self'], (pod, event) => event.kind !== 'node' || fitsWords(pod, event.now)),
  NodeAffinity: interest(['node', 'self'], (pod, event) => event.kind !== 'node' || fitsWords(pod, event.now)),
  NodePorts: interest(['node', 'pod-gone'], (pod, event) => {
    if (event.kind !== 'pod-gone') return true
    const wanted = new Set(hostPortsOf(pod).map(withoutAddress))
    return hostPortsOf(event.pod).some((port) => wanted.has(withoutAddress(port)))
  }),
  NodeResourcesFit: interest(['node', 'pod-gone', 'pod-changed', 'self'], (pod, event) => {
    if (event.kind === 'node') return fitsEmpty(pod, event.now)
    return event.kind !== 'pod-gone' || (event.room?.fits(pod, { isMakingRoom: false }) ?? true)
  }),
  VolumeRestrictions: interest(['pod-gone', 'claim', 'self'], (pod, event) => {
    if (event.kind !== 'pod-gone') return true
    return (event.pod.spec.volumes ?? []).length > 0 && event.pod.metadata.namespace === pod.metadata.namespace
  }),
  NodeVolumeLimits: interest(['pod-gone', 'csi', 'claim', 'node'], (_pod, event) =>
    event.kind === 'pod-gone' ? claimKeysOf(event.pod).length > 0 : true,
  ),
  VolumeBinding: interest(['node', 'claim', 'volume', 'storage-class', 'csi'], (pod, event) => {
    if (event.kind !== 'claim') return true
    return event.claim.metadata.namespace === pod.metadata.namespace
  }),
  VolumeZone: interest(['node', 'claim', 'volume', 'storage-class']),
  PodTopologySpread: interest(['node', 'node-gone', 'pod-placed', 'pod-changed', 'pod-gone', 'self'], (pod, event) => {
    const constraints = pod.spec.topologySpreadConstraints ?? []
    if (event.kind === 'node')
      return constraints.every(({ topologyKey }) => event.now.metadata.labels?.[topologyKey] !== undefined)
    if (event.kind !== 'pod-placed' && event.kind !== 'pod-gone') return true
    if (event.pod.metadata.namespace !== pod.metadata.namespace) return false
    return constraints.some(({ labelSelector }) => matchesSelector(labelSelector, event.pod.metadata.labels))
  }),
  InterPodAffinity: interest(['node', 'pod-placed', 'pod-changed', 'pod-gone', 'namespace', 'self'], (pod, event) => {
    const wantsOthers = pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution !== undefined
    // A pod that comes near can only help one that wants company.
    return event.kind === 'pod-placed' ? wantsOthers : true
  }),
  DynamicResources: interest(['resource-claim', 'devices', 'node', 'self'], (pod, event) =>
    event.kind === 'resource-claim' ? event.isFreed || hasClaim(pod, event.claim) : true,
  ),
}

/** Whether a pod that these plug-ins turned away should be tried again. */
export function mayHelp(pod: Pod, plugins: ReadonlySet<string>, event: ClusterEvent): boolean {
  if (plugins.size === 0) return true
  for (const plugin of plugins) {
    const known = interests[plugin]
    if (known === undefined) return true
    if (known.kinds.has(event.kind) && known.hint(pod, event)) return true
  }
  return false
}

/** The kinds that any of the plug-ins is woken by; undefined for every kind. */
export function wokenBy(plugins: ReadonlySet<string>): ReadonlySet<EventKind> | undefined {
  if (plugins.size === 0) return undefined
  const kinds = new Set<EventKind>()
  for (const plugin of plugins) {
    const known = interests[plugin]
    if (known === undefined) return undefined
    for (const kind of known.kinds) kinds.add(kind)
  }
  return kinds
}

/**
 * Equal for sleepers whom a pod that went helps by its room alone, and all alike: asking for one of them tells for all.
 * Undefined for who is helped otherwise too.
 */
export function roomKeyOf(pod: Pod, plugins: ReadonlySet<string>): string | undefined {
  if (!plugins.has('NodeResourcesFit')) return undefined
  for (const plugin of plugins) {
    const known = interests[plugin]
    if (known === undefined || (plugin !== 'NodeResourcesFit' && known.kinds.has('pod-gone'))) return undefined
  }
  return `${pod.spec.schedulerName}|${pod.spec.priority}|${JSON.stringify(requestOf(pod))}`
}

function withoutAddress(port: string): string {
  return port.slice(port.indexOf('/'))
}

function fitsWords({ spec }: Pod, node: Node): boolean {
  const tolerations = spec.tolerations ?? []
  const cordon = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' } as const
  const taints = [...(node.spec.taints ?? []), ...(node.spec.unschedulable === true ? [cordon] : [])]
  if (untolerated(taints, tolerations) !== undefined) return false
  const labels = node.metadata.labels ?? {}
  if (!Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return required === undefined || matchesNode(required, node)
}

/** Whether the node could hold the pod if nothing else stood there. */
function fitsEmpty(pod: Pod, node: Node): boolean {
  const allocatable = amountsOf(node.status?.allocatable)
  return Object.entries(requestOf(pod)).every(([name, amount]) => amount <= (allocatable[name] ?? 0))
}
