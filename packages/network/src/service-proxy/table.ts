// The node's nftables table: flat maps from `address . protocol . port` to chains that draw a backend.

import { PROXY_TABLE } from '@aksel/provider/node-tables'
import type { TableShape } from '../nft/table.ts'

/** Bits of a packet's mark. The low bits are the drawn index, or 0 with a backend's id in the high half. */
export const MASQUERADE_BIT = 0x4000
/** Packets from outside to a service whose external traffic policy is Local: rows of their own for the same address. */
export const OUTSIDE_BIT = 0x8000
export const ID_SHIFT = 16

export interface ProxyTableOptions {
  /** The node's own range. */
  readonly podCidr: string
  /** Destinations that pods reach with their own address: the cluster's pod range. What lies outside sees the node's address. */
  readonly nonMasqueradeCidrs: readonly string[]
}

const KEY = 'ip daddr . meta l4proto . th dport'
const SOURCE_KEY = `ip saddr . ${KEY}`

export function proxyTable(options: ProxyTableOptions): TableShape {
  const inside = `ip saddr ${options.podCidr}`
  return {
    name: PROXY_TABLE,
    body: `
  map frontends { type ipv4_addr . inet_proto . inet_service : verdict; }
  map outside { type ipv4_addr . inet_proto . inet_service : verdict; }
  map backends { type ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service; }
  map ids { type ipv4_addr . inet_proto . inet_service . mark : mark; }
  map affinity { type ipv4_addr . ipv4_addr . inet_proto . inet_service : mark; flags dynamic,timeout; timeout 3h; size 65535; }
  map blocked { type ipv4_addr . inet_proto . inet_service : verdict; }
  set cluster_ips { type ipv4_addr; }
  set hairpins { type ipv4_addr . ipv4_addr; }
  set restricted { type ipv4_addr . inet_proto . inet_service; }
  set allowed { type ipv4_addr . inet_proto . inet_service . ipv4_addr; flags interval; }

  chain refused {
    meta l4proto tcp reject with tcp reset
    reject with icmp port-unreachable
  }
  chain check {
    ${KEY} @restricted ${KEY} . ip saddr != @allowed fib saddr type != local drop
    ${KEY} vmap @blocked
  }
  chain services {
    ${inside} ${KEY} vmap @frontends
    fib saddr type local ${KEY} vmap @frontends
    ${KEY} vmap @outside
    ${KEY} vmap @frontends
  }
  chain check-prerouting {
    type filter hook prerouting priority -110;
    ct state new jump check
  }
  chain check-output {
    type filter hook output priority -110;
    ct state new jump check
  }
  chain prerouting {
    type nat hook prerouting priority -100;
    jump services
  }
  chain output {
    type nat hook output priority -100;
    jump services
  }
  chain forward {
    type filter hook forward priority 0;
    ct state new ip daddr @cluster_ips goto refused
  }
  chain output-late {
    type filter hook output priority 0;
    ct state new ip daddr @cluster_ips goto refused
  }
  chain postrouting {
    type nat hook postrouting priority 100;
    ct status dnat meta mark & ${hex(MASQUERADE_BIT)} == ${hex(MASQUERADE_BIT)} masquerade
    ct status dnat ip saddr . ip daddr @hairpins masquerade
    ${inside} oifname "eth0" ip daddr != { ${options.nonMasqueradeCidrs.join(', ')} } masquerade
  }`,
  }
}

/** How a frontend's packets are spread: over so many backends, with these bits in the mark, with or without memory. */
export interface Spread {
  readonly count: number
  readonly bits: number
  /** Seconds that a client stays with its backend; absent without session affinity. */
  readonly affinitySeconds?: number
}

export function chainName(spread: Spread): string {
  const memory = spread.affinitySeconds === undefined ? '' : `-sticky-${spread.affinitySeconds}`
  return `spread-${spread.count}-${spread.bits.toString(16)}${memory}`
}

const DNAT = `meta l4proto { tcp, udp, sctp } dnat ip to ${KEY} . meta mark map @backends`

/**
 * The rules of a spread's chain. With memory: the remembered id, refreshed, leads to its backend while there is one;
 * else it is forgotten and a new one is drawn. `update` alone would keep the old id, so it is deleted first.
 */
export function chainRules(spread: Spread): readonly string[] {
  const draw = `meta mark set numgen random mod ${spread.count}${spread.bits === 0 ? '' : ` offset ${spread.bits}`}`
  if (spread.affinitySeconds === undefined) return [draw, DNAT]
  const remember = `update @affinity { ${SOURCE_KEY} timeout ${spread.affinitySeconds}s : meta mark }`
  return [
    `meta mark set ${SOURCE_KEY} map @affinity`,
    `meta mark != 0 ${remember} ${DNAT}`,
    `delete @affinity { ${SOURCE_KEY} : meta mark }`,
    draw,
    `meta mark set ${KEY} . meta mark map @ids`,
    `${remember} ${DNAT}`,
  ]
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`
}
