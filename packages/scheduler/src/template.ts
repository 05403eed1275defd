// What scheduling reads of a pod, taken apart once for all pods that are alike: those of one ReplicaSet differ in nothing
// but their names.

import type {
  Container,
  NodeSelector,
  Pod,
  PodAffinityTerm,
  PreferredSchedulingTerm,
  Toleration,
  TopologySpreadConstraint,
} from '@aksel/api/types/core-v1'
import { requestOf, scoringRequestOf, type Amounts } from './pod-resources.ts'
import { partOfTerm, podSelector, withOwnValues, type PodSelector } from './state/pod-selector.ts'
import type { HeldTermSpec } from './state/topology.ts'

export interface AffinityTerm {
  readonly selector: PodSelector
  readonly topologyKey: string
}

export interface PreferredTerm extends AffinityTerm {
  /** Negative for anti-affinity. */
  readonly weight: number
}

export interface SpreadConstraint {
  readonly selector: PodSelector
  readonly topologyKey: string
  readonly maxSkew: number
  readonly minDomains: number
  readonly honorsAffinity: boolean
  readonly honorsTaints: boolean
}

export interface PodTemplate {
  readonly key: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly amounts: Amounts
  /** Names and amounts that are not zero, in order. */
  readonly wanted: readonly (readonly [string, number])[]
  readonly scoring: { readonly cpu: number; readonly memory: number }
  readonly resourceKey: string
  /** `hostIP/protocol/port` */
  readonly ports: readonly string[]
  /** With tag, without repetitions. */
  readonly images: readonly string[]
  readonly containerCount: number
  readonly nodeSelector: readonly (readonly [string, string])[]
  readonly requiredNodes: NodeSelector | undefined
  readonly preferredNodes: readonly PreferredSchedulingTerm[]
  readonly tolerations: readonly Toleration[]
  /** Of everything that is judged by the node's own words. */
  readonly nodeKey: string
  /** Names to which the required node affinity narrows the choice by itself, as a DaemonSet's pods have it. */
  readonly onlyNodes: readonly string[] | undefined
  readonly required: readonly AffinityTerm[]
  /** All required terms at once: who is counted must match every one. */
  readonly requiredTogether: PodSelector | undefined
  readonly forbidden: readonly AffinityTerm[]
  readonly preferred: readonly PreferredTerm[]
  readonly held: readonly HeldTermSpec[]
  readonly hardSpread: readonly SpreadConstraint[]
  readonly softSpread: readonly SpreadConstraint[]
  readonly statesSpread: boolean
}

const TEMPLATES_MAX = 4096

export class Templates {
  readonly #byKey = new Map<string, PodTemplate>()

