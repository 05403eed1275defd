// How many requests a caller has left: Azure's token buckets by subscription, principal and kind, and one for a whole subscription.

import type { RequestTarget } from './request-target.ts'

export interface Bucket {
  /** Requests that may come at once. */
  readonly size: number
  /** Requests a second that come back. */
  readonly refill: number
}

export type ThrottledKind = 'reads' | 'writes' | 'deletes'
export type Throttling = Readonly<Record<ThrottledKind, Bucket>>

/** What Azure gives a principal in a subscription. */
export const azureThrottling: Throttling = {
  reads: { size: 250, refill: 25 },
  writes: { size: 200, refill: 10 },
  deletes: { size: 200, refill: 10 },
}

/** Enough for a bench on one machine, and an end to a loop that went wild. */
export const localThrottling: Throttling = {
  reads: { size: 12_000, refill: 1_000 },
  writes: { size: 3_000, refill: 300 },
  deletes: { size: 3_000, refill: 300 },
}

/** A whole subscription has so many times what one principal has. */
const globalFactor = 15

const principalsMax = 1_000

interface Level {
  tokens: number
  atMs: number
}

export type Verdict =
  | { readonly kind: 'taken'; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: 'refused'; readonly retryAfterSeconds: number; readonly headers: Readonly<Record<string, string>> }

export function throttledKind(kind: RequestTarget['kind']): ThrottledKind {
  if (kind === 'read') return 'reads'
  return kind === 'delete' ? 'deletes' : 'writes'
}

export class Throttle {
  readonly #throttling: Throttling
  readonly #levels = new Map<string, Level>()

  constructor(throttling: Throttling) {
    this.#throttling = throttling
  }

  /** One request of a principal. `subscriptionId` is absent above subscriptions: those count for the tenant. */
  take(
    nowMs: number,
    {
      subscriptionId,
      principalId,
      kind,
    }: { subscriptionId: string | undefined; principalId: string; kind: ThrottledKind },
  ): Verdict {
    const bucket = this.#throttling[kind]
    const place = subscriptionId?.toLowerCase() ?? 'tenant'
    const own = this.#level(`${place}/${principalId}/${kind}`, bucket, nowMs)
    const whole = { size: bucket.size * globalFactor, refill: bucket.refill * globalFactor }
    const all = this.#level(`${place}//${kind}`, whole, nowMs)
    const short = own.tokens < 1 ? { level: own, refill: bucket.refill } : { level: all, refill: whole.refill }
    const refused = short.level.tokens < 1
    if (!refused) for (const level of [own, all]) level.tokens -= 1
    const name = subscriptionId === undefined ? 'tenant' : 'subscription'
    const headers = {
      [`x-ms-ratelimit-remaining-${name}-${kind}`]: String(Math.floor(own.tokens)),
      [`x-ms-ratelimit-remaining-${name}-global-${kind}`]: String(Math.floor(all.tokens)),
    }
    if (!refused) return { kind: 'taken', headers }
    return {
      kind: 'refused',
      headers,
      retryAfterSeconds: Math.max(1, Math.ceil((1 - short.level.tokens) / short.refill)),
    }
  }

  #level(key: string, { size, refill }: Bucket, nowMs: number): Level {
    const known = this.#levels.get(key)
    if (known === undefined) {
      // A full bucket is as good as none.
      if (this.#levels.size >= principalsMax) this.#forget(nowMs)
      const fresh = { tokens: size, atMs: nowMs }
      this.#levels.set(key, fresh)
      return fresh
    }
    known.tokens = Math.min(size, known.tokens + (Math.max(0, nowMs - known.atMs) / 1_000) * refill)
    known.atMs = nowMs
    return known
  }

  /** Whoever asked for nothing in the last minute has a full bucket again. */
  #forget(nowMs: number): void {
    for (const [key, { atMs }] of this.#levels) if (nowMs - atMs > 60_000) this.#levels.delete(key)
  }
}
