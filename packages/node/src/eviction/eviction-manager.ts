// Keeps a node alive when it runs out of something: looks every few seconds, says so in the node's conditions, gives back
// what nobody needs, and evicts one pod after the other. What to do is judged by pure parts; time and world are handed in.

import type { Pod } from '@aksel/api/types/core-v1'
import { anySignal } from '@aksel/base/any-signal'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { isCriticalPod } from '../pod/critical.ts'
import { qosOf } from '../pod/resources.ts'
import { EVICTED, evictionNotice, pressureRefusal } from './messages.ts'
import { isMet, judgePressure, noPressure } from './pressure.ts'
import type { Observations, PressureCondition, PressureMemory } from './pressure.ts'
import { rankForEviction, resourceOf } from './rank.ts'
import type { PodUsage } from './rank.ts'
import { brokenStorageLimit, hasStorageLimit } from './storage-limits.ts'
import type { Threshold } from './thresholds.ts'

export interface EvictionOrder {
  readonly message: string
  readonly graceSeconds: number
  readonly annotations?: Readonly<Record<string, string>>
  /** The node's need, not the pod's own fault: budgets and retries of jobs tell them apart. */
  readonly isDisruption: boolean
}

/** A pod that the node runs. */
export interface EvictablePod {
  readonly pod: Pod
  /** Resolves when its containers are down and its status says so. */
  evict(order: EvictionOrder): Promise<void>
}

export interface EvictionWorld<P extends EvictablePod> {
  observe(): Promise<Observations>
  /** Those that have not come to an end. */
  pods(): readonly P[]
  usageOf(pod: P): Promise<PodUsage>
  /** Dead containers, and images that no container uses. */
  reclaimDisk(): Promise<void>
  /** The node's conditions are not what they were. */
  changed(): void
  /** An event on the node. */
  tellNode(type: 'Normal' | 'Warning', reason: string, message: string): void
}

export interface EvictionOptions {
  readonly thresholds: readonly Threshold[]
  readonly transitionMs: number
  /** Of a soft eviction, at most. */
  readonly maxPodGraceSeconds: number
  readonly intervalMs: number
}

export interface PodRefusal {
  readonly reason: string
  readonly message: string
}

/** A killed pod's signal gets this long, as upstream. */
const IMMEDIATE_GRACE_SECONDS = 1
const CLEANUP_MS_MAX = 30_000

export class EvictionManager<P extends EvictablePod> {
  readonly #scope: Scope
  readonly #world: EvictionWorld<P>
  readonly #options: EvictionOptions
  #memory: PressureMemory = noPressure
  #conditions: ReadonlySet<PressureCondition> = new Set()

  constructor(scope: Scope, options: EvictionOptions, world: EvictionWorld<P>) {
    this.#scope = scope
    this.#options = options
    this.#world = world
  }

  get conditions(): ReadonlySet<PressureCondition> {
    return this.#conditions
  }

