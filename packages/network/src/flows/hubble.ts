// Flows in Hubble's schema, field for field as `hubble observe -o json` writes them. Only the fields that a packet's own
// header and the objects behind its addresses tell; of L7 only DNS.

import type { Packet } from './packet.ts'

export interface Workload {
  readonly name: string
  readonly kind: string
}

export interface Endpoint {
  readonly ID?: number
  readonly identity: number
  readonly cluster_name?: string
  readonly namespace?: string
  readonly labels: readonly string[]
  readonly pod_name?: string
  readonly workloads?: readonly Workload[]
}

export interface PolicyName {
  readonly name: string
  readonly namespace: string
  readonly kind: string
}

export interface ServiceName {
  readonly name: string
  readonly namespace: string
}

export const verdicts = ['FORWARDED', 'DROPPED'] as const
export type Verdict = (typeof verdicts)[number]
export type Direction = 'INGRESS' | 'EGRESS' | 'TRAFFIC_DIRECTION_UNKNOWN'

/** Cilium's numbers of reasons (pkg/monitor/api). */
export const dropReasons = { POLICY_DENIED: 133, SERVICE_BACKEND_NOT_FOUND: 158 } as const
export type DropReason = keyof typeof dropReasons

export interface Flow {
  readonly time: string
  readonly uuid: string
  readonly verdict: Verdict
  readonly drop_reason?: number
  readonly drop_reason_desc?: DropReason
  readonly IP: { readonly source: string; readonly destination: string; readonly ipVersion: 'IPv4' | 'IPv6' }
  readonly l4?: Readonly<Record<string, unknown>>
  readonly source: Endpoint
  readonly destination: Endpoint
  readonly Type: 'L3_L4' | 'L7'
  readonly node_name: string
  readonly l7?: { readonly type: 'REQUEST' | 'RESPONSE'; readonly dns: HubbleDns }
  readonly is_reply: boolean
  readonly event_type: { readonly type: number; readonly sub_type?: number }
  readonly source_service?: ServiceName
  readonly destination_service?: ServiceName
  readonly traffic_direction: Direction
  readonly trace_observation_point?: string
  readonly egress_denied_by?: readonly PolicyName[]
  readonly ingress_denied_by?: readonly PolicyName[]
  readonly egress_allowed_by?: readonly PolicyName[]
  readonly ingress_allowed_by?: readonly PolicyName[]
  readonly aggregate?: {
    readonly ingress_flow_count: number
    readonly egress_flow_count: number
    readonly unknown_direction_flow_count: number
  }
  readonly Summary: string
}

export interface HubbleDns {
  readonly query: string
  readonly qtypes: readonly string[]
  readonly ips?: readonly string[]
  readonly cnames?: readonly string[]
  readonly rcode: number
  readonly observation_source: string
}

export interface FlowFacts {
  readonly timeMs: number
  readonly uuid: string
  readonly nodeName: string
  readonly packet: Packet
  readonly verdict: Verdict
  readonly dropReason?: DropReason
  readonly direction: Direction
  readonly isReply: boolean
  readonly source: Endpoint
  readonly destination: Endpoint
  readonly sourceService?: ServiceName
  readonly destinationService?: ServiceName
  readonly deniedBy?: readonly PolicyName[]
  readonly allowedBy?: readonly PolicyName[]
}

/** Numbers of the monitor's kinds of events. */
const DROP = 1
const TRACE = 4

export function hubbleFlow(facts: FlowFacts): Flow {
  const { packet, verdict, dropReason, direction, deniedBy, allowedBy } = facts
  const isDropped = verdict === 'DROPPED'
  return {
    time: new Date(facts.timeMs).toISOString(),
    uuid: facts.uuid,
    verdict,
    ...(dropReason === undefined ? {} : { drop_reason: dropReasons[dropReason] }),
    IP: {
      source: packet.source,
      destination: packet.destination,
      ipVersion: packet.source.includes(':') ? 'IPv6' : 'IPv4',
    },
    ...l4Of(packet),
    source: facts.source,
    destination: facts.destination,
    Type: packet.dns !== undefined && !isDropped ? 'L7' : 'L3_L4',
    node_name: facts.nodeName,
    ...l7Of(packet),
    is_reply: facts.isReply,
    event_type: isDropped ? { type: DROP, sub_type: dropReasons[dropReason ?? 'POLICY_DENIED'] } : { type: TRACE },
    ...(facts.sourceService === undefined ? {} : { source_service: facts.sourceService }),
    ...(facts.destinationService === undefined ? {} : { destination_service: facts.destinationService }),
    traffic_direction: direction,
    ...(isDropped ? {} : { trace_observation_point: direction === 'INGRESS' ? 'TO_ENDPOINT' : 'FROM_ENDPOINT' }),
    ...(dropReason === undefined ? {} : { drop_reason_desc: dropReason }),
    ...(deniedBy === undefined || direction !== 'EGRESS' ? {} : { egress_denied_by: deniedBy }),
    ...(deniedBy === undefined || direction !== 'INGRESS' ? {} : { ingress_denied_by: deniedBy }),
    ...(allowedBy === undefined || direction !== 'EGRESS' ? {} : { egress_allowed_by: allowedBy }),
    ...(allowedBy === undefined || direction !== 'INGRESS' ? {} : { ingress_allowed_by: allowedBy }),
    Summary: summaryOf(packet),
  }
}

export function protocolOf(flow: Flow): string {
  return Object.keys(flow.l4 ?? {})[0] ?? 'Unknown'
}

export function portsOf(flow: Flow): { readonly source?: number; readonly destination?: number } {
  const [l4] = Object.values(flow.l4 ?? {}) as { readonly source_port?: number; readonly destination_port?: number }[]
  return {
    ...(l4?.source_port === undefined ? {} : { source: l4.source_port }),
    ...(l4?.destination_port === undefined ? {} : { destination: l4.destination_port }),
  }
}

function l4Of({ l4 }: Packet): { readonly l4?: Readonly<Record<string, unknown>> } {
  switch (l4.kind) {
    case 'TCP': {
      const flags = Object.fromEntries(l4.flags.map((flag) => [flag, true]))
      return { l4: { TCP: { source_port: l4.sourcePort, destination_port: l4.destinationPort, flags } } }
    }
    case 'UDP':
    case 'SCTP':
      return { l4: { [l4.kind]: { source_port: l4.sourcePort, destination_port: l4.destinationPort } } }
    case 'ICMPv4':
    case 'ICMPv6':
      return { l4: { [l4.kind]: { type: l4.type, code: l4.code } } }
    case 'other':
      return {}
    default:
      return l4 satisfies never
  }
}

function l7Of({ dns }: Packet): Pick<Flow, 'l7'> {
  if (dns === undefined) return {}
  return {
    l7: {
      type: dns.isResponse ? 'RESPONSE' : 'REQUEST',
      dns: {
        query: dns.query,
        qtypes: [dns.type],
        ...(dns.addresses.length === 0 ? {} : { ips: dns.addresses }),
        ...(dns.names.length === 0 ? {} : { cnames: dns.names }),
        rcode: dns.rcode,
        observation_source: 'packet',
      },
    },
  }
}

function summaryOf({ l4, dns }: Packet): string {
  if (dns !== undefined) return `DNS ${dns.isResponse ? 'Answer' : 'Query'} ${dns.query} ${dns.type}`
  if (l4.kind === 'TCP') return `TCP Flags: ${l4.flags.join(', ')}`
  return l4.kind === 'other' ? `IP protocol ${l4.protocol}` : l4.kind
}
