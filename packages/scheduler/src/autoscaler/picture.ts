// A picture of the cluster to try things out on: the scheduler's own decisions, about nodes that may not exist yet.

import { keyOf } from '@aksel/api/resource'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { Decider } from '../decider.ts'
import type { Objects } from '../plugin.ts'
import { requestOf } from '../pod-resources.ts'
import { defaultProfile, type Profile } from '../profile.ts'

const nobody = { isEmpty: true, isPromised: () => false, slotFor: () => undefined, on: () => [] }

export class Picture {
  readonly #decider: Decider

  constructor(objects: Objects, profiles: readonly Profile[] = [defaultProfile()]) {
    this.#decider = new Decider(objects, profiles)
  }

  setNode(node: Node): void {
    this.#decider.state.setNode(node)
  }

  removeNode(name: string): void {
    this.#decider.state.removeNode(name)
  }

  setPod(pod: Pod): void {
    this.#decider.state.setPod(pod)
  }

  removePod(pod: Pod): void {
    this.#decider.state.removePod(keyOf(pod))
  }

  /** Puts the pod where the scheduler would; undefined where no node takes it. */
  place(pod: Pod): string | undefined {
    const free = unbound(pod)
    if (!this.#decider.serves(free)) return undefined
    const decision = this.#decider.decide(free, nobody)
    if (decision.kind !== 'fits') return undefined
    this.setPod({ ...free, spec: { ...free.spec, nodeName: decision.nodeName } })
    return decision.nodeName
  }

  /** The scheduler's sentence, without its count of nodes: `1 Insufficient cpu`. */
  why(pod: Pod): string {
    const free = unbound(pod)
    if (!this.#decider.serves(free)) return `no scheduler is called ${free.spec.schedulerName}`
    const decision = this.#decider.decide(free, nobody)
    if (decision.kind === 'fits') return ''
    return decision.message.replace(/^0\/\d+ nodes are available: /, '').replace(/\.( preemption:.*)?$/, '')
  }
}

function unbound(pod: Pod): Pod {
  if (pod.spec.nodeName === undefined) return pod
  const { nodeName: _, ...spec } = pod.spec
  return { ...pod, spec: { ...spec } }
}

/** The largest first: they are the hardest to place. */
export function largestFirst(pods: readonly Pod[], node: Node): readonly Pod[] {
  const allocatable = node.status?.allocatable ?? {}
  const [cpu, memory] = [amount(allocatable['cpu'], 1_000), amount(allocatable['memory'], 1)]
  const size = new Map(
    pods.map((pod) => {
      const request = requestOf(pod)
      return [pod, (request['cpu'] ?? 0) / cpu + (request['memory'] ?? 0) / memory]
    }),
  )
  return pods.toSorted((left, right) => size.get(right)! - size.get(left)!)
}

function amount(quantity: string | number | undefined, factor: number): number {
  const text = String(quantity ?? '1')
  const match = /^(\d+(?:\.\d+)?)(m|Ki|Mi|Gi)?$/.exec(text)
  const scale = { m: 0.001, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 }[match?.[2] ?? ''] ?? 1
  return Math.max(1, Number(match?.[1] ?? 1) * scale * factor)
}
