// Azure RBAC by clients of the front door: what was not granted is refused in Azure's words, at every scope and on every way.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { builtInRoles } from './resource-providers/authorization/built-in-roles.ts'
import {
  openFrontDoor,
  clientId,
  subscriptionId,
  type Answer,
  type OpenedFrontDoor,
} from './testing/opened-front-door.ts'
import { otherClient } from './testing/other-client.ts'

const subscription = `/subscriptions/${subscriptionId}`
const group = `${subscription}/resourceGroups/rg`
const network = `${group}/providers/Microsoft.Network/virtualNetworks/v`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
const roles = 'providers/Microsoft.Authorization'

const role = (name: string): string => builtInRoles.find(({ roleName }) => roleName === name)!.name

function codeOf({ status, body }: Answer): string {
  const { error } = body as unknown as { error?: { code: string } }
  return `${status} ${error?.code ?? (body as unknown as { code?: string } | undefined)?.code ?? ''}`.trim()
}

const valuesOf = ({ body }: Answer): readonly Record<string, never>[] =>
  (body as unknown as { value: readonly Record<string, never>[] }).value

async function opened(): Promise<OpenedFrontDoor> {
  const door = await openFrontDoor()
  for (const name of ['rg', 'other'])
    await door.call('PUT', `${subscription}/resourceGroups/${name}`, { body: { location: 'eastus' } })
  const subnets = [{ name: 'nodes', properties: { addressPrefix: '10.1.0.0/24' } }]
  const properties = { addressSpace: { addressPrefixes: ['10.1.0.0/16'] }, subnets }
  await door.call('PUT', network, { body: { location: 'eastus', properties } })
  await door.door.idle()
  return door
}

const clusterBody = (pool: object = {}): object => ({
  location: 'eastus',
  properties: { dnsPrefix: 'c1', agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1, ...pool }] },
})

test('who was granted nothing sees no subscription and is refused with Azure’s words', async () => {
  await using door = await opened()
  const stranger = await otherClient(door)
  assert.deepEqual(valuesOf(await stranger.call('GET', '/subscriptions')), [])
  const answer = await stranger.call('GET', cluster)
  assert.equal(codeOf(answer), '403 AuthorizationFailed')
  assert.match(
    answer.text,
    new RegExp(
      `The client '${stranger.appId}' with object id '${stranger.objectId}' does not have authorization to perform action 'Microsoft.ContainerService/managedClusters/read' over scope '${cluster}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
    ),
  )
  for (const [method, path] of [
    ['PUT', group],
    ['DELETE', group],
    ['GET', `${subscription}/resourceGroups`],
    ['POST', `${cluster}/listClusterAdminCredential`],
    ['PUT', `${group}/providers/Microsoft.Resources/deployments/d`],
    ['GET', `${subscription}/providers/Microsoft.ContainerService/locations/eastus/usages`],
  ] as const)
    assert.equal(codeOf(await stranger.call(method, path, { body: {} })), '403 AuthorizationFailed', path)
  assert.equal(
    codeOf(await stranger.call('POST', '/v1.0/applications', { body: { displayName: 'x' } })),
    '403 Authorization_RequestDenied',
  )
  assert.equal((await door.call('GET', group)).status, 200, 'and the group stands')
})

test('a grant holds below its scope; lists over a subscription show each caller what is granted', async () => {
  await using door = await opened()
  const reader = await otherClient(door)
  await reader.grant(role('Reader'), group)
  assert.equal((await reader.call('GET', network)).status, 200)
  assert.equal(codeOf(await reader.call('DELETE', network)), '403 AuthorizationFailed')
  assert.equal(codeOf(await reader.call('GET', `${subscription}/resourceGroups/other`)), '403 AuthorizationFailed')
  assert.deepEqual(
    valuesOf(await reader.call('GET', `${subscription}/resourceGroups`)).map(({ name }) => name),
    ['rg'],
  )
  assert.deepEqual(
    valuesOf(await reader.call('GET', `${subscription}/resources`)).map(({ name }) => name),
    ['v'],
  )
  assert.equal(valuesOf(await reader.call('GET', '/subscriptions')).length, 1)
  assert.equal((await reader.call('GET', subscription)).status, 200)
  const network2 = await otherClient(door, 'two')
  await network2.grant(role('Network Contributor'), network)
  assert.equal((await network2.call('GET', network)).status, 200)
  assert.equal(codeOf(await network2.call('GET', group)), '403 AuthorizationFailed')
  assert.equal((await network2.call('DELETE', network)).status, 202)
})

test('who may write a cluster must be permitted to join its subnet and to assign its identity', async () => {
  await using door = await opened()
  const builder = await otherClient(door)
  await builder.grant(role('Azure Kubernetes Service Contributor Role'), group)
  const subnet = `${network}/subnets/nodes`
  const body = { body: clusterBody({ vnetSubnetID: subnet }) }
  const refused = await builder.call('PUT', cluster, body)
  assert.equal(codeOf(refused), '403 LinkedAuthorizationFailed')
  assert.match(
    refused.text,
    new RegExp(
      `has permission to perform action 'Microsoft.ContainerService/managedClusters/write' on scope '${cluster}'; however, it does not have permission to perform action\\(s\\) 'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope\\(s\\) '${subnet}' \\(respectively\\) or the linked scope\\(s\\) are invalid.`,
    ),
  )
  assert.equal((await door.call('GET', cluster)).status, 404, 'nothing of it is made')
  await builder.grant(role('Network Contributor'), subnet)
  const made = await builder.call('PUT', cluster, body)
  assert.equal(made.status, 201, made.text)
  await door.door.idle()
  assert.equal(
    (await builder.call('GET', String(made.headers['azure-asyncoperation']).slice(door.url.length))).status,
    200,
  )
})

