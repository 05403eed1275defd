// Turns a service-account token into a user, as long as the account and what the token is bound to are still there.

import type { Clock } from '@aksel/base/clock'
import type { KindRow } from '@aksel/api/kind-row'
import type { Secret, ServiceAccount } from '@aksel/api/types/core-v1'
import { invalidSinceLabel } from '@aksel/runtime/legacy-token'
import type { RecordStore } from '../registry/record-store.ts'
import type { Notes } from './authenticate.ts'
import type { TokenMetrics } from './authentication-metrics.ts'
import type { TokenAuthority, TokenClaims } from './tokens.ts'
import { authenticated, type UserInfo } from './user-info.ts'

export interface TokenVerdict {
  readonly user: UserInfo
  readonly audiences: readonly string[]
}

/** What is on its way out is believed for so long: deletions and clocks take their time. */
const DELETED_LEEWAY_MS = 60_000

export interface TokenAuthenticatorOptions {
  readonly clock: Clock
  readonly metrics: TokenMetrics
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
  async userOf(token: string, audiences = this.#options.audiences, notes?: Notes): Promise<TokenVerdict | undefined> {
    const claims = this.#options.authority.verify(token)
    if (claims === undefined) return this.#legacyUserOf(token, audiences, notes)
    const shared = audiences.filter((audience) => claims.aud.includes(audience))
    if (shared.length === 0 || !(await this.#isAlive(claims))) return undefined
    this.#noteAge(claims, notes)
    return { user: userOfClaims(claims), audiences: shared }
  }

  /** Who still uses a token past the hour for which its pod asked does not read its file again. */
  #noteAge(claims: TokenClaims, notes: Notes | undefined): void {
    const { clock, metrics } = this.#options
    const { warnafter } = claims['kubernetes.io']
    const late = warnafter === undefined ? 0 : Math.floor(clock.now() / 1000) - warnafter
    if (late <= 0) return metrics.valid.add('')
    metrics.stale.add('')
    const told = `subject: ${claims.sub}, seconds after warning threshold: ${late}`
    notes?.annotations?.set('authentication.k8s.io/stale-token', told)
  }

  /**
   * A token out of a secret is good for this server alone, as long as its secret holds it, its account is there, and
   * nobody declared it void.
   */
  async #legacyUserOf(
    token: string,
    audiences: readonly string[],
    notes: Notes | undefined,
  ): Promise<TokenVerdict | undefined> {
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
    const owner = (await records.get(rows.serviceAccounts, namespace, account.name))?.object as
      | ServiceAccount
      | undefined
    if (owner?.metadata.uid !== uid || owner.metadata.deletionTimestamp !== undefined) return undefined
    const isOfAccount = (owner.secrets ?? []).some((reference) => reference.name === name)
    this.#options.onLegacyUse?.(secret)
    if (secret.metadata.labels?.[invalidSinceLabel] !== undefined) {
      this.#options.metrics.invalidLegacyAuto.add('')
      notes?.annotations?.set('authentication.k8s.io/legacy-token-invalidated', `${name}/${namespace}`)
      return undefined
    }
    this.#noteLegacy(secret, { isOfAccount, subject: claims.sub }, notes)
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
    return { user: authenticated({ name: claims.sub, uid, groups }), audiences: shared }
  }

  #noteLegacy(
    { metadata: { name } }: Secret,
    { isOfAccount, subject }: { readonly isOfAccount: boolean; readonly subject: string },
    notes: Notes | undefined,
  ): void {
    const { metrics } = this.#options
    metrics.legacy.add('')
    notes?.annotations?.set('authentication.k8s.io/legacy-token', subject)
    if (!isOfAccount) {
      metrics.legacyManual.add('')
      notes?.annotations?.set('authentication.k8s.io/legacy-token-manual-secret', name)
      return
    }
    metrics.legacyAuto.add('')
    notes?.annotations?.set('authentication.k8s.io/legacy-token-autogenerated-secret', name)
    notes?.warnings.add(
      'Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens.',
    )
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
    if (record === undefined) return false
    const { uid, deletionTimestamp } = record.object.metadata
    if (bound.uid !== undefined && uid !== bound.uid) return false
    if (deletionTimestamp === undefined) return true
    return Date.parse(deletionTimestamp) >= this.#options.clock.now() - DELETED_LEEWAY_MS
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
