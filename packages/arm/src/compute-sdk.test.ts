// The Azure SDK for compute, unmodified: sizes, and the scale sets and instances that a cluster's machines are in Azure.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ComputeManagementClient } from '@azure/arm-compute'
import { openFrontDoor, subscriptionId } from './testing/opened-front-door.ts'
import { sdkAccess } from './testing/sdk-access.ts'

test('sizes, and the scale sets of a node resource group with their instances, by the SDK', async () => {
  await using opened = await openFrontDoor()
  const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const agentPoolProfiles = [
    { name: 'system', mode: 'System', count: 2, vmSize: 'Standard_D4s_v5' },
    { name: 'apps', mode: 'User', count: 1, vmSize: 'Standard_D2s_v5' },
  ]
  const body = { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles } }
  await opened.call('PUT', `${group}/providers/Microsoft.ContainerService/managedClusters/c1`, { body })
  await opened.door.idle()
  const { credential, options } = sdkAccess(opened)
  const client = new ComputeManagementClient(credential, subscriptionId, options)
  const sizes = new Map<string, string>()
  for await (const { name, capabilities } of client.resourceSkus.list({ filter: "location eq 'eastus'" }))
    sizes.set(name!, capabilities?.find((one) => one.name === 'vCPUs')?.value ?? '')
  assert.deepEqual([sizes.get('Standard_D4s_v5'), sizes.get('Standard_NC4as_T4_v3')], ['4', '4'])
  const nodeGroup = 'MC_rg_c1_eastus'
  const sets: { name: string; capacity: number }[] = []
  for await (const { name, sku } of client.virtualMachineScaleSets.list(nodeGroup))
    sets.push({ name: name!, capacity: sku?.capacity ?? 0 })
  const system = sets.find(({ name }) => name.startsWith('aks-system-'))!
  assert.deepEqual([sets.length, system.capacity], [2, 2])
  const instances: string[] = []
  for await (const { instanceId, osProfile } of client.virtualMachineScaleSetVMs.list(nodeGroup, system.name))
    instances.push(`${instanceId} ${osProfile?.computerName}`)
  assert.deepEqual(instances, [`0 ${system.name}000000`, `1 ${system.name}000001`])
  await assert.rejects(client.virtualMachineScaleSets.get(nodeGroup, 'nobody'), { code: 'ResourceNotFound' })
  await assert.rejects(client.virtualMachineScaleSetVMs.get(nodeGroup, system.name, '7'), { code: 'ResourceNotFound' })
})
