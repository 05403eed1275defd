// Which pods a term speaks of: by labels and by namespaces, with the owner's own label values filled in.

import type { LabelSelector } from '@aksel/api/types/meta-v1'
import type { PodAffinityTerm } from '@aksel/api/types/core-v1'
import { matchesSelector } from '@aksel/runtime/selectors'

type Labels = Readonly<Record<string, string>>

export interface SelectorPart {
  readonly labels: LabelSelector | undefined
  /** Pods of these namespaces, or of those whose labels match. */
  readonly namespaces: readonly string[]
  readonly namespaceSelector?: LabelSelector
}

/** All parts must match one and the same pod. Two selectors of one key are the same. */
export interface PodSelector {
  readonly key: string
  readonly parts: readonly SelectorPart[]
  /** Pods on their way out do not count. */
  readonly leavingIgnored: boolean
}

export function podSelector(parts: readonly SelectorPart[], leavingIgnored = false): PodSelector {
  return { key: `${leavingIgnored ? '-' : ''}${JSON.stringify(parts)}`, parts, leavingIgnored }
}

export interface SelectedPod {
  readonly namespace: string
  readonly labels: Labels
  readonly leaving: boolean
}

export function selects(selector: PodSelector, pod: SelectedPod, namespaceLabels: (name: string) => Labels): boolean {
  if (selector.leavingIgnored && pod.leaving) return false
  return selector.parts.every(
    (part) => isInNamespaces(part, pod.namespace, namespaceLabels) && matchesSelector(part.labels, pod.labels),
  )
}

function isInNamespaces(part: SelectorPart, namespace: string, namespaceLabels: (name: string) => Labels): boolean {
  if (part.namespaces.includes(namespace)) return true
  return part.namespaceSelector !== undefined && matchesSelector(part.namespaceSelector, namespaceLabels(namespace))
}

/** A term without namespaces means its owner's own. */
export function partOfTerm(
  term: PodAffinityTerm,
  owner: { readonly namespace: string; readonly labels: Labels },
): SelectorPart {
  const named = term.namespaces ?? []
  const labels = withOwnValues(term.labelSelector, owner.labels, {
    same: term.matchLabelKeys ?? [],
    different: term.mismatchLabelKeys ?? [],
  })
  const namespaces = named.length === 0 && term.namespaceSelector === undefined ? [owner.namespace] : named
  return {
    labels,
    namespaces,
    ...(term.namespaceSelector === undefined ? {} : { namespaceSelector: term.namespaceSelector }),
  }
}

/** Keys that the owner does not have are passed over; without a selector there is nothing to narrow. */
export function withOwnValues(
  selector: LabelSelector | undefined,
  own: Labels,
  keys: { readonly same: readonly string[]; readonly different?: readonly string[] },
): LabelSelector | undefined {
  if (selector === undefined) return undefined
  const narrow = (names: readonly string[], operator: string) =>
    names.flatMap((key) => (own[key] === undefined ? [] : [{ key, operator, values: [own[key]] }]))
  const more = [...narrow(keys.same, 'In'), ...narrow(keys.different ?? [], 'NotIn')]
  if (more.length === 0) return selector
  return { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...more] }
}
