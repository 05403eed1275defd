// Whether a node is under pressure and may evict: facts of the moment and what was known before in, conditions and
// thresholds that have been met long enough out. The rules are those of upstream's eviction manager. Pure.

import { unitsOf } from './thresholds.ts'
import type { Signal, Threshold } from './thresholds.ts'

export interface Observation {
  /** Bytes, inodes or processes. */
  readonly available: number
  readonly capacity: number
}

export type Observations = ReadonlyMap<Signal, Observation>

export const pressureConditions = ['MemoryPressure', 'DiskPressure', 'PIDPressure'] as const
export type PressureCondition = (typeof pressureConditions)[number]

/** What one judgement hands to the next. Times are monotonic milliseconds. */
export interface PressureMemory {
  readonly firstMetAtMs: ReadonlyMap<Threshold, number>
  readonly conditionSeenAtMs: ReadonlyMap<PressureCondition, number>
  /** Thresholds that were met long enough at the last judgement: they are over only with their minimum reclaimed. */
  readonly acting: readonly Threshold[]
}

export const noPressure: PressureMemory = { firstMetAtMs: new Map(), conditionSeenAtMs: new Map(), acting: [] }

export interface PressureVerdict {
  readonly conditions: ReadonlySet<PressureCondition>
  /** Met for their grace period, most urgent first: memory before all others. */
  readonly acting: readonly Threshold[]
  readonly memory: PressureMemory
}

export interface PressureFacts {
  readonly thresholds: readonly Threshold[]
  readonly observations: Observations
  readonly nowMs: number
  /** How long a condition is held after it was last seen. */
  readonly transitionMs: number
  readonly before: PressureMemory
}

export function judgePressure({
  thresholds,
  observations,
  nowMs,
  transitionMs,
  before,
}: PressureFacts): PressureVerdict {
  const met = thresholds.filter(
    (threshold) =>
      isMet(threshold, observations, false) ||
      (before.acting.includes(threshold) && isMet(threshold, observations, true)),
  )
  const firstMetAtMs = new Map(met.map((threshold) => [threshold, before.firstMetAtMs.get(threshold) ?? nowMs]))
  const seen = new Map(before.conditionSeenAtMs)
  for (const { signal } of met) seen.set(conditionOf(signal), nowMs)
  const acting = met
    .filter((threshold) => nowMs - firstMetAtMs.get(threshold)! >= threshold.graceMs)
    .toSorted((left, right) => urgency(left.signal) - urgency(right.signal))
  const held = [...seen].filter(([, atMs]) => nowMs - atMs < transitionMs || atMs === nowMs).map(([type]) => type)
  return {
    conditions: new Set(held),
    acting,
    memory: { firstMetAtMs, conditionSeenAtMs: seen, acting },
  }
}

/** With `reclaimed`, whether the threshold's minimum reclaim is still missing. A signal that was not seen meets nothing. */
export function isMet(threshold: Threshold, observations: Observations, reclaimed: boolean): boolean {
  const observed = observations.get(threshold.signal)
  if (observed === undefined) return false
  const extra = reclaimed && threshold.reclaim !== undefined ? unitsOf(threshold.reclaim, observed.capacity) : 0
  return observed.available < unitsOf(threshold.below, observed.capacity) + extra
}

export function conditionOf(signal: Signal): PressureCondition {
  if (signal === 'memory.available') return 'MemoryPressure'
  return signal === 'pid.available' ? 'PIDPressure' : 'DiskPressure'
}

function urgency(signal: Signal): number {
  return signal === 'memory.available' ? 0 : 1
}
