// `aadProfile` by clients of the front door: what reaches the control plane, what is refused, and whose token is for whom.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterRoleBindings } from '@aksel/api/resources'
import { aksServerId } from './front-door/tokens.ts'
import {
  clientId,
  clientSecret,
  openFrontDoor,
  subscriptionId,
  tenantId,
  type Answer,
  type OpenedFrontDoor,
} from './testing/opened-front-door.ts'
import { otherClient } from './testing/other-client.ts'

const group = `/subscriptions/${subscriptionId}/resourceGroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
const admins = 'bbbbbbbb-0000-4000-8000-000000000001'

async function withCluster(properties: object): Promise<OpenedFrontDoor> {
  const door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  const made = await write(door, properties)
  assert.equal(made.status, 201, made.text)
  await door.door.idle()
  return door
}

function write(door: OpenedFrontDoor, properties: object): Promise<Answer> {
  const agentPoolProfiles = [{ name: 'system', mode: 'System', count: 1 }]
  const body = { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles, ...properties } }
  return door.call('PUT', cluster, { body })
}

const entraOf = (door: OpenedFrontDoor): unknown => door.engine.status(cluster.toLowerCase())?.entra
const codeOf = ({ status, body }: Answer): string => `${status} ${(body as unknown as { readonly code: string }).code}`

test('Azure RBAC is switched on and off on a cluster that runs; the tenant is filled in', async () => {
  await using door = await withCluster({})
  assert.equal(entraOf(door), undefined)
  for (const enableAzureRBAC of [true, false, true]) {
    await write(door, { aadProfile: { managed: true, enableAzureRBAC } })
    await door.door.idle()
    assert.deepEqual(entraOf(door), { tenantId, signIn: true, azureRbac: enableAzureRBAC, workloadIdentity: false })
  }
  const read = (await door.call('GET', cluster)).body as unknown as {
    readonly properties: { readonly aadProfile: object; readonly aksel?: { readonly recorded?: readonly string[] } }
  }
  assert.deepEqual(read.properties.aadProfile, { managed: true, enableAzureRBAC: true, tenantID: tenantId })
  assert.deepEqual(
    (read.properties.aksel?.recorded ?? []).filter((path) => path.startsWith('aadProfile')),
    [],
  )
})

test('members of the admin groups administer the cluster, and the binding follows the profile', async () => {
  await using door = await withCluster({ aadProfile: { managed: true, adminGroupObjectIDs: [admins] } })
  const client = door.engine.client(cluster.toLowerCase())
  const subjects = (): readonly string[] =>
    client
      .peekAll(clusterRoleBindings)
      .filter(({ metadata }) => metadata.name === 'aks-cluster-admin-binding-aad')
      .flatMap((binding) => (binding.subjects ?? []).map(({ name }) => `${binding.roleRef.name}:${name}`))
  assert.deepEqual(subjects(), [`cluster-admin:${admins}`])
  const others = admins.replace(/1$/, '2')
  await write(door, { aadProfile: { managed: true, adminGroupObjectIDs: [others] } })
  await door.door.idle()
  assert.deepEqual(subjects(), [`cluster-admin:${others}`])
  await write(door, { aadProfile: { managed: true, adminGroupObjectIDs: [] } })
  await door.door.idle()
  assert.deepEqual(subjects(), [])
})

test('profiles that cannot be are refused, and the cluster stays as it was', async () => {
  await using door = await withCluster({ aadProfile: { managed: true } })
  const before = (await door.call('GET', cluster)).text
  for (const [properties, code, words] of [
    [{ aadProfile: { managed: false } }, '400 BadRequest', /Disabling the managed Azure Active Directory integration/],
    [
      { aadProfile: { managed: true, enableAzureRBAC: true, tenantID: admins } },
      '400 InvalidParameter',
      /needs the tenant of the subscription/,
    ],
    [
      { aadProfile: { managed: true, adminGroupObjectIDs: ['admins'] } },
      '400 InvalidParameter',
      /'admins' is not the object id of a group/,
    ],
  ] as const) {
    const answer = await write(door, properties)
    assert.equal(codeOf(answer), code, answer.text)
    assert.match(answer.text, words)
  }
  assert.equal((await door.call('GET', cluster)).text, before)
  await using plain = await withCluster({})
  const answer = await write(plain, { aadProfile: { enableAzureRBAC: true } })
  assert.equal(codeOf(answer), '400 InvalidParameter', answer.text)
})

test('without local accounts no static credential is told; kubelogin’s is', async () => {
  await using door = await withCluster({ aadProfile: { managed: true }, disableLocalAccounts: true })
  const admin = await door.call('POST', `${cluster}/listClusterAdminCredential`)
  assert.equal(codeOf(admin), '400 BadRequest')
  assert.match(
    admin.text,
    /Getting static credential is not allowed because this cluster is set to disable local accounts\./,
  )
  assert.equal((await door.call('POST', `${cluster}/listClusterUserCredential`)).status, 200)
  await write(door, { disableLocalAccounts: false })
  await door.door.idle()
  assert.equal((await door.call('POST', `${cluster}/listClusterAdminCredential`)).status, 200)
})

test('a token for API servers is none for Resource Manager', async () => {
  await using door = await openFrontDoor()
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret,
    scope: `${aksServerId}/.default`,
  })
  const issued = await door.call('POST', `/${tenantId}/oauth2/v2.0/token`, { body: form, token: null })
  const token = (issued.body as unknown as { readonly access_token: string }).access_token
  const answer = await door.call('GET', '/subscriptions', { token })
  assert.equal(answer.status, 401)
  assert.match(answer.text, /InvalidAuthenticationTokenAudience/)
})

test('kubelogin’s own request for a service principal gets a token for API servers, its scopes of sign-in beside', async () => {
  await using door = await openFrontDoor()
  // As azidentity sends it for `kubelogin get-token --login spn`.
  const form = new URLSearchParams({
    client_id: clientId,
    client_info: '1',
    client_secret: clientSecret,
    grant_type: 'client_credentials',
    scope: `${aksServerId}/.default openid offline_access profile`,
  })
  const headers = {
    'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    'x-client-sku': 'MSAL.Go',
    'x-client-ver': '1.2.0',
  }
  for (const scope of [form.get('scope')!, `openid ${aksServerId}/.default`]) {
    form.set('scope', scope)
    const issued = await door.call('POST', `/${tenantId}/oauth2/v2.0/token`, { body: form, headers, token: null })
    assert.equal(issued.status, 200, issued.text)
    const token = (issued.body as unknown as { readonly access_token: string }).access_token
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Readonly<
      Record<string, unknown>
    >
    assert.deepEqual([claims['aud'], claims['appid'], claims['tid']], [aksServerId, clientId, tenantId])
  }
})

test('groups are made in Graph; who is in one is granted what it is granted, in groups of groups too', async () => {
  await using door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  const member = await otherClient(door)
  const made = async (displayName: string): Promise<string> => {
    const answer = await door.call('POST', '/v1.0/groups', { body: { displayName, mailNickname: displayName } })
    assert.equal(answer.status, 201, answer.text)
    return (answer.body as unknown as { readonly id: string }).id
  }
  const [inner, outer] = [await made('inner'), await made('outer')]
  const put = (id: string, of: string): Promise<Answer> =>
    door.call('POST', `/v1.0/groups/${id}/members/$ref`, {
      body: { '@odata.id': `${door.url}/v1.0/directoryObjects/${of}` },
    })
  assert.equal((await put(inner, member.objectId)).status, 204)
  assert.match((await put(inner, member.objectId)).text, /already exist/)
  assert.equal((await put(outer, inner)).status, 204)
  assert.equal((await put(outer, admins)).status, 404)
  assert.equal((await member.call('GET', group)).status, 403)
  const reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
  const name = `${group}/providers/Microsoft.Authorization/roleAssignments/${admins}`
  const roleDefinitionId = `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${reader}`
  const granted = await door.call('PUT', name, { body: { properties: { roleDefinitionId, principalId: outer } } })
  assert.match(granted.text, /"principalType":"Group"/)
  assert.equal((await member.call('GET', group)).status, 200)
  assert.match((await door.call('GET', `/v1.0/groups/${outer}/members`)).text, /"displayName":"inner"/)
  assert.match((await door.call('GET', "/v1.0/groups?$filter=displayName eq 'inner'")).text, new RegExp(inner))
  assert.equal((await member.call('POST', '/v1.0/groups', { body: {} })).status, 403)
  await door.call('DELETE', `/v1.0/groups/${inner}/members/${member.objectId}/$ref`)
  assert.equal((await member.call('GET', group)).status, 403)
})
