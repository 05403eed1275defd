// The first bytes of a packet of either family read as a flow's facts: addresses, ports, flags, and the question of a DNS message.

import { formatIp } from '@aksel/base/ip-range'
import { decode } from 'dns-packet'
import { rcodeNames, readQuestion } from '../dns/wire.ts'

export const tcpFlags = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'] as const
export type TcpFlag = (typeof tcpFlags)[number]

export type L4 =
  | {
      readonly kind: 'TCP'
      readonly sourcePort: number
      readonly destinationPort: number
      readonly flags: readonly TcpFlag[]
    }
  | { readonly kind: 'UDP' | 'SCTP'; readonly sourcePort: number; readonly destinationPort: number }
  | { readonly kind: 'ICMPv4' | 'ICMPv6'; readonly type: number; readonly code: number }
  | { readonly kind: 'other'; readonly protocol: number }

export interface DnsFacts {
  readonly isResponse: boolean
  readonly query: string
  readonly type: string
  readonly rcode: number
  readonly addresses: readonly string[]
  readonly names: readonly string[]
}

export interface Packet {
  readonly source: string
  readonly destination: string
  readonly bytes: number
  readonly l4: L4
  readonly dns?: DnsFacts
}

const DNS_PORT = 53

interface Header {
  readonly source: string
  readonly destination: string
  readonly bytes: number
  readonly protocol: number
  /** Where what it carries begins. */
  readonly length: number
}

function readHeader(payload: Buffer): Header | undefined {
  const version = (payload[0] ?? 0) >> 4
  if (version === 4 && payload.length >= 20) {
    const addressAt = (at: number): string => Array.from(payload.subarray(at, at + 4)).join('.')
    return {
      source: addressAt(12),
      destination: addressAt(16),
      bytes: payload.readUInt16BE(2),
      protocol: payload[9]!,
      length: (payload[0]! & 15) * 4,
    }
  }
  return version === 6 && payload.length >= IPV6_HEADER ? readHeader6(payload) : undefined
}

const IPV6_HEADER = 40
/** Headers that stand between: hop-by-hop, routing, destination options. */
const between = new Set([0, 43, 60])

function readHeader6(payload: Buffer): Header {
  const addressAt = (at: number): string =>
    formatIp({ family: 6, value: BigInt(`0x${payload.subarray(at, at + 16).toString('hex')}`) })
  let [protocol, length] = [payload[6]!, IPV6_HEADER]
  while (between.has(protocol) && payload.length >= length + 2)
    [protocol, length] = [payload[length]!, length + (payload[length + 1]! + 1) * 8]
  const bytes = payload.readUInt16BE(4) + IPV6_HEADER
  return { source: addressAt(8), destination: addressAt(24), bytes, protocol, length }
}

/** Undefined for what is no packet of IP or is cut off before its ports. */
export function readPacket(payload: Buffer): Packet | undefined {
  const header = readHeader(payload)
  if (header === undefined) return undefined
  const { protocol, length: headerBytes, ...ends } = header
  const l4 = readL4(protocol, payload.subarray(headerBytes))
  if (l4 === undefined) return undefined
  const isDns = l4.kind === 'UDP' && (l4.destinationPort === DNS_PORT || l4.sourcePort === DNS_PORT)
  const dns = isDns ? readDns(payload.subarray(headerBytes + 8)) : undefined
  return {
    ...ends,
    l4,
    ...(dns === undefined ? {} : { dns }),
  }
}

function readL4(protocol: number, bytes: Buffer): L4 | undefined {
  const kind = protocol === 6 ? 'TCP' : protocol === 17 ? 'UDP' : protocol === 132 ? 'SCTP' : undefined
  if (protocol === 1 || protocol === 58)
    return bytes.length < 2
      ? undefined
      : { kind: protocol === 1 ? 'ICMPv4' : 'ICMPv6', type: bytes[0]!, code: bytes[1]! }
  if (kind === undefined) return { kind: 'other', protocol }
  if (bytes.length < (kind === 'TCP' ? 14 : 4)) return undefined
  const ports = { sourcePort: bytes.readUInt16BE(0), destinationPort: bytes.readUInt16BE(2) }
  if (kind !== 'TCP') return { kind, ...ports }
  return { kind, ...ports, flags: tcpFlags.filter((_, bit) => (bytes[13]! & (1 << bit)) !== 0) }
}

function readDns(message: Buffer): DnsFacts | undefined {
  const question = readQuestion(message)
  if (question === undefined) return undefined
  const isResponse = (message[2]! & 0x80) !== 0
  const answers = isResponse ? answersOf(message) : []
  return {
    isResponse,
    query: `${question.name}.`,
    type: question.type,
    rcode: message[3]! & 15,
    addresses: answers.flatMap((each) => (each.type === 'A' || each.type === 'AAAA' ? [each.data] : [])),
    names: answers.flatMap((each) => (each.type === 'CNAME' ? [each.data] : [])),
  }
}

/** None where the message was cut off by the rule that copied it. */
function answersOf(message: Buffer) {
  try {
    return decode(message).answers ?? []
  } catch {
    return []
  }
}

export function rcodeName(rcode: number): string {
  return rcodeNames[rcode] ?? String(rcode)
}
