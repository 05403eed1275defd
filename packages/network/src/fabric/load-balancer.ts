// Load balancers become rows in the router's nftables maps. Pure: rules in, table content out.

import { PROBE_SOURCE, type LoadBalancerBackend, type LoadBalancerRule } from '@aksel/provider/fabric'
import { withoutNested } from '@aksel/base/ipv4'
import { ContentBuilder, type TableContent, type TableShape } from '../nft/table.ts'
import { HOST_LINK } from './plumbing.ts'

/** Set in the mark of a connection whose packets keep the frontend's address; the rest names the machine they go to. */
export const WAY_BIT = 0x0100_0000
/** Azure's, in minutes. */
const IDLE_DEFAULT = 4

/**
 * A packet for `address . protocol . port` is sent to the chain for its count of backends, which draws one. The draw
 * goes through the mark, because nft 1.0.6 cannot read a map back whose key is declared as a draw.
 * What leaves the VNet gets the router's address; so does what goes back out of the bridge it came from, or the backend
 * would answer its neighbour directly and the translation would not be taken back.
 * A connection that was idle for too long is forgotten, and what comes of it later is reset, as Azure does.
 * Probes go from the host to a port of the router's own, and reach the backend from where Azure's come.
 */
export function routerTable(link: { readonly router: string }): TableShape {
  return {
    name: 'ip aksel',
    body: `
  map frontends { type ipv4_addr . inet_proto . inet_service : verdict; }
  map backends { type ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service; }
  map ways { type ipv4_addr . inet_proto . inet_service . mark : mark; }
  map whole { type ipv4_addr : verdict; }
  map whole_ways { type ipv4_addr . mark : mark; }
  map probes { type inet_service : ipv4_addr . inet_service; }
  set addresses { type ipv4_addr; }
  set internal { type ipv4_addr; }
  set same_bridge { type ifname . ifname; }
  set restricted { type ipv4_addr . inet_proto . inet_service; }
  set allowed { type ipv4_addr . inet_proto . inet_service . ipv4_addr; flags interval; }
  chain sources {
    type filter hook prerouting priority mangle;
    iifname "${HOST_LINK}" ip daddr @internal drop
    ip daddr . meta l4proto . th dport @restricted ip daddr . meta l4proto . th dport . ip saddr != @allowed drop
    ip daddr @addresses ct state new tcp flags & (syn | ack) == ack reject with tcp reset
    ct direction original ct mark & ${WAY_BIT} != 0 meta mark set ct mark
  }
  chain prerouting {
    type nat hook prerouting priority dstnat;
    iifname "${HOST_LINK}" ip daddr ${link.router} dnat ip to tcp dport map @probes
    ip daddr . meta l4proto . th dport vmap @frontends
    ip daddr vmap @whole
  }
  chain forward {
    type filter hook forward priority filter;
    iifname "${HOST_LINK}" oifname "${HOST_LINK}" drop
    ip daddr @addresses meta mark & ${WAY_BIT} == 0 drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ct original ip daddr ${link.router} snat to ${PROBE_SOURCE}
    oifname "${HOST_LINK}" masquerade
    iifname . oifname @same_bridge ct status dnat masquerade
    iifname . oifname @same_bridge ct mark & ${WAY_BIT} != 0 masquerade
  }`,
  }
}

export interface Frontend {
  readonly id: string
  readonly address: string
  readonly rules: readonly LoadBalancerRule[]
  /** Reached from the VNet alone. */
  readonly isInternal: boolean
}

export interface BalancingView {
  /** False for a backend that its probe has lost. */
  isUp(rule: LoadBalancerRule, backend: LoadBalancerBackend): boolean
  /** Mark that leads to the machine of this address; undefined where none has it. */
  wayTo(address: string): number | undefined
  /** Names of the subnets' bridges. */
  readonly bridges: readonly string[]
  /** Port of the router → where a probe that is sent there arrives. */
  readonly probes: ReadonlyMap<number, { readonly address: string; readonly port: number }>
}

