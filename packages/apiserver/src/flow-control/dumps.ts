// What `/debug/api_priority_and_fairness/` shows: levels, queues and requests as tables of upstream's columns.

import { formatMicroTime } from '@aksel/base/clock'
import type { Admitted, FlowControl } from './flow-control.ts'
import { ownSeats, workOf, type FlowRequest } from './flow-request.ts'
import type { Level } from './level.ts'

type Row = readonly (string | number | boolean)[]

const root = '/debug/api_priority_and_fairness/'

/** Undefined for a path that is none of them. `offsetMs`: what added to monotonic time gives the time of day. */
export function dumpOf(
  control: FlowControl,
  path: string,
  query: URLSearchParams,
  offsetMs: number,
): string | undefined {
  if (!path.startsWith(root)) return undefined
  switch (path.slice(root.length)) {
    case 'dump_priority_levels':
      return table(levelColumns, [...control.levels.values()].map(levelRow))
    case 'dump_queues':
      return table(queueColumns, [...control.levels.values()].flatMap(queueRows))
    case 'dump_requests': {
      const isDetailed = ['1', 'true'].includes((query.get('includeRequestDetails') ?? '').toLowerCase())
      const columns = isDetailed ? [...requestColumns, ...detailColumns] : requestColumns
      return table(columns, requestRows(control, isDetailed, offsetMs))
    }
    default:
      return undefined
  }
}

const levelColumns = [
  'PriorityLevelName',
  'ActiveQueues',
  'IsIdle',
  'IsQuiescing',
  'WaitingRequests',
  'ExecutingRequests',
  'DispatchedRequests',
  'RejectedRequests',
  'TimedoutRequests',
  'CancelledRequests',
]

function levelRow({ name, isExempt, isQuiescing, queues, counts }: Level): Row {
  if (isExempt) return [name, ...Array.from({ length: 9 }, () => '<none>')]
  const active = queues.shown().filter(({ waiting, executing }) => waiting.length + executing > 0).length
  const isIdle = queues.waiting + queues.executing === 0
  const { dispatched, rejected, timedOut, cancelled } = counts
  return [
    name,
    active,
    isIdle,
    isQuiescing,
    queues.waiting,
    queues.executing,
    dispatched,
    rejected,
    timedOut,
    cancelled,
  ]
}

const queueColumns = [
  'PriorityLevelName',
  'Index',
  'PendingRequests',
  'ExecutingRequests',
  'SeatsInUse',
  'NextDispatchR',
  'InitialSeatsSum',
  'MaxSeatsSum',
  'TotalWorkSum',
]

function queueRows({ name, isExempt, queues }: Level): readonly Row[] {
  if (isExempt) return [[name, ...Array.from({ length: 8 }, () => '<none>')]]
  return queues.shown().map(({ waiting, executing, seatsInUse, nextDispatchR }, index) => {
    const sum = (of: (one: FlowRequest) => number): number => waiting.reduce((total, one) => total + of(one), 0)
    const work = `${sum(workOf).toFixed(8)}ss`
    const [initial, most] = [sum(ownSeats), sum(({ seats }) => seats)]
    return [name, index, waiting.length, executing, seatsInUse, `${nextDispatchR.toFixed(8)}ss`, initial, most, work]
  })
}

const requestColumns = [
  'PriorityLevelName',
  'FlowSchemaName',
  'QueueIndex',
  'RequestIndexInQueue',
  'FlowDistingsher',
  'ArriveTime',
  'InitialSeats',
  'FinalSeats',
  'AdditionalLatency',
  'StartTime',
]
const detailColumns = ['UserName', 'Verb', 'APIPath', 'Namespace', 'Name', 'APIVersion', 'Resource', 'SubResource']

function requestRows(control: FlowControl, isDetailed: boolean, offsetMs: number): readonly Row[] {
  const places = new Map<unknown, readonly [number, number]>()
  for (const { queues } of control.levels.values())
    for (const [index, { waiting }] of queues.shown().entries())
      for (const [at, request] of waiting.entries()) places.set(request, [index, at])
  return [...control.requests].map((request) => {
    const [queue, at] = places.get(request) ?? [-1, -1]
    const { level, schema, distinguisher, arrivedMs, startedMs, final } = request
    const time = (ms: number): string => formatMicroTime(ms + offsetMs)
    const started = startedMs === undefined ? '0001-01-01T00:00:00Z' : time(startedMs)
    const latency = final === undefined ? '0s' : `${final.ms}ms`
    const own = ownSeats(request)
    const row: Row = [
      level,
      schema,
      queue,
      at,
      distinguisher,
      time(arrivedMs),
      own,
      final?.seats ?? 0,
      latency,
      started,
    ]
    return isDetailed ? [...row, ...detailsOf(request)] : row
  })
}

function detailsOf({ user, info }: Admitted): Row {
  const { verb, path, namespace, name, version, resource, subresource } = info
  return [user.name, verb, path, namespace, name, version, resource, subresource]
}

/** Names that users chose cannot begin a line or a column. */
function table(columns: readonly string[], rows: readonly Row[]): string {
  const text = (value: string | number | boolean): string => String(value).replaceAll(/[\t\n\r,]/g, ' ')
  const widths = columns.map((column, at) => Math.max(column.length, ...rows.map((row) => text(row[at]!).length)))
  const line = (cells: Row): string =>
    cells
      .map((cell, at) => `${text(cell)},`.padEnd(widths[at]! + 2))
      .join('')
      .trimEnd()
  return `${[columns, ...rows].map((cells) => line(cells).replace(/,$/, '')).join('\n')}\n`
}
