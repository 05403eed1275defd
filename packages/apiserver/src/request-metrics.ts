// The API server's own metrics under upstream's stable names: requests, what is under way, what is stored, the process.

import { readdir } from 'node:fs/promises'
import { memoryUsage, resourceUsage } from 'node:process'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { Catalog } from '@aksel/api/catalog'
import type { KindRow } from '@aksel/api/kind-row'
import { knownGates } from '@aksel/api/feature-gates'
import { labelText, type Counter, type Labels, type Histogram, type MetricsRegistry, type Series } from './metrics.ts'
import type { RecordStore } from './registry/record-store.ts'
import type { InFlight } from './in-flight.ts'

export interface MeasuredRequest {
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly scope: string
  readonly code: number
  readonly dryRun: string
  readonly seconds: number
  /** Without what webhooks took. */
  readonly ownSeconds: number
  /** Of the answer; undefined for streams. */
  readonly sizeBytes: number | undefined
}

/** Where one sort of request is counted. */
interface MeasuredSeries {
  /** Labels of its total. */
  readonly total: string
  readonly labels: string
  /** Absent for streams. */
  readonly durations: Series | undefined
  readonly ownDurations: Series | undefined
}

const secondsBounds = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
] as const
const sizeBounds = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9] as const
const unmeasured: ReadonlySet<string> = new Set(['WATCH', 'CONNECT'])

export class RequestMetrics {
  readonly #totals: Counter
  readonly #durations: Histogram
  readonly #ownDurations: Histogram
  readonly #sizes: Histogram
  readonly #series = new Map<string, MeasuredSeries>()
  readonly #deprecated = new Map<string, Labels>()
  /** By labels: streams that are open. */
  readonly #longRunning = new Map<string, number>()

  constructor(registry: MetricsRegistry) {
    this.#totals = registry.counter(
      'apiserver_request_total',
      'Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
    )
    this.#durations = registry.histogram(
      'apiserver_request_duration_seconds',
      'Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
      secondsBounds,
    )
    this.#ownDurations = registry.histogram(
      'apiserver_request_sli_duration_seconds',
      'Response latency distribution (not counting webhook duration and priority & fairness queue wait times) in seconds for each verb, group, version, resource, subresource, scope and component.',
      secondsBounds.slice(2),
    )
    registry.gauge(
      'apiserver_requested_deprecated_apis',
      'Gauge of deprecated APIs that have been requested, broken out by API group, version, resource, subresource, and removed_release.',
      () => [...this.#deprecated.values()].map((labels) => [labels, 1] as const),
    )
    this.#sizes = registry.histogram(
      'apiserver_response_sizes',
      'Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.',
      sizeBounds,
    )
    registry.gauge(
      'apiserver_longrunning_requests',
      'Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component.',
      () =>
        [...this.#longRunning].map(([labels, count]) => [JSON.parse(labels) as Record<string, string>, count] as const),
    )
  }

  observe(request: MeasuredRequest): void {
    const { verb } = request
    const of = this.#seriesOf(request)
    this.#totals.add(of.total)
    if (of.durations === undefined) return
    of.durations.observe(request.seconds)
    of.ownDurations!.observe(request.ownSeconds)
    if (request.sizeBytes !== undefined && (verb === 'GET' || verb === 'LIST'))
      this.#sizes.observe(of.labels, request.sizeBytes)
  }

  /** Labels are written once: as text they cost more than all that is counted. */
  #seriesOf(request: MeasuredRequest): MeasuredSeries {
    const { verb, group, version, resource, subresource, scope, dryRun, code } = request
    const key = `${code} ${verb} ${group}/${version}/${resource}/${subresource} ${scope} ${dryRun}`
    const known = this.#series.get(key)
    if (known !== undefined) return known
    const rest = labelText({ group, resource, scope, subresource, verb, version })
    const labels = `component="apiserver",${rest}`
    const withDryRun = `component="apiserver",dry_run="${dryRun}",${rest}`
    const isTimed = !unmeasured.has(verb)
    const made: MeasuredSeries = {
      total: `code="${code}",${withDryRun}`,
      labels,
      durations: isTimed ? this.#durations.series(withDryRun) : undefined,
      ownDurations: isTimed ? this.#ownDurations.series(labels) : undefined,
    }
    this.#series.set(key, made)
    return made
  }

  /** `removedIn`: the minor that no longer serves it, '' where none is named. */
  useDeprecated({ group, version, plural }: KindRow, subresource: string, removedIn: string): void {
    const labels = { group, removed_release: removedIn, resource: plural, subresource, version }
    this.#deprecated.set(labelText(labels), labels)
  }

  /** Counts a stream until its signal aborts. */
  follow(
    request: Pick<MeasuredRequest, 'verb' | 'group' | 'version' | 'resource' | 'subresource' | 'scope'>,
    signal: AbortSignal,
  ): void {
    if (signal.aborted) return
    const { verb, group, version, resource, subresource, scope } = request
    const labels = JSON.stringify({ component: 'apiserver', group, resource, scope, subresource, verb, version })
    this.#longRunning.set(labels, (this.#longRunning.get(labels) ?? 0) + 1)
    const ended = (): void => void this.#longRunning.set(labels, (this.#longRunning.get(labels) ?? 1) - 1)
    signal.addEventListener('abort', ended, { once: true })
  }
}

