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

/** A group with a VNet of 10.1.0.0/16 and these subnets in it; resolves with the subnets' ids by name. */
export async function subnetsIn(
  aksel: Aksel,
  networks: NetworkManagementClient,
  wish: {
    readonly group: string
    readonly location: string
    readonly name: string
    readonly ranges: Readonly<Record<string, string>>
  },
): Promise<ReadonlyMap<string, string>> {
  const { group, location, name } = wish
  await aksel.ok(['az', 'group', 'create', '-n', group, '-l', location])
  const network = await networks.virtualNetworks.beginCreateOrUpdateAndWait(group, name, {
    location,
    addressSpace: { addressPrefixes: ['10.1.0.0/16'] },
    subnets: Object.entries(wish.ranges).map(([subnet, addressPrefix]) => ({ name: subnet, addressPrefix })),
  })
  return new Map((network.subnets ?? []).map((subnet) => [subnet.name!, subnet.id!]))
}
