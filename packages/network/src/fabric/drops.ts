// What routers dropped, as the kernel's log has it: told once for each kind of packet, and again once a minute while it goes on.

import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { DropNews, VirtualNetwork } from '@aksel/provider/fabric'
import type { LoggedPacket } from '../flows/nflog.ts'
import { readNflog, type NflogReading } from '../flows/nflog-program.ts'
import { readPacket } from '../flows/packet.ts'
import { routerOf } from './plumbing.ts'
import { CLOSED_EGRESS, readDropMark, readLostMark, SECURITY_LOG_GROUP } from './security-table.ts'
import { slotsOf } from './slots.ts'
import type { NetworkState } from './state.ts'

/** How long the same packets are counted before they are told of again. */
export const DROPS_MS = 60_000
const RETRY_MS = 1000
/** Kinds of packets that are counted; a scan makes thousands, of which the first ones tell enough. */
const MOST_KINDS = 1000

interface Counted {
  readonly told: number
  readonly count: number
}

export interface DropsOptions {
  readonly onNews: (news: DropNews) => void
  /** `readNflog` when absent. */
  readonly read?: (signal: AbortSignal, reading: NflogReading) => Promise<void>
}

export class Drops implements Disposable {
  readonly #scope: Scope
  readonly #options: DropsOptions
  readonly #readers = new Map<string, AbortController>()

  /** Readers end with the scope. */
  constructor(scope: Scope, options: DropsOptions) {
    this.#scope = scope
    this.#options = options
    scope.signal.addEventListener('abort', () => this[Symbol.dispose](), { once: true })
  }

  /** Reads the router's log while the network has something that drops. */
  follow(network: NetworkState): void {
    const { id } = network.spec
    if (!mayDrop(network.spec)) return this.forget(id)
    if (this.#readers.has(id) || this.#scope.signal.aborted) return
    const stop = new AbortController()
    this.#readers.set(id, stop)
    void this.#read(network, stop.signal)
  }

  /** Before the router goes: a reader would hold its namespace. */
  forget(id: string): void {
    this.#readers.get(id)?.abort()
    this.#readers.delete(id)
  }

  [Symbol.dispose](): void {
    for (const stop of this.#readers.values()) stop.abort()
    this.#readers.clear()
  }

  async #read(network: NetworkState, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#scope
    const { onNews, read = readNflog } = this.#options
    const counter = new DropCounter()
    const within = ['nsenter', `--net=/run/netns/${routerOf(network)}`]
    const take = (packet: LoggedPacket): void => {
      const news = dropOf(network, packet)
      if (news === undefined) return
      const count = counter.add(JSON.stringify(news), clock.now())
      if (count > 0) onNews({ ...news, count })
    }
    while (!signal.aborted) {
      try {
        await read(signal, { group: SECURITY_LOG_GROUP, within, take })
      } catch (error) {
        if (!signal.aborted) log.warn('dropped packets cannot be read, it is tried again', { error })
      }
      await sleep(clock, RETRY_MS, signal).catch(() => {})
    }
  }
}

function mayDrop({ subnets }: VirtualNetwork): boolean {
  return subnets.some(
    ({ securityRules, routes, egress }) =>
      securityRules !== undefined || routes !== undefined || egress?.kind === 'none',
  )
}

/** Which rule or route it was; undefined for what the router did not log. */
function causeOf(
  prefix: string,
): (Pick<DropNews, 'direction' | 'rule' | 'noRoute'> & { readonly slot: number }) | undefined {
  const lost = readLostMark(prefix)
  if (lost !== undefined) {
    const { slot, route } = lost
    return { slot, direction: 'Outbound', noRoute: route === undefined ? {} : { route } }
  }
  const mark = readDropMark(prefix)
  if (mark === undefined) return undefined
  const { slot, direction, rule } = mark
  return { slot, direction, ...(rule === CLOSED_EGRESS ? {} : { rule }) }
}

/** Undefined for what no rule of the router logged, or a rule of a subnet that is gone. */
export function dropOf(network: NetworkState, { prefix, payload }: LoggedPacket): Omit<DropNews, 'count'> | undefined {
  const cause = causeOf(prefix)
  const packet = readPacket(payload)
  const subnet = Object.entries(slotsOf(network)).find(([, slot]) => slot === cause?.slot)
  if (cause === undefined || packet === undefined || subnet === undefined) return undefined
  const { slot: _, ...why } = cause
  const { l4, source, destination } = packet
  return {
    virtualNetworkId: network.spec.id,
    subnetId: subnet[0],
    ...why,
    source,
    destination,
    protocol: l4.kind === 'other' ? `protocol ${l4.protocol}` : l4.kind,
    ...('destinationPort' in l4 ? { destinationPort: l4.destinationPort } : {}),
  }
}

/** Counts by kind, and says when it is time to tell. */
export class DropCounter {
  readonly #kinds = new Map<string, Counted>()

  /** How many packets of this kind are to be told of now; 0: later. */
  add(kind: string, nowMs: number): number {
    const known = this.#kinds.get(kind)
    if (known !== undefined && nowMs - known.told < DROPS_MS) {
      this.#kinds.set(kind, { ...known, count: known.count + 1 })
      return 0
    }
    if (known === undefined && this.#kinds.size >= MOST_KINDS) this.#makeRoom(nowMs)
    if (known === undefined && this.#kinds.size >= MOST_KINDS) return 0
    this.#kinds.set(kind, { told: nowMs, count: 0 })
    return 1 + (known?.count ?? 0)
  }

  #makeRoom(nowMs: number): void {
    for (const [kind, { told }] of this.#kinds) if (nowMs - told >= DROPS_MS) this.#kinds.delete(kind)
  }
}
