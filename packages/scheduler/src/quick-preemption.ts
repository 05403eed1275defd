// Preemption where only counted resources stand in the way, which is nearly always: victims by arithmetic alone, kept for
// pods that are alike and worked out anew for nodes that changed.

import type { Evaluation, Evaluator } from './evaluator.ts'
import type { ClusterState, StandingPod } from './state/cluster-state.ts'
import type { PodTemplate } from './template.ts'
import { compareImportance, victimsOf, type Victims } from './victims.ts'

/** Whether a node's verdict on this pod depends on nothing but resources and the node's own words. */
export function dependsOnResourcesAlone(evaluation: Evaluation, state: ClusterState): boolean {
  const { template } = evaluation
  if (template.ports.length > 0 || template.required.length > 0 || template.forbidden.length > 0) return false
  if (template.hardSpread.length > 0 || (evaluation.pod.spec.volumes ?? []).some(isStateful)) return false
  for (const { kind } of state.topology.group({ ...template, leaving: false }).terms) if (kind === 'anti') return false
  return evaluation.prepared.length > 0 && !evaluation.prepared.some(({ isExtension }) => isExtension === true)
}

function isStateful(volume: NonNullable<Evaluation['pod']['spec']['volumes']>[number]): boolean {
  const { persistentVolumeClaim, ephemeral, gcePersistentDisk, awsElasticBlockStore, iscsi, rbd } = volume
  return [persistentVolumeClaim, ephemeral, gcePersistentDisk, awsElasticBlockStore, iscsi, rbd].some(
    (source) => source !== undefined,
  )
}

interface Found {
  /** Undefined: nobody here could make room. */
  readonly victims: Victims | undefined
  readonly why: 'none' | 'too-few' | undefined
}

/** For one kind of pod at one priority. */
export class QuickVictims {
  readonly #evaluator: Evaluator
  readonly #template: PodTemplate
  readonly #priority: number
  readonly #found: (Found | undefined)[] = []
  #sequence = -Infinity

  constructor(evaluator: Evaluator, template: PodTemplate, priority: number) {
    this.#evaluator = evaluator
    this.#template = template
    this.#priority = priority
  }

  /** Forgets what was found on nodes that changed since it was last asked. */
  refresh(): void {
    const { state } = this.#evaluator.world
    const known = state.changedSince(this.#sequence, (slot) => (this.#found[slot] = undefined))
    if (!known) this.#found.length = 0
    this.#sequence = state.sequence
  }

  /** `promised`: pods that count as if they stood there; what depends on them is not kept. */
  on(slot: number, promised: readonly StandingPod[] = []): Found {
    if (promised.length > 0) return this.#search(slot, promised)
    return (this.#found[slot] ??= this.#search(slot, []))
  }

  #search(slot: number, promised: readonly StandingPod[]): Found {
    const { resources, nodes } = this.#evaluator.world.state
    const lower: StandingPod[] = []
    for (const standing of nodes[slot]!.pods.values()) if (standing.priority < this.#priority) lower.push(standing)
    if (lower.length === 0) return { victims: undefined, why: 'none' }
    const wanted = this.#template.wanted.map(([name, amount]) => ({ name, amount, column: resources.indexOf(name) }))
    /** What would be left of each resource, and of the number of pods, with all of them gone and this one here. */
    const rest = wanted.map(({ name, amount, column }) => {
      const freed = lower.reduce((sum, { template }) => sum + (template.amounts[name] ?? 0), 0)
      const held = promised.reduce((sum, { template }) => sum + (template.amounts[name] ?? 0), 0)
      return resources.allocatable[column]![slot]! - resources.requested[column]![slot]! + freed - held - amount
    })
    let pods = resources.podsAllowed[slot]! - resources.podCount[slot]! + lower.length - promised.length - 1
    if (pods < 0 || rest.some((each) => each < 0)) return { victims: undefined, why: 'too-few' }
    const victims: StandingPod[] = []
    for (const standing of lower.toSorted(compareImportance)) {
      const asks = wanted.map(({ name }) => standing.template.amounts[name] ?? 0)
      // What is not asked for by the pod cannot be short because of it: the others had it before.
      const stays = pods >= 1 && asks.every((ask, index) => ask <= rest[index]!)
      if (!stays) {
        victims.push(standing)
        continue
      }
      pods -= 1
      for (const [index, ask] of asks.entries()) rest[index] = rest[index]! - ask
    }
    return { victims: victimsOf(slot, victims, 0), why: undefined }
  }
}