  /** The same object for pods that are alike. */
  of(pod: Pod): PodTemplate {
    const key = keyOfTemplate(pod)
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const template = templateOf(pod, key)
    this.#byKey.set(key, template)
    if (this.#byKey.size > TEMPLATES_MAX) this.#byKey.delete(this.#byKey.keys().next().value!)
    return template
  }
}

function keyOfTemplate({ metadata, spec, status }: Pod): string {
  const resized = status?.containerStatuses?.some(({ allocatedResources }) => allocatedResources !== undefined)
  return JSON.stringify([
    metadata.namespace,
    metadata.labels,
    spec.containers?.map(partOfContainer),
    spec.initContainers?.map(partOfContainer),
    spec.resources,
    spec.overhead,
    spec.nodeSelector,
    spec.affinity,
    spec.tolerations,
    spec.topologySpreadConstraints,
    resized === true
      ? [status?.resize, status?.conditions?.find(({ type }) => type === 'PodResizePending')?.reason]
      : 0,
    resized === true
      ? status?.containerStatuses?.map(({ name, allocatedResources, resources }) => [
          name,
          allocatedResources,
          resources,
        ])
      : 0,
  ])
}

function partOfContainer({ name, image, resources, ports, restartPolicy }: Pod['spec']['containers'][number]): unknown {
  return [name, image, resources?.requests, ports, restartPolicy]
}

function templateOf(pod: Pod, key: string): PodTemplate {
  const { spec } = pod
  const namespace = pod.metadata.namespace ?? ''
  const labels = pod.metadata.labels ?? {}
  const owner = { namespace, labels }
  const amounts = requestOf(pod)
  const scoring = scoringRequestOf(pod)
  const wanted = Object.entries(amounts).filter(([, amount]) => amount > 0)
  const nodeSelector = Object.entries(spec.nodeSelector ?? {})
  const nodeAffinity = spec.affinity?.nodeAffinity
  const requiredNodes = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const preferredNodes = nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  const tolerations = spec.tolerations ?? []
  const affinity = spec.affinity?.podAffinity
  const anti = spec.affinity?.podAntiAffinity
  const termOf = (term: PodAffinityTerm): AffinityTerm => ({
    selector: podSelector([partOfTerm(term, owner)]),
    topologyKey: term.topologyKey,
  })
  const requiredTerms = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  const required = requiredTerms.map(termOf)
  const forbidden = (anti?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(termOf)
  const preferred = [
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((each) => ({ ...each, sign: 1 })),
    ...(anti?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((each) => ({ ...each, sign: -1 })),
  ].flatMap(({ weight, podAffinityTerm: term, sign }) =>
    term === undefined ? [] : [{ ...termOf(term), weight: (weight ?? 0) * sign }],
  )
  const spread = spec.topologySpreadConstraints ?? []
  const spreadOf = (whenUnsatisfiable: string): readonly SpreadConstraint[] =>
    spread.filter((each) => each.whenUnsatisfiable === whenUnsatisfiable).map((each) => spreadConstraint(each, owner))
  return {
    key,
    namespace,
    labels,
    amounts,
    wanted,
    scoring,
    resourceKey: JSON.stringify([wanted, scoring]),
    ports: hostPortsOf(pod),
    images: [...new Set(containersOf(pod).map(({ image }) => normalisedImage(image ?? '')))],
    containerCount: containersOf(pod).length,
    nodeSelector,
    requiredNodes,
    preferredNodes,
    tolerations,
    nodeKey: JSON.stringify([nodeSelector, requiredNodes, preferredNodes, tolerations]),
    onlyNodes: onlyNodes(requiredNodes),
    required,
    requiredTogether:
      requiredTerms.length === 0 ? undefined : podSelector(requiredTerms.map((term) => partOfTerm(term, owner))),
    forbidden,
    preferred,
    held: heldTerms({ required, forbidden, preferred }),
    hardSpread: spreadOf('DoNotSchedule'),
    softSpread: spreadOf('ScheduleAnyway'),
    statesSpread: spread.length > 0,
  }
}

export function spreadConstraint(
  constraint: TopologySpreadConstraint,
  owner: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
): SpreadConstraint {
  const labels = withOwnValues(constraint.labelSelector, owner.labels, { same: constraint.matchLabelKeys ?? [] })
  return {
    selector: podSelector([{ labels, namespaces: [owner.namespace] }], true),
    topologyKey: constraint.topologyKey,
    maxSkew: constraint.maxSkew,
    minDomains: constraint.minDomains ?? 1,
    honorsAffinity: constraint.nodeAffinityPolicy !== 'Ignore',
    honorsTaints: constraint.nodeTaintsPolicy === 'Honor',
  }
}

function heldTerms(terms: {
  readonly required: readonly AffinityTerm[]
  readonly forbidden: readonly AffinityTerm[]
  readonly preferred: readonly PreferredTerm[]
}): readonly HeldTermSpec[] {
  const spec = (kind: HeldTermSpec['kind'], { selector, topologyKey }: AffinityTerm, weight: number): HeldTermSpec => ({
    key: `${kind}|${weight}|${topologyKey}|${selector.key}`,
    kind,
    selector,
    topologyKey,
    weight,
  })
  return [
    ...terms.forbidden.map((term) => spec('anti', term, 0)),
    ...terms.required.map((term) => spec('hard', term, 1)),
    ...terms.preferred.map((term) => spec('soft', term, term.weight)),
  ]
}

/** Every alternative names nodes: no other can match. */
function onlyNodes(selector: NodeSelector | undefined): readonly string[] | undefined {
  if (selector === undefined || (selector.nodeSelectorTerms ?? []).length === 0) return undefined
  const names = new Set<string>()
  for (const { matchFields } of selector.nodeSelectorTerms) {
    const named = (matchFields ?? []).filter(({ key, operator }) => key === 'metadata.name' && operator === 'In')
    if (named.length === 0) return undefined
    for (const name of named[0]!.values ?? []) names.add(name)
  }
  return [...names]
}

export function hostPortsOf(pod: Pod): readonly string[] {
  const ports: string[] = []
  for (const container of containersOf(pod)) {
    // A step that ends before the containers start holds no port beside them, but it must get it all the same.
    for (const { hostPort, hostIP, protocol } of container.ports ?? [])
      if (hostPort !== undefined && hostPort > 0)
        ports.push(`${hostIP === undefined || hostIP === '' ? '0.0.0.0' : hostIP}/${protocol ?? 'TCP'}/${hostPort}`)
  }
  return ports
}

/** A name without tag means the tag `latest`. */
export function normalisedImage(name: string): string {
  return name.lastIndexOf(':') <= name.lastIndexOf('/') ? `${name}:latest` : name
}

function containersOf({ spec }: Pod): readonly Container[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
}
