// All detectors over one picture: what is wrong, each cause once, the surest first.

import { apiServer } from './detectors/api-server.ts'
import { bindings, certificates, signingRequests } from './detectors/access.ts'
import { autoscalers } from './detectors/autoscaling.ts'
import { failingContainers } from './detectors/containers.ts'
import { refusedPods } from './detectors/creation.ts'
import { evictedPods, stalledDeployments } from './detectors/evictions.ts'
import { ingresses } from './detectors/ingresses.ts'
import { stuckNamespaces, stuckPods, webhooks } from './detectors/lifecycle.ts'
import { loadBalancerProbes } from './detectors/load-balancer-probes.ts'
import { loadedContainers, noisyNeighbours } from './detectors/load.ts'
import { nodes } from './detectors/nodes.ts'
import { pendingPods } from './detectors/pending.ts'
import { policies } from './detectors/policies.ts'
import { unreadyPods } from './detectors/probes.ts'
import { security } from './detectors/security.ts'
import { services } from './detectors/services.ts'
import { claims, volumes } from './detectors/storage.ts'
import { tidiness } from './detectors/tidiness.ts'
import { addressless, virtualNetwork } from './detectors/virtual-network.ts'
import { budgets, jobs, statefulSets } from './detectors/workloads.ts'
import { familyOf, type Confidence, type Family, type Finding, type Found, type Subject } from './finding.ts'
import type { Pod } from '@aksel/api/types/core-v1'
import { podRef, type Picture } from './picture.ts'
import { ownerOf } from './pod-facts.ts'

/** A detector is pure: the same picture gives the same findings. */
export type Detector = (picture: Picture) => readonly Found[]

const detectors: readonly Detector[] = [
  nodes,
  pendingPods,
  failingContainers,
  unreadyPods,
  evictedPods,
  refusedPods,
  jobs,
  autoscalers,
  loadedContainers,
  noisyNeighbours,
  apiServer,
  loadBalancerProbes,
  virtualNetwork,
  addressless,
  services,
  ingresses,
  policies,
  statefulSets,
  claims,
  volumes,
  bindings,
  certificates,
  signingRequests,
  webhooks,
  budgets,
  stuckNamespaces,
  stuckPods,
  stalledDeployments,
]

/** Of a family that is told only when it is asked for. */
const advice: Partial<Readonly<Record<Family, Detector>>> = { security, tidiness }

export interface Question {
  readonly family?: Family
  /** This object, what owns it and what it owns. */
  readonly about?: Subject
}

const rank: Readonly<Record<Confidence, number>> = { certain: 0, likely: 1, possible: 2 }

export function diagnose(seen: Picture, question: Question = {}): readonly Finding[] {
  const picture: Known = { ...seen, podsByKey: new Map(seen.pods.map((pod) => [keyOf(podRef(pod)), pod])) }
  const asked = question.family === undefined ? undefined : advice[question.family]
  const all = (asked === undefined ? detectors : [asked]).flatMap((detect) => detect(picture))
  const told = withoutEchoes(picture, all)
  return grouped(picture, told)
    .filter((finding) => question.family === undefined || familyOf(finding) === question.family)
    .filter((finding) => question.about === undefined || concerns(picture, finding, question.about))
    .toSorted((left, right) => rank[left.confidence] - rank[right.confidence])
}

/** A hundred thousand pods are not gone through once for each of them. */
interface Known extends Picture {
  readonly podsByKey: ReadonlyMap<string, Pod>
}

/** What only repeats the cause that is told of a pod is left out: its deployment, its service, its Job. */
function withoutEchoes(picture: Known, all: readonly Found[]): readonly Found[] {
  const explained = new Set(
    all
      .filter(({ subject }) => subject.kind === 'Pod')
      .flatMap(({ subject }) => {
        const pod = podOf(picture, subject)
        return pod === undefined ? [] : [keyOf(ownerOf(picture, pod))]
      }),
  )
  const refused = new Set(
    all
      .filter(({ evidence }) => evidence.some(({ line }) => line.startsWith('event FailedCreate')))
      .map(({ subject }) => keyOf(subject)),
  )
  const troubled = all.filter(({ subject }) => subject.kind === 'Pod').map(({ subject }) => subject)
  return all.filter(({ id, subject }) => {
    if (id === 'workloads/rollout-stalled') return !explained.has(keyOf(subject)) && !refused.has(keyOf(subject))
    if (id === 'network/endpoints-not-ready') return !selects(picture, subject, troubled)
    return true
  })
}

function selects(picture: Known, service: Subject, pods: readonly Subject[]): boolean {
  const found = picture.services.find(
    ({ metadata }) => metadata.namespace === service.namespace && metadata.name === service.name,
  )
  const selector = Object.entries(found?.spec?.selector ?? {})
  return pods.some((subject) => {
    const labels = podOf(picture, subject)?.metadata.labels
    return subject.namespace === service.namespace && selector.every(([key, value]) => labels?.[key] === value)
  })
}

/** Replicas that fail alike are one finding. */
function grouped(picture: Known, all: readonly Found[]): readonly Finding[] {
  const groups = new Map<string, { readonly first: Found; readonly others: Subject[] }>()
  for (const found of all) {
    const pod = found.subject.kind === 'Pod' ? podOf(picture, found.subject) : undefined
    const owner = pod === undefined ? found.subject : ownerOf(picture, pod)
    // Names and numbers of one replica differ in words that say the same.
    const key = `${found.id} ${keyOf(owner)} ${pod === undefined ? found.cause : found.symptom.replaceAll(/\d+/g, '#')}`
    const known = groups.get(key)
    if (known === undefined) groups.set(key, { first: found, others: [] })
    else if (keyOf(known.first.subject) !== keyOf(found.subject)) known.others.push(found.subject)
  }
  return [...groups.values()].map(({ first, others }) => ({ ...first, alsoAffected: others }))
}

function concerns(picture: Known, finding: Finding, about: Subject): boolean {
  const subjects = [finding.subject, ...finding.alsoAffected, ...finding.evidence.map(({ subject }) => subject)]
  return subjects.some((subject) => {
    if (keyOf(subject) === keyOf(about)) return true
    const pod = subject.kind === 'Pod' ? podOf(picture, subject) : undefined
    if (pod === undefined) return false
    const direct = pod.metadata.ownerReferences?.some(({ kind, name }) => kind === about.kind && name === about.name)
    return keyOf(ownerOf(picture, pod)) === keyOf(about) || (direct === true && subject.namespace === about.namespace)
  })
}

function podOf({ podsByKey }: Known, subject: Subject): Pod | undefined {
  return podsByKey.get(keyOf(subject))
}

function keyOf({ kind, namespace = '', name }: Subject): string {
  return `${kind}/${namespace}/${name}`
}
