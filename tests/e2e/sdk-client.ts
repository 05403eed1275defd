// Azure's own SDK against a server of a story, as its documentation sets it up for a private cloud.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ContainerServiceClient } from '@azure/arm-containerservice'
import { NetworkManagementClient } from '@azure/arm-network'
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
  const { credential, endpoint, tlsOptions } = await accessOf(connection)
  const credentials = { scopes: [`${endpoint}/.default`] }
  return new ContainerServiceClient(credential, connection.subscriptionId, { endpoint, credentials, tlsOptions })
}

/** Networks have a client of their own. */
export async function networkClient(connection: Connection): Promise<NetworkManagementClient> {
  const { credential, endpoint, tlsOptions } = await accessOf(connection)
  const credentialScopes = [`${endpoint}/.default`]
  return new NetworkManagementClient(credential, connection.subscriptionId, { endpoint, credentialScopes, tlsOptions })
}

async function accessOf({ armUrl, caPath, tenantId, clientId, clientSecret }: Connection) {
  const tlsOptions = { ca: await readFile(caPath, 'utf8') }
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
    authorityHost: armUrl,
    disableInstanceDiscovery: true,
    tlsOptions,
  })
  return { credential, endpoint: armUrl, tlsOptions }
}
