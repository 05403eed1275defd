// Ways by mark: packets that keep the address they were sent to find the machine that they were drawn for.

import { WAY_BIT, type Frontend } from './load-balancer.ts'
import { bridgeOf } from './plumbing.ts'
import type { NetworkState } from './state.ts'

export interface Way {
  readonly address: string
  /** Bridge of its subnet. */
  readonly device: string
}

/** Before routes of subnets and the main table, after what is the router's own. */
const PRIORITY = 900

/** By mark, for every machine that takes packets as they are. */
export function waysOf(network: NetworkState, frontends: readonly Frontend[]): ReadonlyMap<number, Way> {
  const floating = new Set(
    frontends.flatMap(({ rules }) =>
      rules.flatMap(({ backends }) => backends.filter(({ port }) => port === undefined).map(({ address }) => address)),
    ),
  )
  const ways = new Map<number, Way>()
  if (floating.size === 0) return ways
  for (const { key, address, subnetId } of Object.values(network.machines)) {
    if (floating.has(address)) ways.set(WAY_BIT | parseInt(key, 16), { address, device: bridgeOf(network, subnetId) })
  }
  return ways
}

/** Lines for `ip -batch` that turn one set of ways into the other. */
export function changeOfWays(before: ReadonlyMap<number, Way>, after: ReadonlyMap<number, Way>): readonly string[] {
  const isSame = (a: Way | undefined, b: Way): boolean => a?.address === b.address && a.device === b.device
  return [
    ...[...before.keys()].filter((mark) => !after.has(mark)).map((mark) => `rule del ${ruleOf(mark)}`),
    ...[...after].flatMap(([mark, way]) => [
      ...(isSame(before.get(mark), way)
        ? []
        : [`route replace default via ${way.address} dev ${way.device} table ${mark}`]),
      ...(before.has(mark) ? [] : [`rule add ${ruleOf(mark)}`]),
    ]),
  ]
}

/** Lines that take away the rules of an earlier process, from what `ip -json rule show` says. */
export function staleRules(shown: string): readonly string[] {
  const rules = JSON.parse(shown === '' ? '[]' : shown) as readonly {
    readonly priority: number
    readonly fwmark?: string
  }[]
  return rules
    .filter(({ priority, fwmark }) => priority === PRIORITY && fwmark !== undefined)
    .map(({ fwmark }) => `rule del ${ruleOf(Number(fwmark))}`)
}

function ruleOf(mark: number): string {
  return `priority ${PRIORITY} fwmark ${mark} lookup ${mark}`
}
