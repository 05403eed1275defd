// Terraform's life of a configuration: create, refresh without a change, update, refresh, destroy, as azurerm asks for it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Azurerm, drift, versions, type Body } from './testing/azurerm.ts'
import { openFrontDoor, subscriptionId } from './testing/opened-front-door.ts'

const subscription = `/subscriptions/${subscriptionId}`
const group = `${subscription}/resourceGroups/tf`
const network = `${group}/providers/Microsoft.Network/virtualNetworks/vnet`
const subnet = `${network}/subnets/nodes`
const workspace = `${group}/providers/Microsoft.OperationalInsights/workspaces/tf-logs`
const identity = `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/tf-identity`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/tf-aks`
const pool = `${cluster}/agentPools/apps`

const tags = { Environment: 'Test', 'hidden-title': 'Größe' }

/** What azurerm sends of a default node pool: it names every default. */
const defaultPool = (more: Body = {}): Body => ({
  name: 'system',
  count: 1,
  enableAutoScaling: false,
  enableEncryptionAtHost: false,
  enableFIPS: false,
  enableNodePublicIP: false,
  enableUltraSSD: false,
  maxPods: 50,
  mode: 'System',
  nodeLabels: { team: 'Blue' },
  nodeTaints: [],
  orchestratorVersion: '',
  osDiskSizeGB: 64,
  osDiskType: 'Managed',
  osSKU: 'Ubuntu',
  osType: 'Linux',
  scaleDownMode: 'Delete',
  tags,
  type: 'VirtualMachineScaleSets',
  upgradeSettings: { maxSurge: '33%', drainTimeoutInMinutes: 20, nodeSoakDurationInMinutes: 1 },
  vmSize: 'Standard_D4s_v5',
  vnetSubnetID: subnet,
  ...more,
})

const clusterBody = (more: Body = {}): Body => ({
  location: 'westeurope',
  identity: { type: 'UserAssigned', userAssignedIdentities: { [identity]: {} } },
  sku: { name: 'Base', tier: 'Standard' },
  tags,
  properties: {
    addonProfiles: {
      omsagent: { enabled: true, config: { logAnalyticsWorkspaceResourceID: workspace, useAADAuth: 'true' } },
      azurepolicy: { enabled: false },
      azureKeyvaultSecretsProvider: {
        enabled: true,
        config: { enableSecretRotation: 'true', rotationPollInterval: '2m' },
      },
    },
    agentPoolProfiles: [defaultPool()],
    apiServerAccessProfile: { authorizedIPRanges: [], disableRunCommand: false, enablePrivateCluster: false },
    autoScalerProfile: { expander: 'least-waste', 'scan-interval': '20s' },
    autoUpgradeProfile: { nodeOSUpgradeChannel: 'NodeImage', upgradeChannel: 'patch' },
    disableLocalAccounts: false,
    dnsPrefix: 'tf-aks',
    enableRBAC: true,
    kubernetesVersion: '1.35',
    metricsProfile: { costAnalysis: { enabled: true } },
    networkProfile: {
      dnsServiceIP: '10.200.0.10',
      loadBalancerProfile: { managedOutboundIPs: { count: 1 } },
      loadBalancerSku: 'standard',
      networkPlugin: 'azure',
      networkPluginMode: 'overlay',
      networkPolicy: 'cilium',
      networkDataplane: 'cilium',
      outboundType: 'loadBalancer',
      podCidr: '10.244.0.0/16',
      serviceCidr: '10.200.0.0/16',
    },
    nodeResourceGroup: 'tf-nodes',
    oidcIssuerProfile: { enabled: true },
    securityProfile: { imageCleaner: { enabled: true, intervalHours: 48 }, workloadIdentity: { enabled: true } },
    servicePrincipalProfile: { clientId: 'msi' },
    storageProfile: {
      blobCSIDriver: { enabled: true },
      diskCSIDriver: { enabled: true },
      fileCSIDriver: { enabled: true },
    },
    supportPlan: 'KubernetesOfficial',
    workloadAutoScalerProfile: { keda: { enabled: true } },
    ...more,
  },
})

const poolBody = (more: Body = {}): Body => {
  const { name: _, ...properties } = defaultPool({
    mode: 'User',
    nodeLabels: { tier: 'Web' },
    nodeTaints: ['tier=web:NoSchedule'],
    ...more,
  })
  return { properties }
}

/** The read that follows every create and update, and begins every plan. */
async function refresh(azurerm: Azurerm): Promise<Body> {
  const read = (await azurerm.get(cluster, versions.cluster))!
  const { kubeconfigs } = (await azurerm.post(`${cluster}/listClusterUserCredential`, versions.cluster)) as {
    readonly kubeconfigs: readonly { readonly name: string; readonly value: string }[]
  }
  const config = Buffer.from(kubeconfigs.find(({ name }) => name === 'clusterUser')!.value, 'base64').toString()
  assert.match(config, /certificate-authority-data: \S+/)
  assert.match(config, /client-certificate-data: \S+|token: \S+|command: kubelogin/)
  for (const name of ['default', 'aksManagedAutoUpgradeSchedule', 'aksManagedNodeOSUpgradeSchedule'])
    await azurerm.get(`${cluster}/maintenanceConfigurations/${name}`, versions.cluster)
  const { identityProfile, nodeResourceGroup, agentPoolProfiles } = read['properties'] as {
    readonly identityProfile: { readonly kubeletidentity: { readonly resourceId: string } }
    readonly nodeResourceGroup: string
    readonly agentPoolProfiles: readonly Body[]
  }
  assert.match(
    identityProfile.kubeletidentity.resourceId,
    /^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+\/providers\/Microsoft\.ManagedIdentity\/userAssignedIdentities\/[^/]+$/i,
  )
  assert.ok(nodeResourceGroup.length > 0 && agentPoolProfiles.every(({ mode }) => mode !== undefined))
  return read
}

async function createAll(azurerm: Azurerm): Promise<void> {
  await azurerm.create(group, versions.group, { location: 'westeurope', tags })
  for (let successes = 0; successes < 3; successes += 1)
    assert.ok((await azurerm.get(group, versions.group)) !== undefined)
  await azurerm.create(network, versions.network, {
    location: 'westeurope',
    tags,
    properties: { addressSpace: { addressPrefixes: ['10.1.0.0/16'] }, dhcpOptions: { dnsServers: [] }, subnets: [] },
  })
  await azurerm.create(subnet, versions.network, {
    properties: { addressPrefix: '10.1.0.0/20', privateEndpointNetworkPolicies: 'Disabled', serviceEndpoints: [] },
  })
  const logs = { location: 'westeurope', tags, properties: { sku: { name: 'PerGB2018' }, retentionInDays: 30 } }
  assert.deepEqual(drift(logs, await azurerm.create(workspace, versions.workspace, logs)), [])
  const keys = await azurerm.post(`${workspace}/sharedKeys`, versions.workspace)
  assert.ok(String(keys['primarySharedKey']).length > 40 && keys['primarySharedKey'] !== keys['secondarySharedKey'])
  const made = await azurerm.create(identity, versions.identity, { location: 'westeurope', tags })
  const { principalId } = made['properties'] as { readonly principalId: string }
  const filter = encodeURIComponent("roleName eq 'Network Contributor'")
  const roles = await azurerm.get(
    `${subnet}/providers/Microsoft.Authorization/roleDefinitions?$filter=${filter}`,
    versions.definition,
  )
  const [role] = roles!['value'] as readonly { readonly id: string }[]
  const assignment = `${subnet}/providers/Microsoft.Authorization/roleAssignments/5f9c2ba9-3b5e-4f0f-8f1c-0d7a3a5b1c2d`
  const grant = { properties: { roleDefinitionId: role!.id, principalId, principalType: 'ServicePrincipal' } }
  assert.deepEqual(drift(grant, await azurerm.create(assignment, versions.assignment, grant)), [])
  await azurerm.create(cluster, versions.cluster, clusterBody())
  assert.ok((await azurerm.get(pool, versions.cluster)) === undefined)
  await azurerm.get(`${cluster}/availableAgentPoolVersions`, versions.cluster)
  await azurerm.create(pool, versions.cluster, poolBody())
  for (const path of [network, subnet]) {
    const { provisioningState } = (await azurerm.get(path, versions.network))!['properties'] as Body
    assert.equal(provisioningState, 'Succeeded')
  }
}

test('a configuration is created, refreshed without a change, updated, and destroyed', async () => {
  await using opened = await openFrontDoor()
  const azurerm = await Azurerm.start(opened)
  await createAll(azurerm)
  assert.deepEqual(drift(clusterBody(), await refresh(azurerm)), [])
  assert.deepEqual(drift(poolBody(), await azurerm.get(pool, versions.cluster)), [])
  assert.deepEqual(drift({ location: 'westeurope', tags }, await azurerm.get(group, versions.group)), [])

  // An update reads the whole cluster, changes what the configuration changes, and writes the whole of it.
  const before = await refresh(azurerm)
  const properties = before['properties'] as Body
  const autoUpgradeProfile = { nodeOSUpgradeChannel: 'SecurityPatch', upgradeChannel: 'stable' }
  await azurerm.put(cluster, versions.cluster, {
    ...before,
    tags: { a: 'B' },
    properties: { ...properties, autoUpgradeProfile },
  })
  const after = await refresh(azurerm)
  assert.deepEqual(drift({ tags: { a: 'B' }, properties: { autoUpgradeProfile } }, after), [])
  const untouched = { ...(clusterBody()['properties'] as Body), autoUpgradeProfile }
  assert.deepEqual(drift({ properties: untouched }, after), [])
  assert.equal((after['tags'] as Body)['Environment'], undefined, 'tags are replaced as a whole')

  // A scale of a pool writes the pool that was read.
  const read = (await azurerm.get(pool, versions.cluster))!
  await azurerm.put(pool, versions.cluster, { ...read, properties: { ...(read['properties'] as Body), count: 2 } })
  assert.deepEqual(drift(poolBody({ count: 2 }), await azurerm.get(pool, versions.cluster)), [])

  await azurerm.destroy(pool, versions.cluster)
  await azurerm.destroy(cluster, versions.cluster)
  for (const [path, version] of [
    [identity, versions.identity],
    [workspace, versions.workspace],
    [subnet, versions.network],
    [network, versions.network],
  ] as const)
    await azurerm.destroy(path, version)
  await azurerm.destroyGroup(group)
  assert.equal(
    await azurerm.get('/subscriptions/' + subscriptionId + '/resourceGroups/tf-nodes', versions.group),
    undefined,
  )
})

test('a second apply of the same configuration changes nothing: no machine is made anew, no property moves', async () => {
  await using opened = await openFrontDoor()
  const azurerm = await Azurerm.start(opened)
  await createAll(azurerm)
  const machines = (): readonly string[] =>
    opened
      .machines(false)
      .list()
      .map(({ name }) => name)
      .toSorted()
  const [names, before] = [machines(), await refresh(azurerm)]
  const whole = clusterBody({
    agentPoolProfiles: [defaultPool(), { ...(poolBody()['properties'] as Body), name: 'apps' }],
  })
  await azurerm.put(cluster, versions.cluster, whole)
  await azurerm.put(pool, versions.cluster, poolBody())
  const after = await refresh(azurerm)
  assert.deepEqual(machines(), names)
  const stable = (read: Body): unknown => {
    const { agentPoolProfiles, ...kept } = read['properties'] as Body
    const pools = (agentPoolProfiles as readonly Body[]).map((each) => ({ ...each, eTag: '' }))
    return { ...read, eTag: '', systemData: '', properties: kept, pools }
  }
  assert.deepEqual(stable(after), stable(before))
})

test('drift() sees what a plan would show', () => {
  assert.deepEqual(drift({ a: 'B', b: [{ name: 'x', c: 1 }] }, { b: [{ name: 'x', c: 1 }], a: 'B', more: 1 }), [])
  assert.deepEqual(drift({ a: '', b: [], c: { d: false } }, {}), [])
  assert.deepEqual(drift({ a: 'B', b: { c: 1 } }, { a: 'b' }), ['a: "B" is read as "b"', 'b.c: 1 is read as nothing'])
  assert.deepEqual(drift([1, 2], [1]), [': [1,2] is read as [1]'])
})
