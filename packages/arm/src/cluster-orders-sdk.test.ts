// Orders to a cluster, and what it tells of the world outside, by Azure's SDK: profiles that are reset, endpoints that nodes reach.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ContainerServiceClient } from '@azure/arm-containerservice'
import { openFrontDoor, subscriptionId, tenantId, type OpenedFrontDoor } from './testing/opened-front-door.ts'
import { sdkAccess } from './testing/sdk-access.ts'

const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
const system = { name: 'system', mode: 'System', count: 1 }

async function withCluster(
  properties: object,
  work: (opened: OpenedFrontDoor, sdk: ContainerServiceClient) => Promise<void>,
): Promise<void> {
  await using opened = await openFrontDoor()
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const body = { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles: [system], ...properties } }
  const made = await opened.call('PUT', cluster, { body })
  assert.equal(made.status, 201, made.text)
  await opened.door.idle()
  const { credential, options } = sdkAccess(opened)
  await work(opened, new ContainerServiceClient(credential, subscriptionId, options))
}

const app = 'bbbbbbbb-0000-4000-8000-000000000001'
const other = 'bbbbbbbb-0000-4000-8000-000000000002'

test('a service principal is replaced, read back without its secret and named as recorded; a cluster with an identity has none', async () => {
  await withCluster({ servicePrincipalProfile: { clientId: app, secret: 'one' } }, async (opened, sdk) => {
    const before = await sdk.managedClusters.get('rg', 'c1')
    await sdk.managedClusters.resetServicePrincipalProfile('rg', 'c1', { clientId: other, secret: 'two' })
    const after = await sdk.managedClusters.get('rg', 'c1')
    assert.deepEqual(
      [after.servicePrincipalProfile, after.provisioningState],
      [{ clientId: other, secret: undefined }, 'Succeeded'],
    )
    assert.notEqual(after.eTag, before.eTag)
    const path = `${cluster}/resetServicePrincipalProfile`
    const again = await opened.call('POST', path, { body: { clientId: app, secret: 'three' } })
    assert.equal(again.status, 202)
    assert.match(String(again.headers['warning']), /recorded without effect: servicePrincipalProfile\.clientId/)
    assert.doesNotMatch((await opened.call('GET', cluster)).text, /three/)
    await opened.door.idle()
    const none = await opened.call('POST', path, { body: {} })
    assert.deepEqual([none.status, /Required parameter clientId is missing/.test(none.text)], [400, true])
    const headers = { 'x-aksel-strict': 'true' }
    assert.equal((await opened.call('POST', path, { body: { clientId: other }, headers })).status, 400)
  })
  await withCluster({}, async (_, sdk) => {
    await assert.rejects(
      sdk.managedClusters.resetServicePrincipalProfile('rg', 'c1', { clientId: other, secret: 'two' }),
      { statusCode: 400, message: /Updating service principal profile is not allowed on MSI cluster\./ },
    )
    await assert.rejects(sdk.managedClusters.resetServicePrincipalProfile('rg', 'c2', { clientId: other }), {
      statusCode: 404,
      code: 'ResourceNotFound',
    })
  })
})

test('the AAD profile is replaced as a whole, and the control plane follows', () =>
  withCluster({ aadProfile: { managed: true, adminGroupObjectIDs: [app] } }, async (opened, sdk) => {
    await sdk.managedClusters.resetAADProfile('rg', 'c1', { managed: true, enableAzureRbac: true })
    const { aadProfile } = await sdk.managedClusters.get('rg', 'c1')
    assert.deepEqual(
      [aadProfile?.enableAzureRbac, aadProfile?.adminGroupObjectIDs, aadProfile?.tenantID],
      [true, undefined, tenantId],
    )
    assert.deepEqual(opened.engine.status(cluster.toLowerCase())?.entra, {
      tenantId,
      signIn: true,
      azureRbac: true,
      workloadIdentity: false,
    })
    const put = (body: object) => opened.call('POST', `${cluster}/resetAADProfile`, { body })
    const off = await put({ managed: false, clientAppID: app })
    assert.deepEqual([off.status, /Disabling the managed Azure Active Directory/.test(off.text)], [400, true])
    const wrong = await put({ managed: 'yes' })
    assert.deepEqual([wrong.status, /cannot unmarshal/.test(wrong.text)], [400, true])
    const legacy = await put({ managed: true, serverAppID: app, serverAppSecret: 'hush' })
    assert.match(String(legacy.headers['warning']), /aadProfile\.serverAppID/)
    await opened.door.idle()
    assert.doesNotMatch((await opened.call('GET', cluster)).text, /hush/)
  }))

