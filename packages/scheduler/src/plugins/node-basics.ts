// The plug-ins that look at the node's own words: its name, whether it is cordoned, its taints, its labels.

import type { Node, Pod, Taint, Toleration } from '@aksel/api/types/core-v1'
import { matchesNode, matchesTerm } from '../selectors.ts'
import { scaleToHundred, type Plugin } from '../plugin.ts'

export const nodeName: Plugin = {
  name: 'NodeName',
  weight: 0,
  wokenBy: ['node'],
  prepare(pod) {
    const wanted = pod.spec.nodeName
    if (wanted === undefined || wanted === '') return undefined
    return {
      filter: ({ node }) =>
        node.metadata.name === wanted ? undefined : ["node(s) didn't match the requested node name"],
    }
  },
}

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  weight: 0,
  wokenBy: ['node'],
  prepare(pod) {
    const tolerated = tolerates(pod, { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' })
    if (tolerated) return undefined
    return { filter: ({ node }) => (node.spec.unschedulable === true ? ['node(s) were unschedulable'] : undefined) }
  },
}

export const taintToleration: Plugin = {
  name: 'TaintToleration',
  weight: 3,
  wokenBy: ['node'],
  prepare(pod) {
    return {
      filter({ node }) {
        const taint = taintsOf(node).find((each) => each.effect !== 'PreferNoSchedule' && !tolerates(pod, each))
        return taint === undefined ? undefined : [untolerated(taint)]
      },
      score: ({ node }) =>
        taintsOf(node).filter((taint) => taint.effect === 'PreferNoSchedule' && !tolerates(pod, taint)).length,
      normalise: (scores) => scaleToHundred(scores, { reverse: true }),
    }
  },
}

export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,
  wokenBy: ['node'],
  prepare(pod) {
    const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    const selector = Object.entries(pod.spec.nodeSelector ?? {})
    if (required === undefined && preferred.length === 0 && selector.length === 0) return undefined
    const fits = (node: Node): boolean =>
      selector.every(([key, value]) => node.metadata.labels?.[key] === value) &&
      (required === undefined || matchesNode(required, node))
    return {
      filter: ({ node }) => (fits(node) ? undefined : ["node(s) didn't match Pod's node affinity/selector"]),
      score: ({ node }) =>
        preferred.reduce((sum, { weight, preference }) => sum + (matchesTerm(preference, node) ? weight : 0), 0),
      normalise: (scores) => scaleToHundred(scores, { reverse: false }),
    }
  },
}

function taintsOf(node: Node): readonly Taint[] {
  return node.spec.taints ?? []
}

function untolerated(taint: Taint): string {
  const value = taint.value === undefined || taint.value === '' ? '' : taint.value
  return `node(s) had untolerated taint {${taint.key}: ${value}}`
}

export function tolerates(
  pod: Pod,
  taint: { readonly key: string; readonly value?: string; readonly effect: string },
): boolean {
  return (pod.spec.tolerations ?? []).some((toleration) => toleratesTaint(toleration, taint))
}

function toleratesTaint(
  toleration: Toleration,
  taint: { readonly key: string; readonly value?: string; readonly effect: string },
): boolean {
  if (toleration.effect !== undefined && toleration.effect !== '' && toleration.effect !== taint.effect) return false
  if (toleration.key !== undefined && toleration.key !== '' && toleration.key !== taint.key) return false
  return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '')
}
