// A resource group as a template: what comes out deploys again, elsewhere, and gives the same template.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFrontDoor, subscriptionId, type Answer, type OpenedFrontDoor } from './testing/opened-front-door.ts'
import { otherClient } from './testing/other-client.ts'

const subscription = `/subscriptions/${subscriptionId}`
const group = `${subscription}/resourceGroups/rg`
const other = `${subscription}/resourceGroups/other`
const all = { resources: ['*'], options: 'IncludeParameterDefaultValue' }

interface Template {
  readonly parameters: Readonly<Record<string, { readonly defaultValue?: string }>>
  readonly resources: readonly {
    readonly type: string
    readonly name: string
    readonly dependsOn?: readonly string[]
    readonly properties: Readonly<Record<string, unknown>>
  }[]
}

async function opened(): Promise<OpenedFrontDoor> {
  const door = await openFrontDoor()
  for (const id of [group, other]) await door.call('PUT', id, { body: { location: 'eastus' } })
  const put = async (id: string, body: object): Promise<void> => {
    const answer = await door.call('PUT', id, { body: { location: 'eastus', ...body } })
    assert.ok(answer.status < 300, answer.text)
    await door.door.idle()
  }
  const networks = `${group}/providers/Microsoft.Network`
  await put(`${networks}/networkSecurityGroups/rules`, { properties: { securityRules: [] } })
  const networkSecurityGroup = { id: `${networks}/networkSecurityGroups/rules` }
  await put(`${networks}/virtualNetworks/v-1`, {
    properties: {
      addressSpace: { addressPrefixes: ['10.1.0.0/16'] },
      subnets: [{ name: 'nodes', properties: { addressPrefix: '10.1.0.0/24', networkSecurityGroup } }],
    },
  })
  const identity = `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app`
  await put(identity, { tags: { note: "[it's a tag]" } })
  await put(`${identity}/federatedIdentityCredentials/pod`, {
    properties: { issuer: 'https://issuer.example', subject: 's', audiences: ['a'] },
  })
  await put(`${group}/providers/Microsoft.ContainerService/managedClusters/c1`, {
    identity: { type: 'UserAssigned', userAssignedIdentities: { [identity]: {} } },
    tags: { note: 'x' },
    properties: {
      dnsPrefix: 'c1',
      agentPoolProfiles: [
        { name: 'system', mode: 'System', count: 1, vnetSubnetID: `${networks}/virtualNetworks/v-1/subnets/nodes` },
      ],
    },
  })
  return door
}

const exportOf = async (door: OpenedFrontDoor, id: string, body: object = all): Promise<Template> => {
  const answer = await door.call('POST', `${id}/exportTemplate`, { body })
  assert.equal(answer.status, 200, answer.text)
  return (answer.body as unknown as { readonly template: Template }).template
}

test('a group is exported as a template that deploys in another group and gives the same template there', async () => {
  await using door = await opened()
  const template = await exportOf(door, group)
  assert.deepEqual(
    Object.values(template.parameters)
      .map(({ defaultValue }) => defaultValue ?? '')
      .toSorted((left, right) => (left < right ? -1 : 1)),
    ['app', 'c1', 'rules', 'v-1'],
  )
  const cluster = template.resources.find(({ type }) => type === 'Microsoft.ContainerService/managedClusters')!
  assert.equal(cluster.name, "[parameters('managedClusters_c1_name')]")
  assert.deepEqual(cluster.dependsOn?.toSorted(), [
    "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', parameters('userAssignedIdentities_app_name'))]",
    "[resourceId('Microsoft.Network/virtualNetworks', parameters('virtualNetworks_v_1_name'))]",
  ])
  const text = JSON.stringify(template)
  for (const told of ['provisioningState', 'fqdn', 'principalId', 'resourceGuid', 'etag', subscriptionId])
    assert.doesNotMatch(text, new RegExp(`"[^"]*${told}`), told)
  assert.ok(template.resources.some(({ type }) => type.endsWith('/federatedIdentityCredentials')))
  // The name of the group of machines is of the first cluster: elsewhere it is another's.
  const resources = template.resources.map((one) => {
    const { nodeResourceGroup: _, ...properties } = one.properties
    return { ...one, properties }
  })
  const deployment = `${other}/providers/Microsoft.Resources/deployments/again`
  const properties = { mode: 'Incremental', template: { ...template, resources } }
  const put = await door.call('PUT', deployment, { body: { properties } })
  assert.ok(put.status < 300, put.text)
  await door.door.idle()
  const done = await door.call('GET', deployment)
  assert.match(done.text, /"provisioningState":"Succeeded"/, done.text)
  const again = await exportOf(door, other)
  const comparable = (one: Template): unknown =>
    JSON.parse(JSON.stringify(one).replaceAll(/"nodeResourceGroup":"[^"]*"/g, '"nodeResourceGroup":""'))
  assert.deepEqual(comparable(again), comparable(template))
})

test('chosen resources are exported, with their names themselves where that is asked for; what cannot be is refused', async () => {
  await using door = await opened()
  const id = `${group}/providers/Microsoft.Network/virtualNetworks/v-1`
  const template = await exportOf(door, group, { resources: [id], options: 'SkipResourceNameParameterization' })
  assert.deepEqual(
    template.resources.map(({ type, name }) => [type, name]),
    [['Microsoft.Network/virtualNetworks', "['v-1']"]],
  )
  assert.deepEqual(template.parameters, {})
  assert.match(JSON.stringify(template), /networkSecurityGroups\/rules/, 'what is not exported stays as it is')
  for (const body of [{}, { resources: [] }, { resources: [`${id}2`] }, { resources: ['*'], outputFormat: 'Bicep' }]) {
    const answer: Answer = await door.call('POST', `${group}/exportTemplate`, { body })
    assert.equal(answer.status, 400, JSON.stringify(body))
    assert.match(answer.text, /InvalidExportTemplateRequest/)
  }
  const stranger = await otherClient(door)
  await stranger.grant('acdd72a7-3385-48ef-bd42-f606fba81ae7', group)
  const refused = await stranger.call('POST', `${group}/exportTemplate`, { body: all })
  assert.equal(refused.status, 403, 'a reader may not')
  assert.match(refused.text, /Microsoft\.Resources\/subscriptions\/resourceGroups\/exportTemplate\/action/)
})
