// User-defined routes of subnets as routing tables of the router. Pure: the VNet in, lines for `ip` out.

import { contains, formatRange, parseAddress, parseRange } from '@aksel/base/ipv4'
import type { Subnet, SubnetRoute, VirtualNetwork } from '@aksel/provider/fabric'
import { HOST_LINK, NOWHERE_LINK } from './plumbing.ts'
import type { PodPlace } from './pod-places.ts'
import type { Slots } from './slots.ts'

export interface RouteFacts {
  readonly network: VirtualNetwork
  readonly slots: Slots
  readonly hostAddresses: readonly string[]
  /** The host's end of the router's link: the way to the Internet. */
  readonly uplink: string
}

/** Each subnet has two tables that take turns, so that packets always meet a whole one. */
export function tableOf(slot: number, turn: 0 | 1): number {
  return 1000 + slot * 2 + turn
}

export interface RouteTableLines {
  readonly slot: number
  /** Routes without the name of their table. */
  readonly routes: readonly string[]
}

/** A table per subnet that has routes of its own. Azure's order: the longest prefix first, then the user's before the system's. */
export function subnetTables(facts: RouteFacts): readonly RouteTableLines[] {
  return facts.network.subnets.flatMap((subnet) => {
    if (subnet.routes === undefined || subnet.routes.length === 0) return []
    const own = new Map(subnet.routes.map((route) => [formatRange(parseRange(route.addressPrefix)), route]))
    // `throw` hands on to the main table, where the system's routes are.
    const system = systemPrefixes(facts).filter((prefix) => !own.has(prefix))
    return [
      {
        slot: facts.slots[subnet.id]!,
        routes: [
          ...system.map((prefix) => `throw ${prefix}`),
          ...Array.from(own, ([prefix, route]) => routeLine(facts, prefix, route)),
        ],
      },
    ]
  })
}

/** What the system routes itself: the VNet, its pods, peered VNets, and the API servers, which are reached like a private endpoint. */
function systemPrefixes({ network, hostAddresses }: RouteFacts): readonly string[] {
  const { addressPrefix, otherPrefixes = [], podPrefixes = [], peerings = [] } = network
  const peered = peerings.flatMap(({ addressPrefixes }) => addressPrefixes)
  return [
    ...new Set(
      [
        addressPrefix,
        ...otherPrefixes,
        ...podPrefixes,
        ...peered,
        ...hostAddresses.map((address) => `${address}/32`),
      ].map((prefix) => formatRange(parseRange(prefix))),
    ),
  ]
}

function routeLine({ network, slots, uplink }: RouteFacts, prefix: string, route: SubnetRoute): string {
  switch (route.nextHop) {
    case 'None':
    case 'VirtualNetworkGateway':
      return nowhere(prefix)
    case 'VnetLocal':
      return `throw ${prefix}`
    case 'Internet':
      return `${prefix} via ${uplink} dev ${HOST_LINK}`
    case 'VirtualAppliance': {
      const subnet = subnetWith(network, route.nextHopAddress)
      // An appliance that is in no subnet here answers nobody, and its packets are lost.
      if (subnet === undefined) return nowhere(prefix)
      return `${prefix} via ${route.nextHopAddress} dev br${slots[subnet.id]} onlink`
    }
    default:
      return route.nextHop satisfies never
  }
}

/** To a link where the router's rules log and drop it: what a `blackhole` takes, nobody hears of. */
function nowhere(prefix: string): string {
  return `${prefix} dev ${NOWHERE_LINK}`
}

/** Whether packets of the route are lost. */
export function isLost(network: VirtualNetwork, { nextHop, nextHopAddress }: SubnetRoute): boolean {
  if (nextHop === 'None' || nextHop === 'VirtualNetworkGateway') return true
  return nextHop === 'VirtualAppliance' && subnetWith(network, nextHopAddress) === undefined
}

function subnetWith({ subnets }: VirtualNetwork, address: string | undefined): Subnet | undefined {
  if (address === undefined) return undefined
  const value = parseAddress(address)
  return subnets.find(({ addressPrefix }) => contains(parseRange(addressPrefix), value))
}

/** Rules for pods of another subnet than their bridge's go before those of bridges, and after ways by mark. */
const PODS_OWN = 950
/** What the pods' own table hands on is the main table's, not that of the nodes' subnet. */
const PODS_MAIN = 951

/** What stands in a router: rules that lead from a bridge to one of our tables, and those of pods as `ip` takes them. */
export interface StandingRules {
  readonly bridges: readonly { readonly slot: number; readonly turn: 0 | 1 }[]
  readonly pods: readonly string[]
}

interface ShownRule {
  readonly priority: number
  readonly table?: string
  readonly iif?: string
  readonly src?: string
  readonly srclen?: number
}

/** Reads `ip -json rule show`. */
export function standingRules(json: string): StandingRules {
  const rules = (json.trim() === '' ? [] : JSON.parse(json)) as readonly ShownRule[]
  return {
    bridges: rules.flatMap(({ priority, table, iif }) => {
      const number = Number(table)
      if (iif?.startsWith('br') !== true || priority !== number || number < 1000) return []
      return [{ slot: Math.floor((number - 1000) / 2), turn: ((number - 1000) % 2) as 0 | 1 }]
    }),
    pods: rules.flatMap(({ priority, table, iif, src, srclen = 32 }) =>
      priority === PODS_OWN || priority === PODS_MAIN
        ? [`pref ${priority} from ${src}/${srclen} iif ${iif} lookup ${table}`]
        : [],
    ),
  }
}

/** From what stands to what should: new tables are whole before a rule leads to them, and old ones go last. */
export function routeChange(
  wanted: { readonly tables: readonly RouteTableLines[]; readonly places: readonly PodPlace[] },
  standing: StandingRules,
): { readonly prepare: readonly string[]; readonly lead: readonly string[]; readonly forget: readonly string[] } {
  const turnOf = (slot: number): 0 | 1 =>
    standing.bridges.some((rule) => rule.slot === slot && rule.turn === 0) ? 1 : 0
  const tables = wanted.tables.map(({ slot, routes }) => ({ slot, routes, table: tableOf(slot, turnOf(slot)) }))
  const pods = podRules(wanted.places, new Map(tables.map(({ slot, table }) => [slot, table])))
  return {
    prepare: tables.flatMap(({ table, routes }) => routes.map((route) => withTable(route, table))),
    lead: [
      ...pods.filter((rule) => !standing.pods.includes(rule)).map((rule) => `rule add ${rule}`),
      ...tables.map(({ slot, table }) => `rule add pref ${table} iif br${slot} lookup ${table}`),
    ],
    forget: [
      ...standing.pods.filter((rule) => !pods.includes(rule)).map((rule) => `rule del ${rule}`),
      ...standing.bridges.flatMap(({ slot, turn }) => {
        const table = tableOf(slot, turn)
        return [`rule del pref ${table}`, `route flush table ${table}`]
      }),
    ],
  }
}

/** Where neither subnet has a table of its own, all use the main one without being told. */
function podRules(places: readonly PodPlace[], tables: ReadonlyMap<number, number>): readonly string[] {
  return places.flatMap(({ bridge, slot, prefix }) => {
    const own = tables.get(slot)
    if (own === undefined && !tables.has(bridge)) return []
    const from = `from ${prefix} iif br${bridge} lookup`
    return [`pref ${PODS_MAIN} ${from} main`, ...(own === undefined ? [] : [`pref ${PODS_OWN} ${from} ${own}`])]
  })
}

function withTable(route: string, table: number): string {
  return `route replace ${route} table ${table}`
}
