// Of flow control, what is observed at every nanosecond, and how far each level's virtual time is: under upstream's names.

import type { Labels, MetricsRegistry, Series } from '../metrics.ts'
import type { FlowControl } from './flow-control.ts'
import type { Level } from './level.ts'
import { requestKinds, requestPhases } from './read-write-timings.ts'
import { SERVICE_SECONDS } from './flow-request.ts'

export function declareTimingMetrics(registry: MetricsRegistry, control: () => FlowControl): void {
  const histogram = (
    name: string,
    help: string,
    of: (level: Level, nowMs: number) => readonly (readonly [Labels, Series])[],
  ): void =>
    registry.seriesOf(`apiserver_flowcontrol_${name}`, help, () => {
      const { levels, nowMs } = control()
      return [...levels.values()].flatMap((level) => of(level, nowMs))
    })
  histogram(
    'priority_level_seat_utilization',
    'Observations, at the end of every nanosecond, of utilization of seats for any stage of execution (but only initial stage for WATCHes); denominator is current seat limit or max(1, round(server seat limit/10))',
    ({ name, timings }, nowMs) => [[{ phase: 'executing', priority_level: name }, timings.seatsInUse.read(nowMs)]],
  )
  histogram(
    'priority_level_request_utilization',
    'Observations, at the end of every nanosecond, of number of requests waiting or in any stage of execution (but only initial stage for WATCHes); denominator for waiting is max(1, QueueLengthLimit) X max(1, DesiredNumQueues), for executing is current seat limit if that is not zero otherwise max(1, round(server seat limit/10))',
    ({ name, timings }, nowMs) => [
      [{ phase: 'executing', priority_level: name }, timings.executing.read(nowMs)],
      [{ phase: 'waiting', priority_level: name }, timings.waiting.read(nowMs)],
    ],
  )
  histogram(
    'demand_seats',
    'Observations, at the end of every nanosecond, of (the number of seats each priority level could use) / (current seat limit for that level if that is not zero otherwise max(1, round(server seat limit/10.0)))',
    ({ name, timings }, nowMs) => [[{ priority_level: name }, timings.demand.read(nowMs)]],
  )
  registry.seriesOf(
    'apiserver_flowcontrol_read_vs_write_current_requests',
    'Observations, at the end of every nanosecond, of the number of requests (as a fraction of the relevant limit) waiting or in regular stage of execution',
    () => {
      const { readsAndWrites, nowMs } = control()
      return requestKinds.flatMap((kind) =>
        requestPhases.map((phase): readonly [Labels, Series] => [
          { phase, request_kind: kind },
          readsAndWrites.series[kind][phase].read(nowMs),
        ]),
      )
    },
  )
}

/** As many as waited at once within the last second. */
export function declareQueuedMetrics(registry: MetricsRegistry, control: () => FlowControl): void {
  registry.gauge(
    'apiserver_current_inqueue_requests',
    'Maximal number of queued requests in this apiserver per request kind in last second.',
    () => {
      const { readsAndWrites, nowMs } = control()
      return requestKinds.map((kind): readonly [Labels, number] => [
        { request_kind: kind },
        readsAndWrites.mostWaiting[kind].read(nowMs),
      ])
    },
  )
}

export function declareProgressMetrics(registry: MetricsRegistry, levels: () => Iterable<Level>): void {
  const gauge = (name: string, help: string, value: (level: Level) => number): void =>
    registry.gauge(`apiserver_flowcontrol_${name}`, help, () =>
      [...levels()]
        .filter(({ isExempt }) => !isExempt)
        .map((level): readonly [Labels, number] => [{ priority_level: level.name }, value(level)]),
    )
  gauge('current_r', 'R(time of last change)', ({ queues }) => queues.progress.currentR)
  gauge('dispatch_r', 'R(time of last dispatch)', ({ queues }) => queues.progress.dispatchR)
  gauge('latest_s', 'S(most recently dispatched request)', ({ queues }) => queues.progress.latestS)
  const bounds = (name: string, help: string, discount: (seatsInUse: number) => number): void =>
    registry.gauge(`apiserver_flowcontrol_${name}`, help, () =>
      [...levels()].flatMap((level): readonly (readonly [Labels, number])[] => {
        const starts = level.queues
          .shown()
          .filter(({ waiting }) => waiting.length > 0)
          .map(({ nextDispatchR, seatsInUse }) => nextDispatchR - discount(seatsInUse))
        if (starts.length === 0) return []
        return [
          [{ priority_level: level.name, bound: 'max' }, Math.max(...starts)],
          [{ priority_level: level.name, bound: 'min' }, Math.min(...starts)],
        ]
      }),
    )
  bounds('next_s_bounds', 'min and max, over queues, of S(oldest waiting request in queue)', () => 0)
  bounds(
    'next_discounted_s_bounds',
    'min and max, over queues, of S(oldest waiting request in queue) - estimated work in progress',
    (seatsInUse) => seatsInUse * SERVICE_SECONDS,
  )
  registry.gauge(
    'apiserver_flowcontrol_epoch_advance_total',
    "Number of times the queueset's progress meter jumped backward",
    () =>
      [...levels()].flatMap(({ name, queues }) =>
        (['false', 'true'] as const)
          .filter((success) => queues.epochs[success] > 0)
          .map((success): readonly [Labels, number] => [{ priority_level: name, success }, queues.epochs[success]]),
      ),
    'counter',
  )
}
