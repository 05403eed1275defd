// The keys of one issuer, found by OpenID Connect discovery: fetched when first asked for, kept, and fetched again when a
// token names a key that is not among them. What is fetched is bounded in size, time and place.

import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { Clock } from '@aksel/base/clock'
import type { JwtConfiguration } from '@aksel/api/authentication-configuration'
import type { FetchJson } from './fetch.ts'

/** Keys older than this are fetched anew, so that one that was taken back is not believed for longer. */
const MAX_AGE_MS = 10 * 60_000
/** A token with a made-up key does not make us ask again and again. */
const COOL_DOWN_MS = 10_000

interface Known {
  readonly atMs: number
  readonly keyOf: ReturnType<typeof createLocalJWKSet>
}

export class IssuerKeys {
  readonly #issuer: JwtConfiguration['issuer']
  readonly #clock: Clock
  readonly #fetchJson: FetchJson
  readonly #signal: AbortSignal
  #known: Known | undefined
  #fetching: Promise<Known> | undefined
  #triedAtMs = -Infinity

  constructor(
    issuer: JwtConfiguration['issuer'],
    parts: { readonly clock: Clock; readonly fetchJson: FetchJson; readonly signal: AbortSignal },
  ) {
    this.#issuer = issuer
    this.#clock = parts.clock
    this.#fetchJson = parts.fetchJson
    this.#signal = parts.signal
  }

  /** Rejects where the issuer could not be asked and nothing is known of it. */
  readonly keyOf: JWTVerifyGetKey = async (header, token) => {
    const known = await this.#fresh()
    try {
      return await known.keyOf(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      const newer = await this.#again(known)
      if (newer === known) throw error
      return newer.keyOf(header, token)
    }
  }

  async #fresh(): Promise<Known> {
    const known = this.#known
    if (known === undefined) return this.#fetch()
    if (this.#clock.monotonicMs() - known.atMs < MAX_AGE_MS) return known
    return this.#again(known)
  }

  /** What is known stays where the issuer does not answer. */
  async #again(known: Known): Promise<Known> {
    if (this.#fetching === undefined && this.#clock.monotonicMs() - this.#triedAtMs < COOL_DOWN_MS) return known
    return this.#fetch().catch(() => known)
  }

  #fetch(): Promise<Known> {
    this.#fetching ??= this.#discover().finally(() => (this.#fetching = undefined))
    return this.#fetching
  }

  async #discover(): Promise<Known> {
    this.#triedAtMs = this.#clock.monotonicMs()
    const { url, discoveryURL, certificateAuthority } = this.#issuer
    const options = {
      signal: this.#signal,
      ...(certificateAuthority === undefined ? {} : { caPem: certificateAuthority }),
    }
    const where = discoveryURL || `${url.replace(/\/$/, '')}/.well-known/openid-configuration`
    const document = (await this.#fetchJson(where, options)) as {
      readonly issuer?: unknown
      readonly jwks_uri?: unknown
    }
    if (document.issuer !== url)
      throw new Error(
        `oidc: issuer did not match the issuer returned by provider, expected "${url}" got "${String(document.issuer)}"`,
      )
    if (typeof document.jwks_uri !== 'string' || !document.jwks_uri.startsWith('https://'))
      throw new Error(`oidc: the discovery document of "${url}" names no jwks_uri over https`)
    const keys = (await this.#fetchJson(document.jwks_uri, options)) as JSONWebKeySet
    this.#known = { atMs: this.#clock.monotonicMs(), keyOf: createLocalJWKSet(keys) }
    return this.#known
  }
}
