// What clients lean on besides clusters: paths, headers, groups, pages, metadata, tags, what is read back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodes } from '@aksel/api/resources'
import { instanceOf } from '@aksel/provider/cloud-instance'
import { clientId, openFrontDoor, subscriptionId, tenantId, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const sub = `/subscriptions/${subscriptionId}`
const group = `${sub}/resourcegroups/rg`
const clusters = `${group}/providers/Microsoft.ContainerService/managedClusters`
const system = { name: 'system', mode: 'System', count: 1 }

async function withCluster(opened: OpenedFrontDoor, properties: object = {}, more: object = {}): Promise<void> {
  await opened.call('PUT', group, { body: { location: 'East US', tags: { team: 'blue' } } })
  const answer = await opened.call('PUT', `${clusters}/c1`, {
    body: { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles: [system], ...properties }, ...more },
  })
  assert.equal(answer.status, 201, answer.text)
  await opened.door.idle()
}

async function properties(
  opened: OpenedFrontDoor,
  path = `${clusters}/c1`,
): Promise<Readonly<Record<string, unknown>>> {
  const { body } = await opened.call('GET', path)
  return body?.['properties'] as unknown as Readonly<Record<string, unknown>>
}

test('groups are created, read, tagged, listed and deleted', async () => {
  await using opened = await openFrontDoor()
  assert.equal((await opened.call('HEAD', group)).status, 404)
  assert.equal((await opened.call('PUT', group, { body: { location: 'East US' } })).status, 201)
  assert.equal((await opened.call('PUT', group, { body: { location: 'eastus', tags: { a: '1' } } })).status, 200)
  assert.equal((await opened.call('HEAD', group)).status, 204)
  const patched = await opened.call('PATCH', group, { body: { tags: { b: '2' } } })
  assert.deepEqual(patched.body, {
    id: `/subscriptions/${subscriptionId}/resourceGroups/rg`,
    name: 'rg',
    type: 'Microsoft.Resources/resourceGroups',
    location: 'eastus',
    tags: { b: '2' },
    properties: { provisioningState: 'Succeeded' },
  })
  const deleted = await opened.call('DELETE', group)
  assert.equal(deleted.status, 202)
  assert.equal((await opened.call('GET', String(deleted.headers['location']))).status, 204)
  assert.equal((await opened.call('GET', group)).status, 404)
})

test('deleting a group deletes the clusters in it', async () => {
  await using opened = await openFrontDoor()
  await withCluster(opened)
  const deleted = await opened.call('DELETE', group)
  const status = await opened.call('GET', String(deleted.headers['azure-asyncoperation']))
  assert.equal(status.body?.['status'], 'Succeeded', status.text)
  assert.deepEqual([opened.engine.clusters.size, opened.machines(false).list().length], [0, 0])
  assert.equal((await opened.call('GET', `${sub}/resourcegroups`)).text, '{"value":[]}')
})

test('paths and ids compare without regard to case, and names keep their casing', async () => {
  await using opened = await openFrontDoor()
  await withCluster(opened)
  const shouted = await opened.call('GET', clusters.toUpperCase().concat('/C1'))
  assert.equal(shouted.status, 200)
  assert.equal(shouted.body?.['name'], 'c1')
  assert.equal(shouted.body?.['id'], `${sub}/resourcegroups/rg/providers/Microsoft.ContainerService/managedClusters/c1`)
})

test('every answer carries request and correlation ids', async () => {
  await using opened = await openFrontDoor()
  const headers = {
    'x-ms-correlation-request-id': 'mine',
    'x-ms-client-request-id': 'call-1',
    'x-ms-return-client-request-id': 'true',
  }
  const answer = await opened.call('GET', sub, { headers })
  assert.equal(answer.headers['x-ms-correlation-request-id'], 'mine')
  assert.equal(answer.headers['x-ms-client-request-id'], 'call-1')
  assert.match(String(answer.headers['x-ms-request-id']), /^[0-9a-f-]{36}$/)
  assert.equal(answer.headers['cache-control'], 'no-cache')
})

