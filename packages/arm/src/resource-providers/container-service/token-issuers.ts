// Clusters as issuers of their service accounts' tokens: the address that `oidcIssuerProfile` tells, and the keys behind it.

import type { ClusterEngine } from '@aksel/provider/cluster-engine'
import type { ClusterRecord, Json } from '../../records.ts'
import { keys, type ResourceStore } from '../../store-keyspace.ts'
import { objectAt } from '../body.ts'
import { engineId } from './pass.ts'

/** What tokens name as their issuer. */
export const issuerUrlOf = ({ fqdn }: Pick<ClusterRecord, 'fqdn'>): string => `https://${fqdn}`

export const isIssuer = (properties: Json): boolean => objectAt(properties, 'oidcIssuerProfile')['enabled'] === true

/** The key set of the cluster whose issuer this is; undefined where none of ours is. Rejects where it is not published. */
export async function issuerKeys(
  parts: { readonly store: ResourceStore; readonly engine: ClusterEngine },
  issuer: string,
): Promise<{ readonly keys: readonly Json[] } | undefined> {
  const all = await parts.store.list<ClusterRecord>(keys.below('/subscriptions'))
  const found = all.find(({ value }) => value.kind === 'cluster' && issuerUrlOf(value) === issuer)?.value
  if (found === undefined) return undefined
  if (!isIssuer(found.properties)) throw new Error(`the OIDC issuer of cluster "${found.name}" is not enabled`)
  if (parts.engine.status(engineId(found)) === undefined) throw new Error(`cluster "${found.name}" is not there yet`)
  return { keys: parts.engine.tokenKeys(engineId(found)) }
}