test('outbound dependencies are Azure’s, with those of the pools and add-ons that there are', async () => {
  const categories = async (sdk: ContainerServiceClient): Promise<ReadonlyMap<string, readonly unknown[]>> => {
    const found = new Map<string, readonly unknown[]>()
    for await (const { category, endpoints } of sdk.managedClusters.listOutboundNetworkDependenciesEndpoints(
      'rg',
      'c1',
    ))
      found.set(
        category!,
        endpoints!.map(({ domainName, endpointDetails }) => `${domainName}:${endpointDetails![0]!.port}`),
      )
    return found
  }
  await withCluster({}, async (_, sdk) => {
    const found = await categories(sdk)
    assert.deepEqual(
      [...found.keys()],
      [
        'azure-resource-management',
        'images',
        'artifacts',
        'time-sync',
        'ubuntu-optional',
        'apiserver',
        'tunnel-classic',
      ],
    )
    const { fqdn } = await sdk.managedClusters.get('rg', 'c1')
    assert.deepEqual(found.get('apiserver'), [`${fqdn}:443`])
    assert.deepEqual(found.get('time-sync'), ['ntp.ubuntu.com:123'])
    await assert.rejects(sdk.managedClusters.listOutboundNetworkDependenciesEndpoints('rg', 'c2').next(), {
      statusCode: 404,
    })
  })
  const more = {
    addonProfiles: { omsagent: { enabled: true }, azurepolicy: { enabled: true }, httpApplicationRouting: {} },
    agentPoolProfiles: [system, { name: 'gpu', mode: 'User', count: 0, vmSize: 'Standard_NC4as_T4_v3' }],
  }
  await withCluster(more, async (_, sdk) => {
    const found = await categories(sdk)
    assert.deepEqual(
      ['gpu', 'windows', 'addon-monitoring', 'addon-azure-policy'].map((name) => found.has(name)),
      [true, false, true, true],
    )
    assert.ok(found.get('addon-monitoring')?.includes('eastus.ingest.monitor.azure.com:443'))
  })
})

test('an identity binding tells whom it binds, is named as recorded, and binds an identity once', () =>
  withCluster({}, async (opened, sdk) => {
    const id = (name: string) => `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`
    const [one, two] = [id('one'), id('two')]
    const made = await opened.call('PUT', one, { body: { location: 'eastus' } })
    const identity = made.body!['properties'] as unknown as Record<string, string>
    await opened.call('PUT', two, { body: { location: 'eastus' } })
    const body = { properties: { managedIdentity: { resourceId: one } } }
    const path = `${cluster}/identityBindings`
    const first = await opened.call('PUT', `${path}/first`, { body })
    assert.equal(first.status, 201, first.text)
    assert.match(String(first.headers['warning']), /recorded without effect: identityBindings/)
    await opened.door.idle()
    const read = await sdk.identityBindings.get('rg', 'c1', 'first')
    assert.deepEqual(
      [read.properties?.provisioningState, read.properties?.oidcIssuer?.oidcIssuerUrl],
      ['Succeeded', `https://ib.oic.prod-aks.azure.com/${tenantId}/${identity['clientId']}`],
    )
    const { objectId, clientId } = read.properties!.managedIdentity
    assert.deepEqual([objectId, clientId], [identity['principalId'], identity['clientId']])
    assert.notEqual(read.eTag, undefined)
    const refused = async (name: string, resourceId: string | undefined, status: number, why: RegExp) => {
      const answer = await opened.call('PUT', `${path}/${name}`, {
        body: { properties: { managedIdentity: { resourceId } } },
      })
      assert.equal(answer.status, status, answer.text)
      assert.match(answer.text, why)
    }
    await refused('second', one, 400, /bound by identity binding 'first' already/)
    await refused('first', two, 400, /cannot be changed/)
    await refused('second', id('none'), 404, /ResourceNotFound/)
    await refused('second', cluster, 400, /not the id of a user-assigned identity/)
    await refused('second', undefined, 400, /resourceId is missing/)
    await refused('Second', two, 400, /must start with a lower-case letter/)
    await sdk.identityBindings.createOrUpdate('rg', 'c1', 'second', {
      properties: { managedIdentity: { resourceId: two } },
    })
    await sdk.identityBindings.delete('rg', 'c1', 'first')
    const names: (string | undefined)[] = []
    for await (const { name } of sdk.identityBindings.listByManagedCluster('rg', 'c1')) names.push(name)
    assert.deepEqual(names, ['second'])
  }))

