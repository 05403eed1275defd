// How a client of the Azure SDK is pointed at an opened front door: the same three things for every package.

import { ClientSecretCredential } from '@azure/identity'
import { clientId, clientSecret, tenantId, type OpenedFrontDoor } from './opened-front-door.ts'

/** Credential and options of a client; the server's authority is the only thing that is ours. */
export function sdkAccess(opened: OpenedFrontDoor, secret = clientSecret) {
  const tlsOptions = { ca: opened.caPem }
  const credential = new ClientSecretCredential(tenantId, clientId, secret, {
    authorityHost: opened.url,
    disableInstanceDiscovery: true,
    tlsOptions,
  })
  const options = {
    endpoint: opened.url,
    credentials: { scopes: [`${opened.url}/.default`] },
    tlsOptions,
    retryOptions: { maxRetries: 0 },
  }
  return { credential, options }
}
