// Pending because of where the pod may go: labels, taints, its neighbours, ports, and nodes that take nobody.

import type { Node, Pod, Taint } from '@aksel/api/types/core-v1'
import { matchesNode } from '@aksel/runtime/node-selectors'
import { toleratesTaint } from '@aksel/runtime/tolerations'
import type { Picture } from '../picture.ts'
import { didYouMean, labelsText, listed } from '../words.ts'

export interface Obstacle {
  readonly id: string
  readonly cause: string
  readonly fix: string
}

/** Why no node may be used, and those that might be if they had room. */
export interface Placement {
  readonly obstacles: readonly Obstacle[]
  readonly open: readonly Node[]
}

/** Asks as the scheduler does, one sieve after the other: what rules out all that the sieve before let through is in the way. */
export function placementOf(picture: Picture, pod: Pod, message: string): Placement {
  if (picture.unread.has('nodes')) return { obstacles: [], open: [] }
  if (picture.nodes.length === 0)
    return {
      obstacles: [
        {
          id: 'no-nodes',
          cause: 'The cluster has no node.',
          fix: 'Give it a node pool, or scale one up: az aks nodepool scale.',
        },
      ],
      open: [],
    }
  const chosen = picture.nodes.filter((node) => isSelected(node, pod))
  if (chosen.length === 0) return { obstacles: [labelObstacle(picture.nodes, pod)], open: [] }
  const taking = chosen.filter(({ spec }) => spec?.unschedulable !== true)
  if (taking.length === 0) return { obstacles: [cordonObstacle(chosen)], open: [] }
  const open = taking.filter((node) => untolerated(node, pod).length === 0)
  if (open.length === 0) return { obstacles: [taintObstacle(taking, pod)], open }
  return { obstacles: neighbourObstacles(open.length, pod, message), open }
}

function isSelected(node: Node, { spec }: Pod): boolean {
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const labels = node.metadata.labels ?? {}
  return (
    Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value) &&
    (required === undefined || matchesNode(required, node))
  )
}

function labelObstacle(nodes: readonly Node[], pod: Pod): Obstacle {
  const { nodeSelector = {}, affinity } = pod.spec
  const missing = Object.entries(nodeSelector).filter(
    ([key, value]) => !nodes.some(({ metadata }) => metadata.labels?.[key] === value),
  )
  if (missing.length > 0) {
    const words = missing.map(([key, value]) => labelWords(nodes, key, value))
    return {
      id: 'node-selector',
      cause: `The pod wants nodes with ${labelsText(Object.fromEntries(missing))}: ${words.join(' ')}`,
      fix: 'Correct the nodeSelector of the pod, or label a node pool: az aks nodepool update --labels.',
    }
  }
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const asked = (required?.nodeSelectorTerms ?? []).flatMap(({ matchExpressions = [] }) =>
    matchExpressions.map(({ key, operator, values = [] }) => `${key} ${operator} ${values.join('|')}`.trim()),
  )
  const selector = Object.keys(nodeSelector).length === 0 ? [] : [labelsText(nodeSelector)]
  return {
    id: 'node-affinity',
    cause: `No node meets what the pod asks of nodes: ${listed([...asked, ...selector])}.`,
    fix: 'Loosen the node affinity of the pod, or label a node pool: az aks nodepool update --labels.',
  }
}

function labelWords(nodes: readonly Node[], key: string, value: string): string {
  const others = [...new Set(nodes.flatMap(({ metadata }) => metadata.labels?.[key] ?? []))]
  if (others.length > 0)
    return `"${key}" is ${listed(others.slice(0, 5).map((other) => `"${other}"`))} on the nodes, never "${value}".`
  const known = nodes.flatMap(({ metadata }) => Object.keys(metadata.labels ?? {}))
  return `no node has a label "${key}".${didYouMean(key, known)}`
}

function taintObstacle(nodes: readonly Node[], pod: Pod): Obstacle {
  const refused = nodes.flatMap((node) => untolerated(node, pod))
  const all = [...new Set(refused.map(taintText))]
  if (refused.every(({ key }) => key.startsWith('node.kubernetes.io/')))
    return {
      id: 'nodes-unwell',
      cause: `Every node that it may use is marked as unfit: ${listed(all)}.`,
      fix: 'Look at the nodes first: their conditions say what is wrong.',
    }
  return {
    id: 'taints',
    cause: `Every node that it may use has a taint that it does not tolerate: ${listed(all)}.`,
    fix: 'Give the pod a toleration, or add a node pool without the taint: az aks nodepool add.',
  }
}

function untolerated({ spec }: Node, pod: Pod): readonly Taint[] {
  return (spec?.taints ?? []).filter(
    (taint) =>
      taint.effect !== 'PreferNoSchedule' &&
      !(pod.spec.tolerations ?? []).some((toleration) => toleratesTaint(toleration, taint)),
  )
}

function taintText({ key, value = '', effect }: Taint): string {
  return value === '' ? `${key}:${effect}` : `${key}=${value}:${effect}`
}

function cordonObstacle(nodes: readonly Node[]): Obstacle {
  return {
    id: 'cordoned',
    cause:
      nodes.length === 1 ? 'The only node that it may use is cordoned.' : 'Every node that it may use is cordoned.',
    fix: `Let them take pods again: kubectl uncordon ${nodes[0]!.metadata.name}.`,
  }
}

/** What depends on the pods that are there: the scheduler has counted it, its words are read. */
function neighbourObstacles(nodes: number, pod: Pod, message: string): readonly Obstacle[] {
  const obstacles: Obstacle[] = []
  if (message.includes('anti-affinity rules'))
    obstacles.push({
      id: 'pod-anti-affinity',
      cause: `The pod must not share a node with others of its kind, and each of the ${nodes} that it may use has one already.`,
      fix: 'Run fewer replicas than nodes, make the anti-affinity preferred, or add nodes: az aks nodepool scale.',
    })
  else if (message.includes('pod affinity rules'))
    obstacles.push({
      id: 'pod-affinity',
      cause: 'The pod must run beside pods that are on no node it may use.',
      fix: 'See whether the pods that it wants beside it run and have the labels that it asks for.',
    })
  if (message.includes('topology spread constraints'))
    obstacles.push({
      id: 'topology-spread',
      cause: `The pod may not make its zones or nodes more uneven than its spread allows (maxSkew ${pod.spec.topologySpreadConstraints?.[0]?.maxSkew ?? 1}), and the emptier ones take no pod.`,
      fix: 'Bring the missing zone or node back, or set whenUnsatisfiable: ScheduleAnyway.',
    })
  if (message.includes("didn't have free ports"))
    obstacles.push({
      id: 'host-ports',
      cause: 'A host port of the pod is taken on every node that it may use.',
      fix: 'Use a Service instead of hostPort, or run at most one such pod a node.',
    })
  return obstacles
}
