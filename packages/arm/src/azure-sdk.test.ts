// The Azure SDK for JavaScript, unmodified, against the front door: what users' programs do.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ContainerServiceClient } from '@azure/arm-containerservice'
import { nodes } from '@aksel/api/resources'
import { openFrontDoor, subscriptionId, type OpenedFrontDoor } from './testing/opened-front-door.ts'
import { sdkAccess } from './testing/sdk-access.ts'

function sdkClient(opened: OpenedFrontDoor, secret?: string): ContainerServiceClient {
  const { credential, options } = sdkAccess(opened, secret)
  return new ContainerServiceClient(credential, subscriptionId, options)
}

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

test('the SDK creates a cluster of two pools, lists, scales, fetches credentials and deletes it', async () => {
  await using opened = await openFrontDoor()
  await opened.call('PUT', `/subscriptions/${subscriptionId}/resourcegroups/rg1`, { body: { location: 'eastus' } })
  const client = sdkClient(opened)
  const created = await client.managedClusters.createOrUpdate('rg1', 'c1', {
    location: 'eastus',
    identity: { type: 'SystemAssigned' },
    dnsPrefix: 'c1-rg1',
    agentPoolProfiles: [
      { name: 'system', mode: 'System', count: 1, vmSize: 'Standard_D2s_v5' },
      { name: 'work', mode: 'User', count: 2, vmSize: 'Standard_D4s_v5', nodeLabels: { team: 'blue' } },
    ],
  })
  assert.equal(created.provisioningState, 'Succeeded')
  assert.equal(created.kubernetesVersion, '1.35.7')
  assert.equal(created.nodeResourceGroup, 'MC_rg1_c1_eastus')
  assert.match(created.fqdn ?? '', /^c1-rg1-[0-9a-f]{8}\.hcp\.eastus\.azmk8s\.io$/)
  assert.deepEqual(
    created.agentPoolProfiles?.map(({ name, count, maxPods }) => ({ name, count, maxPods })),
    [
      { name: 'system', count: 1, maxPods: 250 },
      { name: 'work', count: 2, maxPods: 250 },
    ],
  )

  const inCluster = opened.engine.client([...opened.engine.clusters.keys()][0]!)
  const names = inCluster.peekAll(nodes).map(({ metadata }) => metadata.name)
  assert.deepEqual(names.map((name) => name.replace(/\d{8}/, 'DIGITS')).toSorted(), [
    'aks-system-DIGITS-vmss000000',
    'aks-work-DIGITS-vmss000000',
    'aks-work-DIGITS-vmss000001',
  ])

  assert.deepEqual(
    (await collect(client.managedClusters.list())).map(({ name }) => name),
    ['c1'],
  )
  assert.deepEqual(
    (await collect(client.managedClusters.listByResourceGroup('rg1'))).map(({ name }) => name),
    ['c1'],
  )

  const pool = await client.agentPools.get('rg1', 'c1', 'system')
  const scaled = await client.agentPools.createOrUpdate('rg1', 'c1', 'system', { ...pool, count: 3 })
  assert.deepEqual([scaled.count, scaled.provisioningState], [3, 'Succeeded'])
  assert.equal(inCluster.peekAll(nodes).length, 5)

  const credentials = await client.managedClusters.listClusterAdminCredentials('rg1', 'c1')
  assert.equal(credentials.kubeconfigs?.[0]?.name, 'clusterAdmin')
  assert.match(Buffer.from(credentials.kubeconfigs[0].value!).toString(), /^apiVersion: v1\n/)

  await client.agentPools.delete('rg1', 'c1', 'work')
  assert.deepEqual(
    (await collect(client.agentPools.list('rg1', 'c1'))).map(({ name }) => name),
    ['system'],
  )

  await client.managedClusters.delete('rg1', 'c1')
  await assert.rejects(client.managedClusters.get('rg1', 'c1'), { statusCode: 404, code: 'ResourceNotFound' })
  assert.equal(opened.engine.clusters.size, 0)
  assert.equal(opened.fabric.networks.size, 0)
  assert.deepEqual(opened.machines(false).list(), [])
})

test('the SDK reads the Kubernetes versions on offer', async () => {
  await using opened = await openFrontDoor()
  const { values } = await sdkClient(opened).managedClusters.listKubernetesVersions('eastus')
  assert.deepEqual(
    values?.map(({ version, isDefault, patchVersions }) => ({
      version,
      isDefault,
      patches: Object.keys(patchVersions ?? {}),
    })),
    [
      { version: '1.34', isDefault: undefined, patches: ['1.34.10'] },
      { version: '1.35', isDefault: true, patches: ['1.35.7'] },
      { version: '1.36', isDefault: undefined, patches: ['1.36.3'] },
    ],
  )
})

test('the SDK is told of a failed create with the code and the words', async () => {
  await using opened = await openFrontDoor({ neverReady: () => true, limits: { readyTimeoutMs: 0 } })
  await opened.call('PUT', `/subscriptions/${subscriptionId}/resourcegroups/rg1`, { body: { location: 'eastus' } })
  const create = sdkClient(opened).managedClusters.createOrUpdate('rg1', 'c1', {
    location: 'eastus',
    dnsPrefix: 'c1',
    agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1 }],
  })
  await assert.rejects(create, /1 of 1 nodes were not Ready/)
  const cluster = await sdkClient(opened).managedClusters.get('rg1', 'c1')
  assert.equal(cluster.provisioningState, 'Failed')
  assert.equal(cluster.status?.provisioningError?.code, 'VMExtensionProvisioningTimeout')
})

test('a wrong secret gets no token', async () => {
  await using opened = await openFrontDoor()
  await assert.rejects(collect(sdkClient(opened, 'wrong').managedClusters.list()), /AADSTS7000215/)
})
