// What AKS templates bring along besides clusters and networks: kept as written, read back exactly, and said to be no more.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFrontDoor, subscriptionId, tenantId, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourceGroups/rg`

async function opened(): Promise<OpenedFrontDoor> {
  const door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  return door
}

interface Kind {
  readonly type: string
  readonly name: string
  readonly body: object
  /** A property that the service made, and what it looks like. */
  readonly made: readonly [string, RegExp]
  readonly bad: readonly (readonly [string, object])[]
}

const kinds: readonly Kind[] = [
  {
    type: 'Microsoft.ManagedIdentity/userAssignedIdentities',
    name: 'aks-identity',
    body: {},
    made: ['clientId', /^[0-9a-f-]{36}$/],
    bad: [['a', {}]],
  },
  {
    type: 'Microsoft.ContainerRegistry/registries',
    name: 'registry1',
    body: { sku: { name: 'Standard' } },
    made: ['loginServer', /^registry1\./],
    bad: [
      ['no-hyphens', { sku: { name: 'Standard' } }],
      ['registry2', {}],
    ],
  },
  {
    type: 'Microsoft.OperationalInsights/workspaces',
    name: 'logs-1',
    body: { properties: { retentionInDays: 90 } },
    made: ['customerId', /^[0-9a-f-]{36}$/],
    bad: [['logs-2', { properties: { retentionInDays: 3 } }]],
  },
  {
    type: 'Microsoft.KeyVault/vaults',
    name: 'vault-1',
    body: { properties: { tenantId, sku: { family: 'A', name: 'standard' }, enableRbacAuthorization: true } },
    made: ['vaultUri', /^https:\/\/vault-1\./],
    bad: [
      ['vault-2', { properties: { sku: { family: 'A', name: 'standard' } } }],
      ['two--hyphens', { properties: { tenantId, sku: { name: 'standard' }, accessPolicies: [] } }],
    ],
  },
  {
    type: 'Microsoft.Insights/dataCollectionRules',
    name: 'MSCI-eastus-c1',
    body: {
      kind: 'Linux',
      properties: { dataFlows: [{ streams: ['Microsoft-ContainerLogV2'], destinations: ['ci'] }] },
    },
    made: ['immutableId', /^dcr-[0-9a-f]{32}$/],
    bad: [['a b', {}]],
  },
]

test('neighbours are written, kept through a second write, listed, patched and deleted', async () => {
  await using door = await opened()
  for (const { type, name, body, made } of kinds) {
    const path = `${group}/providers/${type}/${name}`
    const first = await door.call('PUT', path, { body: { location: 'East US', tags: { a: 'b' }, ...body } })
    assert.equal(first.status, 201, first.text)
    assert.match(String(first.headers['warning']), /nothing runs behind this resource/)
    const second = await door.call('PUT', path, { body: { location: 'eastus', ...body } })
    assert.equal(second.status, 200, second.text)
    const [property, form] = made
    const values = [first, second].map(
      (answer) => (answer.body as unknown as { properties: Record<string, string> }).properties[property]!,
    )
    assert.match(values[0]!, form)
    assert.equal(values[1], values[0], `${type} keeps its ${property}`)
    const patched = await door.call('PATCH', path, { body: { tags: { c: 'd' } } })
    assert.match(patched.text, /"tags":\{"c":"d"\}/)
    for (const list of [`${group}/providers/${type}`, `/subscriptions/${subscriptionId}/providers/${type}`]) {
      const listed = await door.call('GET', list)
      assert.equal((listed.body as unknown as { value: readonly unknown[] }).value.length, 1)
    }
  }
  const all = await door.call('GET', `${group}/resources`)
  assert.equal((all.body as unknown as { value: readonly unknown[] }).value.length, kinds.length)
  for (const { type, name } of kinds) {
    const path = `${group}/providers/${type}/${name}`
    assert.deepEqual([(await door.call('DELETE', path)).status, (await door.call('DELETE', path)).status], [200, 204])
    assert.match((await door.call('GET', path)).text, /"code":"ResourceNotFound"/)
  }
})

test('names and properties that Azure refuses are refused, and nothing is kept', async () => {
  await using door = await opened()
  for (const { type, bad } of kinds) {
    for (const [name, body] of bad) {
      const path = `${group}/providers/${type}/${encodeURIComponent(name)}`
      const answer = await door.call('PUT', path, { body: { location: 'eastus', ...body } })
      assert.equal(answer.status, 400, answer.text)
      assert.match(answer.text, /"code":"Invalid(ResourceName|ParameterValue)"/)
    }
  }
  assert.match((await door.call('GET', `${group}/resources`)).text, /"value":\[\]/)
})

test('the providers say which types they have, and a group takes its neighbours with it', async () => {
  await using door = await opened()
  for (const { type, name, body } of kinds)
    await door.call('PUT', `${group}/providers/${type}/${name}`, { body: { location: 'eastus', ...body } })
  const vault = await door.call('GET', `/subscriptions/${subscriptionId}/providers/Microsoft.KeyVault`)
  assert.match(vault.text, /"resourceType":"vaults"/)
  assert.equal((await door.call('DELETE', group)).status, 202)
  await door.door.idle()
  assert.equal((await door.call('HEAD', group)).status, 404)
  await door.call('PUT', group, { body: { location: 'eastus' } })
  assert.match((await door.call('GET', `${group}/resources`)).text, /"value":\[\]/)
})
