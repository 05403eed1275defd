// The part of Microsoft Graph that granting needs: applications with their secrets, service principals, and who an object id is.

import { ArmError } from '@aksel/base/errors'
import { uuid } from '@aksel/base/ids'
import { objectIdOf, type ClientIdentity } from '../../front-door/client-identity.ts'
import { callerOf, ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Json } from '../../records.ts'
import { keys, type Stored } from '../../store-keyspace.ts'
import { accessOf } from '../authorization/role-assignments.ts'
import { objectAt, readObject, textAt } from '../body.ts'
import {
  applications,
  principals,
  secretHash,
  type ApplicationRecord,
  type FederatedCredential,
  type Principal,
} from './directory.ts'
import { graphFilter } from './graph-filter.ts'

const dayMs = 86_400_000

export function graphRoutes(hub: Hub, clients: readonly ClientIdentity[]): readonly Route[] {
  const row = (method: Route['method'], path: string, handle: Route['handle']): Route => ({
    method,
    path: `/v1.0${path}`,
    versionless: true,
    handle,
  })
  const list = async (request: ArmRequest, items: readonly Json[]): Promise<ArmResponse> =>
    ok({
      '@odata.context': `${request.origin}/v1.0/$metadata`,
      value: items.filter(graphFilter(request.query['$filter'])),
    })
  const one = '/applications/:id'
  return [
    row('GET', '/applications', async (request) =>
      list(
        request,
        (await applications(hub.store)).map(({ value }) => applicationBody(value)),
      ),
    ),
    row('POST', '/applications', (request) => create(hub, request)),
    row('GET', one, async (request) => ok(applicationBody((await find(hub, request)).value))),
    row('DELETE', one, (request) => remove(hub, request)),
    row('POST', `${one}/addPassword`, (request) => addPassword(hub, request)),
    row('POST', `${one}/removePassword`, (request) => removePassword(hub, request)),
    row('GET', `${one}/federatedIdentityCredentials`, async (request) =>
      ok({ value: (await find(hub, request)).value.federated }),
    ),
    row('POST', `${one}/federatedIdentityCredentials`, (request) => addFederated(hub, request)),
    row('DELETE', `${one}/federatedIdentityCredentials/:credential`, (request) => removeFederated(hub, request)),
    row('GET', '/servicePrincipals', async (request) =>
      list(request, (await principals(hub.store, clients)).map(principalBody)),
    ),
    row('POST', '/servicePrincipals', (request) => enable(hub, request)),
    row('GET', '/servicePrincipals/:id', (request) => principal(hub, clients, request)),
    row('DELETE', '/servicePrincipals/:id', (request) => disable(hub, request)),
    // Nobody signs in as a person here.
    row('GET', '/users', (request) => list(request, [])),
    row('GET', '/organization', (request) =>
      list(request, [{ id: hub.tenantId, displayName: 'Aksel', verifiedDomains: [] }]),
    ),
    row('GET', '/me', () => {
      throw new ArmError(400, 'BadRequest', '/me request is only valid with delegated authentication flow.')
    }),
  ]
}

/** Only who may grant roles in a subscription may make those that are granted them. */
export async function judgeWriter(hub: Hub, request: ArmRequest): Promise<void> {
  const { objectId } = callerOf(request)
  for (const { subscriptionId } of hub.subscriptions) {
    const access = await accessOf(hub.store, subscriptionId, objectId)
    if (access.may({ action: 'Microsoft.Authorization/roleAssignments/write' }, `/subscriptions/${subscriptionId}`))
      return
  }
  throw new ArmError(403, 'Authorization_RequestDenied', 'Insufficient privileges to complete the operation.')
}

export const graphNotFound = (id: string): ArmError =>
  new ArmError(
    404,
    'Request_ResourceNotFound',
    `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`,
  )

/** By object id, or as `applications(appId='…')`. */
async function find(hub: Hub, request: ArmRequest): Promise<Stored<ApplicationRecord>> {
  const id = param(request, 'id').toLowerCase()
  const found = (await applications(hub.store)).find(({ value }) => value.id === id || value.appId === id)
  if (found === undefined) throw graphNotFound(param(request, 'id'))
  return found
}

async function create(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  await judgeWriter(hub, request)
  const displayName = textAt(readObject(request.body), 'displayName')
  if (displayName === undefined || displayName === '')
    throw new ArmError(
      400,
      'Request_BadRequest',
      "A value is required for property 'displayName' of resource 'Application'.",
    )
  const value: ApplicationRecord = {
    kind: 'application',
    appId: uuid(request.scope.random),
    id: uuid(request.scope.random),
    displayName,
    createdDateTime: new Date(request.scope.clock.now()).toISOString(),
    passwords: [],
    federated: [],
    enabled: false,
  }
  await hub.store.commit([{ kind: 'put', key: keys.application(value.appId), value, expected: 0 }])
  return { status: 201, body: applicationBody(value) }
}

