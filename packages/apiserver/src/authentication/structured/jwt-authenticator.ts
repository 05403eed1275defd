// Bearer tokens of external issuers: believed as the configuration in force says, which may be replaced at any time.

import { decodeJwt, jwtVerify, type JWTPayload } from 'jose'
import type { Scope } from '@aksel/base/scope'
import { invalidError } from '@aksel/api/field-errors'
import type { TokenVerdict } from '../service-account.ts'
import { claimMapping, type MapClaims } from './claim-mapping.ts'
import type {
  AnonymousConfiguration,
  AuthenticationConfiguration,
  JwtConfiguration,
} from '@aksel/api/authentication-configuration'
import { judgeConfiguration } from './configuration.ts'
import { DistributedClaims } from './distributed-claims.ts'
import { fetchJson, fetchText, type FetchJson } from './fetch.ts'
import { IssuerKeys } from './issuer-keys.ts'

/** Upstream's list; a token that is not signed, or by a shared secret, is none. */
const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512']
/** An issuer's clock may be ahead by this much. */
const NOT_BEFORE_LEEWAY_SECONDS = 300

interface Issuer {
  readonly url: string
  readonly audiences: readonly string[]
  readonly keys: IssuerKeys
  readonly map: MapClaims
  /** Absent where groups come from no claim. */
  readonly distributed: DistributedClaims | undefined
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
    const issuers = (configuration.jwt ?? []).map((jwt) => this.#issuerFor(jwt))
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
      const claims = await this.#verified(token, { issuer: issuer.url, keys: issuer.keys, audiences: issuer.audiences })
      const all = issuer.distributed === undefined ? claims : await issuer.distributed.resolve(claims)
      return { user: issuer.map(all), audiences: [this.#ownIssuer] }
    } catch (error) {
      this.#scope.log.warn('a bearer token was refused', { issuer: issuer.url, why: (error as Error).message })
      return undefined
    }
  }

  #issuerFor(jwt: JwtConfiguration): Issuer {
    const { url, audiences, certificateAuthority } = jwt.issuer
    const { clock, signal } = this.#scope
    const parts = { clock, fetchJson: this.#fetchJson, signal }
    const claim = jwt.claimMappings.groups?.claim ?? ''
    const caPem = certificateAuthority === undefined ? {} : { caPem: certificateAuthority }
    const distributed = new DistributedClaims({
      claim,
      fetchText,
      options: { signal, ...caPem },
      keysOf: (other) =>
        new IssuerKeys({ url: other, audiences, ...(certificateAuthority && { certificateAuthority }) }, parts),
      verify: (token, by) => this.#verified(token, { ...by, audiences }),
    })
    return {
      url,
      audiences,
      keys: new IssuerKeys(jwt.issuer, parts),
      map: claimMapping(jwt),
      distributed: claim === '' ? undefined : distributed,
    }
  }

  async #verified(
    token: string,
    by: { readonly issuer: string; readonly keys: IssuerKeys; readonly audiences: readonly string[] },
  ): Promise<JWTPayload> {
    const now = this.#scope.clock.now()
    const { payload } = await jwtVerify(token, by.keys.keyOf, {
      algorithms,
      issuer: by.issuer,
      audience: [...by.audiences],
      currentDate: new Date(now),
      clockTolerance: NOT_BEFORE_LEEWAY_SECONDS,
      requiredClaims: ['exp'],
    })
    // The leeway is for what is not yet; what is over is over.
    if (payload.exp! * 1000 <= now) throw new Error('oidc: token is expired')
    return payload
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
