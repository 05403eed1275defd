// Decisions by profile over one state of the cluster: the place of a pod, or why it has none. Neither waits nor writes.

import type { Pod } from '@aksel/api/types/core-v1'
import { withExtensions, Extensions } from './extensions.ts'
import { Evaluator, type Evaluation, type Nominated } from './evaluator.ts'
import { answersOf, failureMessage, refusingPlugins, type NodeAnswer } from './explanation.ts'
import type { Objects, World } from './plugin.ts'
import type { Profile } from './profile.ts'
import { Refusals } from './refusals.ts'
import { ClusterState } from './state/cluster-state.ts'
import { VolumeUse } from './state/volume-use.ts'
import { volumePlan, type VolumePlan } from './volume-plan.ts'
import { claimsAwaitingNode } from './volumes.ts'

export interface ScoredAnswer extends NodeAnswer {
  /** Weighed sum; absent where the node does not fit. */
  readonly score?: number
}

export type Decision =
  | { readonly kind: 'fits'; readonly nodeName: string; readonly nodes: readonly ScoredAnswer[] }
  | {
      readonly kind: 'unschedulable'
      /** Upstream's sentence: `0/3 nodes are available: 2 Insufficient cpu, …`. */
      readonly message: string
      /** Plug-ins that turned the pod away, for the queue's hints. */
      readonly refusedBy: ReadonlySet<string>
      readonly evaluation: Evaluation
      readonly nodes: readonly ScoredAnswer[]
    }

const nothingToBind: Extract<VolumePlan, { kind: 'possible' }> = { kind: 'possible', bind: [], provision: [] }

export class Decider {
  readonly state: ClusterState
  readonly volumes: VolumeUse
  readonly #objects: Objects
  readonly #refusals = new Refusals()
  readonly #evaluators: ReadonlyMap<string, Evaluator>

  constructor(objects: Objects, profiles: readonly Profile[], extensions = new Extensions([])) {
    this.#objects = objects
    this.state = new ClusterState(objects)
    this.volumes = new VolumeUse(this.state, objects)
    this.#evaluators = new Map(
      profiles.map((profile) => {
        const world = this.#world(withExtensions(profile, extensions.all))
        return [profile.schedulerName, new Evaluator(world, extensions.pluginsFor(world))]
      }),
    )
  }

  serves({ spec }: Pod): boolean {
    return this.#evaluators.has(spec.schedulerName ?? 'default-scheduler')
  }

  evaluatorOf({ spec }: Pod): Evaluator {
    return this.#evaluators.get(spec.schedulerName ?? 'default-scheduler')!
  }

  profileOf(pod: Pod): Profile {
    return this.evaluatorOf(pod).world.profile
  }

  /** Whether anything changed that others' placing depends on. */
  differs(now: Pod, before: Pod): boolean {
    return this.state.templates.of(now).key !== this.state.templates.of(before).key
  }

  /** `promised`: a node that is taken if it still fits. */
  decide(pod: Pod, nominated: Nominated, promised?: string): Decision {
    const evaluator = this.evaluatorOf(pod)
    const ready = evaluator.prepare(pod)
    const first = promised === undefined ? undefined : this.state.slotOf(promised)
    if (first !== undefined && evaluator.fitsOn(pod, ready, first, nominated))
      return { kind: 'fits', nodeName: this.#nameOf(first), nodes: [] }
    const quick = promised === undefined && nominated.isEmpty ? evaluator.quickBest(ready) : undefined
    if (quick !== undefined) return { kind: 'fits', nodeName: this.#nameOf(quick.slot), nodes: [] }
    const evaluation = evaluator.evaluate(pod, nominated, ready)
    const best = evaluator.best(evaluation)
    if (best !== undefined) return { kind: 'fits', nodeName: this.#nameOf(best.slot), nodes: [] }
    return {
      kind: 'unschedulable',
      message: failureMessage(evaluator.world, evaluation),
      refusedBy:
        this.state.nodeCount === 0 ? new Set(['NodeResourcesFit']) : refusingPlugins(evaluator.world, evaluation),
      evaluation,
      nodes: [],
    }
  }

  /** As `decide`, with every node's answer; a pod that has a node is judged as if it had none. */
  explain(pod: Pod): Decision {
    const placed = this.state.slotOfPod(`${pod.metadata.namespace}/${pod.metadata.name}`)
    const standing =
      placed === undefined
        ? undefined
        : this.state.nodes[placed]!.pods.get(`${pod.metadata.namespace}/${pod.metadata.name}`)
    const { nodeName: _, ...spec } = pod.spec
    if (placed !== undefined) this.state.detach(placed, standing!)
    try {
      const free: Pod = { ...pod, spec: { ...spec } }
      const evaluator = this.evaluatorOf(this.serves(free) ? free : withoutScheduler(free))
      const evaluation = evaluator.evaluate(free)
      const totals = evaluator.totals(evaluation)
      const scores = new Map([...evaluation.feasible].map((slot, index) => [this.#nameOf(slot), totals[index]!]))
      const nodes = answersOf(evaluator.world, evaluation).map((answer) => {
        const score = scores.get(answer.node)
        return score === undefined ? answer : { ...answer, score }
      })
      const best = evaluator.best(evaluation)
      if (best !== undefined) return { kind: 'fits', nodeName: this.#nameOf(best.slot), nodes }
      const refusedBy = refusingPlugins(evaluator.world, evaluation)
      return {
        kind: 'unschedulable',
        message: failureMessage(evaluator.world, evaluation),
        refusedBy,
        evaluation,
        nodes,
      }
    } finally {
      if (placed !== undefined) this.state.attach(placed, standing!)
    }
  }

  /** What must be bound before the pod is; its node was judged to allow it. */
  volumePlan(pod: Pod, nodeName: string): Extract<VolumePlan, { kind: 'possible' }> {
    const claims = claimsAwaitingNode(pod, this.#objects)
    const slot = this.state.slotOf(nodeName)
    if (claims.length === 0 || slot === undefined) return nothingToBind
    const plan = volumePlan(this.#objects, claims, this.state.nodes[slot]!.node)
    return plan.kind === 'possible' ? plan : nothingToBind
  }

  #nameOf(slot: number): string {
    return this.state.nodes[slot]!.name
  }

  #world(profile: Profile): World {
    const { state, volumes } = this
    return { state, volumes, objects: this.#objects, refusals: this.#refusals, profile }
  }
}

function withoutScheduler(pod: Pod): Pod {
  const { schedulerName: _, ...spec } = pod.spec
  return { ...pod, spec: { ...spec } }
}
