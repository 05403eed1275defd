// How long the store takes, by operation and resource, under the names that upstream gives its calls to etcd.

import type { KindRow } from '@aksel/api/kind-row'
import type { Clock } from '@aksel/base/clock'
import { labelText, type Counter, type Histogram, type MetricsRegistry, type Series } from '../metrics.ts'
import { atOnce, translated } from './store-errors.ts'

export type StoreOperation = 'get' | 'list' | 'create' | 'update' | 'delete'

const bounds = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
] as const

interface Kept {
  readonly labels: string
  readonly series: Series
}

export class StoreMetrics {
  readonly #clock: Clock
  readonly #durations: Histogram
  readonly #totals: Counter
  readonly #errors: Counter
  readonly #kept = new WeakMap<KindRow, Map<StoreOperation, Kept>>()

  constructor(clock: Clock, registry: MetricsRegistry) {
    this.#clock = clock
    this.#durations = registry.histogram(
      'etcd_request_duration_seconds',
      'Etcd request latency in seconds for each operation and object type.',
      bounds,
    )
    this.#totals = registry.counter('etcd_requests_total', 'Etcd request counts for each operation and object type.')
    this.#errors = registry.counter(
      'etcd_request_errors_total',
      'Etcd failed request counts for each operation and object type.',
    )
  }

  begin(): number {
    return this.#clock.monotonicMs()
  }

  /** An operation that is over. */
  end(operation: StoreOperation, row: KindRow, startMs: number): void {
    const { labels, series } = this.#of(operation, row)
    series.observe((this.#clock.monotonicMs() - startMs) / 1000)
    this.#totals.add(labels)
  }

  /** Passes the outcome on when it is there. */
  async counted<T>(operation: StoreOperation, row: KindRow, startMs: number, outcome: Promise<T>): Promise<T> {
    try {
      return await outcome
    } catch (error) {
      this.#errors.add(this.#of(operation, row).labels)
      throw error
    } finally {
      this.end(operation, row, startMs)
    }
  }

  /** The answer at once where the store has it, a promise where it must ask; errors are the API's. */
  asked<T>(operation: StoreOperation, row: KindRow, ask: () => T | Promise<T>): T | Promise<T> {
    const startMs = this.begin()
    const found = atOnce(ask)
    if (found instanceof Promise) return this.counted(operation, row, startMs, translated(found))
    this.end(operation, row, startMs)
    return found
  }

  #of(operation: StoreOperation, row: KindRow): Kept {
    let ofRow = this.#kept.get(row)
    if (ofRow === undefined) this.#kept.set(row, (ofRow = new Map<StoreOperation, Kept>()))
    let kept = ofRow.get(operation)
    if (kept === undefined) {
      const labels = labelText({ group: row.group, operation, resource: row.plural })
      ofRow.set(operation, (kept = { labels, series: this.#durations.series(labels) }))
    }
    return kept
  }
}
