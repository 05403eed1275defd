// Turns a service-account token into a user, as long as the account and what the token is bound to are still there.

import type { KindRow } from '@aksel/api/kind-row'
import type { Secret } from '@aksel/api/types/core-v1'
import { invalidSinceLabel } from '@aksel/runtime/legacy-token'
import type { RecordStore } from '../registry/record-store.ts'
import type { TokenAuthority, TokenClaims } from './tokens.ts'
import { authenticated, type UserInfo } from './user-info.ts'

export interface TokenVerdict {
  readonly user: UserInfo
  readonly audiences: readonly string[]
}

export interface TokenAuthenticatorOptions {
  readonly authority: TokenAuthority
  readonly records: RecordStore
  readonly rows: {
    readonly serviceAccounts: KindRow
    readonly pods: KindRow
    readonly secrets: KindRow
    readonly nodes: KindRow
  }
  /** Who this API server is to tokens: a token must name one of these. */
  readonly audiences: readonly string[]
  /** Called with each use of a token out of a secret. */
  readonly onLegacyUse?: (secret: Secret) => void
}

export class TokenAuthenticator {
  readonly #options: TokenAuthenticatorOptions

  constructor(options: TokenAuthenticatorOptions) {
    this.#options = options
  }

  /** Undefined where the token is not valid for any of the audiences (the server's own when absent). */
  async userOf(token: string, audiences = this.#options.audiences): Promise<TokenVerdict | undefined> {
    const claims = this.#options.authority.verify(token)
    if (claims === undefined) return this.#legacyUserOf(token, audiences)
    const shared = audiences.filter((audience) => claims.aud.includes(audience))
    if (shared.length === 0 || !(await this.#isAlive(claims))) return undefined
    return { user: userOfClaims(claims), audiences: shared }
  }

  /**
   * A token out of a secret is good for this server alone, as long as its secret holds it, its account is there, and
   * nobody declared it void.
   */
  async #legacyUserOf(token: string, audiences: readonly string[]): Promise<TokenVerdict | undefined> {
    const claims = this.#options.authority.verifyLegacy(token)
    const shared = audiences.filter((audience) => this.#options.audiences.includes(audience))
    if (claims === undefined || shared.length === 0) return undefined
    const { rows, records } = this.#options
    const namespace = claims['kubernetes.io/serviceaccount/namespace']
    const uid = claims['kubernetes.io/serviceaccount/service-account.uid']
    const account = { name: claims['kubernetes.io/serviceaccount/service-account.name'], uid }
    const name = claims['kubernetes.io/serviceaccount/secret.name']
    const secret = (await records.get(rows.secrets, namespace, name))?.object as Secret | undefined
    if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) return undefined
    if (Buffer.from(secret.data?.['token'] ?? '', 'base64').toString('utf8') !== token) return undefined
    if (secret.metadata.labels?.[invalidSinceLabel] !== undefined) return undefined
    if (!(await this.#exists(rows.serviceAccounts, namespace, account))) return undefined
    this.#options.onLegacyUse?.(secret)
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
    return { user: authenticated({ name: claims.sub, uid, groups }), audiences: shared }
  }

  async #isAlive(claims: TokenClaims): Promise<boolean> {
    const { rows } = this.#options
    const { namespace, serviceaccount, pod, secret, node } = claims['kubernetes.io']
    if (!(await this.#exists(rows.serviceAccounts, namespace, serviceaccount))) return false
    if (pod !== undefined) return this.#exists(rows.pods, namespace, pod)
    if (secret !== undefined) return this.#exists(rows.secrets, namespace, secret)
    return node === undefined || this.#exists(rows.nodes, '', node)
  }

  async #exists(
    row: KindRow,
    namespace: string,
    bound: { readonly name: string; readonly uid?: string },
  ): Promise<boolean> {
    const record = await this.#options.records.get(row, namespace, bound.name)
    return record !== undefined && (bound.uid === undefined || record.object.metadata.uid === bound.uid)
  }
}

function userOfClaims(claims: TokenClaims): UserInfo {
  const { namespace, serviceaccount, pod, node } = claims['kubernetes.io']
  const extra: Record<string, readonly string[]> = {
    'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`],
  }
  if (node !== undefined) {
    extra['authentication.kubernetes.io/node-name'] = [node.name]
    if (node.uid !== undefined) extra['authentication.kubernetes.io/node-uid'] = [node.uid]
  }
  if (pod !== undefined) {
    extra['authentication.kubernetes.io/pod-name'] = [pod.name]
    extra['authentication.kubernetes.io/pod-uid'] = [pod.uid]
  }
  return authenticated({
    name: claims.sub,
    uid: serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
    extra,
  })
}
