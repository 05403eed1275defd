// User-defined routes of subnets as routing tables of the router. Pure: the VNet in, lines for `ip` out.

import { contains, formatRange, parseAddress, parseRange } from '@aksel/base/ipv4'
import type { Subnet, SubnetRoute, VirtualNetwork } from '@aksel/provider/fabric'
import { HOST_LINK, NOWHERE_LINK } from './plumbing.ts'
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

/** What stands in a router: rules that lead from a bridge to one of our tables. */
export interface StandingRule {
  readonly slot: number
  readonly turn: 0 | 1
}

/** Reads `ip -json rule show`. */
export function standingRules(json: string): readonly StandingRule[] {
  const rules = (json.trim() === '' ? [] : JSON.parse(json)) as readonly {
    readonly table?: string
    readonly iif?: string
  }[]
  return rules.flatMap(({ table, iif }) => {
    const number = Number(table)
    if (iif?.startsWith('br') !== true || !Number.isInteger(number) || number < 1000) return []
    return [{ slot: Math.floor((number - 1000) / 2), turn: ((number - 1000) % 2) as 0 | 1 }]
  })
}

/** From what stands to what should: new tables are whole before a rule leads to them, and old ones go last. */
export function routeChange(
  wanted: readonly RouteTableLines[],
  standing: readonly StandingRule[],
): { readonly prepare: readonly string[]; readonly lead: readonly string[]; readonly forget: readonly string[] } {
  const turnOf = (slot: number): 0 | 1 => (standing.some((rule) => rule.slot === slot && rule.turn === 0) ? 1 : 0)
  const tables = wanted.map(({ slot, routes }) => ({ slot, routes, table: tableOf(slot, turnOf(slot)) }))
  return {
    prepare: tables.flatMap(({ table, routes }) => routes.map((route) => withTable(route, table))),
    lead: tables.map(({ slot, table }) => `rule add pref ${table} iif br${slot} lookup ${table}`),
    forget: standing.flatMap(({ slot, turn }) => {
      const table = tableOf(slot, turn)
      return [`rule del pref ${table}`, `route flush table ${table}`]
    }),
  }
}

function withTable(route: string, table: number): string {
  return `route replace ${route} table ${table}`
}