test('lists come in pages whose link can be followed', async () => {
  await using opened = await openFrontDoor()
  for (const name of ['a', 'b', 'c'])
    await opened.call('PUT', `${sub}/resourcegroups/${name}`, { body: { location: 'eastus' } })
  const first = await opened.call('GET', `${sub}/resourcegroups?$top=2`)
  const link = first.body?.['nextLink'] as unknown as string
  assert.ok(link.startsWith(opened.url))
  const second = await opened.call('GET', link)
  assert.deepEqual(
    (second.body!['value'] as unknown as { name: string }[]).map(({ name }) => name),
    ['c'],
  )
  assert.equal(second.body?.['nextLink'], undefined)
})

test('a cluster is filled in as the service fills it in', async () => {
  await using opened = await openFrontDoor()
  await withCluster(opened, { kubernetesVersion: '1.35' }, { identity: { type: 'SystemAssigned' } })
  const { body } = await opened.call('GET', `${clusters}/c1`)
  const got = await properties(opened)
  assert.equal(body?.['type'], 'Microsoft.ContainerService/ManagedClusters')
  assert.deepEqual(body?.['sku'], { name: 'Base', tier: 'Free' })
  assert.equal((body!['identity'] as unknown as { tenantId: string }).tenantId, tenantId)
  assert.equal((body!['systemData'] as unknown as { createdBy: string }).createdBy, clientId)
  assert.deepEqual(
    [
      got['kubernetesVersion'],
      got['currentKubernetesVersion'],
      got['nodeResourceGroup'],
      got['maxAgentPools'],
      got['enableRBAC'],
    ],
    ['1.35', '1.35.7', 'MC_rg_c1_eastus', 100, true],
  )
  assert.deepEqual(got['servicePrincipalProfile'], { clientId: 'msi' })
  assert.deepEqual(got['networkProfile'], {
    networkPlugin: 'azure',
    networkPluginMode: 'overlay',
    networkPolicy: 'none',
    networkDataplane: 'azure',
    loadBalancerSku: 'standard',
    loadBalancerProfile: { managedOutboundIPs: { count: 1 }, backendPoolType: 'nodeIPConfiguration' },
    podCidr: '10.244.0.0/16',
    podCidrs: ['10.244.0.0/16'],
    serviceCidr: '10.0.0.0/16',
    serviceCidrs: ['10.0.0.0/16'],
    dnsServiceIP: '10.0.0.10',
    outboundType: 'loadBalancer',
    ipFamilies: ['IPv4'],
  })
  assert.match(JSON.stringify(got['identityProfile']), /userAssignedIdentities\/c1-agentpool/)
  const network = await opened.call(
    'GET',
    `${sub}/resources?$filter=resourceType eq 'Microsoft.Network/virtualNetworks'`,
  )
  assert.match(
    network.text,
    /resourceGroups\/MC_rg_c1_eastus\/providers\/Microsoft\.Network\/virtualNetworks\/aks-vnet-\d{8}/,
  )
})

test('what changes nothing here is read back exactly, and named', async () => {
  await using opened = await openFrontDoor()
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const given = {
    autoScalerProfile: { 'daemonset-eviction-for-empty-nodes': true },
    somethingNew: { deep: [1, { x: null, y: 'z' }] },
    networkProfile: { networkPlugin: 'azure', networkPluginMode: 'overlay', outboundType: 'none' },
  }
  const put = await opened.call('PUT', `${clusters}/c1`, {
    body: {
      location: 'eastus',
      properties: { dnsPrefix: 'c1', agentPoolProfiles: [{ ...system, enableUltraSSD: true }], ...given },
    },
  })
  assert.equal(
    put.headers['warning'],
    '199 aksel "recorded without effect: autoScalerProfile.daemonset-eviction-for-empty-nodes, somethingNew, system.enableUltraSSD"',
  )
  await opened.door.idle()
  const got = await properties(opened)
  assert.deepEqual(got['autoScalerProfile'], given.autoScalerProfile)
  assert.deepEqual(got['somethingNew'], { deep: [1, { y: 'z' }] })
  assert.deepEqual((got['aksel'] as { recorded: unknown }).recorded, [
    'autoScalerProfile.daemonset-eviction-for-empty-nodes',
    'somethingNew',
  ])
  const again = await opened.call('PUT', `${clusters}/c1`, { body: { location: 'eastus', properties: got } })
  assert.equal(again.status, 200, again.text)
})

test('secrets are written and never read', async () => {
  await using opened = await openFrontDoor()
  await withCluster(opened, { servicePrincipalProfile: { clientId: 'x', secret: 'hush' } })
  const { text } = await opened.call('GET', `${clusters}/c1`)
  assert.ok(!text.includes('hush'))
})

