// Keeps the status of disruption budgets true, and unmarks pods that were meant to go and stayed.

import { keyOf } from '@aksel/api/resource'
import type { KubernetesObject } from '@aksel/api/resource'
import {
  deployments,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  statefulSets,
} from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import type { OwnerReference } from '@aksel/api/types/meta-v1'
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '@aksel/api/types/policy-v1'
import { formatTime } from '@aksel/base/clock'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { formatSelector, matchesSelector } from '@aksel/runtime/selectors'
import { controllerOf } from '../owners.ts'
import { withCondition, writeStatus } from '../parts.ts'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import type { PodOwner } from '../pod-control.ts'
import { Scales } from '../scales.ts'
import { failedStatus, judgeBudget, needsScale, staleInMs } from './judge.ts'

export function disruptionController(parts: LoopParts): Controller {
  const loop = new DisruptionLoop(parts)
  const own: Source<PodDisruptionBudget> = {
    type: podDisruptionBudgets,
    keysOf: (now, before) => [keyOf((now ?? before)!)],
  }
  const members: Source<Pod> = { type: pods, keysOf: (now, before) => loop.keysOfPod(now, before) }
  const workloads = [deployments, replicaSets, statefulSets, replicationControllers].map((type) => ({
    type,
    keysOf: (now: Workload | undefined, before: Workload | undefined) => loop.keysOfWorkload(now, before),
  }))
  return {
    name: 'disruption',
    sources: [own, members, ...workloads] as unknown as readonly Source[],
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

interface Workload extends KubernetesObject {
  readonly spec?: { readonly replicas?: number }
}

class DisruptionLoop {
  readonly #parts: LoopParts
  readonly #scales: Scales
  readonly #budgets: Cache<PodDisruptionBudget>
  readonly #pods: Cache<Pod>

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#scales = new Scales(parts.client)
    this.#budgets = parts.caches.of(podDisruptionBudgets)
    this.#pods = parts.caches.of(pods)
  }

  keysOfPod(now: Pod | undefined, before: Pod | undefined): readonly string[] {
    const { namespace } = (now ?? before)!.metadata
    const budgets = this.#budgets
      .list(namespace)
      .filter((budget) => [now, before].some((pod) => pod !== undefined && covers(budget, pod)))
    const isMarked = now !== undefined && staleInMs(now, 0) !== undefined
    return [...budgets.map(keyOf), ...(isMarked ? [`pod:${keyOf(now)}`] : [])]
  }

  /** A changed size matters to budgets that are a share of it; pods that come and go wake the others. */
  keysOfWorkload(now: Workload | undefined, before: Workload | undefined): readonly string[] {
    if (now?.spec?.replicas === before?.spec?.replicas) return []
    return this.#budgets
      .list((now ?? before)!.metadata.namespace)
      .filter(needsScale)
      .map(keyOf)
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    if (key.startsWith('pod:')) return this.#unmark(scope, key.slice('pod:'.length))
    const budget = this.#budgets.get(key)
    if (budget === undefined) return done
    const covered = this.#pods.list(budget.metadata.namespace).filter((pod) => covers(budget, pod))
    const owner: PodOwner = { type: podDisruptionBudgets, object: budget, source: 'controllermanager' }
    const say = (level: 'Normal' | 'Warning', reason: string, message: string): void =>
      tell(scope, this.#parts.client, owner, level, reason, message)
    if (covered.length === 0) say('Normal', 'NoPods', 'No matching pods found')
    let scale = 0
    try {
      if (needsScale(budget)) scale = await this.#scaleOf(budget, covered, say)
    } catch (error) {
      const message = (error as Error).message
      say('Warning', 'CalculateExpectedPodCountFailed', `Failed to calculate the number of expected pods: ${message}`)
      await this.#write(budget, failedStatus(budget, message, scope.clock.now()))
      throw error
    }
    const { status, recheckMs, overdue } = judgeBudget({ budget, pods: covered, scale, nowMs: scope.clock.now() })
    for (const pod of overdue) {
      const what = `Pod was expected by PDB ${budget.metadata.namespace}/${budget.metadata.name} to be deleted but it wasn't`
      tell(scope, this.#parts.client, { ...owner, type: pods, object: pod }, 'Warning', 'NotDeleted', what)
    }
    await this.#write(budget, status)
    return recheckMs === undefined ? done : again(recheckMs)
  }

  /** The sizes of the pods' workloads in sum. Throws where one is of a kind that has none. */
  async #scaleOf(
    budget: PodDisruptionBudget,
    covered: readonly Pod[],
    say: (level: 'Warning', reason: string, message: string) => void,
  ): Promise<number> {
    const seen = new Map<string, number>()
    let isUnmanaged = false
    for (const pod of covered) {
      const controller = controllerOf(pod)
      if (controller === undefined) isUnmanaged = true
      else if (!seen.has(controller.uid)) {
        const { uid, size } = await this.#sizeOf(pod, controller)
        seen.set(controller.uid, seen.has(uid) ? 0 : size)
        if (uid !== controller.uid) seen.set(uid, 0)
      }
    }
    if (isUnmanaged) {
      const which = `Pods selected by this PodDisruptionBudget (selector: ${formatSelector(budget.spec.selector ?? {})}) were found to be unmanaged.`
      const so =
        'As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior.'
      const advice = 'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
      say('Warning', 'UnmanagedPods', `${which} ${so} ${advice}`)
    }
    return [...seen.values()].reduce((sum, size) => sum + size, 0)
  }

  /** Of the pod's controller, or of the deployment behind its replica set. */
  async #sizeOf(pod: Pod, controller: OwnerReference): Promise<{ readonly uid: string; readonly size: number }> {
    const namespace = pod.metadata.namespace!
    const known = this.#knownSize(namespace, controller)
    if (known !== undefined) return known
    try {
      const { apiVersion, kind, name, uid } = controller
      const scale = await this.#scales.get({ apiVersion, kind, name, namespace })
      return { uid, size: scale.spec?.replicas ?? 0 }
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
      const what = `${controller.kind.toLowerCase()}s.${controller.apiVersion.split('/')[0]} does not implement the scale subresource`
      throw new Error(isBuiltIn(controller) ? `found no controllers for pod "${pod.metadata.name}"` : what, {
        cause: error,
      })
    }
  }

  #knownSize(namespace: string, { kind, name, uid }: OwnerReference): { uid: string; size: number } | undefined {
    const { caches } = this.#parts
    const key = `${namespace}/${name}`
    if (kind === 'ReplicaSet') {
      const set = caches.of(replicaSets).get(key)
      if (set?.metadata.uid !== uid) return undefined
      const above = controllerOf(set)
      if (above === undefined) return { uid, size: set.spec.replicas ?? 1 }
      const deployment = caches.of(deployments).get(`${namespace}/${above.name}`)
      if (deployment?.metadata.uid !== above.uid) return undefined
      return { uid: above.uid, size: deployment.spec.replicas ?? 1 }
    }
    const found =
      kind === 'StatefulSet'
        ? caches.of(statefulSets).get(key)
        : kind === 'ReplicationController'
          ? caches.of(replicationControllers).get(key)
          : undefined
    return found?.metadata.uid === uid ? { uid, size: found.spec?.replicas ?? 1 } : undefined
  }

  async #write(budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus): Promise<void> {
    await ignoreReason('NotFound', writeStatus(this.#parts.client, podDisruptionBudgets, budget, status))
  }

  async #unmark(scope: Scope, key: string): Promise<Outcome> {
    const pod = this.#pods.get(key)
    const nowMs = scope.clock.now()
    const waitMs = pod === undefined ? undefined : staleInMs(pod, nowMs)
    if (pod === undefined || waitMs === undefined) return done
    if (waitMs > 0) return again(waitMs)
    const condition = { type: 'DisruptionTarget', status: 'False', lastTransitionTime: formatTime(nowMs) }
    const conditions = withCondition(pod.status?.conditions, condition)
    await ignoreReason('NotFound', writeStatus(this.#parts.client, pods, pod, { ...pod.status, conditions }))
    return done
  }
}

function isBuiltIn({ apiVersion }: OwnerReference): boolean {
  return apiVersion === 'v1' || apiVersion === 'apps/v1'
}

function covers({ metadata, spec }: PodDisruptionBudget, pod: Pod): boolean {
  return metadata.namespace === pod.metadata.namespace && matchesSelector(spec?.selector, pod.metadata.labels)
}
