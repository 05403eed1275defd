// The same decisions by brute force: plain objects, every pair compared, nothing kept. What the fast path is held against.

import type { Node, Pod, PodAffinityTerm, TopologySpreadConstraint } from '@aksel/api/types/core-v1'
import { matchesSelector } from '@aksel/runtime/selectors'
import { requestOf, scoringRequestOf, amountsOf } from '../pod-resources.ts'
import type { Profile } from '../profile.ts'
import { matchesNode, matchesTerm } from '@aksel/runtime/node-selectors'
import { hostPortsOf, normalisedImage } from '../template.ts'
import { tolerates, untolerated } from '../tolerations.ts'

export interface OracleWorld {
  readonly nodes: readonly Node[]
  /** All with a node. */
  readonly pods: readonly Pod[]
  readonly namespaceLabels: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly profile: Profile
}

export interface OracleAnswer {
  readonly refusals: ReadonlyMap<string, string>
  readonly scores: ReadonlyMap<string, number>
}

export function askOracle(pod: Pod, world: OracleWorld): OracleAnswer {
  const refusals = new Map<string, string>()
  const feasible: Node[] = []
  for (const node of world.nodes) {
    const words = refusal(pod, node, world)
    if (words === undefined) feasible.push(node)
    else refusals.set(node.metadata.name, words)
  }
  return { refusals, scores: scoresOf(pod, feasible, world) }
}

const labelsOf = (object: { metadata: { labels?: Readonly<Record<string, string>> } }) => object.metadata.labels ?? {}
const podsOn = (node: Node, { pods }: OracleWorld) => pods.filter(({ spec }) => spec.nodeName === node.metadata.name)

