// The shape of a benchmark's result: what was measured, beside what physical limit, and which stages the requests passed.

import type { StageReport } from './stages.ts'

export type Unit = 's' | 'bytes' | '/s' | 'bytes/s' | '×'

export interface ProbeSpan {
  /** What `value` is divided by. */
  readonly of: string
  /** In the row's unit; taken on the same machine just before and just after. */
  readonly before: number
  readonly after: number
}

export interface BenchRow {
  /** Begins with its id: `C3.api …`. */
  readonly name: string
  readonly value: number
  readonly unit: Unit
  /** `value` divided by the mean of both probes. */
  readonly ratio: number
  readonly ratioOf: string
  readonly probeBefore: number
  readonly probeAfter: number
  readonly details: RowDetails
}

export interface RowDetails {
  /** Every run's value, in order: `value` is their median. */
  readonly runs: readonly number[]
  readonly stages: StageReport
  readonly [key: string]: unknown
}

export interface Measured {
  readonly name: string
  readonly unit: Unit
  readonly runs: readonly number[]
  readonly probe: ProbeSpan
  readonly stages: StageReport
  readonly details?: Readonly<Record<string, unknown>>
}

export function rowOf(measured: Measured): BenchRow {
  const { name, unit, runs, probe, stages, details } = measured
  const value = median(runs)
  return {
    name,
    value,
    unit,
    ratio: value / ((probe.before + probe.after) / 2),
    ratioOf: probe.of,
    probeBefore: probe.before,
    probeAfter: probe.after,
    details: { runs, stages, ...details },
  }
}

/** The middle value, or the mean of the two in the middle. Throws where nothing was measured. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('Cannot take the median of no values')
  const sorted = values.toSorted((left, right) => left - right)
  const upper = sorted[Math.floor(sorted.length / 2)]!
  return sorted.length % 2 === 1 ? upper : (sorted[sorted.length / 2 - 1]! + upper) / 2
}
