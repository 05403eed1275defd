// Tokens of machines' identities, asked for as a node's agent asks, by @azure/identity through it; and who gets none.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { request } from 'node:https'
import { after, before, test } from 'node:test'
import { ManagedIdentityCredential } from '@azure/identity'
import { ComputeManagementClient } from '@azure/arm-compute'
import { ContainerServiceClient } from '@azure/arm-containerservice'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { logTo } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { createAuthority, issue, type KeyPair } from '@aksel/runtime/pki'
import { chooseIdentity } from './resource-providers/compute/machine-identities.ts'
import { openFrontDoor, subscriptionId, tenantId, type OpenedFrontDoor } from './testing/opened-front-door.ts'
import { sdkAccess } from './testing/sdk-access.ts'

const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: logTo(() => {}),
  signal: new AbortController().signal,
}
const group = `/subscriptions/${subscriptionId}/resourceGroups/rg`
const clusterId = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
const identityId = `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app`
const reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
const resource = 'https://management.azure.com/'

interface Kubelet {
  readonly resourceId: string
  readonly clientId: string
  readonly objectId: string
}

interface Told {
  readonly status: number
  readonly body: Readonly<Record<string, string>>
}

let door: OpenedFrontDoor
let authority: KeyPair
/** The listener that knows the machines of the cluster. */
let url: string
let node: string
let kubelet: Kubelet

before(async () => {
  door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  const properties = { dnsPrefix: 'c1', agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1 }] }
  await door.call('PUT', clusterId, { body: { location: 'eastus', properties } })
  await door.door.idle()
  const read = (await door.call('GET', clusterId)).body as unknown as {
    readonly properties: { readonly identityProfile: { readonly kubeletidentity: Kubelet } }
  }
  kubelet = read.properties.identityProfile.kubeletidentity
  authority = await createAuthority(scope, { commonName: 'c1', years: 1 })
  const own = await issue(scope, authority, {
    commonName: 'api',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
  })
  const machines = { clusterId, authorityPem: authority.certificatePem }
  const tls = { cert: own.certificatePem, key: own.keyPem, machines }
  url = await door.door.listen({ host: '127.0.0.1', port: 0, tls, alone: true })
  const { client } = compute()
  for await (const set of client.virtualMachineScaleSets.list('MC_rg_c1_eastus'))
    for await (const one of client.virtualMachineScaleSetVMs.list('MC_rg_c1_eastus', set.name!))
      node = one.osProfile!.computerName!
})

after(() => door[Symbol.asyncDispose]())

function compute(): { readonly client: ComputeManagementClient; readonly set: string } {
  const { credential, options } = sdkAccess(door)
  return { client: new ComputeManagementClient(credential, subscriptionId, options), set: node?.slice(0, -6) }
}

const certificate = (
  commonName: string,
  more: { readonly by?: KeyPair; readonly usage?: 'client' | 'server' } = {},
): Promise<KeyPair> =>
  issue(scope, more.by ?? authority, {
    commonName,
    organizations: ['system:nodes'],
    usages: [more.usage ?? 'client'],
    days: 1,
  })

