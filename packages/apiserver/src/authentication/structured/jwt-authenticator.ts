// Bearer tokens of external issuers: believed as the configuration in force says, which may be replaced at any time.

import { decodeJwt, jwtVerify } from 'jose'
import type { Scope } from '@aksel/base/scope'
import { invalidError } from '@aksel/api/field-errors'
import type { TokenVerdict } from '../service-account.ts'
import { claimMapping, type MapClaims } from './claim-mapping.ts'
import type { AnonymousConfiguration, AuthenticationConfiguration } from '@aksel/api/authentication-configuration'
import { judgeConfiguration } from './configuration.ts'
import { fetchJson, IssuerKeys, type FetchJson } from './issuer-keys.ts'

/** Upstream's list; a token that is not signed, or by a shared secret, is none. */
const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512']
/** An issuer's clock may be ahead by this much. */
const NOT_BEFORE_LEEWAY_SECONDS = 300

interface Issuer {
  readonly url: string
  readonly audiences: readonly string[]
  readonly keys: IssuerKeys
  readonly map: MapClaims
}

export class JwtAuthenticator {
  readonly #scope: Scope
  readonly #ownIssuer: string
  readonly #fetchJson: FetchJson
  #issuers: ReadonlyMap<string, Issuer> = new Map()
  #anonymous: AnonymousConfiguration | undefined

  constructor(scope: Scope, options: { readonly ownIssuer: string; readonly fetchJson?: FetchJson }) {
    this.#scope = scope
    this.#ownIssuer = options.ownIssuer
    this.#fetchJson = options.fetchJson ?? fetchJson
  }

  /** From the next request on. Throws Invalid, and leaves what is in force, for a configuration with faults. */
  configure(configuration: AuthenticationConfiguration): void {
    const errors = judgeConfiguration(configuration, this.#ownIssuer)
    if (errors.length > 0)
      throw invalidError({ group: 'apiserver.config.k8s.io', kind: 'AuthenticationConfiguration', name: '' }, errors)
    const parts = { clock: this.#scope.clock, fetchJson: this.#fetchJson, signal: this.#scope.signal }
    const issuers = (configuration.jwt ?? []).map((jwt) => ({
      url: jwt.issuer.url,
      audiences: jwt.issuer.audiences,
      keys: new IssuerKeys(jwt.issuer, parts),
      map: claimMapping(jwt),
    }))
    this.#issuers = new Map(issuers.map((issuer) => [issuer.url, issuer]))
    this.#anonymous = configuration.anonymous
  }

  /** Whether a request without credentials may go on as nobody in particular. */
  mayBeAnonymous(path: string): boolean {
    if (this.#anonymous === undefined) return true
    const { enabled, conditions = [] } = this.#anonymous
    return enabled && (conditions.length === 0 || conditions.some((condition) => condition.path === path))
  }

  /** Undefined for a token that no issuer of the configuration has given, or that does not hold; why is in the log. */
  async userOf(token: string, audiences: readonly string[] = [this.#ownIssuer]): Promise<TokenVerdict | undefined> {
    // These tokens are meant for this API server alone, whatever they call their audience.
    if (!audiences.includes(this.#ownIssuer)) return undefined
    const issuer = this.#issuerOf(token)
    if (issuer === undefined) return undefined
    try {
      const now = this.#scope.clock.now()
      const { payload } = await jwtVerify(token, issuer.keys.keyOf, {
        algorithms,
        issuer: issuer.url,
        audience: [...issuer.audiences],
        currentDate: new Date(now),
        clockTolerance: NOT_BEFORE_LEEWAY_SECONDS,
        requiredClaims: ['exp'],
      })
      // The leeway is for what is not yet; what is over is over.
      if (payload.exp! * 1000 <= now) throw new Error('oidc: token is expired')
      return { user: issuer.map(payload), audiences: [this.#ownIssuer] }
    } catch (error) {
      this.#scope.log.warn('a bearer token was refused', { issuer: issuer.url, why: (error as Error).message })
      return undefined
    }
  }

  #issuerOf(token: string): Issuer | undefined {
    if (this.#issuers.size === 0) return undefined
    try {
      return this.#issuers.get(decodeJwt(token).iss ?? '')
    } catch {
      return undefined
    }
  }
}
