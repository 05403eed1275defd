// Public addresses become rows in the router's nftables maps. Pure: rules in, table content out.

import type { LoadBalancerRule } from '@aksel/provider/fabric'
import { withoutNested } from '@aksel/base/ipv4'
import { ContentBuilder, type TableContent, type TableShape } from '../nft/table.ts'
import { HOST_LINK } from './plumbing.ts'

/**
 * A packet for `address . protocol . port` is sent to the chain for its count of backends, which draws one. The draw
 * goes through the mark, because nft 1.0.6 cannot read a map back whose key is declared as a draw.
 * What leaves the VNet gets the router's address; so does what comes from inside for a public address, or the backend
 * would answer its neighbour directly and the translation would not be taken back.
 */
export const routerTable: TableShape = {
  name: 'ip aksel',
  body: `
  map frontends { type ipv4_addr . inet_proto . inet_service : verdict; }
  map backends { type ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service; }
  set restricted { type ipv4_addr . inet_proto . inet_service; }
  set allowed { type ipv4_addr . inet_proto . inet_service . ipv4_addr; flags interval; }
  chain sources {
    type filter hook prerouting priority mangle;
    ip daddr . meta l4proto . th dport @restricted ip daddr . meta l4proto . th dport . ip saddr != @allowed drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ip daddr . meta l4proto . th dport vmap @frontends
  }
  chain forward {
    type filter hook forward priority filter;
    iifname "${HOST_LINK}" oifname "${HOST_LINK}" drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "${HOST_LINK}" masquerade
    iifname != "${HOST_LINK}" ct status dnat masquerade
  }`,
}

export interface PublicAddress {
  readonly address: string
  readonly rules: readonly LoadBalancerRule[]
}

/** Rules without backends have no rows: their packets are dropped, as Azure does when every probe fails. */
export function compileLoadBalancers(balancers: readonly PublicAddress[]): TableContent {
  const content = new ContentBuilder()
  for (const balancer of balancers) {
    for (const rule of balancer.rules) compileRule(content, balancer.address, rule)
  }
  return content.build()
}

function compileRule(content: ContentBuilder, address: string, rule: LoadBalancerRule): void {
  const frontend = `${address} . ${rule.protocol.toLowerCase()} . ${rule.port}`
  const count = rule.backends.length
  if (count === 0) return
  if (!content.add('frontends', frontend, `goto spread-${count}`)) return
  content.chain(`spread-${count}`, [
    `meta mark set numgen random mod ${count}`,
    'meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport . meta mark map @backends',
  ])
  for (const [index, backend] of rule.backends.entries()) {
    content.add('backends', `${frontend} . ${index}`, `${backend.address} . ${backend.port}`)
  }
  if (rule.sourceRanges.length === 0) return
  content.add('restricted', frontend)
  for (const range of withoutNested(rule.sourceRanges)) content.add('allowed', `${frontend} . ${range}`)
}