async function change(
  hub: Hub,
  request: ArmRequest,
  next: (value: ApplicationRecord) => ApplicationRecord,
): Promise<void> {
  await judgeWriter(hub, request)
  await hub.store.update<ApplicationRecord>((await find(hub, request)).key, next)
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  await judgeWriter(hub, request)
  const { key, modRevision } = await find(hub, request)
  await hub.store.commit([{ kind: 'delete', key, expected: modRevision }])
  return { status: 204 }
}

/** The secret is told once, and kept as its hash. */
async function addPassword(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { scope } = request
  const given = objectAt(readObject(request.body), 'passwordCredential')
  const now = scope.clock.now()
  const secretText = Buffer.from(scope.random.nextBytes(30)).toString('base64url')
  const password = {
    keyId: uuid(scope.random),
    displayName: textAt(given, 'displayName') ?? null,
    hint: secretText.slice(0, 3),
    startDateTime: textAt(given, 'startDateTime') ?? new Date(now).toISOString(),
    endDateTime: textAt(given, 'endDateTime') ?? new Date(now + 730 * dayMs).toISOString(),
  }
  if (Number.isNaN(Date.parse(password.startDateTime)) || Number.isNaN(Date.parse(password.endDateTime)))
    throw new ArmError(
      400,
      'Request_BadRequest',
      "Invalid value specified for property 'endDateTime' of resource 'PasswordCredential'.",
    )
  await change(hub, request, (value) => ({
    ...value,
    passwords: [...value.passwords, { ...password, secretHash: secretHash(secretText) }],
  }))
  return ok({ ...password, secretText })
}

async function removePassword(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const keyId = textAt(readObject(request.body), 'keyId')
  await change(hub, request, (value) => ({
    ...value,
    passwords: value.passwords.filter((each) => each.keyId !== keyId),
  }))
  return { status: 204 }
}

async function addFederated(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const body = readObject(request.body)
  const [name, issuer, subject] = [textAt(body, 'name'), textAt(body, 'issuer'), textAt(body, 'subject')]
  const audiences = Array.isArray(body['audiences']) ? body['audiences'].map(String) : []
  if (name === undefined || issuer === undefined || subject === undefined || audiences.length !== 1)
    throw new ArmError(
      400,
      'Request_BadRequest',
      'A federated identity credential has a name, an issuer, a subject and one audience.',
    )
  const made: FederatedCredential = { id: uuid(request.scope.random), name, issuer, subject, audiences }
  await change(hub, request, (value) => {
    if (value.federated.some((each) => each.issuer === issuer && each.subject === subject))
      throw new ArmError(
        409,
        'Request_MultipleObjectsWithSameKeyValue',
        'FederatedIdentityCredential with the same issuer and subject already exists on target application object.',
      )
    return { ...value, federated: [...value.federated, made] }
  })
  return { status: 201, body: made }
}

async function removeFederated(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const id = param(request, 'credential')
  await change(hub, request, (value) => ({
    ...value,
    federated: value.federated.filter((each) => each.id !== id && each.name !== id),
  }))
  return { status: 204 }
}

async function enable(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  await judgeWriter(hub, request)
  const appId = textAt(readObject(request.body), 'appId') ?? ''
  const next = await hub.store.update<ApplicationRecord>(keys.application(appId), (value) => ({
    ...value,
    enabled: true,
  }))
  if (next === undefined)
    throw new ArmError(
      400,
      'Request_BadRequest',
      `The appId '${appId}' of the service principal does not reference a valid application object.`,
    )
  return {
    status: 201,
    body: principalBody({
      objectId: objectIdOf(appId),
      appId: next.appId,
      displayName: next.displayName,
      kind: 'Application',
    }),
  }
}

async function principal(hub: Hub, clients: readonly ClientIdentity[], request: ArmRequest): Promise<ArmResponse> {
  const id = param(request, 'id').toLowerCase()
  const found = (await principals(hub.store, clients)).find((each) => each.objectId.toLowerCase() === id)
  if (found === undefined) throw graphNotFound(param(request, 'id'))
  return ok(principalBody(found))
}

async function disable(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  await judgeWriter(hub, request)
  const id = param(request, 'id').toLowerCase()
  const found = (await applications(hub.store)).find(({ value }) => value.enabled && objectIdOf(value.appId) === id)
  if (found === undefined) throw graphNotFound(param(request, 'id'))
  await hub.store.update<ApplicationRecord>(found.key, (value) => ({ ...value, enabled: false }))
  return { status: 204 }
}

function applicationBody({ appId, id, displayName, createdDateTime, passwords }: ApplicationRecord): Json {
  return {
    appId,
    id,
    displayName,
    createdDateTime,
    signInAudience: 'AzureADMyOrg',
    identifierUris: [],
    passwordCredentials: passwords.map((password) => {
      const { secretHash: _, ...shown } = password
      return { ...shown, secretText: null }
    }),
    keyCredentials: [],
  }
}

export function principalBody({ objectId, appId, displayName, kind }: Principal): Json {
  return {
    id: objectId,
    appId,
    displayName,
    appDisplayName: displayName,
    accountEnabled: true,
    servicePrincipalType: kind,
    servicePrincipalNames: [appId],
  }
}
