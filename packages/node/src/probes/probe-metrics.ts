// How often probes were made and how they ended, under the kubelet's names at `/metrics/probes`. Gone with their pods.

import type { ProbeKind } from './prober.ts'

export interface ProbedContainer {
  readonly namespace: string
  readonly pod: string
  readonly podUid: string
  readonly container: string
}

/** Seconds; the last bucket is without end. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

interface Series extends ProbedContainer {
  readonly kind: ProbeKind
  successful: number
  failed: number
  /** How many successes took no longer than the bound of the same index, and longer than the one before. */
  readonly buckets: Uint32Array
  seconds: number
}

export class ProbeMetrics {
  /** By pod, then by container and kind. */
  readonly #pods = new Map<string, Map<string, Series>>()

  record(
    of: ProbedContainer,
    probe: { readonly kind: ProbeKind; readonly healthy: boolean; readonly seconds: number },
  ): void {
    const { kind, healthy, seconds } = probe
    const ofPod = this.#pods.get(of.podUid) ?? new Map<string, Series>()
    this.#pods.set(of.podUid, ofPod)
    const key = `${kind}/${of.container}`
    const series = ofPod.get(key) ?? {
      ...of,
      kind,
      successful: 0,
      failed: 0,
      buckets: new Uint32Array(bounds.length + 1),
      seconds: 0,
    }
    ofPod.set(key, series)
    if (!healthy) {
      series.failed += 1
      return
    }
    series.successful += 1
    series.seconds += seconds
    const bucket = bounds.findIndex((bound) => seconds <= bound)
    series.buckets[bucket < 0 ? bounds.length : bucket]! += 1
  }

  forget(podUid: string): void {
    this.#pods.delete(podUid)
  }

  /** In Prometheus' text format. */
  samples(): string {
    const all = [...this.#pods.values()].flatMap((ofPod) => [...ofPod.values()])
    const totals = all.flatMap((series) =>
      (['successful', 'failed'] as const)
        .filter((result) => series[result] > 0)
        .map(
          (result) => `prober_probe_total{${labelsOf(series, { pod_uid: series.podUid, result })}} ${series[result]}\n`,
        ),
    )
    const durations = all.filter(({ successful }) => successful > 0).map(durationsOf)
    return [
      '# HELP prober_probe_duration_seconds Duration in seconds for a probe response.\n',
      '# TYPE prober_probe_duration_seconds histogram\n',
      ...durations,
      '# HELP prober_probe_total Cumulative number of a liveness, readiness or startup probe for a container by result.\n',
      '# TYPE prober_probe_total counter\n',
      ...totals,
    ].join('')
  }
}

function durationsOf(series: Series): string {
  const name = 'prober_probe_duration_seconds'
  let count = 0
  const lines = [...series.buckets].map((more, index) => {
    count += more
    return `${name}_bucket{${labelsOf(series, { le: String(bounds[index] ?? '+Inf') })}} ${count}\n`
  })
  return `${lines.join('')}${name}_sum{${labelsOf(series)}} ${series.seconds}\n${name}_count{${labelsOf(series)}} ${count}\n`
}

function labelsOf({ namespace, pod, container, kind }: Series, more: Readonly<Record<string, string>> = {}): string {
  const probe_type = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`
  const labels: Readonly<Record<string, string>> = { container, namespace, pod, probe_type, ...more }
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(',')
}
