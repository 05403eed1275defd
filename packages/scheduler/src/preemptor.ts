// Makes room: orders the victims away, promises the place, and remembers who was promised what.

import { keyOf } from '@aksel/api/resource'
import { pods } from '@aksel/api/resources'
import type { PodDisruptionBudget } from '@aksel/api/types/policy-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Decider, Decision } from './decider.ts'
import type { Evaluation, Evaluator } from './evaluator.ts'
import type { News } from './news.ts'
import { Nominations } from './nominations.ts'
import { preemptFor, type PreemptionFacts } from './preemption.ts'
import { QuickVictims } from './quick-preemption.ts'
import type { StandingPod } from './state/cluster-state.ts'

export interface PreemptorParts {
  readonly client: Client
  readonly news: News
  readonly decider: Decider
}

export interface PreemptionOutcome {
  /** Where a place is being made. */
  readonly nodeName?: string
  /** Resolves when every victim was asked to go, with whether all could be, and never rejects. */
  readonly ordered?: Promise<boolean>
  /** Victims of it still stand, these or earlier ones. */
  readonly isMakingRoom: boolean
  /** Why none is. */
  readonly message?: string
}

interface Budgets {
  budgets(namespace: string): readonly PodDisruptionBudget[]
  readonly anyBudgets: boolean
}

const QUICK_MAX = 32
/** Victims ordered away at once: beyond them others wait their turn. */
const DELETIONS_MAX = 128

export class Preemptor {
  readonly nominations: Nominations
  readonly #scope: Scope
  readonly #parts: PreemptorParts
  readonly #quick = new Map<string, QuickVictims>()
  readonly #untold: (() => Promise<void>)[] = []
  /** Victims by the pod that they make room for, until they are gone; and the other way round. */
  readonly #ordered = new Map<string, Set<string>>()
  readonly #orderedFor = new Map<string, string>()
  #deletions = 0

  /** `onFreed` is told of every promise that ends, kept or not. */
  constructor(scope: Scope, parts: PreemptorParts, onFreed?: (pod: Pod, nodeName: string) => void) {
    this.#scope = scope
    this.#parts = parts
    this.nominations = new Nominations(parts.decider.state, onFreed)
  }

