// Dynamic addresses of Azure CNI: a machine holds as many of its pod subnet as its pods need, in batches, and gives the rest back.

import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { SubnetFullError } from '@aksel/provider/fabric'

/** As AKS documents it: taken and given back in batches, and never fewer free than half of one where there are more to have. */
export const BATCH = 16
const FREE_MIN = BATCH / 2
const FREE_MAX = BATCH + BATCH / 2

/** What is no longer offered may have been drawn a moment before: given back only when it has lain so long without a pod. */
const SETTLE_MS = 10_000
const RETRY_MS = 10_000
const LOOK_EVERY_MS = 60_000

export interface PoolFacts {
  /** The machine's, in the order in which it took them. */
  readonly held: readonly string[]
  /** Those of them that no further pod gets. */
  readonly parked: readonly string[]
  readonly isSettled: boolean
  /** Those that pods have. */
  readonly leased: ReadonlySet<string>
  /** The most that it may hold. */
  readonly growsTo: number
}

export type PoolStep =
  | { readonly kind: 'keep' }
  /** So many in all. */
  | { readonly kind: 'take'; readonly count: number }
  /** Offers no longer these. */
  | { readonly kind: 'park'; readonly addresses: readonly string[] }
  /** Offers all that it holds. */
  | { readonly kind: 'unpark' }
  | { readonly kind: 'release'; readonly addresses: readonly string[] }

export function judgePool({ held, parked, isSettled, leased, growsTo }: PoolFacts): PoolStep {
  const free = held.filter((address) => !leased.has(address) && !parked.includes(address))
  if (parked.some((address) => leased.has(address))) return { kind: 'unpark' }
  if (free.length < FREE_MIN) {
    if (parked.length > 0) return { kind: 'unpark' }
    const count = Math.min(held.length + BATCH, growsTo)
    return count > held.length ? { kind: 'take', count } : { kind: 'keep' }
  }
  if (parked.length > 0) return isSettled ? { kind: 'release', addresses: parked } : { kind: 'keep' }
  return free.length >= FREE_MAX ? { kind: 'park', addresses: free.slice(-BATCH) } : { kind: 'keep' }
}

/** What the loop asks of a machine and of the fabric. */
export interface PoolHost {
  /** So many addresses in all, at least; those that the machine holds then. Rejects with `SubnetFullError`. */
  take(scope: Scope, count: number): Promise<readonly string[]>
  release(scope: Scope, addresses: readonly string[]): Promise<void>
  /** Pods that begin from now on get one of these. */
  offer(addresses: readonly string[]): Promise<void>
  leased(): Promise<ReadonlySet<string>>
  /** Resolves when leases have changed, at the latest after so long. */
  changed(scope: Scope, atMostMs: number): Promise<void>
  /** The subnet has no more, in Azure's words. */
  short(message: string): void
}

/** Until the scope's signal. */
export async function keepPool(scope: Scope, host: PoolHost, growsTo: number): Promise<void> {
  let waitMs = 0
  const pool = new Pool(host, growsTo)
  while (!scope.signal.aborted) {
    try {
      if (waitMs > 0) await sleep(scope.clock, waitMs, scope.signal)
      waitMs = 0
      await pool.step(scope)
    } catch (error) {
      if (scope.signal.aborted) return
      waitMs = RETRY_MS
      if (error instanceof SubnetFullError) host.short(error.message)
      else scope.log.error("addresses of a machine's pods could not be kept", { error })
    }
  }
}

class Pool {
  readonly #host: PoolHost
  readonly #growsTo: number
  /** Unknown at first, and after what failed half way. */
  #held: readonly string[] | undefined
  #parked: readonly string[] = []
  #parkedAtMs = 0

  constructor(host: PoolHost, growsTo: number) {
    this.#host = host
    this.#growsTo = growsTo
  }

  async step(scope: Scope): Promise<void> {
    if (this.#held === undefined) return this.#take(scope, BATCH)
    const parked = this.#parked
    const settledInMs = this.#parkedAtMs + SETTLE_MS - scope.clock.monotonicMs()
    const facts = { held: this.#held, parked, isSettled: settledInMs <= 0, growsTo: this.#growsTo }
    const step = judgePool({ ...facts, leased: await this.#host.leased() })
    switch (step.kind) {
      case 'keep':
        return this.#host.changed(scope, parked.length > 0 ? Math.max(settledInMs, 1) : LOOK_EVERY_MS)
      case 'take':
        return this.#take(scope, step.count)
      case 'park':
        this.#parkedAtMs = scope.clock.monotonicMs()
        return this.#offer(step.addresses)
      case 'unpark':
        return this.#offer([])
      case 'release':
        await this.#host.release(scope, step.addresses)
        this.#held = this.#held.filter((address) => !step.addresses.includes(address))
        this.#parked = []
        return scope.log.info('addresses given back to the pod subnet', { count: step.addresses.length })
      default:
        return step satisfies never
    }
  }

  async #take(scope: Scope, count: number): Promise<void> {
    this.#held = await this.#host.take(scope, count)
    await this.#offer([])
  }

  async #offer(parked: readonly string[]): Promise<void> {
    await this.#host.offer(this.#held!.filter((address) => !parked.includes(address)))
    this.#parked = parked
  }
}