/** Rules without healthy backends have no rows: their packets are dropped, as Azure does when every probe fails. */
export function compileLoadBalancers(frontends: readonly Frontend[], view: BalancingView): TableContent {
  const content = new ContentBuilder()
  for (const bridge of view.bridges) content.add('same_bridge', `"${bridge}" . "${bridge}"`)
  for (const [port, { address, port: target }] of view.probes) {
    content.add('probes', String(port), `${address} . ${target}`)
  }
  for (const frontend of frontends) {
    content.add('addresses', frontend.address)
    if (frontend.isInternal) content.add('internal', frontend.address)
    for (const rule of frontend.rules) compileRule(content, frontend.address, rule, view)
  }
  return content.build()
}

function compileRule(content: ContentBuilder, address: string, rule: LoadBalancerRule, view: BalancingView): void {
  const key = `${address} . ${rule.protocol.toLowerCase()} . ${rule.port}`
  const up = rule.backends.filter((backend) => view.isUp(rule, backend))
  if (rule.protocol === 'ALL') return compileWhole(content, address, rule, marksOf(up, view))
  const translated = up.filter(({ port }) => port !== undefined)
  const isTranslated = translated.length > 0
  const marks = isTranslated ? [] : marksOf(up, view)
  const count = isTranslated ? translated.length : marks.length
  if (count === 0) return
  const chain = `${isTranslated ? 'spread' : 'float'}-${nameOf(rule, count)}`
  if (!content.add('frontends', key, `goto ${chain}`)) return
  content.chain(chain, [
    ...idleRules(content, rule),
    draw(rule, count),
    ...(isTranslated
      ? ['meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport . meta mark map @backends']
      : ['meta mark set ip daddr . meta l4proto . th dport . meta mark map @ways', 'ct mark set meta mark accept']),
  ])
  for (const [index, { address: target, port }] of translated.entries()) {
    content.add('backends', `${key} . ${index}`, `${target} . ${port}`)
  }
  for (const [index, mark] of marks.entries()) content.add('ways', `${key} . ${index}`, String(mark))
  restrict(content, key, rule)
}

function compileWhole(
  content: ContentBuilder,
  address: string,
  rule: LoadBalancerRule,
  marks: readonly number[],
): void {
  if (marks.length === 0) return
  const chain = `whole-${nameOf(rule, marks.length)}`
  if (!content.add('whole', address, `goto ${chain}`)) return
  content.chain(chain, [
    ...idleRules(content, rule),
    draw(rule, marks.length),
    'meta mark set ip daddr . meta mark map @whole_ways',
    'ct mark set meta mark accept',
  ])
  for (const [index, mark] of marks.entries()) content.add('whole_ways', `${address} . ${index}`, String(mark))
}

function marksOf(backends: readonly LoadBalancerBackend[], view: BalancingView): readonly number[] {
  return backends.flatMap(({ address }) => view.wayTo(address) ?? [])
}

function nameOf({ idleTimeoutMinutes = IDLE_DEFAULT, isBySource = false }: LoadBalancerRule, count: number): string {
  return `${count}-${idleTimeoutMinutes}${isBySource ? '-source' : ''}`
}

function draw({ isBySource = false }: LoadBalancerRule, count: number): string {
  return `meta mark set ${isBySource ? 'jhash ip saddr' : 'numgen random'} mod ${count}`
}

function idleRules(
  content: ContentBuilder,
  { idleTimeoutMinutes = IDLE_DEFAULT }: LoadBalancerRule,
): readonly string[] {
  const seconds = idleTimeoutMinutes * 60
  content.object(`ct timeout tcp-${seconds}`, `protocol tcp; l3proto ip; policy = { established : ${seconds} };`)
  content.object(`ct timeout udp-${seconds}`, `protocol udp; l3proto ip; policy = { replied : ${seconds} };`)
  return [`meta l4proto tcp ct timeout set "tcp-${seconds}"`, `meta l4proto udp ct timeout set "udp-${seconds}"`]
}

function restrict(content: ContentBuilder, key: string, rule: LoadBalancerRule): void {
  if (rule.sourceRanges.length === 0) return
  content.add('restricted', key)
  for (const range of withoutNested(rule.sourceRanges)) content.add('allowed', `${key} . ${range}`)
}
