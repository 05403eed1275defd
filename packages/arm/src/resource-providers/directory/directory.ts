// Who there is to be granted something: the client that starts the server, applications, and managed identities.

import type { Scope } from '@aksel/base/scope'
import { createHash, timingSafeEqual } from 'node:crypto'
import { objectIdOf, type ClientIdentity } from '../../front-door/client-identity.ts'
import type { ClusterRecord, DocumentRecord } from '../../records.ts'
import { keys, type ResourceStore, type Stored } from '../../store-keyspace.ts'
import { isObject, textAt } from '../body.ts'

export interface Password {
  readonly keyId: string
  readonly displayName: string | null
  /** SHA-256 of the secret, hexadecimal: 30 random bytes need no slow hash. */
  readonly secretHash: string
  /** Its first three characters. */
  readonly hint: string
  /** ISO 8601. */
  readonly startDateTime: string
  readonly endDateTime: string
}

/** A token of somebody else that stands for a client: whose, for whom, and to whom it was issued. */
export interface FederatedCredential {
  readonly id: string
  readonly name: string
  readonly issuer: string
  readonly subject: string
  readonly audiences: readonly string[]
  readonly description?: string
}

export interface ApplicationRecord {
  readonly kind: 'application'
  readonly appId: string
  /** Object id of the application. */
  readonly id: string
  readonly displayName: string
  readonly createdDateTime: string
  readonly passwords: readonly Password[]
  readonly federated: readonly FederatedCredential[]
  /** Whether it may sign in here: its service principal was made. */
  readonly enabled: boolean
}

export interface Principal {
  readonly objectId: string
  readonly appId: string
  readonly displayName: string
  readonly kind: 'Application' | 'ManagedIdentity'
}

export async function applications(store: ResourceStore): Promise<readonly Stored<ApplicationRecord>[]> {
  return store.list<ApplicationRecord>(keys.applications)
}

export async function principals(
  store: ResourceStore,
  clients: readonly ClientIdentity[],
): Promise<readonly Principal[]> {
  const own = clients.map(({ clientId }): Principal => ({
    objectId: objectIdOf(clientId),
    appId: clientId,
    displayName: 'aksel-administrator',
    kind: 'Application',
  }))
  const registered = (await applications(store))
    .filter(({ value }) => value.enabled)
    .map(({ value }): Principal => ({
      objectId: objectIdOf(value.appId),
      appId: value.appId,
      displayName: value.displayName,
      kind: 'Application',
    }))
  return [...own, ...registered, ...(await managedIdentities(store))]
}

async function managedIdentities(store: ResourceStore): Promise<readonly Principal[]> {
  const all = await store.list<ClusterRecord | DocumentRecord>(keys.below('/subscriptions'))
  return all.flatMap(({ value }) => {
    const identity = (objectId: unknown, appId: unknown, displayName: string): readonly Principal[] =>
      typeof objectId === 'string'
        ? [{ objectId, appId: typeof appId === 'string' ? appId : objectId, displayName, kind: 'ManagedIdentity' }]
        : []
    if (value.kind === 'cluster') {
      const kubelet = value.kubeletIdentity ?? {}
      return [
        ...identity(value.identity?.['principalId'], undefined, value.name),
        ...identity(kubelet['objectId'], kubelet['clientId'], `${value.name}-agentpool`),
      ]
    }
    if (value.kind !== 'document' || !isObject(value.properties)) return []
    if (!/^microsoft\.managedidentity\/userassignedidentities$/i.test(value.type)) return []
    return identity(textAt(value.properties, 'principalId'), value.properties['clientId'], value.name)
  })
}

/** The application, where it may sign in. */
export async function applicationOf(store: ResourceStore, appId: string): Promise<ApplicationRecord | undefined> {
  const found = (await store.get<ApplicationRecord>(keys.application(appId)))?.value
  return found?.enabled === true ? found : undefined
}

/** Whether the secret is one of the application's, and stands. */
export function hasPassword(scope: Scope, application: ApplicationRecord, secret: string): boolean {
  const given = Buffer.from(secretHash(secret), 'hex')
  const now = scope.clock.now()
  return application.passwords.some(
    (password) =>
      timingSafeEqual(Buffer.from(password.secretHash, 'hex'), given) &&
      Date.parse(password.startDateTime) <= now &&
      now < Date.parse(password.endDateTime),
  )
}

export const secretHash = (secret: string): string => createHash('sha256').update(secret).digest('hex')
