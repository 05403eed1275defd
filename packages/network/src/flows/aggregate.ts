// Flows that are alike become one line each half minute, with how many there were.

import { portsOf, type Endpoint, type Flow } from './hubble.ts'

export const AGGREGATE_MS = 30_000

interface Bucket {
  first: Flow
  ingress: number
  egress: number
  unknown: number
}

/** What AKS counts as alike. */
function keyOf(flow: Flow): string {
  const side = ({ namespace, workloads, identity, cluster_name: cluster }: Endpoint): unknown[] => [
    namespace,
    workloads,
    identity,
    cluster,
  ]
  return JSON.stringify([
    flow.verdict,
    flow.is_reply,
    flow.drop_reason_desc,
    side(flow.source),
    side(flow.destination),
    flow.is_reply ? portsOf(flow).source : portsOf(flow).destination,
    Object.keys(flow.l4 ?? {}),
    flow.l7?.dns.rcode,
    // Not in AKS's key: a name that is asked for is what one looks for in such a line.
    flow.l7?.dns.query,
    flow.IP.ipVersion,
  ])
}

export class FlowAggregate {
  readonly #buckets = new Map<string, Bucket>()

  add(flow: Flow): void {
    const key = keyOf(flow)
    const bucket = this.#buckets.get(key) ?? { first: flow, ingress: 0, egress: 0, unknown: 0 }
    this.#buckets.set(key, bucket)
    // Each end names the policies that stand there.
    const { egress_allowed_by: out, ingress_allowed_by: into } = flow
    if (out !== undefined) bucket.first = { ...bucket.first, egress_allowed_by: out }
    if (into !== undefined) bucket.first = { ...bucket.first, ingress_allowed_by: into }
    if (flow.traffic_direction === 'INGRESS') bucket.ingress += 1
    else if (flow.traffic_direction === 'EGRESS') bucket.egress += 1
    else bucket.unknown += 1
  }

  /** Everything since the last call. */
  take(): readonly Flow[] {
    const flows = Array.from(this.#buckets.values(), ({ first, ingress, egress, unknown }) => ({
      ...first,
      aggregate: { ingress_flow_count: ingress, egress_flow_count: egress, unknown_direction_flow_count: unknown },
    }))
    this.#buckets.clear()
    return flows
  }
}
