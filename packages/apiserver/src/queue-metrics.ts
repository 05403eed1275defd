// How the server's own queues fare, under the names that upstream's work queues have.

import type { Clock } from '@aksel/base/clock'
import { labelText, type Counter, type Histogram, type Labels, type MetricsRegistry } from './metrics.ts'

const bounds = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.1, 1, 10] as const

interface QueueState {
  readonly labels: Labels
  depth: number
  /** Undefined while nothing is under way. */
  startedMs: number | undefined
}

export interface QueueMeasure {
  added(item: string): void
  taken(item: string): void
  done(): void
  retried(): void
}

export class QueueMetrics {
  readonly #clock: Clock
  readonly #queues: QueueState[] = []
  readonly #adds: Counter
  readonly #retries: Counter
  readonly #waits: Histogram
  readonly #works: Histogram

  constructor(clock: Clock, registry: MetricsRegistry) {
    this.#clock = clock
    this.#adds = registry.counter('workqueue_adds_total', 'Total number of adds handled by workqueue')
    this.#retries = registry.counter('workqueue_retries_total', 'Total number of retries handled by workqueue')
    this.#waits = registry.histogram(
      'workqueue_queue_duration_seconds',
      'How long in seconds an item stays in workqueue before being requested.',
      bounds,
    )
    this.#works = registry.histogram(
      'workqueue_work_duration_seconds',
      'How long in seconds processing an item from workqueue takes.',
      bounds,
    )
    const gauge = (name: string, help: string, read: (queue: QueueState) => number): void =>
      registry.gauge(name, help, () => this.#queues.map((queue) => [queue.labels, read(queue)] as const))
    // One item at a time: the longest is the only one.
    const running = ({ startedMs }: QueueState): number => (startedMs === undefined ? 0 : this.#since(startedMs))
    gauge('workqueue_depth', 'Current depth of workqueue by workqueue', ({ depth }) => depth)
    gauge(
      'workqueue_unfinished_work_seconds',
      'How many seconds of work has done that is in progress and hasn’t been observed by work_duration.',
      running,
    )
    gauge(
      'workqueue_longest_running_processor_seconds',
      'How many seconds has the longest running processor for workqueue been running.',
      running,
    )
  }

  /** For a queue that works at one item at a time. */
  of(name: string): QueueMeasure {
    const queue: QueueState = { labels: { name }, depth: 0, startedMs: undefined }
    this.#queues.push(queue)
    const labels = labelText({ name })
    const waits = this.#waits.series(labels)
    const works = this.#works.series(labels)
    const sinceMs = new Map<string, number>()
    return {
      added: (item) => {
        this.#adds.add(labels)
        queue.depth += 1
        sinceMs.set(item, this.#clock.monotonicMs())
      },
      taken: (item) => {
        queue.depth -= 1
        waits.observe(this.#since(sinceMs.get(item) ?? this.#clock.monotonicMs()))
        sinceMs.delete(item)
        queue.startedMs = this.#clock.monotonicMs()
      },
      done: () => {
        works.observe(this.#since(queue.startedMs ?? this.#clock.monotonicMs()))
        queue.startedMs = undefined
      },
      retried: () => this.#retries.add(labels),
    }
  }

  #since(ms: number): number {
    return (this.#clock.monotonicMs() - ms) / 1000
  }
}
