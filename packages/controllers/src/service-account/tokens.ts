// Fills in the token secrets that people make for service accounts, and takes them away with their account.

import { keyOf } from '@aksel/api/resource'
import { secrets, serviceAccounts } from '@aksel/api/resources'
import type { Secret, ServiceAccount } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import type { SigningKey } from '@aksel/runtime/pki'
import { signLegacyToken } from '@aksel/runtime/legacy-token'
import type { LoopParts } from '../parts.ts'
import { accountKeyOf, judgeToken } from './judge-token.ts'

export interface TokensParts extends LoopParts {
  /** PEM */
  readonly rootCaPem: string
  readonly tokenKey: SigningKey
  /** What these signed is believed until then, milliseconds since 1970. */
  readonly retiredKeys?: readonly { readonly keyId: string; readonly untilMs: number }[]
}

const byAccount = 'service-account-tokens/account'

/** Keys are `secret/NAMESPACE/NAME` and `account/NAMESPACE/NAME/SECRET`: a reference of the account to a secret that went. */
export function tokensController(parts: TokensParts): Controller {
  const loop = new TokensLoop(parts)
  const own: Source<Secret> = {
    type: secrets,
    keysOf: (now, before) => {
      if (now !== undefined) return accountKeyOf(now) === undefined ? [] : [`secret/${keyOf(now)}`]
      const account = accountKeyOf(before!)
      return account === undefined ? [] : [`account/${account}/${before!.metadata.name}`]
    },
  }
  const accounts: Source<ServiceAccount> = {
    type: serviceAccounts,
    keysOf: (now, before) =>
      // A new account of the name makes tokens of the old one void.
      now !== undefined && before?.metadata.uid === now.metadata.uid ? [] : loop.secretsOf((now ?? before)!),
  }
  return {
    name: 'service-account-tokens',
    sources: [own, accounts] as unknown as readonly Source[],
    workers: 5,
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

class TokensLoop {
  readonly #parts: TokensParts
  readonly #client: Client
  readonly #secrets: Cache<Secret>
  readonly #accounts: Cache<ServiceAccount>

  constructor(parts: TokensParts) {
    this.#parts = parts
    this.#client = parts.client
    this.#secrets = parts.caches.of(secrets)
    this.#accounts = parts.caches.of(serviceAccounts)
    this.#secrets.addIndex(byAccount, (secret) => {
      const account = accountKeyOf(secret)
      return account === undefined ? [] : [account]
    })
  }

  secretsOf(account: ServiceAccount): readonly string[] {
    return this.#secrets.byIndex(byAccount, keyOf(account)).map((secret) => `secret/${keyOf(secret)}`)
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const [kind, namespace, name, secretName] = key.split('/') as [string, string, string, string?]
    if (kind === 'secret') return this.#secret(scope, namespace, name)
    await this.#dropReference(namespace, name, secretName!)
    return done
  }

  async #secret(scope: Scope, namespace: string, name: string): Promise<Outcome> {
    const secret = this.#secrets.get(`${namespace}/${name}`)
    if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) return done
    const account = await this.#accountOf(secret)
    const { rootCaPem, tokenKey, retiredKeys = [] } = this.#parts
    const keyEnds = new Map([
      [tokenKey.keyId, Number.POSITIVE_INFINITY],
      ...retiredKeys.map(({ keyId, untilMs }) => [keyId, untilMs] as const),
    ])
    const verdict = judgeToken(secret, account, {
      rootCaPem,
      sign: (of, to) => signLegacyToken(tokenKey, of, to),
      keyEnds,
      nowMs: scope.clock.now(),
    })
    if (verdict.kind === 'fill') await ignoreReason('NotFound', this.#client.update(secrets, verdict.secret))
    if (verdict.kind === 'keep') return verdict.recheckMs === undefined ? done : again(verdict.recheckMs)
    if (verdict.kind !== 'delete') return done
    const { uid, resourceVersion } = secret.metadata
    const preconditions = { uid: uid!, resourceVersion: resourceVersion! }
    await ignoreReason('NotFound', this.#client.delete(secrets, secret.metadata, { preconditions }))
    return done
  }

  /** As the server has it where the cache does not: nothing is taken away because a cache is behind. */
  async #accountOf(secret: Secret): Promise<ServiceAccount | undefined> {
    const known = this.#accounts.get(accountKeyOf(secret) ?? '')
    const uid = secret.metadata.annotations?.['kubernetes.io/service-account.uid'] ?? ''
    if (known !== undefined && (uid === '' || uid === known.metadata.uid)) return known
    const name = accountKeyOf(secret)?.split('/')[1]
    if (name === undefined) return undefined
    return ignoreReason('NotFound', this.#client.get(serviceAccounts, { namespace: secret.metadata.namespace!, name }))
  }

  /** A secret that is gone is no longer named by its account. */
  async #dropReference(namespace: string, name: string, secretName: string): Promise<void> {
    const account = this.#accounts.get(`${namespace}/${name}`)
    if (!(account?.secrets ?? []).some((reference) => reference.name === secretName)) return
    if (this.#secrets.get(`${namespace}/${secretName}`) !== undefined) return
    const left = account!.secrets!.filter((reference) => reference.name !== secretName)
    await ignoreReason('NotFound', this.#client.update(serviceAccounts, { ...account!, secrets: left }))
  }
}
