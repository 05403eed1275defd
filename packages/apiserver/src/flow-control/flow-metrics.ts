// What flow control counts, under upstream's names.

import { labelText, type Counter, type Histogram, type Labels, type MetricsRegistry } from '../metrics.ts'
import { targetOf } from './borrowing.ts'
import type { Admitted, FlowControl } from './flow-control.ts'
import type { Level } from './level.ts'
import { declareProgressMetrics, declareQueuedMetrics, declareTimingMetrics } from './timing-metrics.ts'

const waitBounds = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30] as const
const lengthBounds = [0, 10, 25, 50, 100, 250, 500, 1000] as const
const seatBounds = [1, 2, 4, 10, 25, 50, 100] as const
const watcherBounds = [0, 1, 10, 100, 1000, 10_000] as const

export type RejectReason = 'queue-full' | 'concurrency-limit' | 'time-out' | 'cancelled'

export class FlowMetrics {
  readonly #dispatched: Counter
  readonly #rejected: Counter
  readonly #waits: Histogram
  readonly #runs: Histogram
  readonly #seats: Histogram
  readonly #queueLengths: Histogram
  readonly #watchers: Histogram
  readonly #noRoom: Counter
  /** By schema and level: texts are made once. */
  readonly #labels = new Map<string, string>()
  /** Schemas and levels that had requests. */
  readonly #seen = new Map<string, Labels>()

