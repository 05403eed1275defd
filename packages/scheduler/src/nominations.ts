// Pods that were promised a place: they preempted others there, and nobody of lower priority may slip in meanwhile.

import { keyOf } from '@aksel/api/resource'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Nominated } from './evaluator.ts'
import type { ClusterState, StandingPod } from './state/cluster-state.ts'

interface Nomination {
  readonly nodeName: string
  readonly standing: StandingPod
}

const nobody: readonly StandingPod[] = []

/** A promise that is made or ends counts as a change of its slot. */
export class Nominations implements Nominated {
  readonly #state: ClusterState
  readonly #onFreed: (pod: Pod, nodeName: string) => void
  readonly #byPod = new Map<string, Nomination>()
  readonly #byNode = new Map<string, Set<Nomination>>()
  /** By slot: whether anybody was promised it. As of `#nodeSequence`. */
  #promised = new Uint8Array(0)
  #nodeSequence = -1

  /** `onFreed` is told of every promise that ends, kept or not. */
  constructor(state: ClusterState, onFreed: (pod: Pod, nodeName: string) => void = () => {}) {
    this.#state = state
    this.#onFreed = onFreed
  }

  get isEmpty(): boolean {
    return this.#byPod.size === 0
  }

  get(key: string): string | undefined {
    return this.#byPod.get(key)?.nodeName
  }

  /** An empty or absent name takes the promise back. */
  set(pod: Pod, nodeName: string | undefined): void {
    this.remove(keyOf(pod))
    if (nodeName === undefined || nodeName === '') return
    const promise = { nodeName, standing: this.#state.standing(pod) }
    this.#byPod.set(keyOf(pod), promise)
    const others = this.#byNode.get(nodeName)
    if (others === undefined) this.#byNode.set(nodeName, new Set([promise]))
    else others.add(promise)
    this.#mark(nodeName)
  }

  remove(key: string): void {
    const promise = this.#byPod.get(key)
    if (promise === undefined) return
    this.#byPod.delete(key)
    const others = this.#byNode.get(promise.nodeName)!
    others.delete(promise)
    if (others.size === 0) this.#byNode.delete(promise.nodeName)
    for (const term of promise.standing.terms) this.#state.topology.release(term)
    this.#mark(promise.nodeName)
    this.#onFreed(promise.standing.pod, promise.nodeName)
  }

  isPromised(slot: number): boolean {
    if (this.#byPod.size === 0) return false
    const { capacity, nodeSequence } = this.#state
    if (this.#nodeSequence !== nodeSequence) {
      // Nodes came or went: a slot may be another node's.
      this.#nodeSequence = nodeSequence
      this.#promised = new Uint8Array(capacity)
      for (const name of this.#byNode.keys()) this.#promised[this.#state.slotOf(name) ?? capacity] = 1
    }
    return this.#promised[slot] === 1
  }

  slotFor(key: string): number | undefined {
    const nodeName = this.get(key)
    return nodeName === undefined ? undefined : this.#state.slotOf(nodeName)
  }

  on(slot: number, priority: number, except: string): readonly StandingPod[] {
    if (!this.isPromised(slot)) return nobody
    const here = this.#byNode.get(this.#state.nodes[slot]?.name ?? '')
    if (here === undefined) return nobody
    return [...here].flatMap(({ standing }) =>
      standing.priority >= priority && standing.key !== except ? [standing] : [],
    )
  }

  /** Keys of the pods that were promised this node. */
  keysOn(nodeName: string): readonly string[] {
    return [...(this.#byNode.get(nodeName) ?? [])].map(({ standing }) => standing.key)
  }

  /** Those of lower priority, who must look elsewhere now. */
  below(nodeName: string, priority: number): readonly Pod[] {
    return [...(this.#byNode.get(nodeName) ?? [])].flatMap(({ standing }) =>
      standing.priority < priority ? [standing.pod] : [],
    )
  }

  #mark(nodeName: string): void {
    const slot = this.#state.slotOf(nodeName)
    if (slot === undefined) return
    this.#state.touch(slot)
    this.#promised[slot] = this.#byNode.has(nodeName) ? 1 : 0
  }
}
