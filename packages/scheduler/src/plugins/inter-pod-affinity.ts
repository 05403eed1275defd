// Affinity and anti-affinity between pods, both ways: what the pod asks of those that stand, and what they ask of it.

import type { Pod, PodAffinityTerm } from '@aksel/api/types/core-v1'
import { matchesSelector } from '@aksel/runtime/selectors'
import { scaleToHundred, type Plugin, type World } from '../plugin.ts'
import { meets } from '../selectors.ts'
import type { NodeState } from '../snapshot.ts'

const wordsAffinity = "node(s) didn't match pod affinity rules"
const wordsAntiAffinity = "node(s) didn't match pod anti-affinity rules"
const wordsExisting = "node(s) didn't satisfy existing pods anti-affinity rules"

/** How many pods match a term, by the value of its topology key. */
type Counts = ReadonlyMap<string, number>

export const interPodAffinity: Plugin = {
  name: 'InterPodAffinity',
  weight: 2,
  wokenBy: ['node', 'pod-gone', 'pod-changed', 'namespace'],
  prepare(pod, world) {
    const affinity = pod.spec.affinity?.podAffinity
    const anti = pod.spec.affinity?.podAntiAffinity
    const required = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
    const forbidden = anti?.requiredDuringSchedulingIgnoredDuringExecution ?? []
    const refusals = existingRefusals(pod, world)
    const requiredCounts = required.map((term) => countMatches(term, pod, world))
    const forbiddenCounts = forbidden.map((term) => countMatches(term, pod, world))
    // The first pod of a group that wants to be together may start it: nobody matches yet, but it matches itself.
    const startsGroup =
      requiredCounts.every((counts) => counts.size === 0) &&
      required.every((term) => matchesTerm(term, pod, pod, world))
    const preferences = preferencesOf(pod, world)
    return {
      filter(state) {
        if (
          !required.every(
            (term, index) =>
              hasTopology(state, term) && (startsGroup || countAt(requiredCounts[index]!, state, term) > 0),
          )
        ) {
          return [wordsAffinity]
        }
        if (forbidden.some((term, index) => countAt(forbiddenCounts[index]!, state, term) > 0))
          return [wordsAntiAffinity]
        return refusals.some(({ key, value }) => state.node.metadata.labels?.[key] === value)
          ? [wordsExisting]
          : undefined
      },
      score: (state) =>
        preferences.reduce((sum, { weight, key, counts }) => {
          const value = state.node.metadata.labels?.[key]
          return value === undefined ? sum : sum + weight * (counts.get(value) ?? 0)
        }, 0),
      normalise(scores) {
        const least = Math.min(0, ...scores)
        for (let index = 0; index < scores.length; index += 1) scores[index] = scores[index]! - least
        scaleToHundred(scores, { reverse: false })
      },
    }
  },
}

function hasTopology(state: NodeState, term: PodAffinityTerm): boolean {
  return state.node.metadata.labels?.[term.topologyKey] !== undefined
}

function countAt(counts: Counts, state: NodeState, term: PodAffinityTerm): number {
  const value = state.node.metadata.labels?.[term.topologyKey]
  return value === undefined ? 0 : (counts.get(value) ?? 0)
}

function countMatches(term: PodAffinityTerm, owner: Pod, world: World): Counts {
  const counts = new Map<string, number>()
  for (const state of world.nodes.values()) {
    const value = state.node.metadata.labels?.[term.topologyKey]
    if (value === undefined) continue
    let matching = 0
    for (const other of state.pods.values()) if (matchesTerm(term, owner, other, world)) matching += 1
    if (matching > 0) counts.set(value, (counts.get(value) ?? 0) + matching)
  }
  return counts
}

/** Whether `other` is one of the pods that `owner`'s term speaks of. */
function matchesTerm(term: PodAffinityTerm, owner: Pod, other: Pod, world: World): boolean {
  return namespaceMatches(term, owner, other.metadata.namespace ?? '', world) && matchesWithKeys(term, owner, other)
}

function matchesWithKeys(term: PodAffinityTerm, owner: Pod, other: Pod): boolean {
  const labels = other.metadata.labels ?? {}
  if (!matchesSelector(term.labelSelector, labels)) return false
  const ownLabels = owner.metadata.labels ?? {}
  const same = (key: string): boolean =>
    ownLabels[key] === undefined || meets({ key, operator: 'In', values: [ownLabels[key]] }, labels[key])
  const different = (key: string): boolean =>
    ownLabels[key] === undefined || meets({ key, operator: 'NotIn', values: [ownLabels[key]] }, labels[key])
  return (term.matchLabelKeys ?? []).every(same) && (term.mismatchLabelKeys ?? []).every(different)
}

function namespaceMatches(term: PodAffinityTerm, owner: Pod, namespace: string, world: World): boolean {
  const named = term.namespaces ?? []
  if (named.includes(namespace)) return true
  if (term.namespaceSelector !== undefined)
    return matchesSelector(term.namespaceSelector, world.namespaceLabels(namespace))
  return named.length === 0 && owner.metadata.namespace === namespace
}

/** Topologies that pods already standing refuse to share with this one. */
function existingRefusals(pod: Pod, world: World): readonly { readonly key: string; readonly value: string }[] {
  const refusals: { key: string; value: string }[] = []
  for (const state of world.nodes.values()) {
    for (const other of state.pods.values()) {
      for (const term of other.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
        const value = state.node.metadata.labels?.[term.topologyKey]
        if (value !== undefined && matchesTerm(term, other, pod, world)) refusals.push({ key: term.topologyKey, value })
      }
    }
  }
  return refusals
}

interface Preference {
  readonly weight: number
  readonly key: string
  readonly counts: Counts
}

function preferencesOf(pod: Pod, world: World): readonly Preference[] {
  const wanted = pod.spec.affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  const unwanted = pod.spec.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  return [...wanted.map((each) => ({ ...each, sign: 1 })), ...unwanted.map((each) => ({ ...each, sign: -1 }))].map(
    ({ weight, podAffinityTerm, sign }) => ({
      weight: weight * sign,
      key: podAffinityTerm.topologyKey,
      counts: countMatches(podAffinityTerm, pod, world),
    }),
  )
}