test('a private cluster tells its private link resource; there are no private endpoints, and other clusters have no link', async () => {
  await withCluster({ apiServerAccessProfile: { enablePrivateCluster: true } }, async (_, sdk) => {
    const { value } = await sdk.privateLinkResources.list('rg', 'c1')
    assert.deepEqual(
      value?.map(({ name, groupId, requiredMembers }) => [name, groupId, requiredMembers]),
      [['management', 'management', ['management']]],
    )
    const resolved = await sdk.resolvePrivateLinkServiceId.post('rg', 'c1', { name: 'management' })
    assert.deepEqual([resolved.groupId, resolved.privateLinkServiceID], ['management', undefined])
    await assert.rejects(sdk.resolvePrivateLinkServiceId.post('rg', 'c1', { name: 'other' }), { statusCode: 400 })
    assert.deepEqual((await sdk.privateEndpointConnections.list('rg', 'c1')).value, [])
    await assert.rejects(sdk.privateEndpointConnections.get('rg', 'c1', 'pe'), {
      statusCode: 404,
      code: 'ResourceNotFound',
    })
    const state = { privateLinkServiceConnectionState: { status: 'Approved' } }
    await assert.rejects(sdk.privateEndpointConnections.update('rg', 'c1', 'pe', state), { statusCode: 404 })
    await sdk.privateEndpointConnections.delete('rg', 'c1', 'pe')
  })
  await withCluster({}, async (_, sdk) => {
    const cause = { statusCode: 400, message: /Private cluster is not enabled for managed cluster 'c1'\./ }
    await assert.rejects(sdk.privateLinkResources.list('rg', 'c1'), cause)
    await assert.rejects(sdk.resolvePrivateLinkServiceId.post('rg', 'c1', { name: 'management' }), cause)
    assert.deepEqual((await sdk.privateEndpointConnections.list('rg', 'c1')).value, [])
    await assert.rejects(sdk.privateEndpointConnections.list('rg', 'c2'), { statusCode: 404 })
  })
})

test('revisions of the mesh are listed, and upgrades of a cluster that has one', async () => {
  const mesh = { serviceMeshProfile: { mode: 'Istio', istio: { revisions: ['asm-1-28'] } } }
  await withCluster(mesh, async (opened, sdk) => {
    const profiles: (readonly (string | undefined)[] | undefined)[] = []
    for await (const { properties } of sdk.managedClusters.listMeshRevisionProfiles('eastus'))
      profiles.push(properties?.meshRevisions?.map(({ revision }) => revision))
    assert.deepEqual(profiles, [['asm-1-28', 'asm-1-29', 'asm-1-30']])
    assert.equal((await sdk.managedClusters.getMeshRevisionProfile('eastus', 'istio')).name, 'istio')
    await assert.rejects(sdk.managedClusters.getMeshRevisionProfile('eastus', 'linkerd'), { statusCode: 404 })
    const { properties } = await sdk.managedClusters.getMeshUpgradeProfile('rg', 'c1', 'istio')
    assert.deepEqual([properties?.revision, properties?.upgrades], ['asm-1-28', ['asm-1-29', 'asm-1-30']])
    assert.deepEqual(properties?.compatibleWith?.[0], { name: 'KubernetesOfficial', versions: ['1.34', '1.35'] })
    const list = await opened.call('GET', `${cluster}/meshUpgradeProfiles`)
    assert.equal((list.body!['value'] as unknown as unknown[]).length, 1)
  })
  await withCluster({}, async (opened, sdk) => {
    await assert.rejects(sdk.managedClusters.getMeshUpgradeProfile('rg', 'c1', 'istio'), {
      statusCode: 404,
      code: 'ResourceNotFound',
    })
    assert.equal((await opened.call('GET', `${cluster}/meshUpgradeProfiles`)).text, '{"value":[]}')
  })
})