test('a simulated pool says so in its tags, its body and on its nodes', async () => {
  await using opened = await openFrontDoor()
  const hollow = { name: 'hollow', count: 2, tags: { 'aksel.simulated': 'true', team: 'blue' } }
  await withCluster(opened, { agentPoolProfiles: [system, hollow] })
  assert.equal(opened.machines(true).list().length, 2)
  assert.equal(opened.machines(false).list().length, 1)
  const pool = await properties(opened, `${clusters}/c1/agentPools/hollow`)
  assert.deepEqual(pool['tags'], { team: 'blue', 'aksel.simulated': 'true' })
  assert.deepEqual(pool['aksel'], { simulated: true, recorded: [] })
  const client = opened.engine.client([...opened.engine.clusters.keys()][0]!)
  const labelled = client.peekAll(nodes).filter(({ metadata }) => metadata.labels?.['aksel.dev/simulated'] === 'true')
  assert.equal(labelled.length, 2)
})

test('a machine is ordered with the resource that it is in Azure, and registers with the labels of AKS', async () => {
  await using opened = await openFrontDoor()
  const properties = { ...system, osSKU: 'AzureLinux', availabilityZones: ['2'], vmSize: 'Standard_D4ds_v5' }
  await withCluster(opened, { agentPoolProfiles: [properties] })
  const [spec] = opened.machines(false).specs.values()
  const [, digits] = /^aks-system-(\d{8})-vmss000000$/.exec(spec!.name)!
  const group = `/subscriptions/${subscriptionId}/resourceGroups/mc_`
  const rest = `/providers/Microsoft.Compute/virtualMachineScaleSets/aks-system-${digits}-vmss/virtualMachines/0`
  const { resourceId, region } = spec!.cloud!
  assert.equal(resourceId, `${group}rg_c1_eastus${rest}`)
  const instance = instanceOf(spec!, 'Running')!
  assert.deepEqual([instance.instanceType, instance.zone], ['Standard_D4ds_v5', `${region}-2`])
  const ours = Object.entries(spec!.labels).map(([name, value]) => [name.replace('kubernetes.azure.com/', ''), value])
  const { cluster: _, 'node-image-version': __, ...labels } = Object.fromEntries(ours) as Record<string, string>
  assert.deepEqual(labels, {
    agentpool: 'system',
    mode: 'system',
    role: 'agent',
    managedby: 'aks',
    'nodepool-type': 'VirtualMachineScaleSets',
    priority: 'regular',
    'os-sku': 'AzureLinux',
    'os-sku-requested': 'AzureLinux',
    'os-sku-effective': 'AzureLinux3',
    storageprofile: 'managed',
    storagetier: 'Premium_LRS',
    'sku-cpu': '4',
    'sku-memory': '16384',
    'network-name': `aks-vnet-${digits}`,
    'network-subnet': 'aks-subnet',
  })
})

test('a Windows pool is simulated, and says so; its nodes are of Windows', async () => {
  await using opened = await openFrontDoor()
  await withCluster(opened, { agentPoolProfiles: [system, { name: 'win', count: 1, osType: 'Windows' }] })
  assert.deepEqual([opened.machines(true).list().length, opened.machines(false).list().length], [1, 1])
  const pool = await properties(opened, `${clusters}/c1/agentPools/win`)
  assert.deepEqual([pool['osSKU'], pool['tags']], ['Windows2022', { 'aksel.simulated': 'true' }])
  assert.match(String(pool['nodeImageVersion']), /^AKSWindows-2022-/)
  const [spec] = opened.machines(true).specs.values()
  assert.equal(spec!.labels['kubernetes.io/os'], 'windows')
  const put = async (name: string, given: object): Promise<unknown> => {
    const answer = await opened.call('PUT', `${clusters}/c1/agentPools/${name}`, { body: { properties: given } })
    return [answer.status, (answer.body as unknown as { code: string }).code]
  }
  assert.deepEqual(await put('windows', { osType: 'Windows' }), [400, 'InvalidParameter'])
  assert.deepEqual(await put('sys', { osType: 'Windows', mode: 'System' }), [400, 'InvalidParameter'])
  assert.deepEqual(await put('two', { osType: 'Windows', osSKU: 'Ubuntu' }), [400, 'InvalidParameter'])
})

