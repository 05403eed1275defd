// Groups that a token does not carry but points to (OpenID Connect Core 1.0, section 5.6.2): who belongs to very many gets a
// token that names where they are listed, as Microsoft Entra ID does it. What is fetched there is a token again, verified as
// one of its own issuer. As upstream has it, this holds for the claim of groups alone.

import { decodeJwt, type JWTPayload } from 'jose'
import type { Claims } from './claim-mapping.ts'
import type { FetchOptions, FetchText } from './fetch.ts'
import type { IssuerKeys } from './issuer-keys.ts'

/** Endpoints name issuers; those that are remembered are few. */
const ISSUERS_MAX = 16

export interface DistributedClaimsParts {
  /** The claim that holds groups. */
  readonly claim: string
  readonly fetchText: FetchText
  readonly options: FetchOptions
  readonly keysOf: (issuer: string) => IssuerKeys
  /** Rejects where the token does not hold. */
  readonly verify: (token: string, by: { readonly issuer: string; readonly keys: IssuerKeys }) => Promise<JWTPayload>
}

export class DistributedClaims {
  readonly #parts: DistributedClaimsParts
  readonly #keys = new Map<string, IssuerKeys>()

  constructor(parts: DistributedClaimsParts) {
    this.#parts = parts
  }

  /** The claims with what they point to; rejects where that cannot be had, for a user without groups may be a different user. */
  async resolve(claims: Claims): Promise<Claims> {
    const { claim, fetchText, options, verify } = this.#parts
    const names = claims['_claim_names']
    if (Object.hasOwn(claims, claim) || names === undefined) return claims
    const sources = claims['_claim_sources']
    if (sources === undefined) throw new Error('oidc: no claim sources')
    const name = ownText(names, claim, '_claim_names')
    if (name === undefined) return claims
    const source = ownObject(sources, name)
    if (source === undefined)
      throw new Error(`oidc: id token _claim_names contained a source ${name} missing in _claims_sources`)
    const endpoint = ownText(source, 'endpoint', '_claim_sources')
    // An aggregated claim carries its token with it; upstream does not read those either.
    if (endpoint === undefined || endpoint === '') return claims
    const accessToken = ownText(source, 'access_token', '_claim_sources')
    const bearer = accessToken === undefined || accessToken === '' ? {} : { bearerToken: accessToken }
    const token = (await fetchText(endpoint, { ...options, ...bearer, accept: 'application/jwt' })).trim()
    const issuer = decodeJwt(token).iss ?? ''
    const found = await verify(token, { issuer, keys: this.#keysOf(issuer) })
    if (!Object.hasOwn(found, claim))
      throw new Error(`oidc: jwt returned by distributed claim endpoint "${endpoint}" did not contain claim: ${claim}`)
    return { ...claims, [claim]: found[claim] }
  }

  #keysOf(issuer: string): IssuerKeys {
    const known = this.#keys.get(issuer)
    if (known !== undefined) return known
    const [oldest] = this.#keys.keys()
    if (this.#keys.size >= ISSUERS_MAX && oldest !== undefined) this.#keys.delete(oldest)
    const keys = this.#parts.keysOf(issuer)
    this.#keys.set(issuer, keys)
    return keys
  }
}

function ownObject(value: unknown, name: string): object | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  const found = (value as Readonly<Record<string, unknown>>)[name]
  return typeof found === 'object' && found !== null ? found : undefined
}

/** Throws where something else than a text stands there. */
function ownText(value: unknown, name: string, where: string): string | undefined {
  if (typeof value !== 'object' || value === null) throw new Error(`oidc: ${where} is no object`)
  if (!Object.hasOwn(value, name)) return undefined
  const found = (value as Readonly<Record<string, unknown>>)[name]
  if (typeof found !== 'string') throw new Error(`oidc: ${where}.${name} is no text`)
  return found
}
