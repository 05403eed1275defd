// Service-account tokens: JSON Web Tokens that this cluster signs (ES256) and that die with the objects they are bound to.

import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import type { Clock } from '@aksel/base/clock'
import { uuid, type Random } from '@aksel/base/ids'
import { parseJson } from '@aksel/base/json'
import { legacyIssuer, type LegacyClaims } from '@aksel/runtime/legacy-token'

export interface SigningKey {
  /** The `kid` of tokens. */
  readonly keyId: string
  /** PKCS #8, ECDSA P-256. */
  readonly privateKeyPem: string
  /** SPKI. */
  readonly publicKeyPem: string
}

/** A key that signs no more; what it signed is believed for a while. */
export interface RetiredKey {
  readonly keyId: string
  readonly publicKeyPem: string
  /** Milliseconds since 1970; nothing it signed is believed from then on. */
  readonly untilMs: number
}

export interface TokenKeys {
  readonly key: SigningKey
  /** Those that signed before, while their tokens are believed. */
  readonly retired?: readonly RetiredKey[]
}

export interface BoundObject {
  readonly name: string
  readonly uid: string
}

/** What a token says. Times are seconds since the Unix epoch. */
export interface TokenClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: readonly string[]
  readonly exp: number
  readonly iat: number
  readonly nbf: number
  readonly jti: string
  readonly 'kubernetes.io': {
    readonly namespace: string
    readonly serviceaccount: BoundObject
    readonly pod?: BoundObject
    readonly secret?: BoundObject
    readonly node?: { readonly name: string; readonly uid?: string }
    readonly warnafter?: number
  }
}

export interface TokenSpec {
  readonly namespace: string
  readonly serviceAccount: BoundObject
  readonly audiences: readonly string[]
  readonly expirationSeconds: number
  /** Seconds after which a client that still uses the token is warned; tokens of pods that asked for about an hour live a year. */
  readonly warnAfterSeconds?: number
  readonly pod?: BoundObject
  readonly secret?: BoundObject
  readonly node?: { readonly name: string; readonly uid?: string }
}

/** Verified tokens kept at most; the oldest go first. */
const CACHE_MAX = 1024

export class TokenAuthority {
  readonly issuer: string
  readonly #clock: Clock
  readonly #random: Random
  readonly #keyId: string
  readonly #privateKey: KeyObject
  /** By `kid`; the one that signs comes first. */
  readonly #publicKeys: ReadonlyMap<string, PublicKey>
  readonly #verified = new Map<string, TokenClaims | LegacyClaims>()

  constructor(options: TokenKeys & { clock: Clock; random: Random; issuer: string }) {
    this.issuer = options.issuer
    this.#clock = options.clock
    this.#random = options.random
    const { key, retired = [] } = options
    this.#keyId = key.keyId
    this.#privateKey = createPrivateKey(key.privateKeyPem)
    const all = [{ ...key, untilMs: Number.POSITIVE_INFINITY }, ...retired]
    this.#publicKeys = new Map(
      all.map(({ keyId, publicKeyPem, untilMs }) => [keyId, { key: createPublicKey(publicKeyPem), untilMs }]),
    )
  }

  issue(spec: TokenSpec): { readonly token: string; readonly tokenId: string; readonly expiresAtMs: number } {
    const now = Math.floor(this.#clock.now() / 1000)
    const claims: TokenClaims = {
      aud: spec.audiences,
      exp: now + spec.expirationSeconds,
      iat: now,
      iss: this.issuer,
      jti: uuid(this.#random),
      'kubernetes.io': {
        namespace: spec.namespace,
        ...(spec.node === undefined ? {} : { node: spec.node }),
        ...(spec.pod === undefined ? {} : { pod: spec.pod }),
        ...(spec.secret === undefined ? {} : { secret: spec.secret }),
        serviceaccount: spec.serviceAccount,
        ...(spec.warnAfterSeconds === undefined ? {} : { warnafter: now + spec.warnAfterSeconds }),
      },
      nbf: now,
      sub: `system:serviceaccount:${spec.namespace}:${spec.serviceAccount.name}`,
    }
    const signed = `${encode({ alg: 'ES256', kid: this.#keyId })}.${encode(claims)}`
    const signature = sign('sha256', Buffer.from(signed), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' })
    const token = `${signed}.${signature.toString('base64url')}`
    return { token, tokenId: claims.jti, expiresAtMs: claims.exp * 1000 }
  }

  /** The claims of a token that we signed and that is in force; undefined for any other. Bound objects are not looked at. */
  verify(token: string): TokenClaims | undefined {
    const claims = this.#signed(token)
    if (claims === undefined || claims.iss !== this.issuer || !('exp' in claims)) return undefined
    const now = this.#clock.now() / 1000
    return now < claims.exp && now >= claims.nbf - 60 ? claims : undefined
  }

  /** What a token out of a secret says, where we signed it. It has no end; whether its secret still holds it is not looked at. */
  verifyLegacy(token: string): LegacyClaims | undefined {
    const claims = this.#signed(token)
    return claims?.iss === legacyIssuer ? (claims as LegacyClaims) : undefined
  }

  /** The key set that is served to those who check our tokens. */
  jwks(): unknown {
    const nowMs = this.#clock.now()
    const believed = [...this.#publicKeys].filter(([, { untilMs }]) => nowMs < untilMs)
    return {
      keys: believed.map(([kid, { key }]) => {
        const { kty, crv, x, y } = key.export({ format: 'jwk' })
        return { use: 'sig', kty, kid, alg: 'ES256', crv, x, y }
      }),
    }
  }

  #signed(token: string): TokenClaims | LegacyClaims | undefined {
    const known = this.#verified.get(token)
    if (known !== undefined) return known
    const claims = this.#check(token)
    if (claims === undefined) return undefined
    // What a retired key signed is looked at anew each time: its end may come at any moment.
    if (!isSignedBy(token, this.#keyId)) return claims
    if (this.#verified.size >= CACHE_MAX) this.#verified.delete(this.#verified.keys().next().value!)
    this.#verified.set(token, claims)
    return claims
  }

  #check(token: string): TokenClaims | LegacyClaims | undefined {
    const [head = '', body = '', signature = '', ...more] = token.split('.')
    if (more.length > 0 || signature === '') return undefined
    const header = decode(head) as { readonly alg?: unknown; readonly kid?: unknown } | undefined
    const known = this.#publicKeys.get(String(header?.kid))
    if (header?.alg !== 'ES256' || known === undefined || this.#clock.now() >= known.untilMs) return undefined
    const key = { key: known.key, dsaEncoding: 'ieee-p1363' } as const
    if (!verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) return undefined
    const claims = decode(body) as TokenClaims | LegacyClaims | undefined
    return claims?.iss === this.issuer || claims?.iss === legacyIssuer ? claims : undefined
  }
}

interface PublicKey {
  readonly key: KeyObject
  readonly untilMs: number
}

function isSignedBy(token: string, keyId: string): boolean {
  const header = decode(token.split('.', 1)[0]!) as { readonly kid?: unknown } | undefined
  return header?.kid === keyId
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decode(part: string): unknown {
  try {
    return parseJson(Buffer.from(part, 'base64url'))
  } catch {
    return undefined
  }
}