test('a deployment does what its caller may, and no more', async () => {
  await using door = await opened()
  const builder = await otherClient(door)
  await builder.grant(role('Azure Kubernetes Service Contributor Role'), group)
  const template = {
    $schema: 's',
    contentVersion: '1.0.0.0',
    resources: [
      {
        type: 'Microsoft.Network/routeTables',
        apiVersion: '2024-05-01',
        name: 'r',
        location: 'eastus',
        properties: {},
      },
    ],
  }
  const deployment = `${group}/providers/Microsoft.Resources/deployments/d`
  assert.equal(
    (await builder.call('PUT', deployment, { body: { properties: { mode: 'Incremental', template } } })).status,
    201,
  )
  await door.door.idle()
  assert.match((await door.call('GET', deployment)).text, /AuthorizationFailed/)
  assert.equal((await door.call('GET', `${group}/providers/Microsoft.Network/routeTables/r`)).status, 404)
})

test('Contributor grants nothing, and the last Owner cannot be taken away', async () => {
  await using door = await opened()
  const contributor = await otherClient(door)
  await contributor.grant(role('Contributor'), subscription)
  const assignment = `${group}/${roles}/roleAssignments/00000000-0000-4000-8000-000000000001`
  const properties = {
    roleDefinitionId: `${subscription}/${roles}/roleDefinitions/${role('Owner')}`,
    principalId: contributor.objectId,
  }
  assert.equal(codeOf(await contributor.call('PUT', assignment, { body: { properties } })), '403 AuthorizationFailed')
  const all = valuesOf(await door.call('GET', `${subscription}/${roles}/roleAssignments`)) as unknown as readonly {
    readonly id: string
    readonly properties: { readonly roleDefinitionId: string }
  }[]
  const owner = all.find(({ properties: { roleDefinitionId } }) => roleDefinitionId.endsWith(role('Owner')))!
  assert.equal(codeOf(await door.call('DELETE', owner.id)), '400 CannotDeleteLastRbacAdminAssignment')
  assert.equal((await door.call('GET', group)).status, 200)
})