  constructor(registry: MetricsRegistry, control: () => FlowControl) {
    const levels = (): Iterable<Level> => control().levels.values()
    this.#dispatched = registry.counter(
      'apiserver_flowcontrol_dispatched_requests_total',
      'Number of requests executed by API Priority and Fairness subsystem',
    )
    this.#rejected = registry.counter(
      'apiserver_flowcontrol_rejected_requests_total',
      'Number of requests rejected by API Priority and Fairness subsystem',
    )
    this.#waits = registry.histogram(
      'apiserver_flowcontrol_request_wait_duration_seconds',
      'Length of time a request spent waiting in its queue',
      waitBounds,
    )
    this.#runs = registry.histogram(
      'apiserver_flowcontrol_request_execution_seconds',
      'Duration of initial stage (for a WATCH) or any (for a non-WATCH) stage of request execution in the API Priority and Fairness subsystem',
      waitBounds,
    )
    this.#seats = registry.histogram(
      'apiserver_flowcontrol_work_estimated_seats',
      'Number of estimated seats (maximum of initial and final seats) associated with requests in API Priority and Fairness',
      seatBounds,
    )
    const gauge = (name: string, help: string, value: (level: Level) => number): void =>
      registry.gauge(`apiserver_flowcontrol_${name}`, help, () =>
        [...levels()].map((level): readonly [Labels, number] => [{ priority_level: level.name }, value(level)]),
      )
    gauge(
      'nominal_limit_seats',
      'Nominal number of execution seats configured for each priority level',
      (level) => level.bounds.nominal,
    )
    gauge(
      'lower_limit_seats',
      'Configured lower bound on number of execution seats available to each priority level',
      (level) => level.bounds.min,
    )
    gauge(
      'upper_limit_seats',
      'Configured upper bound on number of execution seats available to each priority level',
      (level) => level.bounds.max,
    )
    gauge(
      'current_limit_seats',
      'current derived number of execution seats available to each priority level',
      (level) => level.currentSeats,
    )
    this.#gaugesBySchema(registry, control)
    gauge('demand_seats_smoothed', 'Smoothed seat demands', (level) => level.demand.smoothed)
    gauge(
      'demand_seats_high_watermark',
      'High watermark, over last adjustment period, of demand_seats',
      (level) => level.demand.highWatermark,
    )
    gauge(
      'demand_seats_average',
      'Time-weighted average, over last adjustment period, of demand_seats',
      (level) => level.demand.average,
    )
    gauge(
      'demand_seats_stdev',
      'Time-weighted standard deviation, over last adjustment period, of demand_seats',
      (level) => level.demand.deviation,
    )
    gauge('target_seats', 'Seat allocation targets', ({ bounds, demand }) => targetOf(bounds, demand.smoothed))
    registry.gauge(
      'apiserver_flowcontrol_seat_fair_frac',
      'Fair fraction of server’s concurrency to allocate to each priority level that can use it',
      () => [[{}, control().fairFraction]],
    )
    this.#watchers = registry.histogram(
      'apiserver_flowcontrol_watch_count_samples',
      'count of watchers for mutating requests in API Priority and Fairness',
      watcherBounds,
    )
    this.#noRoom = registry.counter(
      'apiserver_flowcontrol_request_dispatch_no_accommodation_total',
      'Number of times a dispatch attempt resulted in a non accommodation due to lack of available seats',
    )
    declareTimingMetrics(registry, control)
    declareQueuedMetrics(registry, control)
    declareProgressMetrics(registry, levels)
    this.#queueLengths = registry.histogram(
      'apiserver_flowcontrol_request_queue_length_after_enqueue',
      'Length of queue in the API Priority and Fairness subsystem, as seen by each request after it is enqueued',
      lengthBounds,
    )
  }

  /** Counted when they are asked for: requests come and go far more often. */
  #gaugesBySchema(registry: MetricsRegistry, control: () => FlowControl): void {
    const gauge = (name: string, help: string, isCounted: (request: Admitted) => number): void =>
      registry.gauge(`apiserver_flowcontrol_${name}`, help, () => {
        const sums = new Map<string, number>([...this.#seen.keys()].map((key) => [key, 0]))
        for (const request of control().alive()) {
          const key = keyOf(request.schema, request.level)
          sums.set(key, (sums.get(key) ?? 0) + isCounted(request))
        }
        return [...sums].map(([key, sum]): readonly [Labels, number] => [this.#seen.get(key)!, sum])
      })
    const executing = ({ startedMs }: Admitted): boolean => startedMs !== undefined
    gauge(
      'current_executing_seats',
      'Concurrency (number of seats) occupied by the currently executing (initial stage for a WATCH, any stage otherwise) requests in the API Priority and Fairness subsystem',
      (request) => (executing(request) ? control().seatsOf(request) : 0),
    )
    gauge(
      'current_executing_requests',
      'Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage in the API Priority and Fairness subsystem',
      (request) => (executing(request) ? 1 : 0),
    )
    gauge(
      'current_inqueue_requests',
      'Number of requests currently pending in queues of the API Priority and Fairness subsystem',
      (request) => (executing(request) ? 0 : 1),
    )
    gauge(
      'current_inqueue_seats',
      'Number of seats currently pending in queues of the API Priority and Fairness subsystem',
      (request) => (executing(request) ? 0 : request.seats),
    )
  }

  /** Those that a write would be told to. */
  watchers(schema: string, level: string, count: number): void {
    this.#watchers.observe(this.#labelsFor(schema, level), count)
  }

  /** Its turn came, and it found no room. */
  noRoom(request: Admitted): void {
    this.#noRoom.add(this.#labelsOf(request))
  }

  /** A request came to its queue; `length` counts it, and is 0 where it did not have to wait. */
  enqueued(request: Admitted, length: number): void {
    this.#queueLengths.observe(this.#labelsOf(request), length)
  }

  dispatched(request: Admitted, waitedSeconds: number): void {
    const labels = this.#labelsOf(request)
    this.#dispatched.add(labels)
    this.#waits.observe(`execute="true",${labels}`, waitedSeconds)
    this.#seats.observe(labels, request.seats)
  }

  rejected(request: Admitted, reason: RejectReason, waitedSeconds: number): void {
    const labels = this.#labelsOf(request)
    this.#waits.observe(`execute="false",${labels}`, waitedSeconds)
    this.#rejected.add(`${labels},${labelText({ reason })}`)
  }

  finished(request: Admitted, nowMs: number): void {
    if (request.startedMs === undefined) return
    const type = request.info.verb === 'watch' ? 'watch' : 'regular'
    this.#runs.observe(`${this.#labelsOf(request)},type="${type}"`, (nowMs - request.startedMs) / 1000)
  }

  #labelsOf({ schema, level }: Admitted): string {
    return this.#labelsFor(schema, level)
  }

  #labelsFor(schema: string, level: string): string {
    const key = keyOf(schema, level)
    const known = this.#labels.get(key)
    if (known !== undefined) return known
    const labels = { flow_schema: schema, priority_level: level }
    const text = labelText(labels)
    this.#labels.set(key, text)
    this.#seen.set(key, labels)
    return text
  }
}

function keyOf(schema: string, level: string): string {
  return `${schema}/${level}`
}
