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

test('names of registries and vaults are taken once, whatever the group, and told to be before', async () => {
  await using opened = await openFrontDoor()
  const [one, two] = ['rg', 'other'].map((name) => `/subscriptions/${subscriptionId}/resourceGroups/${name}`)
  for (const id of [one!, two!]) await opened.call('PUT', id, { body: { location: 'eastus' } })
  const registry = { location: 'eastus', sku: { name: 'Basic' } }
  const vault = {
    location: 'eastus',
    properties: { tenantId, sku: { family: 'A', name: 'standard' }, enableRbacAuthorization: true },
  }
  for (const [kind, name, body, code] of [
    ['Microsoft.ContainerRegistry/registries', 'images', registry, 'AlreadyInUse'],
    ['Microsoft.KeyVault/vaults', 'secrets', vault, 'VaultAlreadyExists'],
  ] as const) {
    const check = async (asked: string): Promise<readonly unknown[]> => {
      const path = `/subscriptions/${subscriptionId}/providers/${kind.split('/')[0]}/checkNameAvailability`
      const answer = await opened.call('POST', path, { body: { name: asked, type: kind } })
      const { nameAvailable, reason } = answer.body as unknown as { nameAvailable: boolean; reason?: string }
      return [nameAvailable, reason]
    }
    assert.deepEqual(await check(name), [true, undefined])
    assert.equal((await opened.call('PUT', `${one}/providers/${kind}/${name}`, { body })).status, 201)
    assert.equal((await opened.call('PUT', `${one}/providers/${kind}/${name}`, { body })).status, 200)
    assert.deepEqual(await check(name.toUpperCase()), [false, 'AlreadyExists'])
    assert.deepEqual(await check('-'), [false, 'Invalid'])
    const twin = await opened.call('PUT', `${two}/providers/${kind}/${name}`, { body })
    assert.equal(twin.status, 409, twin.text)
    assert.match(twin.text, new RegExp(code))
  }
})

test('clusters are associated with data collection rules, and each side lists the other', async () => {
  await using opened = await openFrontDoor()
  const rg = `/subscriptions/${subscriptionId}/resourceGroups/rg`
  await opened.call('PUT', rg, { body: { location: 'eastus' } })
  const cluster = `${rg}/providers/Microsoft.ContainerService/managedClusters/c1`
  const agentPoolProfiles = [{ name: 'system', mode: 'System', count: 1 }]
  await opened.call('PUT', cluster, {
    body: { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles } },
  })
  await opened.door.idle()
  const rule = `${rg}/providers/Microsoft.Insights/dataCollectionRules/metrics`
  await opened.call('PUT', rule, { body: { location: 'eastus', properties: {} } })
  const all = `${cluster}/providers/Microsoft.Insights/dataCollectionRuleAssociations`
  const put = (name: string, properties: object) => opened.call('PUT', `${all}/${name}`, { body: { properties } })
  const made = await put('metrics', { dataCollectionRuleId: rule })
  assert.equal(made.status, 201, made.text)
  assert.match(String(made.headers['warning']), /recorded without effect/)
  assert.equal((await put('metrics', { dataCollectionRuleId: rule })).status, 200)
  for (const [name, properties] of [
    ['none', {}],
    ['gone', { dataCollectionRuleId: `${rule}2` }],
    ['endpoint', { dataCollectionEndpointId: rule }],
  ] as const)
    assert.equal((await put(name, properties)).status, 400, name)
  const idsOf = async (path: string): Promise<readonly string[]> =>
    ((await opened.call('GET', path)).body as unknown as { value: readonly { id: string }[] }).value.map(({ id }) =>
      id.toLowerCase(),
    )
  const expected = [`${all}/metrics`.toLowerCase()]
  assert.deepEqual(await idsOf(all), expected)
  assert.deepEqual(await idsOf(`${rule}/associations`), expected)
  assert.equal((await opened.call('DELETE', `${all}/metrics`)).status, 200)
  assert.deepEqual(await idsOf(`${rule}/associations`), [])
  assert.equal(
    (
      await opened.call('PUT', `${cluster}2/providers/Microsoft.Insights/dataCollectionRuleAssociations/x`, {
        body: { properties: { dataCollectionRuleId: rule } },
      })
    ).status,
    404,
  )
})