test('assignments are judged: ids, principals, roles, twins, changes, conditions', async () => {
  await using door = await opened()
  const other = await otherClient(door)
  const put = (name: string, more: object = {}): Promise<Answer> =>
    door.call('PUT', `${group}/${roles}/roleAssignments/${name}`, {
      body: {
        properties: {
          roleDefinitionId: `${subscription}/${roles}/roleDefinitions/${role('Reader')}`,
          principalId: other.objectId,
          ...more,
        },
      },
    })
  const name = '00000000-0000-4000-8000-00000000000'
  const unknown = 'ffffffff-ffff-4fff-8fff-ffffffffffff'
  assert.equal(codeOf(await put('no-guid')), '400 InvalidRoleAssignmentId')
  assert.equal(codeOf(await put(`${name}1`, { principalId: unknown })), '400 PrincipalNotFound')
  assert.equal(codeOf(await put(`${name}1`, { roleDefinitionId: `x/${unknown}` })), '400 RoleDefinitionDoesNotExist')
  assert.equal(
    codeOf(await put(`${name}1`, { condition: 'true', conditionVersion: '2.0' })),
    '400 ConditionsNotSupported',
  )
  assert.equal((await put(`${name}1`)).status, 201)
  assert.equal((await put(`${name}1`, { description: 'why' })).status, 200)
  assert.equal(codeOf(await put(`${name}2`)), '409 RoleAssignmentExists')
  const owner = `${subscription}/${roles}/roleDefinitions/${role('Owner')}`
  assert.equal(codeOf(await put(`${name}1`, { roleDefinitionId: owner })), '400 RoleAssignmentUpdateNotPermitted')
  assert.equal((await put(`${name}3`, { principalId: unknown, principalType: 'Group' })).status, 201)
  const at = `${group}/${roles}/roleAssignments?$filter=`
  assert.equal(valuesOf(await door.call('GET', `${at}principalId%20eq%20'${other.objectId}'`)).length, 1)
  assert.equal(valuesOf(await door.call('GET', `${at}atScope()`)).length, 3, 'with the Owner of the subscription')
  assert.equal(valuesOf(await door.call('GET', `${at}atScope()%20and%20assignedTo('%7B${unknown}%7D')`)).length, 1)
  assert.equal((await door.call('DELETE', `${group}/${roles}/roleAssignments/${name}1`)).status, 200)
  assert.equal((await door.call('DELETE', `${group}/${roles}/roleAssignments/${name}1`)).status, 204)
  assert.equal(
    codeOf(await door.call('GET', `${group}/${roles}/roleAssignments/${name}1`)),
    '404 RoleAssignmentNotFound',
  )
  assert.equal(codeOf(await other.call('GET', group)), '403 AuthorizationFailed', 'it holds no longer')
})

test('a custom role permits what it lists, where it may be assigned, and stays while somebody has it', async () => {
  await using door = await opened()
  const id = '11111111-0000-4000-8000-000000000001'
  const path = `${subscription}/${roles}/roleDefinitions/${id}`
  const permissions = [
    { actions: ['Microsoft.Network/*/read', 'Microsoft.Network/virtualNetworks/*'], notActions: ['*/delete'] },
  ]
  const properties = { roleName: 'Network hand', type: 'CustomRole', permissions, assignableScopes: [group] }
  const put = (more: object): Promise<Answer> =>
    door.call('PUT', path, { body: { properties: { ...properties, ...more } } })
  assert.equal(codeOf(await put({ roleName: 'owner' })), '409 RoleDefinitionWithSameNameExists')
  assert.equal(codeOf(await put({ assignableScopes: [] })), '400 InvalidAssignableScopes')
  assert.equal(codeOf(await put({ permissions: [{ actions: ['Contoso.Cars/read'] }] })), '400 InvalidActionOrNotAction')
  assert.equal((await put({})).status, 201)
  const hand = await otherClient(door)
  const grant = { roleDefinitionId: path, principalId: hand.objectId }
  const elsewhere = `${subscription}/resourceGroups/other/${roles}/roleAssignments/${id}`
  assert.equal(
    codeOf(await door.call('PUT', elsewhere, { body: { properties: grant } })),
    '400 RoleDefinitionNotAssignableAtScope',
  )
  const assignment = await hand.grant(id, group)
  assert.equal((await hand.call('GET', network)).status, 200)
  assert.equal(codeOf(await hand.call('DELETE', network)), '403 AuthorizationFailed')
  assert.equal(codeOf(await door.call('DELETE', path)), '400 RoleDefinitionHasAssignments')
  await door.call('DELETE', assignment)
  assert.equal((await door.call('DELETE', path)).status, 200)
  assert.equal(codeOf(await door.call('GET', path)), '404 RoleDefinitionDoesNotExist')
  assert.equal(
    codeOf(await door.call('DELETE', `${subscription}/${roles}/roleDefinitions/${role('Reader')}`)),
    '403 RoleDefinitionUpdateNotPermitted',
  )
  const byName = await door.call('GET', `${subscription}/${roles}/roleDefinitions?$filter=roleName%20eq%20'acrpull'`)
  assert.deepEqual(
    valuesOf(byName).map(({ name }) => name),
    [role('AcrPull')],
  )
})

