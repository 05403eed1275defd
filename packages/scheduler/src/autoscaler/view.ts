// What the autoscaler sees of a cluster, from the caches that loops share.

import { nodes, podDisruptionBudgets, pods } from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import type { PodDisruptionBudget } from '@aksel/api/types/policy-v1'
import type { Caches } from '@aksel/runtime/controller'
import { matchesSelector } from '@aksel/runtime/selectors'
import { ApiObjects, lookedAt } from '../api-objects.ts'
import type { Objects } from '../plugin.ts'
import { isTerminal } from '../state/cluster-state.ts'
import { isDaemon, type BudgetFacts } from './scale-down.ts'

/** Pods of lower priority never make a cluster grow. */
const priorityMin = -10
const BY_NODE = 'autoscaler/by-node'

export interface View {
  readonly objects: Objects
  synced(signal: AbortSignal): Promise<void>
  nodes(): readonly Node[]
  node(name: string): Node | undefined
  /** Ready, and its cloud has said what it is. */
  isReady(name: string): boolean
  boundPods(): readonly Pod[]
  podsOn(node: string): readonly Pod[]
  /** Pods that the scheduler found no place for, made before the time. */
  waitingPods(beforeMs: number): readonly Pod[]
  budgets(): BudgetFacts
}

export function isNodeReady(node: Node): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
}

const isInitialized = ({ spec }: Node): boolean =>
  !(spec?.taints ?? []).some(({ key }) => key === 'node.cloudprovider.kubernetes.io/uninitialized')

export function createAutoscalerView(caches: Caches): View {
  const [nodeCache, podCache] = [caches.of(nodes), caches.of(pods)]
  const objects = new ApiObjects(caches)
  podCache.addIndex(BY_NODE, (pod) => (isTerminal(pod) ? [] : [pod.spec.nodeName ?? '']))
  return {
    objects,
    async synced(signal) {
      await Promise.all([nodes, pods, ...lookedAt].map((type) => caches.of(type).synced(signal)))
    },
    nodes: () => nodeCache.list(),
    node: (name) => nodeCache.get(name),
    isReady(name) {
      const node = nodeCache.get(name)
      return node !== undefined && isNodeReady(node) && isInitialized(node)
    },
    boundPods: () => podCache.list().filter((pod) => !isTerminal(pod) && (pod.spec.nodeName ?? '') !== ''),
    podsOn: (node) => podCache.byIndex(BY_NODE, node),
    waitingPods: (beforeMs) => podCache.byIndex(BY_NODE, '').filter((pod) => isWaiting(pod, beforeMs)),
    budgets() {
      const all = caches.of(podDisruptionBudgets).list()
      const of = (pod: Pod): typeof all => all.filter((budget) => covers(budget, pod))
      return {
        covers: (pod) => of(pod).length > 0,
        allows: (pod) => of(pod).every(({ status }) => (status?.disruptionsAllowed ?? 0) > 0),
      }
    },
  }
}

function isWaiting(pod: Pod, beforeMs: number): boolean {
  const { metadata, spec, status } = pod
  const isUnschedulable = status?.conditions?.some(
    ({ type, status: is, reason }) => type === 'PodScheduled' && is === 'False' && reason === 'Unschedulable',
  )
  return (
    isUnschedulable === true &&
    metadata.deletionTimestamp === undefined &&
    (spec.priority ?? 0) >= priorityMin &&
    !isDaemon(pod) &&
    !(Date.parse(String(metadata.creationTimestamp)) > beforeMs)
  )
}

function covers({ metadata, spec }: PodDisruptionBudget, pod: Pod): boolean {
  return metadata.namespace === pod.metadata.namespace && matchesSelector(spec.selector, pod.metadata.labels)
}
