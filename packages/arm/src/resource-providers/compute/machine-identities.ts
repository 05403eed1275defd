// Tokens of the identities that a machine has: what the instance metadata service asks for, in the name of the machine it runs on.
// As in Azure a machine has its cluster's kubelet identity, and those that its scale set was given.

import { ok, type ArmRequest, type ArmResponse, type MachineCaller, type Route } from '../../front-door/route.ts'
import { tokenLifetimeSeconds, type Tokens } from '../../front-door/tokens.ts'
import type { ClusterRecord, DocumentRecord, Json, MachineRecord, PoolRecord } from '../../records.ts'
import { keys, type ResourceStore } from '../../store-keyspace.ts'
import { textAt } from '../body.ts'

export interface MachineIdentity {
  readonly resourceId: string
  readonly clientId: string
  readonly objectId: string
}

/** Where machines ask: the path of Azure's metadata service, on the listener that knows them. */
export const machineTokenPath = '/metadata/identity/oauth2/token'

export function machineIdentityRoutes(parts: {
  readonly store: ResourceStore
  readonly tokens: Tokens
  readonly tenantId: string
}): readonly Route[] {
  return [
    { open: true, method: 'GET', path: machineTokenPath, handle: (request) => machineToken(request, parts) },
    {
      open: true,
      method: 'GET',
      path: '/metadata/identity/info',
      handle: ({ machine }) => (machine === undefined ? stranger() : ok({ tenantId: parts.tenantId })),
    },
  ]
}

async function machineToken(
  request: ArmRequest,
  { store, tokens }: { readonly store: ResourceStore; readonly tokens: Tokens },
): Promise<ArmResponse> {
  const { machine, query, scope, origin } = request
  if (machine === undefined) return stranger()
  const resource = query['resource'] ?? ''
  if (resource === '') return refused('invalid_request', 'Required audience parameter not specified')
  const choice = chooseIdentity(await identitiesOf(store, machine), query)
  if ('description' in choice) return refused('invalid_request', choice.description)
  const accessToken = await tokens.issue(scope, { ...choice, audience: resource, origin })
  const nowSeconds = Math.floor(scope.clock.now() / 1000)
  // Numbers are texts there.
  return ok({
    access_token: accessToken,
    client_id: choice.clientId,
    expires_in: String(tokenLifetimeSeconds),
    expires_on: String(nowSeconds + tokenLifetimeSeconds),
    ext_expires_in: String(tokenLifetimeSeconds),
    not_before: String(nowSeconds),
    resource,
    token_type: 'Bearer',
  })
}

/** One by one of its ids, or the only one. Pure. */
export function chooseIdentity(
  identities: readonly MachineIdentity[],
  query: Readonly<Record<string, string>>,
): MachineIdentity | { readonly description: string } {
  const asked = [
    ['clientId', query['client_id']],
    ['objectId', query['object_id']],
    ['resourceId', query['msi_res_id'] ?? query['mi_res_id']],
  ] as const
  const named = asked.filter(([, value]) => value !== undefined && value !== '')
  if (named.length > 1)
    return { description: 'Only one of client_id, object_id and msi_res_id may be specified in the token request' }
  const [which, value] = named[0] ?? []
  const found = identities.filter((one) => which === undefined || one[which].toLowerCase() === value?.toLowerCase())
  if (found.length === 1) return found[0]!
  if (found.length === 0) return { description: 'Identity not found' }
  return {
    description:
      'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request',
  }
}

async function identitiesOf(
  store: ResourceStore,
  { clusterId, nodeName }: MachineCaller,
): Promise<readonly MachineIdentity[]> {
  const machine = (await store.get<MachineRecord>(keys.machine(clusterId, nodeName)))?.value
  const cluster = (await store.get<ClusterRecord>(keys.resource(clusterId)))?.value
  // A host that joined is no machine of Azure's.
  if (machine === undefined || cluster === undefined) return []
  const pool = (await store.get<PoolRecord>(keys.resource(`${clusterId}/agentPools/${machine.pool}`)))?.value
  return scaleSetIdentities(store, { cluster, pool })
}

/** The kubelet's first; those whose resource has gone meanwhile give no tokens any more. */
export async function scaleSetIdentities(
  store: ResourceStore,
  { cluster, pool }: { readonly cluster: ClusterRecord; readonly pool: PoolRecord | undefined },
): Promise<readonly MachineIdentity[]> {
  const kubelet = identityIn(cluster.kubeletIdentity, 'objectId', textAt(cluster.kubeletIdentity ?? {}, 'resourceId'))
  const assigned = await Promise.all((pool?.identities ?? []).map((id) => assignedIdentity(store, id)))
  return [...kubelet, ...assigned.flat()]
}

/** A user-assigned identity by its id; empty where there is none. */
export async function assignedIdentity(store: ResourceStore, id: string): Promise<readonly MachineIdentity[]> {
  const found = (await store.get<DocumentRecord>(keys.resource(id)))?.value
  if (found?.kind !== 'document' || !/^microsoft\.managedidentity\/userassignedidentities$/i.test(found.type)) return []
  return identityIn(found.properties, 'principalId', found.id)
}

function identityIn(
  from: Json | undefined,
  objectName: string,
  resourceId: string | undefined,
): readonly MachineIdentity[] {
  const [clientId, objectId] = [textAt(from ?? {}, 'clientId'), textAt(from ?? {}, objectName)]
  if (clientId === undefined || objectId === undefined || resourceId === undefined) return []
  return [{ resourceId, clientId, objectId }]
}

/** Whoever shows no certificate of a node. */
function stranger(): ArmResponse {
  return { status: 401, body: { error: 'unknown_source', error_description: 'Unknown Source' } }
}

function refused(error: string, description: string): ArmResponse {
  return { status: 400, body: { error, error_description: description } }
}