  /** Decides at once; the victims are ordered away in the background. */
  preempt(pod: Pod, decision: Extract<Decision, { kind: 'unschedulable' }>, budgets: Budgets): PreemptionOutcome {
    const { decider } = this.#parts
    const evaluator = decider.evaluatorOf(pod)
    if (!evaluator.world.profile.preempts || decider.state.nodeCount === 0) return { isMakingRoom: false }
    const facts = this.#facts(evaluator, budgets, this.#isMakingRoom(pod))
    const preemption = preemptFor(evaluator, decision.evaluation, facts)
    if (preemption.kind === 'none') {
      if (!facts.isMakingRoom) this.nominations.remove(keyOf(pod))
      return { message: preemption.message, isMakingRoom: facts.isMakingRoom }
    }
    const { victims } = preemption
    const nodeName = decider.state.nodes[victims.slot]!.name
    const promised = { ...pod, status: { ...pod.status, nominatedNodeName: nodeName } }
    this.nominations.set(promised, nodeName)
    for (const other of this.nominations.below(nodeName, pod.spec.priority ?? 0)) this.#withdraw(other)
    const key = keyOf(pod)
    this.#forgetVictims(key)
    this.#ordered.set(key, new Set(victims.pods.map((victim) => victim.key)))
    for (const victim of victims.pods) this.#orderedFor.set(victim.key, key)
    const orders = victims.pods.map((victim) => this.#order(pod, victim, nodeName))
    const ordered = Promise.all(orders).then((done) => !done.includes(false))
    return { nodeName, ordered, isMakingRoom: true }
  }

  /** Whether pods that were ordered away for this one still stand. */
  waitsForVictims(key: string): boolean {
    return this.#ordered.has(key)
  }

  /** To be told of every pod that is gone, before anybody asks who waits for whom. */
  gone(key: string): void {
    const preemptor = this.#orderedFor.get(key)
    if (preemptor === undefined) return
    this.#orderedFor.delete(key)
    const victims = this.#ordered.get(preemptor)
    victims?.delete(key)
    if (victims?.size === 0) this.#ordered.delete(preemptor)
  }

  /** What a pod's own status says of a promise counts, such as one made before this process started. */
  noteNomination(pod: Pod): void {
    const { nominatedNodeName } = pod.status ?? {}
    const key = keyOf(pod)
    if (nominatedNodeName === undefined || nominatedNodeName === '' || this.nominations.get(key) !== undefined) return
    this.nominations.set(pod, nominatedNodeName)
  }

  forget(key: string): void {
    this.#forgetVictims(key)
    this.nominations.remove(key)
  }

  #forgetVictims(key: string): void {
    for (const victim of this.#ordered.get(key) ?? [])
      if (this.#orderedFor.get(victim) === key) this.#orderedFor.delete(victim)
    this.#ordered.delete(key)
  }

  #facts(evaluator: Evaluator, budgets: Budgets, isMakingRoom: boolean): PreemptionFacts {
    return {
      isMakingRoom,
      anyBudgets: budgets.anyBudgets,
      budgets: (namespace) => budgets.budgets(namespace),
      nominated: this.nominations,
      quick: (evaluation) => this.#quickOf(evaluator, evaluation),
    }
  }

  /** Victims were ordered away, by this process or the one before, and still stand. */
  #isMakingRoom(pod: Pod): boolean {
    const { state } = this.#parts.decider
    const key = keyOf(pod)
    if ([...(this.#ordered.get(key) ?? [])].some((victim) => state.slotOfPod(victim) !== undefined)) return true
    this.#forgetVictims(key)
    const slot = state.slotOf(pod.status?.nominatedNodeName ?? '')
    if (slot === undefined) return false
    const priority = pod.spec.priority ?? 0
    return [...state.nodes[slot]!.pods.values()].some((other) => other.priority < priority && isVictim(other.pod))
  }

  #quickOf(evaluator: Evaluator, { template, pod }: Evaluation): QuickVictims {
    const priority = pod.spec.priority ?? 0
    const key = `${evaluator.world.profile.schedulerName}|${priority}|${template.resourceKey}`
    let quick = this.#quick.get(key)
    if (quick === undefined) {
      this.#quick.set(key, (quick = new QuickVictims(evaluator, template, { priority, nominated: this.nominations })))
      if (this.#quick.size > QUICK_MAX) this.#quick.delete(this.#quick.keys().next().value!)
    }
    return quick
  }

  /** A pod of lower priority loses its promise: it looks elsewhere once its status says so. */
  #withdraw(pod: Pod): void {
    this.forget(keyOf(pod))
    void this.#parts.news.patchStatus(pod, { nominatedNodeName: '' })
  }

  #order(pod: Pod, victim: StandingPod, nodeName: string): Promise<boolean> {
    if (victim.pod.metadata.deletionTimestamp !== undefined) return Promise.resolve(true)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#untold.push(() => this.#orderAway(pod, victim.pod, nodeName).then(resolve))
    if (this.#deletions < DELETIONS_MAX) void this.#work()
    return promise
  }

  async #work(): Promise<void> {
    this.#deletions += 1
    for (let next = this.#untold.shift(); next !== undefined; next = this.#untold.shift()) {
      if (this.#scope.signal.aborted) break
      await next()
    }
    this.#deletions -= 1
  }

  /** Whether it could be asked to go. */
  async #orderAway(preemptor: Pod, victim: Pod, nodeName: string): Promise<boolean> {
    const { client, news } = this.#parts
    const { uid, name, namespace = '' } = victim.metadata
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: `${preemptor.spec.schedulerName ?? 'default-scheduler'}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: formatTime(this.#scope.clock.now()),
    }
    await news.patchStatus(victim, { conditions: [condition] })
    try {
      const preconditions = uid === undefined ? {} : { preconditions: { uid } }
      await ignoreReason('NotFound', client.delete(pods, { name, namespace }, preconditions))
    } catch (error) {
      if (!this.#scope.signal.aborted)
        this.#scope.log.warn('a victim was not ordered away', { pod: keyOf(victim), error })
      this.gone(keyOf(victim))
      return false
    }
    const message = `Preempted by pod ${preemptor.metadata.uid} on node ${nodeName}`
    news.event(victim, { type: 'Normal', reason: 'Preempted', message })
    return true
  }
}

function isVictim({ metadata, status }: Pod): boolean {
  if (metadata.deletionTimestamp === undefined) return false
  const condition = status?.conditions?.find(({ type }) => type === 'DisruptionTarget')
  return condition?.status === 'True' && condition.reason === 'PreemptionByScheduler'
}
