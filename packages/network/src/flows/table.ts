// The node's nftables table for flow logs, there only while somebody wants them: the first packet of a connection, the
// answer to it, and every DNS message are copied to whoever reads the group. After the policies: what arrives here passed.

import type { IpFamily } from '@aksel/base/ip-range'
import { wordsOf } from '../nft/family.ts'
import type { TableShape } from '../nft/table.ts'

export const FLOW_GROUP = 77
/** Prefixes of what is logged here; those of denied packets are names of policies' chains. */
export const FORWARDED = 'forwarded'
export const NO_BACKEND = 'no-backend'

const AFTER_POLICIES = 10
const HEADER_BYTES = 128
const DNS_BYTES = 600
/** Packets that the kernel holds back for a reader, for a second at most. */
const QUEUE = 8

export function copy(prefix: string, bytes = HEADER_BYTES): string {
  return `log prefix "${prefix}" group ${FLOW_GROUP} snaplen ${bytes} queue-threshold ${QUEUE}`
}

/** With a question in it, to show which name was asked for in vain. */
export function copyDenied(chain: string): string {
  return copy(chain, DNS_BYTES)
}

export function flowTableName(family: IpFamily): string {
  return `${wordsOf(family).ip} aksel-flows`
}

export interface FlowTableOptions {
  readonly podCidr: string
  readonly serviceCidr: string
}

export function flowTable(options: FlowTableOptions, family: IpFamily = 4): TableShape {
  const { ip } = wordsOf(family)
  const base = (hook: string, priority: number): string => `type filter hook ${hook} priority ${priority};`
  return {
    name: flowTableName(family),
    body: `
  chain seen {
    udp dport 53 ${copy(FORWARDED, DNS_BYTES)} return
    udp sport 53 ${copy(FORWARDED, DNS_BYTES)} return
    ct state new ${copy(FORWARDED)} return
    tcp flags & (syn | ack) == syn | ack ${copy(FORWARDED)}
  }
  chain forward {
    ${base('forward', AFTER_POLICIES)}
    jump seen
  }
  chain input {
    ${base('input', AFTER_POLICIES)}
    ${ip} saddr ${options.podCidr} jump seen
  }
  chain output {
    ${base('output', AFTER_POLICIES)}
    ${ip} daddr ${options.podCidr} jump seen
  }
  chain no-backend {
    ${base('forward', -1)}
    ct state new ${ip} daddr ${options.serviceCidr} ${copy(NO_BACKEND)}
  }`,
  }
}