async function ask(path: string, own?: KeyPair): Promise<Told> {
  const keys = own === undefined ? {} : { cert: own.certificatePem, key: own.keyPem }
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}${path}`, { ca: authority.certificatePem, ...keys, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece))
      response.on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(text) as Told['body'] }))
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

const tokenPath = (query: Readonly<Record<string, string>> = {}): string =>
  `/metadata/identity/oauth2/token?${new URLSearchParams({ resource, ...query }).toString()}`

const claimsOf = (token: string): Readonly<Record<string, unknown>> =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Readonly<Record<string, unknown>>

test('a machine gets tokens of its kubelet’s identity, in the shape of Azure’s metadata service', async () => {
  const { status, body } = await ask(tokenPath(), await certificate(`system:node:${node}`))
  assert.equal(status, 200, JSON.stringify(body))
  const { access_token: token, ...rest } = body
  assert.deepEqual(rest, {
    client_id: kubelet.clientId,
    expires_in: '3600',
    expires_on: rest['expires_on'],
    ext_expires_in: '3600',
    not_before: String(Number(rest['expires_on']) - 3600),
    resource,
    token_type: 'Bearer',
  })
  const claims = claimsOf(token!)
  const own = {
    appid: kubelet.clientId,
    oid: kubelet.objectId,
    tid: tenantId,
    aud: resource,
    xms_mirid: kubelet.resourceId,
  }
  assert.deepEqual({ ...claims, ...own }, claims)
  assert.deepEqual(await ask('/metadata/identity/info', await certificate(`system:node:${node}`)), {
    status: 200,
    body: { tenantId },
  })
})

test('whoever is no machine of the cluster gets no token', async () => {
  const stranger = { status: 401, body: { error: 'unknown_source', error_description: 'Unknown Source' } }
  const other = await createAuthority(scope, { commonName: 'c1', years: 1 })
  assert.deepEqual(await ask(tokenPath()), stranger)
  assert.deepEqual(await ask('/metadata/identity/info'), stranger)
  assert.deepEqual(await ask(tokenPath(), await certificate(`system:node:${node}`, { by: other })), stranger)
  assert.deepEqual(await ask(tokenPath(), await certificate(`system:node:${node}`, { usage: 'server' })), stranger)
  assert.deepEqual(await ask(tokenPath(), await certificate(node)), stranger)
  const user = await issue(scope, authority, { commonName: `system:node:${node}`, usages: ['client'], days: 1 })
  assert.deepEqual(await ask(tokenPath(), user), stranger)
  // A host that joined has a node's certificate, and is no machine of Azure's.
  assert.deepEqual(await ask(tokenPath(), await certificate('system:node:second')), {
    status: 400,
    body: { error: 'invalid_request', error_description: 'Identity not found' },
  })
  // Elsewhere nobody is asked for a certificate.
  assert.equal((await door.call('GET', tokenPath(), { token: null })).status, 401)
})

test('@azure/identity gets a token through the metadata service, by the identity that a scale set was given', async () => {
  const { client, set } = compute()
  const made = (await door.call('PUT', identityId, { body: { location: 'eastus' } })).body as unknown as {
    readonly properties: { readonly clientId: string; readonly principalId: string }
  }
  const { clientId, principalId } = made.properties
  const assign = (value: object | null, type = 'UserAssigned'): Promise<unknown> =>
    door.call(
      'PATCH',
      `/subscriptions/${subscriptionId}/resourceGroups/MC_rg_c1_eastus/providers/Microsoft.Compute/virtualMachineScaleSets/${set}`,
      {
        body: { identity: { type, userAssignedIdentities: { [identityId]: value } } },
      },
    )
  const identity = { type: 'UserAssigned', userAssignedIdentities: { [identityId]: {} } } as const
  const changed = await client.virtualMachineScaleSets.beginUpdateAndWait('MC_rg_c1_eastus', set, { identity })
  assert.deepEqual(
    Object.keys(changed.identity!.userAssignedIdentities!).sort(),
    [kubelet.resourceId, identityId].sort(),
  )
  const roleDefinitionId = `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${reader}`
  const assignment = `${group}/providers/Microsoft.Authorization/roleAssignments/${principalId}`
  await door.call('PUT', assignment, { body: { properties: { roleDefinitionId, principalId } } })

  const own = await certificate(`system:node:${node}`)
  // What the metadata service on the machine does with a question for a token.
  await using service = createServer((incoming, response) => {
    const query = new URL(incoming.url!, 'http://localhost').searchParams
    void ask(`/metadata/identity/oauth2/token?${query.toString()}`, own).then(({ status, body }) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    )
  })
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  const { port } = service.address() as { readonly port: number }
  process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] = `http://127.0.0.1:${port}`
  const retryOptions = { maxRetries: 0 }
  try {
    const scopes = [`${door.url}/.default`]
    for (const which of [{ clientId }, { objectId: principalId }, { resourceId: identityId }] as const) {
      const credential = new ManagedIdentityCredential({ ...which, retryOptions })
      const options = { endpoint: door.url, credentials: { scopes }, tlsOptions: { ca: door.caPem }, retryOptions }
      const clusters = new ContainerServiceClient(credential, subscriptionId, options)
      assert.equal((await clusters.managedClusters.get('rg', 'c1')).name, 'c1')
    }
    const { token } = await new ManagedIdentityCredential({ clientId: kubelet.clientId, retryOptions }).getToken(
      scopes[0]!,
    )
    assert.equal(claimsOf(token)['oid'], kubelet.objectId)
    await assert.rejects(
      new ManagedIdentityCredential({ clientId: tenantId, retryOptions }).getToken(scopes[0]!),
      /Identity not found/,
    )
    await assert.rejects(
      new ManagedIdentityCredential({ retryOptions }).getToken(scopes[0]!),
      /Multiple user assigned identities exist/,
    )
  } finally {
    delete process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST']
  }
  await assign(null)
  assert.equal((await ask(tokenPath({ client_id: clientId }), own)).status, 400)
  assert.equal((await ask(tokenPath(), own)).body['client_id'], kubelet.clientId)
})

test('identities of a scale set are changed alone, and have to be there', async () => {
  const { set } = compute()
  const change = (body: object): ReturnType<typeof door.call> =>
    door.call(
      'PATCH',
      `/subscriptions/${subscriptionId}/resourceGroups/MC_rg_c1_eastus/providers/Microsoft.Compute/virtualMachineScaleSets/${set}`,
      { body },
    )
  const nobody = `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/nobody`
  const missing = await change({ identity: { type: 'UserAssigned', userAssignedIdentities: { [nobody]: {} } } })
  assert.match(`${missing.status} ${missing.text}`, /^400 .*FailedIdentityOperation.*nobody' was not found/)
  assert.match((await change({ identity: { type: 'SystemAssigned' } })).text, /no system-assigned identity here/)
  assert.match((await change({ sku: { capacity: 5 } })).text, /follow their agent pools.*not 'sku'/)
})

test('chooseIdentity() takes the one that is named, by any of its ids, and says why it takes none', () => {
  const one = { resourceId: '/a', clientId: 'c1', objectId: 'o1' }
  const two = { resourceId: '/b', clientId: 'c2', objectId: 'o2' }
  assert.equal(chooseIdentity([one], {}), one)
  assert.equal(chooseIdentity([one, two], { client_id: 'C2' }), two)
  assert.equal(chooseIdentity([one, two], { object_id: 'o1' }), one)
  assert.equal(chooseIdentity([one, two], { msi_res_id: '/B' }), two)
  assert.equal(chooseIdentity([one, two], { mi_res_id: '/b' }), two)
  assert.deepEqual(chooseIdentity([], {}), { description: 'Identity not found' })
  assert.match(JSON.stringify(chooseIdentity([one, two], { client_id: 'c1', object_id: 'o1' })), /Only one of/)
})
