// The node's nftables table: flat maps from `address . protocol . port` to chains that draw a backend.

import type { IpFamily } from '@aksel/base/ip-range'
import { PROXY_TABLE, PROXY_TABLE_6 } from '@aksel/provider/node-tables'
import { wordsOf, type FamilyWords } from '../nft/family.ts'
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

function keyIn({ ip }: FamilyWords): string {
  return `${ip} daddr . meta l4proto . th dport`
}

export function proxyTableName(family: IpFamily): string {
  return family === 4 ? PROXY_TABLE : PROXY_TABLE_6
}

export function proxyTable(options: ProxyTableOptions, family: IpFamily = 4): TableShape {
  const words = wordsOf(family)
  const { ip, address, icmp } = words
  const key = keyIn(words)
  const inside = `${ip} saddr ${options.podCidr}`
  return {
    name: proxyTableName(family),
    body: `
  map frontends { type ${address} . inet_proto . inet_service : verdict; }
  map outside { type ${address} . inet_proto . inet_service : verdict; }
  map backends { type ${address} . inet_proto . inet_service . mark : ${address} . inet_service; }
  map ids { type ${address} . inet_proto . inet_service . mark : mark; }
  map affinity { type ${memoryOf(words).type} : mark; flags dynamic,timeout; timeout 3h; size 65535; }
  map blocked { type ${address} . inet_proto . inet_service : verdict; }
  set cluster_ips { type ${address}; }
  set hairpins { type ${address} . ${address}; }
  set restricted { type ${address} . inet_proto . inet_service; }
  set allowed { type ${address} . inet_proto . inet_service . ${address}; flags interval; }

  chain refused {
    meta l4proto tcp reject with tcp reset
    reject with ${icmp} port-unreachable
  }
  chain check {
    ${key} @restricted ${key} . ${ip} saddr != @allowed fib saddr type != local drop
    ${key} vmap @blocked
  }
  chain services {
    ${inside} ${key} vmap @frontends
    fib saddr type local ${key} vmap @frontends
    ${key} vmap @outside
    ${key} vmap @frontends
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
    ct state new ${ip} daddr @cluster_ips goto refused
  }
  chain output-late {
    type filter hook output priority 0;
    ct state new ${ip} daddr @cluster_ips goto refused
  }
  chain postrouting {
    type nat hook postrouting priority 100;
    ct status dnat meta mark & ${hex(MASQUERADE_BIT)} == ${hex(MASQUERADE_BIT)} masquerade
    ct status dnat ${ip} saddr . ${ip} daddr @hairpins masquerade
    ${inside} oifname "eth0" ${ip} daddr != { ${options.nonMasqueradeCidrs.join(', ')} } masquerade
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

/**
 * What the memory of session affinity goes by. IPv6 by a hash of client and frontend, kept in the connection's mark: nft 1.0.6 dies of
 * an `update` whose key is longer than sixteen bytes. Where two clients share a hash they share a backend, which keeps the promise.
 */
function memoryOf(words: FamilyWords): {
  readonly type: string
  readonly key: string
  readonly prepare: readonly string[]
} {
  const { ip, address, family } = words
  const place = 'inet_proto . inet_service'
  if (family === 4)
    return { type: `${address} . ${address} . ${place}`, key: `${ip} saddr . ${keyIn(words)}`, prepare: [] }
  return {
    type: `mark . ${place}`,
    key: 'ct mark . meta l4proto . th dport',
    prepare: [`ct mark set jhash ${ip} saddr . ${ip} daddr mod 4294967295 seed ${HASH_SEED}`],
  }
}

/** The same in every chain: a service whose backends change keeps its memory. */
const HASH_SEED = '0x616b7365'

/**
 * The rules of a spread's chain. With memory: the remembered id, refreshed, leads to its backend while there is one;
 * else it is forgotten and a new one is drawn. `update` alone would keep the old id, so it is deleted first.
 */
export function chainRules(spread: Spread, family: IpFamily = 4): readonly string[] {
  const words = wordsOf(family)
  const key = keyIn(words)
  const translate = `meta l4proto { tcp, udp, sctp } dnat ${words.ip} to ${key} . meta mark map @backends`
  const draw = `meta mark set numgen random mod ${spread.count}${spread.bits === 0 ? '' : ` offset ${spread.bits}`}`
  if (spread.affinitySeconds === undefined) return [draw, translate]
  const { key: client, prepare } = memoryOf(words)
  const remember = `update @affinity { ${client} timeout ${spread.affinitySeconds}s : meta mark }`
  return [
    ...prepare,
    `meta mark set ${client} map @affinity`,
    `meta mark != 0 ${remember} ${translate}`,
    `delete @affinity { ${client} : meta mark }`,
    draw,
    `meta mark set ${key} . meta mark map @ids`,
    `${remember} ${translate}`,
  ]
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`
}