export interface ServerFacts {
  readonly catalog: Catalog
  /** `v1.35.7` */
  readonly gitVersion: string
  readonly inFlight: InFlight
  readonly records: RecordStore
  /** Which database the objects are in. */
  readonly storeId: string
  readonly signal: AbortSignal
}

/** What is asked of the server when its metrics are read. */
export function declareServerMetrics(registry: MetricsRegistry, facts: ServerFacts): void {
  const { catalog, gitVersion, inFlight, records, signal } = facts
  registry.gauge(
    'apiserver_current_inflight_requests',
    'Maximal number of currently used inflight request limit of this apiserver per request kind in last second.',
    () => [
      [{ request_kind: 'mutating' }, inFlight.mutating],
      [{ request_kind: 'readOnly' }, inFlight.reading],
    ],
  )
  registry.gauge(
    'apiserver_storage_objects',
    '[DEPRECATED, consider using apiserver_resource_objects instead] Number of stored objects at the time of last check split by kind. In case of a fetching error, the value will be -1.',
    async () => {
      const stored = catalog.rows.filter((row) => !row.virtual && row.storedAs === undefined)
      return Promise.all(
        stored.map(async (row) => {
          const page = await records.page(row, { namespace: '', limit: 1 })
          const resource = row.group === '' ? row.plural : `${row.plural}.${row.group}`
          return [{ resource }, page.records.length + page.remaining] as const
        }),
      )
    },
  )
  registry.gauge(
    'apiserver_storage_size_bytes',
    'Size of the storage database file physically allocated in bytes.',
    async () => {
      const bytes = await records.sizeBytes()
      return bytes === undefined ? [] : [[{ storage_cluster_id: facts.storeId }, bytes]]
    },
  )
  const [major = '1', minor = '0'] = gitVersion.slice(1).split('.')
  const build = { git_version: gitVersion, major, minor, platform: `${process.platform}/${process.arch}` }
  registry.gauge('kubernetes_build_info', 'A metric with a constant 1 value labeled by the build.', () => [[build, 1]])
  registry.gauge(
    'kubernetes_feature_enabled',
    'This metric records the data about the stage and enablement of a k8s feature.',
    () =>
      knownGates(catalog.minor).map(
        ({ name, stage }) => [{ name, stage }, catalog.schemas.gates(name) ? 1 : 0] as const,
      ),
  )
  declareProcessMetrics(registry, signal)
}

function declareProcessMetrics(registry: MetricsRegistry, signal: AbortSignal): void {
  const cpuSeconds = (): number => (resourceUsage().userCPUTime + resourceUsage().systemCPUTime) / 1e6
  registry.gauge(
    'process_cpu_seconds_total',
    'Total user and system CPU time spent in seconds.',
    () => [[{}, cpuSeconds()]],
    'counter',
  )
  registry.gauge('process_open_fds', 'Number of open file descriptors.', async () => {
    const open = await readdir('/proc/self/fd').catch(() => undefined)
    return open === undefined ? [] : [[{}, open.length]]
  })
  registry.gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', () => [[{}, memoryUsage().rss]])
  registry.gauge('process_start_time_seconds', 'Start time of the process since unix epoch in seconds.', () => [
    [{}, performance.timeOrigin / 1000],
  ])
  // Begun by the first reading: its counters take a third of a megabyte and its timer never rests.
  let delay: ReturnType<typeof monitorEventLoopDelay> | undefined
  signal.addEventListener('abort', () => delay?.disable(), { once: true })
  let heldUp = 0
  registry.gauge(
    'aksel_event_loop_delay_seconds',
    'How late the event loop was, since the metrics were read last.',
    () => {
      if (delay === undefined) {
        delay = monitorEventLoopDelay({ resolution: 10 })
        if (!signal.aborted) delay.enable()
      }
      const seen = delay
      const quantiles = [50, 99, 100].map((q) => [{ quantile: String(q / 100) }, seen.percentile(q) / 1e9] as const)
      heldUp = shareOfLateTurns(seen.percentiles)
      seen.reset()
      return quantiles
    },
  )
  registry.gauge(
    'aksel_event_loop_held_up_ratio',
    'Share of the time since the metrics were read last in which the event loop was held up for 250 ms or longer at once.',
    () => [[{}, heldUp]],
  )
}

/** Later than this, leases and elections are in danger. */
const LATE_NS = 250e6

/** Of the time, not of the turns: a loop that stands still for a second between a hundred quick turns is late half of the time. */
export function shareOfLateTurns(percentiles: ReadonlyMap<number, number>): number {
  let below = 0
  let [all, late] = [0, 0]
  for (const [percentile, ns] of [...percentiles].toSorted(([left], [right]) => left - right)) {
    const time = (percentile - below) * ns
    all += time
    if (ns >= LATE_NS) late += time
    below = percentile
  }
  return all === 0 ? 0 : late / all
}
