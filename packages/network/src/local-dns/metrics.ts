// What LocalDNS counts, in the text format of Prometheus and under CoreDNS' names.

import type { ZoneCounts } from './zones.ts'

export interface ListenerCounts {
  /** `dns://169.254.10.11:53`. */
  readonly server: string
  readonly zones: readonly ZoneCounts[]
}

interface Row {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export function renderMetrics(listeners: readonly ListenerCounts[]): string {
  const each = (rowsOf: (zone: ZoneCounts, labels: Record<string, string>) => readonly Row[]): readonly Row[] =>
    listeners.flatMap(({ server, zones }) =>
      zones.flatMap((zone) => rowsOf(zone, { server, zone: zone.zone === '.' ? '.' : `${zone.zone}.` })),
    )
  const one = (read: (zone: ZoneCounts) => number): readonly Row[] =>
    each((zone, { server, zone: zones }) => [{ labels: { server: server!, zones: zones! }, value: read(zone) }])
  return [
    family(
      'coredns_dns_requests_total',
      'counter',
      'DNS requests by zone, protocol and type.',
      each((zone, labels) =>
        Array.from(zone.requests, ([key, value]) => {
          const [proto = '', type = ''] = key.split(' ')
          return { labels: { ...labels, family: '1', proto, type }, value }
        }),
      ),
    ),
    family(
      'coredns_dns_responses_total',
      'counter',
      'DNS responses by zone and code.',
      each((zone, labels) => Array.from(zone.responses, ([rcode, value]) => ({ labels: { ...labels, rcode }, value }))),
    ),
    family(
      'coredns_dns_request_duration_seconds_sum',
      'counter',
      'Seconds that requests took.',
      each((zone, labels) => [{ labels, value: zone.seconds }]),
    ),
    family(
      'coredns_cache_hits_total',
      'counter',
      'Answers from the cache.',
      one(({ cache }) => cache.counts.hits),
    ),
    family(
      'coredns_cache_misses_total',
      'counter',
      'Answers that were asked for.',
      one(({ cache }) => cache.counts.misses),
    ),
    family(
      'coredns_cache_served_stale_total',
      'counter',
      'Answers that had run out.',
      one(({ cache }) => cache.counts.stale),
    ),
    family(
      'coredns_cache_entries',
      'gauge',
      'Answers in the cache.',
      one(({ cache }) => cache.size()),
    ),
  ].join('')
}

function family(name: string, type: 'counter' | 'gauge', help: string, rows: readonly Row[]): string {
  const lines = rows.map(({ labels, value }) => {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text}"`)
    return `${name}{${pairs.join(',')}} ${value}\n`
  })
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}
