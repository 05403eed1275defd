// Federated credentials of user-assigned identities: whose tokens stand for the identity at the token endpoint.

import { ArmError } from '@aksel/base/errors'
import { parentNotFound, resourceNotFound } from '../../azure-errors.ts'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { DocumentRecord, Json } from '../../records.ts'
import { groupId } from '../../resource-id.ts'
import { keys, type ResourceStore, type Stored } from '../../store-keyspace.ts'
import { objectAt, readObject, textAt } from '../body.ts'
import { readGroup, readLiveGroup } from '../resources/groups.ts'

const identityType = 'Microsoft.ManagedIdentity/userAssignedIdentities'
export const federatedCredentialType = `${identityType}/federatedIdentityCredentials`
/** Of Azure, for one identity. */
const credentialsMax = 20

export interface FederatedCredentialRecord {
  readonly kind: 'federatedCredential'
  readonly id: string
  readonly name: string
  readonly properties: {
    readonly issuer: string
    readonly subject: string
    readonly audiences: readonly string[]
  }
}

export function federatedCredentialRoutes(hub: Hub): readonly Route[] {
  const all = `/subscriptions/:subscription/resourcegroups/:group/providers/${identityType}/:identity/federatedIdentityCredentials`
  const one = `${all}/:credential`
  return [
    { method: 'GET', path: all, handle: (request) => list(hub, request) },
    { method: 'GET', path: one, handle: async (request) => ok(body((await read(hub, request)).value)) },
    { method: 'PUT', path: one, handle: (request) => put(hub, request) },
    { method: 'DELETE', path: one, handle: (request) => remove(hub, request) },
  ]
}

export async function credentialsOf(
  store: ResourceStore,
  identityId: string,
): Promise<readonly Stored<FederatedCredentialRecord>[]> {
  return store.list<FederatedCredentialRecord>(keys.below(`${identityId}/federatedIdentityCredentials`))
}

const groupOf = (request: ArmRequest): { readonly subscriptionId: string; readonly resourceGroup: string } => ({
  subscriptionId: param(request, 'subscription'),
  resourceGroup: param(request, 'group'),
})

/** The identity's id as it is kept; throws where there is none. */
async function identityId(hub: Hub, request: ArmRequest, action: 'read' | 'write'): Promise<string> {
  await readGroup(hub.store, groupOf(request))
  const asked = `${groupId(groupOf(request))}/providers/${identityType}/${param(request, 'identity')}`
  const stored = await hub.store.get<DocumentRecord>(keys.resource(asked))
  if (stored === undefined) throw parentNotFound(action, federatedCredentialType, asked)
  return stored.value.id
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const found = await credentialsOf(hub.store, await identityId(hub, request, 'read'))
  return page(
    request,
    found.map(({ value }) => body(value)),
  )
}

const keyOf = (identity: string, request: ArmRequest): string =>
  keys.resource(`${identity}/federatedIdentityCredentials/${param(request, 'credential')}`)

async function read(hub: Hub, request: ArmRequest): Promise<Stored<FederatedCredentialRecord>> {
  const identity = await identityId(hub, request, 'read')
  const found = await hub.store.get<FederatedCredentialRecord>(keyOf(identity, request))
  if (found !== undefined) return found
  const name = `${param(request, 'identity')}/federatedIdentityCredentials/${param(request, 'credential')}`
  throw resourceNotFound(`${identityType}/${name}`, param(request, 'group'))
}

const refused = (message: string): ArmError => new ArmError(400, 'BadRequest', message)

function readProperties(value: unknown): FederatedCredentialRecord['properties'] {
  const given = objectAt(readObject(value), 'properties')
  const [issuer, subject] = [textAt(given, 'issuer') ?? '', textAt(given, 'subject') ?? '']
  const audiences = Array.isArray(given['audiences']) ? given['audiences'].map(String) : []
  if (subject === '') throw refused('The subject of a federated identity credential must not be empty.')
  if (!URL.canParse(issuer) || !issuer.startsWith('https://'))
    throw refused(`The issuer '${issuer}' of a federated identity credential must be an https URL.`)
  if (audiences.length !== 1 || audiences[0] === '')
    throw refused('A federated identity credential has exactly one audience.')
  return { issuer, subject, audiences }
}

async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const name = param(request, 'credential')
  if (!/^[a-z0-9][\w-]{2,119}$/i.test(name))
    throw refused(
      `The name '${name}' of a federated identity credential must have 3 to 120 letters, digits, hyphens and underscores and begin with a letter or a digit.`,
    )
  const properties = readProperties(request.body)
  return hub.store.decide(async () => {
    await readLiveGroup(hub.store, groupOf(request))
    const identity = await identityId(hub, request, 'write')
    const key = keyOf(identity, request)
    const others = (await credentialsOf(hub.store, identity)).filter((other) => other.key !== key)
    const before = await hub.store.get<FederatedCredentialRecord>(key)
    const { issuer, subject } = properties
    if (others.some(({ value }) => value.properties.issuer === issuer && value.properties.subject === subject))
      throw refused('Issuer and subject combination already exists for this Managed Identity.')
    if (before === undefined && others.length >= credentialsMax)
      throw refused(
        `Too many Federated Identity Credentials. A managed identity can have at most ${credentialsMax} of them.`,
      )
    const id = before?.value.id ?? `${identity}/federatedIdentityCredentials/${name}`
    const value: FederatedCredentialRecord = {
      kind: 'federatedCredential',
      id,
      name: before?.value.name ?? name,
      properties,
    }
    return {
      changes: [{ kind: 'put', key, value, expected: before?.modRevision ?? 0 }],
      result: { status: before === undefined ? 201 : 200, body: body(value) },
    }
  })
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return hub.store.decide(async () => {
    const key = keyOf(await identityId(hub, request, 'write'), request)
    const stored = await hub.store.get<FederatedCredentialRecord>(key)
    if (stored === undefined) return { changes: [], result: { status: 204 } }
    return { changes: [{ kind: 'delete', key, expected: stored.modRevision }], result: { status: 200 } }
  })
}

function body({ id, name, properties }: FederatedCredentialRecord): Json {
  return { id, name, type: federatedCredentialType, properties }
}
