// Who the front door is and who may call it: its certificate authority, the tenant, and the one client that `up` makes.

import { join } from 'node:path'
import { uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { createAuthority, createServiceAccountKey, issue, type KeyPair, type SigningKey } from '@aksel/runtime/pki'
import { readJson, writeDurableFile } from '@aksel/host/durable-file'

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
  const authority = await createAuthority(scope, { commonName: 'Aksel local authority', years: 10 })
  const serving = await issue(scope, authority, {
    commonName: 'localhost',
    dnsNames: ['localhost', 'management.aksel.localhost', 'login.aksel.localhost'],
    ipAddresses: ['127.0.0.1', '::1'],
    usages: ['server'],
    days: CERTIFICATE_DAYS,
  })
  const identity: FrontDoorIdentity = {
    authority,
    serving,
    tokenKey: await createServiceAccountKey(),
    tenantId: uuid(scope.random),
    subscriptionId: uuid(scope.random),
    clientId: uuid(scope.random),
    clientSecret: Buffer.from(scope.random.nextBytes(30)).toString('base64url'),
  }
  await writeDurableFile(path, JSON.stringify(identity))
  return identity
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
