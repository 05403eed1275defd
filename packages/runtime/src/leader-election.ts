// One of several processes works at a time: the one that holds a Lease, as client-go elects it.

import { leases } from '@aksel/api/resources'
import type { Lease } from '@aksel/api/types/coordination-v1'
import { anySignal } from '@aksel/base/any-signal'
import { formatMicroTime, sleep } from '@aksel/base/clock'
import { ApiError, isReason } from '@aksel/base/errors'
import { fraction } from '@aksel/base/ids'
import { childScope } from '@aksel/base/scope'
import type { Scope } from '@aksel/base/scope'
import type { Fence, Lead } from './fenced-client.ts'

/** All that an election asks of the API: a Lease read and written under its resourceVersion. A client is one. */
export interface LeaseApi {
  /** Rejects with NotFound where there is none. */
  get(type: typeof leases, ref: { readonly namespace: string; readonly name: string }): Promise<Lease>
  create(type: typeof leases, lease: Lease): Promise<Lease>
  update(type: typeof leases, lease: Lease): Promise<Lease>
}

export interface LeaderOptions {
  readonly client: LeaseApi
  readonly lease: { readonly namespace: string; readonly name: string }
  /** Who we are: unique among the candidates. */
  readonly identity: string
  /** The work of the leader. Its scope aborts when the lease is lost; `lead` fences its writes (`fencedClient`). */
  run(scope: Scope, lead: Lead): Promise<void>
  /** No other candidate can live, since nobody else can open the store: the lease is taken at once, whoever held it last. */
  readonly isAlone?: boolean
  /** Told when we become leader and when we lost that, in upstream's words. */
  readonly tell?: (lease: Lease, what: 'became leader' | 'stopped leading') => void
  /** How long others wait for a silent leader. Default 15 s. */
  readonly leaseDurationMs?: number
  /** How long a leader that cannot renew goes on. Default 10 s. */
  readonly renewDeadlineMs?: number
  /** Between tries. Default 2 s. */
  readonly retryPeriodMs?: number
}

/** What was last read, and when on our own clock: the clocks of candidates need not agree. */
interface Observation {
  readonly lease: Lease
  readonly atMs: number
}

/**
 * Stands for election until the scope's signal aborts, and works while elected; a leader that lost its lease stands again.
 * Releases the lease on the way out. Rejects only when `run` rejects while it leads.
 */
export async function runAsLeader(scope: Scope, options: LeaderOptions): Promise<void> {
  const own = childScope(scope, { lease: options.lease.name, identity: options.identity })
  const elector = new Elector(own, options)
  while (!scope.signal.aborted) {
    const lead = await elector.acquire()
    if (lead === undefined) return
    own.log.info('became leader')
    const lost = new AbortController()
    const work = Promise.resolve(options.run(childScope(own, {}, lost.signal), lead))
    let failure: unknown
    const ended = work.then(
      () => 'ended' as const,
      (error: unknown) => {
        failure = error
        return 'failed' as const
      },
    )
    const outcome = await Promise.race([ended, elector.renewUntilLost(lost.signal).then(() => 'lost' as const)])
    lost.abort(new Error('The lease was lost'))
    await ended
    elector.end()
    if (outcome !== 'lost' || scope.signal.aborted) await elector.release(lead.fence)
    else {
      own.log.warn('lost the lease')
      elector.tellLoss()
    }
    if (outcome === 'failed' && !scope.signal.aborted) throw failure as Error
    if (outcome === 'ended') return
  }
}

class Elector {
  readonly #scope: Scope
  readonly #options: LeaderOptions
  readonly #leaseDurationMs: number
  readonly #renewDeadlineMs: number
  readonly #retryPeriodMs: number
  #observed: Observation | undefined
  /** Our term; undefined while we do not lead. */
  #fence: Fence | undefined
  /** A lease in our name that we did not take is our predecessor's, which has ended; later it is a twin's. */
  #isFresh = true
  /** On our monotonic clock, from when the last renewal that succeeded was sent. */
  #heldUntilMs = -Infinity

  constructor(scope: Scope, options: LeaderOptions) {
    this.#scope = scope
    this.#options = options
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000
  }

