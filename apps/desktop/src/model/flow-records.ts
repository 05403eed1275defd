// Live flows: what the nodes tell in Hubble's schema, as rows and as edges between workloads.

interface Side {
  readonly namespace?: string
  readonly pod_name?: string
  readonly labels?: readonly string[]
  readonly workloads?: readonly { readonly name: string; readonly kind: string }[]
}

export interface WireFlow {
  readonly flow: {
    readonly time: string
    readonly uuid: string
    readonly verdict: string
    readonly drop_reason_desc?: string
    readonly IP: { readonly source: string; readonly destination: string }
    readonly l4?: Readonly<Record<string, { readonly source_port?: number; readonly destination_port?: number }>>
    readonly source: Side
    readonly destination: Side
    readonly l7?: { readonly dns?: { readonly query?: string; readonly rcode?: number } }
    readonly is_reply: boolean
    readonly traffic_direction: string
    readonly node_name: string
    readonly egress_denied_by?: readonly { readonly name: string; readonly namespace?: string }[]
    readonly ingress_denied_by?: readonly { readonly name: string; readonly namespace?: string }[]
    readonly Summary: string
  }
}

export interface FlowRow {
  readonly id: string
  readonly time: string
  readonly from: string
  readonly to: string
  readonly fromWorkload: string
  readonly toWorkload: string
  readonly port: string
  readonly dropped: boolean
  readonly why: string
  readonly summary: string
  readonly node: string
}

/** Replies are left out: they say nothing that the question did not. */
export function flowRow(line: string): FlowRow | undefined {
  const { flow } = JSON.parse(line) as WireFlow
  if (flow.is_reply) return undefined
  const [protocol, l4] = Object.entries(flow.l4 ?? {})[0] ?? []
  const denied = [...(flow.egress_denied_by ?? []), ...(flow.ingress_denied_by ?? [])]
  const dropped = flow.verdict === 'DROPPED'
  return {
    id: flow.uuid,
    time: flow.time,
    from: podOf(flow.source, flow.IP.source),
    to: podOf(flow.destination, flow.IP.destination),
    fromWorkload: workloadOf(flow.source, flow.IP.source),
    toWorkload: workloadOf(flow.destination, flow.IP.destination),
    port: protocol === undefined ? '' : `${l4?.destination_port ?? ''}/${protocol}`,
    dropped,
    why: dropped
      ? denied.length > 0
        ? `denied by ${denied.map(({ namespace, name }) => (namespace === undefined ? name : `${namespace}/${name}`)).join(', ')}`
        : (flow.drop_reason_desc ?? 'dropped').toLowerCase().replaceAll('_', ' ')
      : (flow.l7?.dns?.query ?? ''),
    summary: flow.Summary,
    node: flow.node_name,
  }
}

function podOf({ namespace, pod_name: pod, labels = [] }: Side, address: string): string {
  if (namespace !== undefined && pod !== undefined) return `${namespace}/${pod}`
  return labels.includes('reserved:host') ? `host ${address}` : address
}

function workloadOf(side: Side, address: string): string {
  const [workload] = side.workloads ?? []
  if (side.namespace !== undefined && workload !== undefined) return `${side.namespace}/${workload.name}`
  if (side.namespace !== undefined && side.pod_name !== undefined) return `${side.namespace}/${side.pod_name}`
  return side.labels?.includes('reserved:host') === true
    ? 'host'
    : side.labels?.includes('reserved:world') === true
      ? 'world'
      : address
}

export interface Edge {
  readonly from: string
  readonly to: string
  readonly port: string
  readonly forwarded: number
  readonly dropped: number
  readonly why: string
}

/** The busiest first; what is dropped before what is not. */
export function edgesOf(rows: readonly FlowRow[]): readonly Edge[] {
  const edges = new Map<string, Edge>()
  for (const { fromWorkload: from, toWorkload: to, port, dropped, why } of rows) {
    const key = `${from} ${to} ${port}`
    const known = edges.get(key) ?? { from, to, port, forwarded: 0, dropped: 0, why: '' }
    edges.set(key, {
      ...known,
      forwarded: known.forwarded + (dropped ? 0 : 1),
      dropped: known.dropped + (dropped ? 1 : 0),
      why: dropped ? why : known.why,
    })
  }
  return [...edges.values()].toSorted((left, right) => right.dropped - left.dropped || right.forwarded - left.forwarded)
}
