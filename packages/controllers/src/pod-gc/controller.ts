// Clears pods away that nobody else will: of nodes that are gone, on their way out without a node, and ended ones past a limit.

import { keyOf } from '@aksel/api/resource'
import { nodes, pods } from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { disrupt } from '../disrupt-pod.ts'
import { nodeOfPod, podsOnNode } from '../node-lifecycle/controller.ts'
import { isNodeReady } from '../node-lifecycle/health.ts'
import type { LoopParts } from '../parts.ts'
import { isTerminal, isTerminating } from '../pod-facts.ts'

export interface PodGcParts extends LoopParts {
  /** Ended pods that may stay. Default 12,500; 0 keeps all. */
  readonly terminatedMax?: number
  /** How long a node may be missing before its pods go. Default 40 s. */
  readonly quarantineMs?: number
}

/** The key that stands for the count of ended pods; no pod's key has no slash. */
const allPods = 'terminated'
const outOfService = 'node.kubernetes.io/out-of-service'

export function podGcController(parts: PodGcParts): Controller {
  const loop = new PodGcLoop(parts)
  const known = parts.caches.of(pods)
  known.addIndex(podsOnNode, nodeOfPod)
  const own: Source<Pod> = { type: pods, keysOf: (now, before) => loop.keysOfPod(now, before) }
  const machines: Source<Node> = {
    type: nodes,
    keysOf: (now, before) =>
      now === undefined || isOutOfService(now)
        ? known.byIndex(podsOnNode, (now ?? before)!.metadata.name).map(keyOf)
        : [],
  }
  return { name: 'pod-gc', sources: [own, machines], reconcile: (scope, key) => loop.reconcile(scope, key) }
}

function isOutOfService(node: Node): boolean {
  return !isNodeReady(node) && (node.spec?.taints ?? []).some(({ key }) => key === outOfService)
}

class PodGcLoop {
  readonly #parts: PodGcParts
  readonly #pods: Cache<Pod>
  readonly #nodes: Cache<Node>
  readonly #missingSinceMs = new Map<string, number>()

  constructor(parts: PodGcParts) {
    this.#parts = parts
    this.#pods = parts.caches.of(pods)
    this.#nodes = parts.caches.of(nodes)
  }

  keysOfPod(now: Pod | undefined, before: Pod | undefined): readonly string[] {
    if (now === undefined) return []
    const isStranded = now.spec.nodeName !== undefined && this.#nodes.get(now.spec.nodeName) === undefined
    const isEnding = isTerminating(now)
    const hasEnded = isTerminal(now) && !(before !== undefined && isTerminal(before))
    return [...(isStranded || isEnding ? [keyOf(now)] : []), ...(hasEnded ? [allPods] : [])]
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    if (key === allPods) return this.#trim(scope)
    const pod = this.#pods.get(key)
    if (pod === undefined) return done
    const { nodeName } = pod.spec
    if (nodeName === undefined) {
      if (isTerminating(pod)) await this.#remove(scope, pod, 'PodGC: node not assigned')
      return done
    }
    const node = this.#nodes.get(nodeName)
    if (node === undefined) return this.#strand(scope, pod, nodeName)
    this.#missingSinceMs.delete(nodeName)
    if (isTerminating(pod) && isOutOfService(node)) await this.#remove(scope, pod, 'PodGC: node is out of service')
    return done
  }

  /** A node may come back under its name; only after a while, and when the server says so too, is it gone. */
  async #strand(scope: Scope, pod: Pod, nodeName: string): Promise<Outcome> {
    const nowMs = scope.clock.monotonicMs()
    const sinceMs = this.#missingSinceMs.get(nodeName) ?? nowMs
    this.#missingSinceMs.set(nodeName, sinceMs)
    const leftMs = sinceMs + (this.#parts.quarantineMs ?? 40_000) - nowMs
    if (leftMs > 0) return again(leftMs)
    const live = await ignoreReason('NotFound', this.#parts.client.get(nodes, { name: nodeName }))
    if (live === undefined) await this.#remove(scope, pod, 'PodGC: node no longer exists')
    if (this.#pods.byIndex(podsOnNode, nodeName).length <= 1) this.#missingSinceMs.delete(nodeName)
    return done
  }

  async #trim(scope: Scope): Promise<Outcome> {
    const max = this.#parts.terminatedMax ?? 12_500
    if (max === 0) return done
    const ended = this.#pods.list().filter((pod) => isTerminal(pod) && !isTerminating(pod))
    const oldest = ended.toSorted((left, right) => (createdAt(left) < createdAt(right) ? -1 : 1))
    for (const pod of oldest.slice(0, Math.max(0, ended.length - max))) {
      await this.#remove(scope, pod, 'PodGC: too many terminated pods')
    }
    return done
  }

  async #remove(scope: Scope, pod: Pod, message: string): Promise<void> {
    // A pod that did not end by itself is marked as failed, so that its owner counts it.
    const phase = isTerminal(pod) ? {} : { phase: 'Failed' as const }
    await disrupt(scope, this.#parts.client, pod, {
      reason: 'DeletionByPodGC',
      message,
      gracePeriodSeconds: 0,
      ...phase,
    })
  }
}

function createdAt({ metadata }: Pod): string {
  return `${metadata.creationTimestamp ?? ''}/${metadata.name}`
}