  /** Undefined when the scope ended first. */
  async acquire(): Promise<Lead | undefined> {
    const { signal, clock, random } = this.#scope
    while (!signal.aborted) {
      if (await this.#tryHold()) return this.#begin()
      // Jitter, so that candidates do not ask in step.
      await sleep(clock, this.#retryPeriodMs * (1 + 1.2 * fraction(random)), signal).catch(() => {})
    }
    return undefined
  }

  #begin(): Lead {
    const lease = this.#observed!.lease
    const fence: Fence = {
      ...this.#options.lease,
      uid: lease.metadata.uid ?? '',
      holder: this.#options.identity,
      transitions: lease.spec?.leaseTransitions ?? 0,
    }
    this.#fence = fence
    this.#isFresh = false
    this.#options.tell?.(lease, 'became leader')
    const holds = (): boolean => this.#fence === fence && this.#scope.clock.monotonicMs() < this.#heldUntilMs
    return { fence, holds }
  }

  end(): void {
    this.#fence = undefined
  }

  tellLoss(): void {
    if (this.#observed !== undefined) this.#options.tell?.(this.#observed.lease, 'stopped leading')
  }

  /** Resolves when the lease could not be renewed in time or is another's, or when either signal aborts. */
  async renewUntilLost(stop: AbortSignal): Promise<void> {
    const { clock } = this.#scope
    const signal = anySignal([stop, this.#scope.signal])
    let renewedMs = clock.monotonicMs()
    while (true) {
      await sleep(clock, this.#retryPeriodMs, signal).catch(() => {})
      if (signal.aborted) return
      if (await this.#tryHoldBefore(renewedMs + this.#renewDeadlineMs, signal)) renewedMs = clock.monotonicMs()
      else if (this.#isTaken() || clock.monotonicMs() - renewedMs >= this.#renewDeadlineMs) return
    }
  }

  /** The lease was seen to say that our term is over. */
  #isTaken(): boolean {
    return this.#fence === undefined || (this.#observed !== undefined && !isOf(this.#observed.lease, this.#fence))
  }

  /** Makes the lease free at once instead of after its duration. */
  async release(fence: Fence): Promise<void> {
    const { client } = this.#options
    this.#heldUntilMs = -Infinity
    const lease = this.#observed?.lease
    if (lease === undefined || !isOf(lease, fence)) return
    const now = formatMicroTime(this.#scope.clock.now())
    const leaseTransitions = fence.transitions
    const spec = { holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now, leaseTransitions }
    try {
      await client.update(leases, { ...lease, spec })
    } catch (error) {
      this.#scope.log.debug('the lease was not released', { error })
    }
  }

  /** A call that hangs must not let a leader work on past its deadline. */
  async #tryHoldBefore(deadlineMs: number, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#scope
    const answered = new AbortController()
    const late = sleep(clock, deadlineMs - clock.monotonicMs(), anySignal([answered.signal, signal])).then(
      () => false,
      () => false,
    )
    const held = await Promise.race([this.#tryHold(), late])
    answered.abort()
    return held
  }

  async #tryHold(): Promise<boolean> {
    const { client, lease: ref } = this.#options
    const { clock, log } = this.#scope
    const now = formatMicroTime(clock.now())
    const heldUntilMs = clock.monotonicMs() + this.#renewDeadlineMs
    try {
      const found = await client.get(leases, ref).catch(ifMissing)
      if (found === undefined) {
        // Whoever deleted our lease ended our term: another begins, with another lease.
        if (this.#fence !== undefined) return this.#lose()
        const spec = this.#spec(now, now, 0)
        this.#observe(await client.create(leases, { metadata: { ...ref }, spec }))
        this.#heldUntilMs = heldUntilMs
        return true
      }
      if (found.metadata.resourceVersion !== this.#observed?.lease.metadata.resourceVersion) this.#observe(found)
      const { leaseTransitions = 0, acquireTime } = found.spec ?? {}
      const isOurs = this.#fence !== undefined && isOf(found, this.#fence)
      if (!isOurs && (this.#fence !== undefined || this.#isHeld(found))) return false
      const spec = isOurs
        ? this.#spec(acquireTime ?? now, now, leaseTransitions)
        : this.#spec(now, now, leaseTransitions + 1)
      this.#observe(await client.update(leases, { ...found, spec }))
      this.#heldUntilMs = heldUntilMs
      return true
    } catch (error) {
      if (!isReason(error, 'Conflict', 'AlreadyExists')) log.debug('the lease was not taken', { error })
      return false
    }
  }

  /** By somebody who may still be at work. */
  #isHeld({ spec }: Lease): boolean {
    const { holderIdentity = '', leaseDurationSeconds = this.#leaseDurationMs / 1000 } = spec ?? {}
    if (holderIdentity === '' || (this.#options.isAlone === true && this.#isFresh)) return false
    // Its predecessor's writes are fenced by the number of transitions.
    if (this.#isFresh && holderIdentity === this.#options.identity) return false
    return this.#observed!.atMs + leaseDurationSeconds * 1000 > this.#scope.clock.monotonicMs()
  }

  #lose(): false {
    this.#observed = undefined
    this.#fence = undefined
    return false
  }

  #spec(acquireTime: string, renewTime: string, leaseTransitions: number): NonNullable<Lease['spec']> {
    const leaseDurationSeconds = Math.max(1, Math.round(this.#leaseDurationMs / 1000))
    return { holderIdentity: this.#options.identity, leaseDurationSeconds, acquireTime, renewTime, leaseTransitions }
  }

  #observe(lease: Lease): void {
    this.#observed = { lease, atMs: this.#scope.clock.monotonicMs() }
  }
}

function isOf({ metadata, spec }: Lease, { uid, holder, transitions }: Fence): boolean {
  return metadata.uid === uid && spec?.holderIdentity === holder && (spec.leaseTransitions ?? 0) === transitions
}

function ifMissing(error: unknown): undefined {
  if (error instanceof ApiError && error.code === 404) return undefined
  throw error
}
