// Who has to grow, and by how many nodes, so that pods without a place get one. Pure: facts in, a plan out.

import type { Node, Pod } from '@aksel/api/types/core-v1'
import { fraction, type Random } from '@aksel/base/ids'
import { requestOf, amountsOf } from '../pod-resources.ts'
import type { NodeGroup } from '@aksel/provider/node-groups'
import { largestFirst, type Picture } from './picture.ts'
import type { Expander } from './settings.ts'

/** What one group could do for the pods. */
export interface Option {
  readonly group: NodeGroup
  /** Nodes more. */
  readonly count: number
  readonly pods: readonly Pod[]
  /** Share of the new nodes' processors and memory that would stay idle, 0 to 2. */
  readonly waste: number
}

export interface ScaleUp {
  readonly group: NodeGroup
  readonly to: number
}

export interface UnplacedPod {
  readonly pod: Pod
  /** By group: why it does not help. */
  readonly reasons: readonly string[]
}

/** Nodes that one look adds to a group at most: upstream's estimate ends there, too. */
const nodesMax = 100

/** The copy of a group's template under a name of its own. */
export function newNode({ name, template }: NodeGroup, index: number): Node {
  const nodeName = `template-node-for-${name}-${index}`
  const labels = { ...template.metadata.labels, 'kubernetes.io/hostname': nodeName }
  return { ...template, metadata: { ...template.metadata, name: nodeName, labels } }
}

/** Tries one group: new nodes one by one, until all pods stand or another node helps none. The picture is as before afterwards. */
export function tryGroup(picture: Picture, group: NodeGroup, pods: readonly Pod[], room: number): Option | undefined {
  const waiting = new Set(largestFirst(pods, group.template))
  const placed: Pod[] = []
  const added: string[] = []
  while (waiting.size > 0 && added.length < Math.min(room, nodesMax)) {
    const node = newNode(group, added.length)
    picture.setNode(node)
    const here = [...waiting].filter((pod) => picture.place(pod) !== undefined)
    if (here.length === 0) {
      picture.removeNode(node.metadata.name)
      break
    }
    added.push(node.metadata.name)
    for (const pod of here) {
      waiting.delete(pod)
      placed.push(pod)
    }
  }
  for (const pod of placed) picture.removePod(pod)
  for (const name of added) picture.removeNode(name)
  if (added.length === 0) return undefined
  return { group, count: added.length, pods: placed, waste: wasteOf(group.template, added.length, placed) }
}

function wasteOf(template: Node, count: number, pods: readonly Pod[]): number {
  const allocatable = amountsOf(template.status?.allocatable)
  return ['cpu', 'memory'].reduce((sum, name) => {
    const offered = (allocatable[name] ?? 0) * count
    const used = pods.reduce((all, pod) => all + (requestOf(pod)[name] ?? 0), 0)
    return sum + (offered === 0 ? 0 : Math.max(0, offered - used) / offered)
  }, 0)
}

/** By priority, the patterns of group names, as the ConfigMap `cluster-autoscaler-priority-expander` lists them. */
export type Priorities = ReadonlyMap<number, readonly string[]>

/** The option that the expander picks; ties go by chance. */
export function choose(
  options: readonly Option[],
  by: { readonly expander: Expander; readonly random: Random; readonly priorities: Priorities },
): Option | undefined {
  const best = bestOf(options, by.expander, by.priorities)
  return best[Math.floor(fraction(by.random) * best.length)]
}

function bestOf(options: readonly Option[], expander: Expander, priorities: Priorities): readonly Option[] {
  const most = (valueOf: (option: Option) => number): readonly Option[] => {
    const top = Math.max(...options.map(valueOf))
    return options.filter((option) => valueOf(option) === top)
  }
  if (options.length === 0) return []
  switch (expander) {
    case 'random':
      return options
    case 'most-pods':
      return most(({ pods }) => pods.length)
    case 'least-waste':
      return most(({ waste }) => -waste)
    case 'priority':
      return most(({ group }) => priorityOf(group.name, priorities))
    default:
      return expander satisfies never
  }
}

function priorityOf(name: string, priorities: Priorities): number {
  const matching = [...priorities].filter(([, patterns]) => patterns.some((pattern) => matchesPattern(name, pattern)))
  return Math.max(Number.NEGATIVE_INFINITY, ...matching.map(([priority]) => priority))
}

function matchesPattern(name: string, pattern: string): boolean {
  try {
    return new RegExp(pattern).test(name)
  } catch {
    return false
  }
}

/** Labels by which nodes of like groups differ all the same. */
const ownLabels =
  /^(agentpool|kubernetes\.io\/hostname|topology\.(kubernetes\.io|disk\.csi\.azure\.com)\/(zone|region)|failure-domain\..*|kubernetes\.azure\.com\/(agentpool|node-image-version|network-.*|mode)|storage.*)$/

/** Whether nodes of both groups are as good for any pod: sizes, labels and taints. */
export function isSimilar(left: NodeGroup, right: NodeGroup): boolean {
  return shapeOf(left.template) === shapeOf(right.template)
}

function shapeOf({ metadata, spec, status }: Node): string {
  const labels = Object.entries(metadata.labels ?? {}).filter(([name]) => !ownLabels.test(name))
  const taints = (spec?.taints ?? []).map(({ key, value, effect }) => `${key}=${value ?? ''}:${effect}`)
  const sizes = Object.entries(status?.allocatable ?? {}).map(([name, quantity]) => `${name}=${quantity}`)
  return JSON.stringify([
    labels.map(([name, value]) => `${name}=${value}`).toSorted(),
    taints.toSorted(),
    sizes.toSorted(),
  ])
}

/** New nodes go to the smallest of like groups, one after the other. */
export function balanced(count: number, groups: readonly NodeGroup[]): readonly ScaleUp[] {
  const targets = new Map(groups.map((group) => [group, group.target]))
  for (let left = count; left > 0; left -= 1) {
    const open = groups.filter((group) => targets.get(group)! < group.maxCount)
    if (open.length === 0) break
    const smallest = open.reduce((least, group) => (targets.get(group)! < targets.get(least)! ? group : least))
    targets.set(smallest, targets.get(smallest)! + 1)
  }
  return groups.flatMap((group) => (targets.get(group)! > group.target ? [{ group, to: targets.get(group)! }] : []))
}

/** Why a pod helps no group to grow, for its event. */
export function reasonsFor(
  picture: Picture,
  pod: Pod,
  groups: readonly { readonly group: NodeGroup; readonly why?: string }[],
): UnplacedPod {
  const reasons = groups.map(({ group, why }) => {
    if (why !== undefined) return `1 ${why}`
    const node = newNode(group, 0)
    picture.setNode(node)
    const text = picture.why(pod)
    picture.removeNode(node.metadata.name)
    return text
  })
  return { pod, reasons }
}
