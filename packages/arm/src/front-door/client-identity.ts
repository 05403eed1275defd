// Clients that the server itself knows, and the object ids that stand for clients in tokens and grants.

import { stableGuid } from '../stable-guid.ts'

export interface ClientIdentity {
  readonly clientId: string
  readonly clientSecret: string
}

/** Stable for a client: what tokens call `oid`. */
export function objectIdOf(clientId: string): string {
  return stableGuid(`object:${clientId}`)
}
