// Counts of flows in the text format of Prometheus, under Hubble's names; a ContainerNetworkMetric chooses which flows count.

import { isIncluded } from './filter.ts'
import { protocolOf, type Endpoint, type Flow } from './hubble.ts'
import type { MetricFilter } from './objects.ts'
import { rcodeName } from './packet.ts'

interface Family {
  readonly help: string
  readonly rows: Map<string, number>
}

const helps = {
  hubble_flows_processed_total: 'Flows.',
  hubble_drop_total: 'Flows that were dropped.',
  hubble_tcp_flags_total: 'TCP flags of flows.',
  hubble_dns_queries_total: 'DNS queries.',
  hubble_dns_responses_total: 'DNS responses.',
} as const
type Name = keyof typeof helps

/** Series that one family may have: names that are asked for come from anywhere. */
const SERIES_MAX = 10_000

export class FlowMetrics {
  readonly #families = new Map<Name, Family>()
  #filters: readonly MetricFilter[] = []

  use(filters: readonly MetricFilter[]): void {
    this.#filters = filters
  }

  add(flow: Flow): void {
    const who = { source: nameOf(flow.source), destination: nameOf(flow.destination) }
    const protocol = protocolOf(flow)
    const { dns } = flow.l7 ?? {}
    const type = flow.Type === 'L7' ? 'L7' : flow.verdict === 'DROPPED' ? 'Drop' : 'Trace'
    if (this.#counts('flow', flow)) {
      const subtype = dns === undefined ? (flow.trace_observation_point ?? '') : 'DNS'
      this.#raise('hubble_flows_processed_total', { protocol, verdict: flow.verdict, type, subtype, ...who })
    }
    if (flow.verdict === 'DROPPED' && this.#counts('drop', flow)) {
      this.#raise('hubble_drop_total', { protocol, reason: flow.drop_reason_desc ?? '', ...who })
    }
    if (protocol === 'TCP' && this.#counts('tcp', flow)) {
      const { flags } = flow.l4!['TCP'] as { readonly flags: Readonly<Record<string, true>> }
      const flag = flags['SYN'] === true ? (flags['ACK'] === true ? 'SYN-ACK' : 'SYN') : undefined
      if (flag !== undefined) this.#raise('hubble_tcp_flags_total', { flag, ...who })
    }
    if (dns !== undefined && flow.verdict === 'FORWARDED' && this.#counts('dns', flow)) {
      const asked = { query: dns.query, qtypes: dns.qtypes.join(), ...who }
      if (flow.l7?.type === 'REQUEST') this.#raise('hubble_dns_queries_total', asked)
      else {
        const more = { rcode: rcodeName(dns.rcode), ips_returned: String(dns.ips?.length ?? 0) }
        this.#raise('hubble_dns_responses_total', { ...asked, ...more })
      }
    }
  }

  render(): string {
    const parts = Array.from(this.#families, ([name, { help, rows }]) => {
      const lines = Array.from(rows, ([labels, value]) => `${name}{${labels}} ${value}\n`).join('')
      return `# HELP ${name} ${help}\n# TYPE ${name} counter\n${lines}`
    })
    return parts.join('')
  }

  #counts(metric: string, flow: Flow): boolean {
    const filter = this.#filters.find((each) => each.metric === metric)
    if (filter === undefined) return true
    const { includeFilters = [], excludeFilters = [] } = filter
    if (excludeFilters.some((each) => isIncluded(flow, each))) return false
    return includeFilters.length === 0 || includeFilters.some((each) => isIncluded(flow, each))
  }

  #raise(name: Name, labels: Readonly<Record<string, string>>): void {
    const family = this.#families.get(name) ?? { help: helps[name], rows: new Map<string, number>() }
    this.#families.set(name, family)
    const key = Object.entries(labels)
      .map(([label, value]) => `${label}=${JSON.stringify(value)}`)
      .join()
    const before = family.rows.get(key)
    if (before === undefined && family.rows.size >= SERIES_MAX) return
    family.rows.set(key, (before ?? 0) + 1)
  }
}

/** As AKS has its labels: namespace and workload. */
function nameOf({ namespace, pod_name: pod, workloads, labels }: Endpoint): string {
  if (namespace === undefined) return labels[0] ?? ''
  return `${namespace}/${workloads?.[0]?.name ?? pod ?? ''}`
}
