// Takes pods in, or refuses them: the node's state, its room and its labels, asked once for each pod before it begins.

import { nodes } from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import type { Client } from '@aksel/client/client'
import { matchesNode } from '@aksel/runtime/node-selectors'
import { judgeAdmission, wasAdmitted } from './pod/admission.ts'
import type { Refusal } from './pod/admission.ts'
import { isStaticPod } from './pod/critical.ts'

export interface AdmissionWorld {
  readonly client: Client
  readonly nodeName: string
  readonly allocatable: Readonly<Record<string, string | number>>
  readonly maxPods: number
  /** What the node's own state forbids: pressure, a shutdown. */
  refuses(pod: Pod): Refusal | undefined
  /** Sets aside what a pod has alone; absent where the node's policies give nobody anything alone. */
  assign?(pod: Pod): Promise<Refusal | undefined>
  /** All pods of the node that have not come to an end. */
  pods(): readonly Pod[]
}

export class NodeAdmission {
  readonly #world: AdmissionWorld
  readonly #admitted = new Set<string>()

  constructor(world: AdmissionWorld) {
    this.#world = world
  }

  async admit(pod: Pod): Promise<Refusal | undefined> {
    const own = this.#world.refuses(pod)
    if (own !== undefined) return own
    // Labels may have changed a moment ago, so the API is asked, and only for pods that name some.
    const node = choosesNode(pod) ? await this.#world.client.get(nodes, { name: this.#world.nodeName }) : undefined
    const { allocatable, maxPods } = this.#world
    if (node !== undefined && !isStaticPod(pod) && !fits(pod, node)) return wrongNode
    // Judged and remembered in one turn, so that of two pods for one place one is refused.
    const refusal = judgeAdmission(pod, { allocatable, maxPods, admitted: this.#others(pod) })
    if (refusal !== undefined) return refusal
    const uid = pod.metadata.uid ?? ''
    this.#admitted.add(uid)
    const unassigned = await this.#world.assign?.(pod)
    if (unassigned !== undefined) this.#admitted.delete(uid)
    return unassigned
  }

  /** Those that were taken before: by this agent, or by one before it. */
  #others(pod: Pod): readonly Pod[] {
    const others = this.#world.pods().filter(({ metadata }) => metadata.uid !== pod.metadata.uid)
    const uids = new Set(others.map(({ metadata }) => metadata.uid ?? ''))
    for (const uid of this.#admitted) if (!uids.has(uid) && uid !== pod.metadata.uid) this.#admitted.delete(uid)
    return others.filter((other) => wasAdmitted(other) || this.#admitted.has(other.metadata.uid ?? ''))
  }
}

const wrongNode: Refusal = {
  reason: 'NodeAffinity',
  message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
}

function choosesNode({ spec }: Pod): boolean {
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return Object.keys(spec.nodeSelector ?? {}).length > 0 || required !== undefined
}

function fits({ spec }: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  if (Object.entries(spec.nodeSelector ?? {}).some(([key, value]) => labels[key] !== value)) return false
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return required === undefined || matchesNode(required, node)
}
