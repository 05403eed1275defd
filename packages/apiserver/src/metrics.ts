// What the API server measures of itself, in upstream's names, written in Prometheus' text format.

export interface MeasuredRequest {
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly scope: string
  readonly code: number
  readonly seconds: number
}

const bucketSeconds = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
] as const

interface Histogram {
  readonly buckets: number[]
  sum: number
  count: number
}

export class RequestMetrics {
  readonly #totals = new Map<string, number>()
  readonly #durations = new Map<string, Histogram>()
  #watchers = 0

  observe(request: MeasuredRequest): void {
    const labels = labelsOf(request)
    const total = `${labels},code="${request.code}"`
    this.#totals.set(total, (this.#totals.get(total) ?? 0) + 1)
    if (request.verb === 'WATCH' || request.verb === 'CONNECT') return
    let histogram = this.#durations.get(labels)
    if (histogram === undefined) {
      histogram = { buckets: bucketSeconds.map(() => 0), sum: 0, count: 0 }
      this.#durations.set(labels, histogram)
    }
    const at = bucketSeconds.findIndex((bound) => request.seconds <= bound)
    if (at >= 0) histogram.buckets[at]! += 1
    histogram.sum += request.seconds
    histogram.count += 1
  }

  watchStarted(): void {
    this.#watchers += 1
  }

  watchEnded(): void {
    this.#watchers -= 1
  }

  /** Prometheus' text format. */
  text(): string {
    const lines = [
      '# HELP apiserver_longrunning_requests Gauge of all active long-running apiserver requests.',
      '# TYPE apiserver_longrunning_requests gauge',
      `apiserver_longrunning_requests{verb="WATCH"} ${this.#watchers}`,
      '# HELP apiserver_request_duration_seconds Response latency distribution in seconds.',
      '# TYPE apiserver_request_duration_seconds histogram',
    ]
    for (const [labels, { buckets, sum, count }] of this.#durations) {
      let below = 0
      for (const [at, bound] of bucketSeconds.entries()) {
        below += buckets[at]!
        lines.push(`apiserver_request_duration_seconds_bucket{${labels},le="${bound}"} ${below}`)
      }
      lines.push(`apiserver_request_duration_seconds_bucket{${labels},le="+Inf"} ${count}`)
      lines.push(
        `apiserver_request_duration_seconds_sum{${labels}} ${sum}`,
        `apiserver_request_duration_seconds_count{${labels}} ${count}`,
      )
    }
    lines.push(
      '# HELP apiserver_request_total Counter of apiserver requests.',
      '# TYPE apiserver_request_total counter',
    )
    for (const [labels, count] of this.#totals) lines.push(`apiserver_request_total{${labels}} ${count}`)
    return `${lines.join('\n')}\n`
  }
}

function labelsOf(request: MeasuredRequest): string {
  const { verb, group, version, resource, subresource, scope } = request
  return `component="apiserver",group="${group}",resource="${resource}",scope="${scope}",subresource="${subresource}",verb="${verb}",version="${version}"`
}