test('a resource that is made anew under an old name was granted to nobody', async () => {
  await using door = await opened()
  const other = await otherClient(door)
  await other.grant(role('Reader'), network)
  assert.equal((await other.call('GET', network)).status, 200)
  await door.call('DELETE', network)
  await door.door.idle()
  assert.equal(codeOf(await other.call('GET', network)), '403 AuthorizationFailed')
  const properties = { addressSpace: { addressPrefixes: ['10.1.0.0/16'] } }
  await door.call('PUT', network, { body: { location: 'eastus', properties } })
  assert.equal(codeOf(await other.call('GET', network)), '403 AuthorizationFailed')
  assert.doesNotMatch((await door.call('GET', `${subscription}/${roles}/roleAssignments`)).text, /virtualNetworks/)
})

test('Graph knows the client, its applications and the identities of clusters; secrets end with their date', async () => {
  await using door = await opened()
  await door.call('PUT', cluster, { body: { ...clusterBody(), identity: { type: 'SystemAssigned' } } })
  await door.door.idle()
  const own = await door.call(
    'GET',
    `/v1.0/servicePrincipals?$filter=servicePrincipalNames/any(c:c%20eq%20'${clientId}')`,
  )
  assert.equal(valuesOf(own).length, 1, own.text)
  const { identity } = (await door.call('GET', cluster)).body as unknown as { identity: { principalId: string } }
  const ids = await door.call('POST', '/v1.0/directoryObjects/getByIds', { body: { ids: [identity.principalId] } })
  assert.deepEqual(
    valuesOf(ids).map(({ displayName, servicePrincipalType }) => [displayName, servicePrincipalType]),
    [['c1', 'ManagedIdentity']],
  )
  const other = await otherClient(door, "o'hara")
  assert.equal(valuesOf(await door.call('GET', `/v1.0/applications?$filter=startswith(displayName,'o''h')`)).length, 1)
  await assert.rejects(door.signIn(other.appId, 'wrong'), /AADSTS7000215/)
  const app = valuesOf(await door.call('GET', `/v1.0/applications?$filter=appId%20eq%20'${other.appId}'`))[0]!
  assert.doesNotMatch(JSON.stringify(app), /secretHash/)
  const passwordCredential = { endDateTime: '2020-01-01T00:00:00Z' }
  const old = await door.call('POST', `/v1.0/applications/${app['id']}/addPassword`, { body: { passwordCredential } })
  const { secretText } = old.body as unknown as { secretText: string }
  await assert.rejects(door.signIn(other.appId, secretText), /AADSTS7000215/)
  await door.call('DELETE', `/v1.0/servicePrincipals/${other.objectId}`)
  await assert.rejects(door.signIn(other.appId, other.password), /AADSTS700016/)
})
