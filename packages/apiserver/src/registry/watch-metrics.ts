// What is sent to watchers, by resource, under upstream's names.

import type { KindRow } from '@aksel/api/kind-row'
import { labelText, type Counter, type Histogram, type MetricsRegistry } from '../metrics.ts'

const sizeBounds = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072] as const

/** Kept by each watch: an event costs two additions. */
export type EventMeasure = (sizeBytes: number) => void

export class WatchMetrics {
  readonly #totals: Counter
  readonly #sizes: Histogram

  constructor(registry: MetricsRegistry) {
    this.#totals = registry.counter('apiserver_watch_events_total', 'Number of events sent in watch clients.')
    this.#sizes = registry.histogram(
      'apiserver_watch_events_sizes',
      'Watch event size distribution in bytes.',
      sizeBounds,
    )
  }

  of({ group, version, plural: resource }: KindRow): EventMeasure {
    const labels = labelText({ group, resource, version })
    const sizes = this.#sizes.series(labels)
    return (sizeBytes) => {
      this.#totals.add(labels)
      sizes.observe(sizeBytes)
    }
  }
}