test('where the host has no real machines every cluster says that it is simulated', async () => {
  await using opened = await openFrontDoor({ simulatedByDefault: true })
  await withCluster(opened)
  const { body } = await opened.call('GET', `${clusters}/c1`)
  assert.deepEqual(body?.['tags'], { 'aksel.simulated': 'true' })
})

test('labels and taints of a pool come to the nodes that are there', async () => {
  await using opened = await openFrontDoor()
  await withCluster(opened, {
    agentPoolProfiles: [{ ...system, nodeLabels: { old: '1' }, nodeTaints: ['a=b:NoSchedule'] }],
  })
  const path = `${clusters}/c1/agentPools/system`
  const put = await opened.call('PUT', path, {
    body: { properties: { nodeLabels: { fresh: '2' }, nodeTaints: ['c=d:NoExecute'] } },
  })
  assert.equal(put.status, 200, put.text)
  await opened.door.idle()
  const [node] = opened.engine.client([...opened.engine.clusters.keys()][0]!).peekAll(nodes)
  assert.equal(node?.metadata.labels?.['fresh'], '2')
  assert.equal(node?.metadata.labels?.['old'], undefined)
  assert.deepEqual(node?.spec.taints, [{ key: 'c', value: 'd', effect: 'NoExecute' }])
})

test('the cloud describes itself in the shapes that clients ask for', async () => {
  await using opened = await openFrontDoor()
  const ask = async (version: string): Promise<string> =>
    (await opened.call('GET', `/metadata/endpoints?api-version=${version}`, { token: null })).text
  assert.match(await ask('2015-01-01'), /"loginEndpoint":"https:\/\/127\.0\.0\.1:\d+\/adfs"/)
  assert.match(await ask('2022-09-01'), /"tenant":"common","identityProvider":"AAD"/)
  assert.match(await ask('2019-05-01'), /^\[/)
  const openId = await opened.call('GET', `/${tenantId}/v2.0/.well-known/openid-configuration`, { token: null })
  assert.equal(openId.body?.['token_endpoint'], `${opened.url}/${tenantId}/oauth2/v2.0/token`)
})

test('a running operation says what is being done, and answers early when asked to', async () => {
  let release: () => void = () => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  await using opened = await openFrontDoor({ prepareCluster: () => held })
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const put = await opened.call('PUT', `${clusters}/c1`, {
    body: { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles: [system] } },
  })
  assert.equal(put.headers['retry-after'], '1')
  const address = String(put.headers['azure-asyncoperation'])
  const running = await opened.call('GET', address, { headers: { prefer: 'wait=0' } })
  assert.equal(running.body?.['status'], 'InProgress')
  assert.deepEqual(running.body?.['properties'], { step: 'Installing what every cluster has in c1' })
  assert.equal(running.headers['preference-applied'], 'wait')
  release()
  assert.equal((await opened.call('GET', address)).body?.['status'], 'Succeeded')
})

test('a machine that was ordered down stays down until it is booted, whatever is written meanwhile', async () => {
  await using opened = await openFrontDoor()
  await withCluster(opened)
  const machines = `${clusters}/c1/machines`
  const { body } = await opened.call('GET', machines)
  const [machine] = body!['value'] as unknown as readonly { readonly name: string }[]
  const stopped = await opened.call('POST', `${machines}/${machine!.name}/kill`)
  assert.deepEqual([stopped.status, stopped.body?.['state'], stopped.body?.['heldBy']], [200, 'Stopped', 'kill'])
  await opened.call('PATCH', `${clusters}/c1`, { body: { tags: { a: 'b' } } })
  await opened.door.resume()
  await opened.door.idle()
  assert.equal(opened.machines(false).list()[0]?.state, 'Stopped')
  const booted = await opened.call('POST', `${machines}/${machine!.name}/boot`)
  assert.deepEqual([booted.body?.['state'], booted.body?.['heldBy']], ['Running', undefined])
  const wrong = await opened.call('POST', `${machines}/${machine!.name}/explode`)
  assert.match(wrong.text, /There is no order \\"explode\\"; the orders are: boot, reboot/)
  assert.equal((await opened.call('POST', `${machines}/nothing/boot`)).status, 404)
  assert.match(
    (await opened.call('POST', `${machines}/${machine!.name}/slow`, { body: { bitsPerSecond: -1 } })).text,
    /positive number/,
  )
})