function refusal(pod: Pod, node: Node, world: OracleWorld): string | undefined {
  const tolerations = pod.spec.tolerations ?? []
  const cordon = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }
  if (node.spec.unschedulable === true && !tolerates(tolerations, cordon)) return 'node(s) were unschedulable'
  const taint = untolerated(node.spec.taints, tolerations)
  if (taint !== undefined) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`
  if (!isWanted(pod, node)) return "node(s) didn't match Pod's node affinity/selector"
  const here = podsOn(node, world)
  const ports = here.flatMap(hostPortsOf)
  if (hostPortsOf(pod).some((port) => ports.some((taken) => collide(port, taken))))
    return "node(s) didn't have free ports for the requested pod ports"
  return lacking(pod, node, here) ?? spreadRefusal(pod, node, world) ?? affinityRefusal(pod, node, world)
}

function isWanted(pod: Pod, node: Node): boolean {
  const selector = Object.entries(pod.spec.nodeSelector ?? {})
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  if (!selector.every(([key, value]) => labelsOf(node)[key] === value)) return false
  return required === undefined || matchesNode(required, node)
}

function collide(left: string, right: string): boolean {
  const [leftIp, leftProtocol, leftPort] = left.split('/')
  const [rightIp, rightProtocol, rightPort] = right.split('/')
  const meet = leftIp === rightIp || leftIp === '0.0.0.0' || rightIp === '0.0.0.0'
  return meet && leftProtocol === rightProtocol && leftPort === rightPort
}

function lacking(pod: Pod, node: Node, here: readonly Pod[]): string | undefined {
  const allocatable = amountsOf(node.status?.allocatable)
  const words: string[] = []
  if (here.length + 1 > (allocatable['pods'] ?? 0)) words.push('Too many pods')
  for (const [name, amount] of Object.entries(requestOf(pod))) {
    const used = here.reduce((sum, other) => sum + (requestOf(other)[name] ?? 0), 0)
    if (amount > 0 && amount > (allocatable[name] ?? 0) - used) words.push(`Insufficient ${name}`)
  }
  return words.length === 0 ? undefined : words.join('|')
}

function isCounted(constraint: TopologySpreadConstraint, pod: Pod, other: Pod): boolean {
  const same = (constraint.matchLabelKeys ?? []).every(
    (key) => labelsOf(pod)[key] === undefined || labelsOf(pod)[key] === labelsOf(other)[key],
  )
  return (
    other.metadata.namespace === pod.metadata.namespace &&
    other.metadata.deletionTimestamp === undefined &&
    same &&
    matchesSelector(constraint.labelSelector, labelsOf(other))
  )
}

function isEligible(constraint: TopologySpreadConstraint, pod: Pod, node: Node): boolean {
  if (constraint.nodeAffinityPolicy !== 'Ignore' && !isWanted(pod, node)) return false
  return (
    constraint.nodeTaintsPolicy !== 'Honor' || untolerated(node.spec.taints, pod.spec.tolerations ?? []) === undefined
  )
}

function spreadRefusal(pod: Pod, node: Node, world: OracleWorld): string | undefined {
  const constraints = (pod.spec.topologySpreadConstraints ?? []).filter(
    ({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule',
  )
  const words = "node(s) didn't match pod topology spread constraints"
  const hasAll = (other: Node): boolean =>
    constraints.every(({ topologyKey }) => labelsOf(other)[topologyKey] !== undefined)
  for (const constraint of constraints) {
    const value = labelsOf(node)[constraint.topologyKey]
    if (value === undefined) return `${words} (missing required label)`
    const counts = new Map<string, number>()
    for (const other of world.nodes) {
      if (!hasAll(other) || !isEligible(constraint, pod, other)) continue
      const domain = labelsOf(other)[constraint.topologyKey]!
      const count = podsOn(other, world).filter((standing) => isCounted(constraint, pod, standing)).length
      counts.set(domain, (counts.get(domain) ?? 0) + count)
    }
    const fewest = counts.size < (constraint.minDomains ?? 1) || counts.size === 0 ? 0 : Math.min(...counts.values())
    const { deletionTimestamp: _, ...metadata } = pod.metadata
    const self = isCounted(constraint, pod, { ...pod, metadata }) ? 1 : 0
    if ((counts.get(value) ?? 0) + self - fewest > constraint.maxSkew) return words
  }
  return undefined
}

function speaksOf(term: PodAffinityTerm, owner: Pod, other: Pod, world: OracleWorld): boolean {
  const namespace = other.metadata.namespace ?? ''
  const named = term.namespaces ?? []
  const own = named.length === 0 && term.namespaceSelector === undefined && owner.metadata.namespace === namespace
  const selected =
    term.namespaceSelector !== undefined &&
    matchesSelector(term.namespaceSelector, world.namespaceLabels[namespace] ?? {})
  if (!own && !named.includes(namespace) && !selected) return false
  if (!matchesSelector(term.labelSelector, labelsOf(other))) return false
  const value = (key: string) => labelsOf(owner)[key]
  return (
    (term.matchLabelKeys ?? []).every((key) => value(key) === undefined || labelsOf(other)[key] === value(key)) &&
    (term.mismatchLabelKeys ?? []).every((key) => value(key) === undefined || labelsOf(other)[key] !== value(key))
  )
}

/** Pods, with the labels of their nodes, that satisfy `isSo`. */
function standing(world: OracleWorld, isSo: (pod: Pod) => boolean) {
  return world.nodes.flatMap((node) =>
    podsOn(node, world)
      .filter(isSo)
      .map((pod) => ({ pod, labels: labelsOf(node) })),
  )
}

function affinityRefusal(pod: Pod, node: Node, world: OracleWorld): string | undefined {
  const labels = labelsOf(node)
  const required = pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  if (required.length > 0) {
    if (required.some(({ topologyKey }) => labels[topologyKey] === undefined))
      return "node(s) didn't match pod affinity rules"
    const friends = standing(world, (other) => required.every((term) => speaksOf(term, pod, other, world)))
    const near = ({ topologyKey }: PodAffinityTerm) =>
      friends.some(
        (friend) => friend.labels[topologyKey] !== undefined && friend.labels[topologyKey] === labels[topologyKey],
      )
    const nobody = required.every(({ topologyKey }) =>
      friends.every((friend) => friend.labels[topologyKey] === undefined),
    )
    const starts = nobody && required.every((term) => speaksOf(term, pod, pod, world))
    if (!required.every(near) && !starts) return "node(s) didn't match pod affinity rules"
  }
  const forbidden = pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  const shares = (other: Readonly<Record<string, string>>, key: string) =>
    labels[key] !== undefined && other[key] === labels[key]
  for (const term of forbidden)
    if (
      standing(world, (other) => speaksOf(term, pod, other, world)).some((each) =>
        shares(each.labels, term.topologyKey),
      )
    )
      return "node(s) didn't match pod anti-affinity rules"
  for (const each of standing(world, () => true))
    for (const term of each.pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [])
      if (speaksOf(term, each.pod, pod, world) && shares(each.labels, term.topologyKey))
        return "node(s) didn't satisfy existing pods anti-affinity rules"
  return undefined
}

function scoresOf(pod: Pod, feasible: readonly Node[], world: OracleWorld): ReadonlyMap<string, number> {
  const columns: readonly (readonly [string, readonly number[] | undefined])[] = [
    ['TaintToleration', reversed(feasible.map((node) => unwantedTaints(pod, node)))],
    ['NodeAffinity', preferredNodes(pod, feasible)],
    ['NodeResourcesFit', feasible.map((node) => leastAllocated(pod, node, world))],
    ['NodeResourcesBalancedAllocation', feasible.map((node) => balance(pod, node, world))],
    ['PodTopologySpread', spreadScores(pod, feasible, world)],
    ['InterPodAffinity', affinityScores(pod, feasible, world)],
    ['ImageLocality', feasible.map((node) => imageScore(pod, node, world))],
  ]
  return new Map(
    feasible.map((node, index) => [
      node.metadata.name,
      columns.reduce((sum, [name, scores]) => sum + (scores?.[index] ?? 0) * (world.profile.scores.get(name) ?? 0), 0),
    ]),
  )
}

function unwantedTaints(pod: Pod, node: Node): number {
  const soft = (node.spec.taints ?? []).filter(({ effect }) => effect === 'PreferNoSchedule')
  return soft.filter((taint) => !tolerates(pod.spec.tolerations ?? [], taint)).length
}

function scaled(scores: readonly number[]): readonly number[] {
  const most = Math.max(0, ...scores)
  return scores.map((score) => (most === 0 ? 0 : Math.trunc((score * 100) / most)))
}

function reversed(scores: readonly number[]): readonly number[] {
  return scaled(scores).map((score) => 100 - score)
}

function preferredNodes(pod: Pod, nodes: readonly Node[]): readonly number[] {
  const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  return scaled(
    nodes.map((node) =>
      preferred.reduce((sum, { weight, preference }) => sum + (matchesTerm(preference, node) ? weight : 0), 0),
    ),
  )
}

function leastAllocated(pod: Pod, node: Node, world: OracleWorld): number {
  const allocatable = amountsOf(node.status?.allocatable)
  const scores = (['cpu', 'memory'] as const).flatMap((name) => {
    const capacity = allocatable[name] ?? 0
    const used = [pod, ...podsOn(node, world)].reduce((sum, other) => sum + scoringRequestOf(other)[name], 0)
    return capacity === 0 ? [] : [used > capacity ? 0 : Math.trunc(((capacity - used) * 100) / capacity)]
  })
  return scores.length === 0 ? 0 : Math.trunc(scores.reduce((sum, each) => sum + each, 0) / scores.length)
}

function balance(pod: Pod, node: Node, world: OracleWorld): number {
  const own = requestOf(pod)
  if ((own['cpu'] ?? 0) === 0 && (own['memory'] ?? 0) === 0) return 0
  const allocatable = amountsOf(node.status?.allocatable)
  const fractions = (['cpu', 'memory'] as const).flatMap((name) => {
    const capacity = allocatable[name] ?? 0
    const used = [pod, ...podsOn(node, world)].reduce((sum, other) => sum + (requestOf(other)[name] ?? 0), 0)
    return capacity === 0 ? [] : [Math.min(1, used / capacity)]
  })
  const off = fractions.length < 2 ? 0 : Math.abs((fractions[0]! - fractions[1]!) / 2)
  return Math.trunc((1 - off) * 100)
}

function spreadScores(pod: Pod, feasible: readonly Node[], world: OracleWorld): readonly number[] | undefined {
  const all = pod.spec.topologySpreadConstraints ?? []
  const soft = all.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway')
  if (soft.length === 0) return undefined
  const hasAll = (node: Node): boolean => soft.every(({ topologyKey }) => labelsOf(node)[topologyKey] !== undefined)
  const counted = feasible.filter(hasAll)
  const raw = feasible.map((node) => {
    if (!hasAll(node)) return undefined
    let score = 0
    for (const constraint of soft) {
      const key = constraint.topologyKey
      const isHost = key === 'kubernetes.io/hostname'
      const size = isHost ? counted.length : new Set(counted.map((each) => labelsOf(each)[key])).size
      const near = isHost
        ? [node]
        : world.nodes.filter(
            (each) => hasAll(each) && labelsOf(each)[key] === labelsOf(node)[key] && isEligible(constraint, pod, each),
          )
      const count = near
        .flatMap((each) => podsOn(each, world))
        .filter((other) => isCounted(constraint, pod, other)).length
      score += count * Math.log(size + 2) + (constraint.maxSkew - 1)
    }
    return Math.round(score)
  })
  const known = raw.filter((score) => score !== undefined)
  const most = Math.max(...known)
  const fewest = Math.min(...known)
  return raw.map((score) => {
    if (score === undefined) return 0
    return most === 0 ? 100 : Math.trunc((100 * (most + fewest - score)) / most)
  })
}

function affinityScores(pod: Pod, feasible: readonly Node[], world: OracleWorld): readonly number[] {
  const preferences = (of: Pod) => [
    ...(of.spec.affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(of.spec.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((each) => ({
      ...each,
      weight: -each.weight,
    })),
  ]
  const hard = (of: Pod) =>
    (of.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((podAffinityTerm) => ({
      weight: world.profile.hardPodAffinityWeight,
      podAffinityTerm,
    }))
  const everyone = standing(world, () => true)
  const raw = feasible.map((node) => {
    const near = ({ topologyKey }: PodAffinityTerm, labels: Readonly<Record<string, string>>) =>
      labelsOf(node)[topologyKey] !== undefined && labelsOf(node)[topologyKey] === labels[topologyKey]
    let sum = 0
    for (const { pod: other, labels } of everyone) {
      for (const { weight, podAffinityTerm: term } of preferences(pod))
        if (near(term, labels) && speaksOf(term, pod, other, world)) sum += weight
      for (const { weight, podAffinityTerm: term } of [...preferences(other), ...hard(other)])
        if (near(term, labels) && speaksOf(term, other, pod, world)) sum += weight
    }
    return sum
  })
  const most = Math.max(...raw)
  const least = Math.min(...raw)
  return raw.map((score) => (most > least ? Math.trunc((100 * (score - least)) / (most - least)) : 0))
}

function imageScore(pod: Pod, node: Node, world: OracleWorld): number {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
  const wanted = new Set(containers.map(({ image }) => normalisedImage(image ?? '')))
  const has = (each: Node, name: string) =>
    (each.status?.images ?? []).find(({ names }) => names.some((one) => normalisedImage(one) === name))
  let sum = 0
  for (const name of wanted) {
    const image = has(node, name)
    const holders = world.nodes.filter((each) => has(each, name) !== undefined).length
    if (image !== undefined) sum += Math.trunc((image.sizeBytes ?? 0) * (holders / world.nodes.length))
  }
  const smallest = 23 * 1024 * 1024
  const largest = 1000 * 1024 * 1024 * containers.length
  return Math.trunc((100 * (Math.min(Math.max(sum, smallest), largest) - smallest)) / (largest - smallest))
}
