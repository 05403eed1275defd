// How sick a zone is, and how fast pods may be driven off its nodes: where much is lost at once the fault is more likely
// between us and the nodes.

import type { Node } from '@aksel/api/types/core-v1'
import { isNodeReady } from './health.ts'

export const zoneStates = ['Normal', 'PartialDisruption', 'FullDisruption'] as const
export type ZoneState = (typeof zoneStates)[number]

export interface ZoneCount {
  readonly ready: number
  readonly notReady: number
}

export interface EvictionRates {
  /** Between two nodes of a zone whose pods are driven off; upstream's `--node-eviction-rate` of 0.1 a second. */
  readonly evictionIntervalMs: number
  /** In a large zone that is partly lost; `--secondary-node-eviction-rate` of 0.01 a second. */
  readonly secondaryIntervalMs: number
  /** Zones of more nodes are large; a smaller one that is partly lost keeps its pods. */
  readonly largeZone: number
  /** Part of a zone's nodes that must be lost for the zone to count as partly lost. */
  readonly unhealthyPart: number
}

export const defaultRates: EvictionRates = {
  evictionIntervalMs: 10_000,
  secondaryIntervalMs: 100_000,
  largeZone: 50,
  unhealthyPart: 0.55,
}

export function zoneOf({ metadata }: Node): string {
  const { labels = {} } = metadata
  const region = labels['topology.kubernetes.io/region'] ?? labels['failure-domain.beta.kubernetes.io/region'] ?? ''
  const zone = labels['topology.kubernetes.io/zone'] ?? labels['failure-domain.beta.kubernetes.io/zone'] ?? ''
  return `${region}:${zone}`
}

export function judgeZone({ ready, notReady }: ZoneCount, { unhealthyPart }: EvictionRates): ZoneState {
  if (ready === 0 && notReady > 0) return 'FullDisruption'
  return notReady > 2 && notReady / (notReady + ready) >= unhealthyPart ? 'PartialDisruption' : 'Normal'
}

/** Counts nodes by zone as they come, change and go. */
export class Zones {
  readonly #rates: EvictionRates
  readonly #counts = new Map<string, { ready: number; notReady: number }>()

  constructor(rates: EvictionRates) {
    this.#rates = rates
  }

  /** True when a zone's state, or whether any zone is left, is another now. */
  note(now: Node | undefined, before: Node | undefined): boolean {
    const places = [now, before].flatMap((node) => (node === undefined ? [] : [zoneOf(node)]))
    const states = (): string => [this.allDisrupted, ...places.map((zone) => this.intervalMs(zone))].join()
    const old = states()
    if (before !== undefined) this.#count(before, -1)
    if (now !== undefined) this.#count(now, 1)
    return states() !== old
  }

  stateOf(zone: string): ZoneState {
    return judgeZone(this.#counts.get(zone) ?? { ready: 0, notReady: 0 }, this.#rates)
  }

  /** No zone has a node that is ready: more likely it is us who are cut off, and nothing is driven off anywhere. */
  get allDisrupted(): boolean {
    for (const zone of this.#counts.keys()) if (this.stateOf(zone) !== 'FullDisruption') return false
    return true
  }

  /** Between two nodes of the zone whose pods are driven off. Infinity: nobody's are. */
  intervalMs(zone: string): number {
    if (this.allDisrupted) return Infinity
    const { evictionIntervalMs, secondaryIntervalMs, largeZone } = this.#rates
    if (this.stateOf(zone) !== 'PartialDisruption') return evictionIntervalMs
    const { ready, notReady } = this.#counts.get(zone)!
    return ready + notReady > largeZone ? secondaryIntervalMs : Infinity
  }

  #count(node: Node, step: 1 | -1): void {
    const zone = zoneOf(node)
    const counted = this.#counts.get(zone) ?? { ready: 0, notReady: 0 }
    if (isNodeReady(node)) counted.ready += step
    else counted.notReady += step
    if (counted.ready + counted.notReady === 0) this.#counts.delete(zone)
    else this.#counts.set(zone, counted)
  }
}
