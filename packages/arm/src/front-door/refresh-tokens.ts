// What a program that signed somebody in keeps, to ask for tokens later: opaque, and good for as long as the secret by which the sign-in was approved.

import type { Scope } from '@aksel/base/scope'
import { applicationOf, secretHash } from '../resource-providers/directory/directory.ts'
import { keys, type ResourceStore } from '../store-keyspace.ts'
import type { ClientIdentity } from './client-identity.ts'
import type { Approval } from './device-codes.ts'

/** Entra's, of what is not used. */
const lifetimeMs = 90 * 86_400_000
/** Written anew at most once a day: a token that is used lives on. */
const renewAfterMs = 86_400_000
const tokenBytes = 48

interface RefreshRecord extends Approval {
  readonly kind: 'refreshToken'
  readonly clientId: string
  readonly expiresMs: number
}

export async function issueRefreshToken(
  scope: Scope,
  store: ResourceStore,
  to: { readonly clientId: string; readonly by: Approval },
): Promise<string> {
  const nowMs = scope.clock.now()
  const all = await store.list<RefreshRecord>(keys.refreshTokens)
  await store.removeAll(all.filter(({ value }) => value.expiresMs <= nowMs))
  const token = Buffer.from(scope.random.nextBytes(tokenBytes)).toString('base64url')
  const { clientId, by } = to
  const value: RefreshRecord = { kind: 'refreshToken', ...by, clientId, expiresMs: nowMs + lifetimeMs }
  await store.commit([{ kind: 'put', key: keys.refreshToken(secretHash(token)), value, expected: 0 }])
  return token
}

/** Who approved the sign-in that it came of; undefined where it is unknown, over, another program's, or its secret is gone. */
export async function holderOfRefreshToken(
  scope: Scope,
  parts: { readonly store: ResourceStore; readonly clients: readonly ClientIdentity[] },
  asked: { readonly token: string; readonly clientId: string },
): Promise<Approval | undefined> {
  const { store } = parts
  const key = keys.refreshToken(secretHash(asked.token))
  const stored = await store.get<RefreshRecord>(key)
  const nowMs = scope.clock.now()
  if (stored === undefined || stored.value.expiresMs <= nowMs) return undefined
  const { value } = stored
  if (value.clientId.toLowerCase() !== asked.clientId.toLowerCase()) return undefined
  if (!(await stillHolds(scope, parts, value))) {
    await store.removeAll([stored])
    return undefined
  }
  if (value.expiresMs - nowMs < lifetimeMs - renewAfterMs)
    await store.update<RefreshRecord>(key, (current) => ({ ...current, expiresMs: nowMs + lifetimeMs }))
  return { appId: value.appId, secretHash: value.secretHash }
}

/** Whether the secret that a sign-in was approved with is one of its application's still. */
export async function stillHolds(
  scope: Scope,
  { store, clients }: { readonly store: ResourceStore; readonly clients: readonly ClientIdentity[] },
  by: Approval,
): Promise<boolean> {
  const own = clients.find(({ clientId }) => clientId.toLowerCase() === by.appId.toLowerCase())
  if (own !== undefined) return secretHash(own.clientSecret) === by.secretHash
  const nowMs = scope.clock.now()
  const passwords = (await applicationOf(store, by.appId))?.passwords ?? []
  return passwords.some((one) => one.secretHash === by.secretHash && nowMs < Date.parse(one.endDateTime))
}
