// What flow control counts, under upstream's names.

import { labelText, type Counter, type Histogram, type Labels, type MetricsRegistry } from '../metrics.ts'
import { targetOf } from './borrowing.ts'
import type { Admitted, FlowControl } from './flow-control.ts'
import type { Level } from './level.ts'

const waitBounds = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30] as const
const lengthBounds = [0, 10, 25, 50, 100, 250, 500, 1000] as const
const seatBounds = [1, 2, 4, 10, 25, 50, 100] as const

export type RejectReason = 'queue-full' | 'concurrency-limit' | 'time-out' | 'cancelled'

export class FlowMetrics {
  readonly #dispatched: Counter
  readonly #rejected: Counter
  readonly #waits: Histogram
  readonly #runs: Histogram
  readonly #seats: Histogram
  readonly #queueLengths: Histogram
  /** By schema and level: texts are made once. */
  readonly #labels = new Map<string, string>()

  constructor(registry: MetricsRegistry, control: () => Pick<FlowControl, 'levels' | 'fairFraction'>) {
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
    gauge(
      'current_executing_seats',
      'Concurrency (number of seats) occupied by the currently executing (initial stage for a WATCH, any stage otherwise) requests in the API Priority and Fairness subsystem',
      (level) => level.queues.seatsInUse,
    )
    gauge(
      'current_executing_requests',
      'Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage in the API Priority and Fairness subsystem',
      (level) => level.queues.executing,
    )
    gauge(
      'current_inqueue_requests',
      'Number of requests currently pending in queues of the API Priority and Fairness subsystem',
      (level) => level.queues.waiting,
    )
    gauge(
      'current_inqueue_seats',
      'Number of seats currently pending in queues of the API Priority and Fairness subsystem',
      (level) => level.queues.seatsWaiting,
    )
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
    this.#queueLengths = registry.histogram(
      'apiserver_flowcontrol_request_queue_length_after_enqueue',
      'Length of queue in the API Priority and Fairness subsystem, as seen by each request after it is enqueued',
      lengthBounds,
    )
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
    if (request.startedMs !== undefined) this.#runs.observe(this.#labelsOf(request), (nowMs - request.startedMs) / 1000)
  }

  #labelsOf({ schema, level }: Admitted): string {
    const key = `${schema}/${level}`
    let text = this.#labels.get(key)
    if (text === undefined) this.#labels.set(key, (text = labelText({ flow_schema: schema, priority_level: level })))
    return text
  }
}