  /** Until the scope aborts. */
  async run(): Promise<void> {
    const { clock, signal, log } = this.#scope
    while (!signal.aborted) {
      try {
        // One eviction may not be enough: look again at once until nothing more has to go.
        while (!signal.aborted && (await this.look())) {}
      } catch (error) {
        if (!signal.aborted) log.warn('the node could not be looked after', { error })
      }
      await sleep(clock, this.#options.intervalMs, signal).catch(() => {})
    }
  }

  /** One look; true where a pod was evicted for it. */
  async look(): Promise<boolean> {
    const observations = await this.#world.observe()
    const verdict = judgePressure({
      thresholds: this.#options.thresholds,
      observations,
      nowMs: this.#scope.clock.monotonicMs(),
      transitionMs: this.#options.transitionMs,
      before: this.#memory,
    })
    this.#memory = verdict.memory
    this.#setConditions(verdict.conditions)
    if (await this.#enforceLimits()) return true
    const [threshold] = verdict.acting
    return threshold === undefined ? false : this.#relieve(threshold, observations)
  }

  /** Why the pod may not start here now; undefined where it may. */
  admit(pod: Pod): PodRefusal | undefined {
    const conditions = [...this.#conditions]
    if (conditions.length === 0 || isCriticalPod(pod)) return undefined
    if (conditions.length === 1 && conditions[0] === 'MemoryPressure') {
      if (qosOf(pod) !== 'BestEffort') return undefined
      if (toleratesMemoryPressure(pod)) return undefined
    }
    return { reason: EVICTED, message: pressureRefusal(conditions) }
  }

  #setConditions(conditions: ReadonlySet<PressureCondition>): void {
    const before = this.#conditions
    const isSame = before.size === conditions.size && [...before].every((type) => conditions.has(type))
    if (isSame) return
    this.#conditions = conditions
    this.#scope.log.info('the node is under other pressure than before', { conditions: [...conditions].join() })
    this.#world.changed()
  }

  async #enforceLimits(): Promise<boolean> {
    let evicted = false
    for (const candidate of this.#world.pods()) {
      if (!hasStorageLimit(candidate.pod) || isCriticalPod(candidate.pod)) continue
      const message = brokenStorageLimit(candidate.pod, await this.#world.usageOf(candidate))
      if (message === undefined) continue
      await this.#evict(candidate, { message, graceSeconds: IMMEDIATE_GRACE_SECONDS, isDisruption: false })
      evicted = true
    }
    return evicted
  }

  async #relieve(threshold: Threshold, observations: Observations): Promise<boolean> {
    const { signal } = threshold
    const resource = resourceOf(signal)
    this.#world.tellNode('Warning', 'EvictionThresholdMet', `Attempting to reclaim ${resource}`)
    if (resource === 'ephemeral-storage' || resource === 'inodes') {
      await this.#world.reclaimDisk()
      const after = await this.#world.observe()
      // Evicting frees less than was just freed: look again before anyone has to go.
      if (!isMet(threshold, after, true)) return false
    }
    const usages = new Map<Pod, PodUsage>()
    const candidates = this.#world.pods()
    for (const candidate of candidates) {
      const usage = await this.#world.usageOf(candidate).catch((error: unknown) => {
        this.#scope.log.debug('a pod could not be measured', { error, pod: candidate.pod.metadata.name })
      })
      if (usage !== undefined) usages.set(candidate.pod, usage)
    }
    const byPod = new Map(candidates.map((candidate) => [candidate.pod, candidate]))
    const ranked = rankForEviction([...byPod.keys()], (pod) => usages.get(pod), resource)
    const victim = ranked.find((pod) => !isCriticalPod(pod))
    if (victim === undefined) {
      this.#scope.log.warn('nothing can be evicted to reclaim what the node is short of', { resource })
      return false
    }
    const notice = evictionNotice({
      pod: victim,
      resource,
      usage: usages.get(victim),
      threshold,
      observed: observations.get(signal),
    })
    const own = victim.spec.terminationGracePeriodSeconds ?? 30
    const graceSeconds = threshold.isHard
      ? IMMEDIATE_GRACE_SECONDS
      : Math.max(IMMEDIATE_GRACE_SECONDS, Math.min(own, this.#options.maxPodGraceSeconds))
    await this.#evict(byPod.get(victim)!, { ...notice, graceSeconds, isDisruption: true })
    return true
  }

  /** A pod that does not come down in time holds nobody else up. */
  async #evict(candidate: P, order: EvictionOrder): Promise<void> {
    const { clock, signal, log } = this.#scope
    log.info('evicting a pod', { pod: candidate.pod.metadata.name, message: order.message })
    const patience = new AbortController()
    const tooLate = sleep(clock, CLEANUP_MS_MAX + order.graceSeconds * 1000, anySignal([signal, patience.signal]))
    await Promise.race([candidate.evict(order), tooLate.catch(() => {})])
    patience.abort()
  }
}

function toleratesMemoryPressure({ spec }: Pod): boolean {
  return (spec.tolerations ?? []).some(
    ({ key = '', operator = 'Equal', value = '', effect = '' }) =>
      (effect === '' || effect === 'NoSchedule') &&
      (key === '' ? operator === 'Exists' : key === 'node.kubernetes.io/memory-pressure') &&
      (operator === 'Exists' || value === ''),
  )
}
