// Turns a service-account token into a user, as long as the account and what the token is bound to are still there.

import type { KindRow } from '@aksel/api/kind-row'
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
}

export class TokenAuthenticator {
  readonly #options: TokenAuthenticatorOptions

  constructor(options: TokenAuthenticatorOptions) {
    this.#options = options
  }

  /** Undefined where the token is not valid for any of the audiences (the server's own when absent). */
  async userOf(token: string, audiences = this.#options.audiences): Promise<TokenVerdict | undefined> {
    const claims = this.#options.authority.verify(token)
    if (claims === undefined) return undefined
    const shared = audiences.filter((audience) => claims.aud.includes(audience))
    if (shared.length === 0 || !(await this.#isAlive(claims))) return undefined
    return { user: userOfClaims(claims), audiences: shared }
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
