// Who the front door is and who may call it: its certificate authority, the tenant, and the one client that `up` makes.

import { join } from 'node:path'
import { uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { createAuthority, createServiceAccountKey, issue, type KeyPair, type SigningKey } from '@aksel/runtime/pki'
import { readJson, writeDurableFile } from '@aksel/host/durable-file'
import type { Store } from '@aksel/store/store'

export interface FrontDoorIdentity {
  readonly authority: KeyPair
  readonly serving: KeyPair
  readonly tokenKey: SigningKey
  readonly tenantId: string
  readonly subscriptionId: string
  readonly clientId: string
  readonly clientSecret: string
}

const CERTIFICATE_DAYS = 730

/** Made once; the same over restarts, so that clients go on trusting it. */
export async function frontDoorIdentity(scope: Scope, dataDir: string): Promise<FrontDoorIdentity> {
  const path = join(dataDir, 'server', 'identity.json')
  const known = await readJson<FrontDoorIdentity>(path)
  if (known !== undefined) return known
  const identity = await newIdentity(scope)
  await writeDurableFile(path, JSON.stringify(identity))
  return identity
}

const sharedKey = 'hub/identity/front-door'

/**
 * One for all servers that share the store: whoever trusts one of them trusts each, and finds the same subscription there. The first
 * brings its own. It is kept in the data folder too, where it stays when the store is moved to a log.
 */
export async function sharedFrontDoorIdentity(
  scope: Scope,
  { store, dataDir }: { readonly store: Store; readonly dataDir: string },
): Promise<FrontDoorIdentity> {
  const path = join(dataDir, 'server', 'identity.json')
  const read = async (): Promise<FrontDoorIdentity | undefined> => {
    const stored = await store.get(sharedKey)
    return stored === undefined ? undefined : (JSON.parse(Buffer.from(stored.value).toString()) as FrontDoorIdentity)
  }
  const shared = await read()
  if (shared === undefined) {
    const own = await frontDoorIdentity(scope, dataDir)
    await store.transact({
      guards: [{ kind: 'revision', key: sharedKey, modRevision: 0 }],
      writes: [{ kind: 'put', key: sharedKey, value: Buffer.from(JSON.stringify(own)) }],
    })
  }
  const identity = shared ?? (await read())!
  await writeDurableFile(path, JSON.stringify(identity))
  return identity
}

async function newIdentity(scope: Scope): Promise<FrontDoorIdentity> {
  const authority = await createAuthority(scope, { commonName: 'Aksel local authority', years: 10 })
  const serving = await issue(scope, authority, {
    commonName: 'localhost',
    dnsNames: ['localhost', 'management.aksel.localhost', 'login.aksel.localhost'],
    ipAddresses: ['127.0.0.1', '::1'],
    usages: ['server'],
    days: CERTIFICATE_DAYS,
  })
  return {
    authority,
    serving,
    tokenKey: await createServiceAccountKey(),
    tenantId: uuid(scope.random),
    subscriptionId: uuid(scope.random),
    clientId: uuid(scope.random),
    clientSecret: Buffer.from(scope.random.nextBytes(30)).toString('base64url'),
  }
}

/** What a client needs to know: the certificate to trust and a file with the rest. */
export async function writeConnectionFiles(
  dataDir: string,
  armUrl: string,
  identity: FrontDoorIdentity,
): Promise<void> {
  const caPath = join(dataDir, 'server', 'ca.pem')
  const { tenantId, clientId, clientSecret, subscriptionId } = identity
  await writeDurableFile(caPath, identity.authority.certificatePem, 0o644)
  const text = JSON.stringify({ armUrl, caPath, tenantId, clientId, clientSecret, subscriptionId }, undefined, 1)
  await writeDurableFile(join(dataDir, 'server', 'connection.json'), `${text}\n`)
}
