// Drives pods off nodes whose NoExecute taints they do not tolerate, or tolerate only for a while.

import { keyOf } from '@aksel/api/resource'
import { nodes, pods } from '@aksel/api/resources'
import type { Node, Pod, Taint } from '@aksel/api/types/core-v1'
import { done, again } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import { toleratesTaint } from '@aksel/runtime/tolerations'
import { isSame } from '../canonical.ts'
import { disrupt } from '../disrupt-pod.ts'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import { nodeOfPod, podsOnNode } from './controller.ts'

export function taintEvictionController({ client, caches }: LoopParts): Controller {
  const knownPods = caches.of(pods)
  const knownNodes = caches.of(nodes)
  knownPods.addIndex(podsOnNode, nodeOfPod)
  const seen = new FirstSeen()
  const own: Source<Pod> = {
    type: pods,
    keysOf: (now, before) => {
      const isMoved = now?.spec.nodeName !== before?.spec.nodeName
      const isChanged = isMoved || !isSame(now?.spec.tolerations, before?.spec.tolerations)
      return now !== undefined && now.spec.nodeName !== undefined && isChanged ? [keyOf(now)] : []
    },
  }
  const tainted: Source<Node> = {
    type: nodes,
    keysOf: (now, before) =>
      now === undefined || isSame(noExecuteTaints(now), before === undefined ? [] : noExecuteTaints(before))
        ? []
        : knownPods.byIndex(podsOnNode, now.metadata.name).map(keyOf),
  }
  return {
    name: 'taint-eviction',
    sources: [own, tainted],
    workers: 8,
    async reconcile(scope, key) {
      const pod = knownPods.get(key)
      const node = pod?.spec.nodeName === undefined ? undefined : knownNodes.get(pod.spec.nodeName)
      if (pod === undefined || node === undefined || pod.metadata.deletionTimestamp !== undefined) return done
      const nowMs = scope.clock.now()
      const dueMs = judgeEviction(pod, seen.taintsOf(node, nowMs), nowMs)
      if (dueMs === undefined) return done
      const waitMs = dueMs - nowMs
      if (waitMs > 0) return again(waitMs)
      const { namespace, name } = pod.metadata
      const owner = { type: pods, object: pod, source: 'taint-eviction-controller' }
      tell(scope, client, owner, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`)
      const reason = 'DeletionByTaintManager'
      await disrupt(scope, client, pod, { reason, message: 'Taint manager: deleting due to NoExecute taint' })
      return done
    },
  }
}

/** Since when a taint stands of which its maker does not say so, as `kubectl taint` does not: since it was first seen here. */
class FirstSeen {
  readonly #timesMs = new Map<string, ReadonlyMap<string, number>>()

  /** The node's taints, each with its time. */
  taintsOf(node: Node, nowMs: number): readonly Taint[] {
    const { name } = node.metadata
    const before = this.#timesMs.get(name)
    const taints = noExecuteTaints(node)
    const times = new Map(taints.map((taint) => [idOf(taint), before?.get(idOf(taint)) ?? nowMs]))
    if (times.size === 0) this.#timesMs.delete(name)
    else this.#timesMs.set(name, times)
    return taints.map((taint) =>
      taint.timeAdded === undefined ? { ...taint, timeAdded: new Date(times.get(idOf(taint))!).toISOString() } : taint,
    )
  }
}

function idOf({ key, value = '' }: Taint): string {
  return `${key}=${value}`
}

export function noExecuteTaints({ spec }: Node): readonly Taint[] {
  return (spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute')
}

/** When the pod has to go (wall time, milliseconds); undefined: it may stay. */
export function judgeEviction(pod: Pod, taints: readonly Taint[], nowMs: number): number | undefined {
  if (taints.length === 0) return undefined
  const tolerations = pod.spec.tolerations ?? []
  const createdMs = Date.parse(pod.metadata.creationTimestamp ?? '') || 0
  let dueMs: number | undefined
  for (const taint of taints) {
    const matching = tolerations.filter((toleration) => toleratesTaint(toleration, taint))
    if (matching.length === 0) return nowMs
    const seconds = matching.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? [])
    if (seconds.length === 0) continue
    // A pod that came after the taint has its time from then on.
    const addedMs = taint.timeAdded === undefined ? nowMs : Date.parse(taint.timeAdded)
    const leaveMs = Math.max(addedMs, createdMs) + Math.max(0, Math.min(...seconds)) * 1000
    dueMs = Math.min(dueMs ?? leaveMs, leaveMs)
  }
  return dueMs
}
