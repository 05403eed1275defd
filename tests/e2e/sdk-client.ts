// Azure's own SDK against a server of a story, as its documentation sets it up for a private cloud.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ContainerServiceClient } from '@azure/arm-containerservice'
import { ClientSecretCredential } from '@azure/identity'
import type { Aksel } from './aksel.ts'

export interface Connection {
  readonly armUrl: string
  readonly caPath: string
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  readonly subscriptionId: string
}

export async function connectionOf({ dataDir }: Aksel): Promise<Connection> {
  return JSON.parse(await readFile(join(dataDir, 'server', 'connection.json'), 'utf8')) as Connection
}

/** The one thing of ours is which authority to trust. */
export async function sdkClient(connection: Connection): Promise<ContainerServiceClient> {
  const { armUrl, caPath, tenantId, clientId, clientSecret, subscriptionId } = connection
  const tls = { ca: await readFile(caPath, 'utf8') }
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
    authorityHost: armUrl,
    disableInstanceDiscovery: true,
    tlsOptions: tls,
  })
  return new ContainerServiceClient(credential, subscriptionId, {
    endpoint: armUrl,
    credentials: { scopes: [`${armUrl}/.default`] },
    tlsOptions: tls,
  })
}
