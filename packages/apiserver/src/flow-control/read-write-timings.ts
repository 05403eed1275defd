// For how long how many reads and writes waited or ran. With priority and fairness these are numbers, not shares, as upstream's are.

import type { RequestInfo } from '../request-info.ts'
import { HighWater } from './high-water.ts'
import { TimingSeries } from './timing-series.ts'

const bounds = [0, 0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1] as const

export const requestKinds = ['mutating', 'readOnly'] as const
export const requestPhases = ['waiting', 'executing'] as const
type Kind = (typeof requestKinds)[number]
type Phase = (typeof requestPhases)[number]

const reads: ReadonlySet<string> = new Set(['get', 'list', 'watch'])

export class ReadWriteTimings {
  readonly series: Readonly<Record<Kind, Readonly<Record<Phase, TimingSeries>>>>
  /** Most that waited at once. */
  readonly mostWaiting: Readonly<Record<Kind, HighWater>>

  constructor(nowMs: number) {
    this.mostWaiting = { mutating: new HighWater(nowMs), readOnly: new HighWater(nowMs) }
    const both = (): Readonly<Record<Phase, TimingSeries>> => ({
      waiting: new TimingSeries(bounds, nowMs),
      executing: new TimingSeries(bounds, nowMs),
    })
    this.series = { mutating: both(), readOnly: both() }
  }

  enter(info: RequestInfo, phase: Phase, nowMs: number): void {
    this.#add(info, phase, { by: 1, nowMs })
  }

  /** From waiting to executing. */
  move(info: RequestInfo, nowMs: number): void {
    this.#add(info, 'waiting', { by: -1, nowMs })
    this.#add(info, 'executing', { by: 1, nowMs })
  }

  leave(info: RequestInfo, phase: Phase, nowMs: number): void {
    this.#add(info, phase, { by: -1, nowMs })
  }

  #add({ verb }: RequestInfo, phase: Phase, { by, nowMs }: { readonly by: 1 | -1; readonly nowMs: number }): void {
    const kind = reads.has(verb) ? 'readOnly' : 'mutating'
    const series = this.series[kind][phase]
    series.set(series.value + by, nowMs)
    if (phase === 'waiting') this.mostWaiting[kind].set(series.value, nowMs)
  }
}
