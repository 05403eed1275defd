// The Azure SDK for deployments, unmodified: create, validate, what-if, operations, failure, cancel.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DeploymentsClient } from '@azure/arm-resourcesdeployments'
import { openFrontDoor, subscriptionId, type OpenedFrontDoor } from './testing/opened-front-door.ts'
import { sdkAccess } from './testing/sdk-access.ts'

function sdkClient(opened: OpenedFrontDoor): DeploymentsClient {
  const { credential, options } = sdkAccess(opened)
  return new DeploymentsClient(credential, subscriptionId, options)
}

const template = (addressPrefix: string): object => ({
  $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
  contentVersion: '1.0.0.0',
  parameters: { name: { type: 'string' } },
  resources: [
    {
      type: 'Microsoft.Network/virtualNetworks',
      apiVersion: '2024-05-01',
      name: "[parameters('name')]",
      location: '[resourceGroup().location]',
      properties: { addressSpace: { addressPrefixes: [addressPrefix] } },
    },
  ],
  outputs: { id: { type: 'string', value: "[resourceId('Microsoft.Network/virtualNetworks', parameters('name'))]" } },
})

test('the SDK deploys a template, foresees it, lists its operations, and is told why one failed', async () => {
  await using opened = await openFrontDoor()
  await opened.call('PUT', `/subscriptions/${subscriptionId}/resourcegroups/rg`, { body: { location: 'eastus' } })
  const { deployments, deploymentOperations } = sdkClient(opened)
  const parameters = { name: { value: 'v1' } }
  const properties = { mode: 'Incremental', template: template('10.9.0.0/16'), parameters } as const
  const valid = await deployments.validate('rg', 'd1', { properties })
  assert.deepEqual(
    valid.properties?.validatedResources?.map(({ id }) => id?.split('/').at(-1)),
    ['v1'],
  )
  const foreseen = await deployments.whatIf('rg', 'd1', { properties })
  assert.deepEqual(
    foreseen.changes?.map(({ changeType }) => changeType),
    ['Create'],
  )
  const deployed = await deployments.createOrUpdate('rg', 'd1', { properties })
  assert.equal(deployed.properties?.provisioningState, 'Succeeded')
  const outputs = deployed.properties.outputs as { readonly id: { readonly value: string } }
  assert.match(outputs.id.value, /virtualNetworks\/v1$/)
  const operations: string[] = []
  for await (const { properties: one } of deploymentOperations.list('rg', 'd1'))
    operations.push(`${one?.provisioningOperation} ${one?.provisioningState} ${one?.targetResource?.resourceName}`)
  assert.deepEqual(operations, ['Create Succeeded v1'])
  assert.equal((await deployments.checkExistence('rg', 'd1')).body, true)
  await assert.rejects(
    deployments.createOrUpdate('rg', 'd2', { properties: { ...properties, template: template('10.9.0.0/99') } }),
    (error: Error) => /At least one resource deployment operation failed/.test(error.message),
  )
  await assert.rejects(deployments.cancel('rg', 'd2'), { code: 'DeploymentCannotBeCancelled' })
  await deployments.delete('rg', 'd1')
  await assert.rejects(deployments.get('rg', 'd1'), { code: 'DeploymentNotFound' })
})

test('a template with every common add-on deploys, and what has no effect here is named by the cluster', async () => {
  await using opened = await openFrontDoor()
  const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const { deployments } = sdkClient(opened)
  const path = join(import.meta.dirname, '..', '..', '..', 'examples', 'templates', 'aks-with-addons.json')
  const written = JSON.parse(readFileSync(path, 'utf8')) as object
  const properties = { mode: 'Incremental', template: written, parameters: { clusterName: { value: 'shop' } } } as const
  const deployed = await deployments.createOrUpdate('rg', 'addons', { properties })
  assert.equal(deployed.properties?.provisioningState, 'Succeeded')
  const outputs = deployed.properties.outputs as Readonly<Record<string, { readonly value: string }>>
  assert.match(outputs['fqdn']!.value, /^shop-.*\.hcp\.eastus\.azmk8s\.io$/)
  assert.match(outputs['issuer']!.value, /^https:\/\//)
  assert.match(outputs['loginServer']!.value, /^cr[a-z0-9]+\./)
  const cluster = await opened.call('GET', `${group}/providers/Microsoft.ContainerService/managedClusters/shop`)
  const shown = cluster.body as unknown as {
    readonly tags: Readonly<Record<string, string>>
    readonly properties: {
      readonly agentPoolProfiles: readonly unknown[]
      readonly aksel: { readonly recorded: readonly string[] }
    }
  }
  assert.equal(shown.tags['registry'], outputs['loginServer']!.value)
  assert.equal(shown.properties.agentPoolProfiles.length, 2)
  const { recorded } = shown.properties.aksel
  assert.ok(
    recorded.some((one) => one.startsWith('addonProfiles')),
    recorded.join(' '),
  )
  const again = await deployments.whatIf('rg', 'addons', { properties })
  const changed = again.changes?.filter(({ changeType }) => changeType !== 'NoChange' && changeType !== 'Ignore') ?? []
  assert.deepEqual(
    changed.map(({ resourceId, delta }) => [resourceId, JSON.stringify(delta)]),
    [],
  )
})
