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

export class Nominations implements Nominated {
  readonly #state: ClusterState
  readonly #byPod = new Map<string, Nomination>()
  readonly #byNode = new Map<string, Set<Nomination>>()

  constructor(state: ClusterState) {
    this.#state = state
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
  }

  remove(key: string): void {
    const promise = this.#byPod.get(key)
    if (promise === undefined) return
    this.#byPod.delete(key)
    const others = this.#byNode.get(promise.nodeName)!
    others.delete(promise)
    if (others.size === 0) this.#byNode.delete(promise.nodeName)
    for (const term of promise.standing.terms) this.#state.topology.release(term)
  }

  *slots(): Iterable<number> {
    for (const name of this.#byNode.keys()) {
      const slot = this.#state.slotOf(name)
      if (slot !== undefined) yield slot
    }
  }

  on(slot: number, priority: number, except: string): readonly StandingPod[] {
    if (this.#byPod.size === 0) return nobody
    const name = this.#state.nodes[slot]?.name
    const here = name === undefined ? undefined : this.#byNode.get(name)
    if (here === undefined) return nobody
    return [...here].flatMap(({ standing }) =>
      standing.priority >= priority && standing.key !== except ? [standing] : [],
    )
  }

  /** Those of lower priority, who must look elsewhere now. */
  below(nodeName: string, priority: number): readonly Pod[] {
    return [...(this.#byNode.get(nodeName) ?? [])].flatMap(({ standing }) =>
      standing.priority < priority ? [standing.pod] : [],
    )
  }
}
