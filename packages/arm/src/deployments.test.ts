// Deployments of templates: what is made, in what order, what is told of it, and what a failure, a cancel or a restart leaves.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Store } from '@aksel/store/store'
import { createMemoryStore } from '@aksel/store/memory-store'
import { testScope } from '@aksel/testing/test-scope'
import { openFrontDoor, subscriptionId, type Answer, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourceGroups/rg`
const deployments = `${group}/providers/Microsoft.Resources/deployments`
const networks = `${group}/providers/Microsoft.Network`

const template = (parts: object): object => ({
  $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
  contentVersion: '1.0.0.0',
  ...parts,
})

async function opened(): Promise<OpenedFrontDoor> {
  const door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus', tags: { team: 'blue' } } })
  return door
}

/** Outlives the front door that it is handed to. */
function kept(store: Store): Store {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === Symbol.asyncDispose) return async () => {}
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

interface Deployed {
  readonly properties: {
    readonly provisioningState: string
    readonly outputs?: Readonly<Record<string, { readonly type: string; readonly value?: unknown }>>
    readonly error?: {
      readonly code: string
      readonly details?: readonly { readonly code: string; readonly target: string }[]
    }
    readonly parameters: Readonly<Record<string, { readonly type: string; readonly value?: unknown }>>
    readonly dependencies: readonly {
      readonly resourceName: string
      readonly dependsOn: readonly { readonly resourceName: string }[]
    }[]
    readonly outputResources?: readonly { readonly id: string }[]
  }
}

async function deploy(
  door: OpenedFrontDoor,
  name: string,
  parts: object,
  properties: object = {},
): Promise<{ readonly put: Answer; readonly deployed: Deployed; readonly text: string }> {
  const put = await door.call('PUT', `${deployments}/${name}`, {
    body: { properties: { mode: 'Incremental', template: template(parts), ...properties } },
  })
  await door.door.idle()
  const got = await door.call('GET', `${deployments}/${name}`)
  return { put, deployed: got.body as unknown as Deployed, text: got.text }
}

const vnet = (name: string, more: object = {}): object => ({
  type: 'Microsoft.Network/virtualNetworks',
  apiVersion: '2024-05-01',
  name,
  location: '[resourceGroup().location]',
  properties: { addressSpace: { addressPrefixes: ['10.1.0.0/16'] } },
  ...more,
})

const cluster = {
  type: 'Microsoft.ContainerService/managedClusters',
  apiVersion: '2025-10-01',
  name: "[parameters('clusterName')]",
  location: "[parameters('location')]",
  identity: { type: 'SystemAssigned' },
  properties: {
    dnsPrefix: "[format('{0}-{1}', parameters('clusterName'), uniqueString(resourceGroup().id))]",
    agentPoolProfiles: [{ name: 'system', mode: 'System', count: "[parameters('nodes')]", vmSize: 'Standard_D2s_v5' }],
  },
}

const clusterParameters = {
  clusterName: { type: 'string', defaultValue: 'aks1', minLength: 1, maxLength: 63 },
  location: { type: 'string', defaultValue: '[resourceGroup().location]' },
  nodes: { type: 'int', defaultValue: 1, minValue: 1, maxValue: 50 },
  adminPassword: { type: 'securestring' },
}

test('a cluster from a template: parameters, outputs by reference, operations, and no secret in any answer', async () => {
  await using door = await opened()
  const parts = {
    parameters: clusterParameters,
    resources: [cluster],
    outputs: {
      fqdn: {
        type: 'string',
        value: "[reference(resourceId('Microsoft.ContainerService/managedClusters', parameters('clusterName'))).fqdn]",
      },
      principal: {
        type: 'string',
        value: "[reference(parameters('clusterName'), '2025-10-01', 'Full').identity.type]",
      },
      secret: { type: 'securestring', value: "[parameters('adminPassword')]" },
    },
  }
  const given = { adminPassword: { value: 'hunter22-planted' }, nodes: { value: 2 } }
  const { put, deployed, text } = await deploy(door, 'd1', parts, { parameters: given })
  assert.equal(put.status, 201, put.text)
  assert.match(String(put.headers['azure-asyncoperation']), /deployments\/d1\/operationStatuses\/[0-9a-f-]+\?/)
  assert.equal(deployed.properties.provisioningState, 'Succeeded', text)
  const { outputs, parameters } = deployed.properties
  assert.match(String(outputs?.['fqdn']?.value), /aks1/)
  assert.deepEqual(outputs?.['principal'], { type: 'String', value: 'SystemAssigned' })
  assert.deepEqual(outputs?.['secret'], { type: 'SecureString' })
  assert.deepEqual(parameters['nodes'], { type: 'Int', value: 2 })
  const made = await door.call('GET', `${group}/providers/Microsoft.ContainerService/managedClusters/aks1`)
  assert.match(made.text, /"count":2/)
  const operations = await door.call('GET', `${deployments}/d1/operations`)
  assert.match(operations.text, /"provisioningOperation":"Create","provisioningState":"Succeeded"/)
  const exported = await door.call('POST', `${deployments}/d1/exportTemplate`)
  for (const answer of [text, put.text, operations.text, exported.text]) assert.doesNotMatch(answer, /hunter22/)
  const status = await door.call('GET', String(put.headers['azure-asyncoperation']).replace(/^https:\/\/[^/]+/, ''))
  assert.match(status.text, /"status":"Succeeded"/)
  assert.match(status.text, /"id":"\/subscriptions\/[^"]+\/deployments\/d1\/operationStatuses\/[0-9a-f-]+"/)
})

test('loops, conditions, children, nested templates in both scopes, in the order of their dependencies', async () => {
  await using door = await opened()
  const parts = {
    parameters: {
      names: { type: 'array', defaultValue: ['a', 'b', 'c'] },
      extra: { type: 'bool', defaultValue: false },
    },
    variables: { prefix: 'vnet' },
    resources: [
      {
        ...vnet("[format('{0}-{1}', variables('prefix'), parameters('names')[copyIndex()])]"),
        copy: { name: 'nets', count: "[length(parameters('names'))]", mode: 'Serial', batchSize: 1 },
        properties: { addressSpace: { addressPrefixes: ["[format('10.{0}.0.0/16', copyIndex(10))]"] } },
      },
      { ...vnet('never'), condition: "[parameters('extra')]" },
      {
        type: 'Microsoft.Network/virtualNetworks/subnets',
        apiVersion: '2024-05-01',
        name: 'vnet-a/apps',
        dependsOn: ['nets', 'never'],
        properties: { addressPrefix: "[cidrSubnet(reference('vnet-a').addressSpace.addressPrefixes[0], 24, 1)]" },
      },
      {
        type: 'Microsoft.Resources/deployments',
        apiVersion: '2022-09-01',
        name: 'inner',
        dependsOn: ["[resourceId('Microsoft.Network/virtualNetworks/subnets', 'vnet-a', 'apps')]"],
        properties: {
          mode: 'Incremental',
          expressionEvaluationOptions: { scope: 'Inner' },
          parameters: {
            range: {
              value:
                "[reference(resourceId('Microsoft.Network/virtualNetworks/subnets', 'vnet-a', 'apps')).addressPrefix]",
            },
          },
          template: template({
            parameters: { range: { type: 'string' } },
            resources: [],
            outputs: { seen: { type: 'string', value: "[concat('inner saw ', parameters('range'))]" } },
          }),
        },
      },
      {
        type: 'Microsoft.Resources/deployments',
        apiVersion: '2022-09-01',
        name: 'outer',
        properties: {
          mode: 'Incremental',
          template: template({
            resources: [vnet("[concat(variables('prefix'), '-outer-', length(parameters('names')))]")],
          }),
        },
      },
    ],
    outputs: {
      seen: { type: 'string', value: "[reference('inner').outputs.seen.value]" },
      ids: {
        type: 'array',
        copy: {
          count: 3,
          input: "[resourceId('Microsoft.Network/virtualNetworks', concat('vnet-', parameters('names')[copyIndex()]))]",
        },
      },
    },
  }
  const { deployed, text } = await deploy(door, 'd2', parts)
  assert.equal(deployed.properties.provisioningState, 'Succeeded', text)
  assert.equal(deployed.properties.outputs?.['seen']?.value, 'inner saw 10.10.1.0/24')
  assert.match(JSON.stringify(deployed.properties.outputs?.['ids']), /vnet-a.*vnet-b.*vnet-c/)
  const listed = await door.call('GET', `${networks}/virtualNetworks`)
  const names = (listed.body as unknown as { value: readonly { name: string }[] }).value
    .map(({ name }) => name)
    .toSorted()
  assert.deepEqual(names, ['vnet-a', 'vnet-b', 'vnet-c', 'vnet-outer-3'])
  const after = (name: string): readonly string[] =>
    deployed.properties.dependencies
      .find((one) => one.resourceName === name)
      ?.dependsOn.map((one) => one.resourceName) ?? []
  assert.deepEqual([after('vnet-c'), after('vnet-a/apps')], [['vnet-b'], ['vnet-a', 'vnet-b', 'vnet-c']])
})

test('what fails is told with the provider’s own error; what depends on it is not begun', async () => {
  await using door = await opened()
  const parts = {
    resources: [
      vnet('good'),
      vnet('bad', { properties: { addressSpace: { addressPrefixes: ['10.0.0.0/99'] } } }),
      vnet('after', { dependsOn: ['bad'] }),
    ],
  }
  const { deployed, text } = await deploy(door, 'd3', parts)
  assert.equal(deployed.properties.provisioningState, 'Failed', text)
  assert.equal(deployed.properties.error?.code, 'DeploymentFailed')
  assert.match(deployed.properties.error.details?.[0]?.target ?? '', /virtualNetworks\/bad$/)
  assert.equal((await door.call('GET', `${networks}/virtualNetworks/good`)).status, 200)
  assert.equal((await door.call('GET', `${networks}/virtualNetworks/after`)).status, 404)
  const operations = await door.call('GET', `${deployments}/d3/operations`)
  assert.match(operations.text, /"statusMessage":\{"status":"Failed"/)
  const again = await deploy(door, 'd3', { resources: [vnet('good'), vnet('after')] })
  assert.deepEqual([again.put.status, again.deployed.properties.provisioningState], [200, 'Succeeded'])
})

const wrong: readonly (readonly [string, object, RegExp])[] = [
  [
    'InvalidTemplate',
    { resources: [vnet('a', { dependsOn: ['b'] }), vnet('b', { dependsOn: ['a'] })] },
    /Circular dependency/,
  ],
  ['InvalidTemplate', { resources: [vnet('a', { dependsOn: ['nobody'] })] }, /'nobody' is not defined in the template/],
  ['InvalidTemplate', { resources: [vnet('a'), vnet('A')] }, /defined multiple times/],
  ['InvalidTemplate', { resources: [vnet("[nothing('a')]")] }, /The template function 'nothing' is not valid/],
  ['InvalidTemplate', { resources: [], parameters: { a: { type: 'string' } } }, /parameter 'a' is not provided/],
  [
    'InvalidTemplate',
    { resources: [], parameters: { a: { type: 'int', defaultValue: 'x' } } },
    /Expected 'Integer'. Actual 'String'/,
  ],
  ['InvalidTemplate', { parameters: {} }, /Required property 'resources' not found/],
  [
    'InvalidTemplateDeployment',
    { resources: [{ ...vnet('a'), type: 'Microsoft.Nothing/things' }] },
    /not valid according to the validation procedure/,
  ],
]

test('a template that cannot be is refused before anything is made, by validate in the same words', async () => {
  await using door = await opened()
  for (const [code, parts, words] of wrong) {
    const body = { properties: { mode: 'Incremental', template: template(parts) } }
    for (const [method, path] of [
      ['PUT', 'no'],
      ['POST', 'no/validate'],
    ] as const) {
      const answer = await door.call(method, `${deployments}/${path}`, { body })
      const { error } = answer.body as unknown as { error: { code: string; message: string } }
      assert.deepEqual([answer.status, error.code], [400, code], answer.text)
      assert.match(error.message, words)
    }
  }
  assert.equal((await door.call('GET', `${deployments}/no`)).status, 404)
  const unknown = {
    properties: { mode: 'Incremental', template: template({ resources: [] }), parameters: { x: { value: 1 } } },
  }
  assert.match(
    (await door.call('POST', `${deployments}/no/validate`, { body: unknown })).text,
    /The template parameters 'x'/,
  )
  const good = { properties: { mode: 'Incremental', template: template({ resources: [vnet('a')] }) } }
  const valid = await door.call('POST', `${deployments}/yes/validate`, { body: good })
  assert.match(valid.text, /"validatedResources":\[\{"id":"[^"]+virtualNetworks\/a"\}\]/)
  assert.equal((await door.call('GET', `${networks}/virtualNetworks/a`)).status, 404)
})

test('a complete deployment takes away what its template does not name; what-if says so beforehand', async () => {
  await using door = await opened()
  await deploy(door, 'first', { resources: [vnet('keep'), vnet('drop')] })
  const body = {
    properties: {
      mode: 'Complete',
      template: template({ resources: [vnet('keep', { tags: { a: 'b' } }), vnet('new')] }),
    },
  }
  const foreseen = await door.call('POST', `${deployments}/second/whatIf`, { body })
  const { changes } = (
    foreseen.body as unknown as { properties: { changes: readonly { resourceId: string; changeType: string }[] } }
  ).properties
  assert.deepEqual(
    changes.map(({ resourceId, changeType }) => `${resourceId.split('/').at(-1)} ${changeType}`),
    ['keep Modify', 'new Create', 'drop Delete'],
  )
  const put = await door.call('PUT', `${deployments}/second`, { body })
  assert.equal(put.status, 201, put.text)
  await door.door.idle()
  assert.equal((await door.call('GET', `${networks}/virtualNetworks/drop`)).status, 404)
  const same = await door.call('POST', `${deployments}/third/whatIf`, { body })
  assert.doesNotMatch(same.text, /Modify|Create|Delete/, same.text)
})

test('the text that az sends is read: comments, bare names, line ends in texts', async () => {
  await using door = await opened()
  const text = `{"properties": {"parameters": {}, "mode": "Incremental", template:{
    // made by hand
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "resources": [], /* none */
    "outputs": { "o": { "type": "string", "value": "[concat('a',
      'b')]" } }
  }}}`
  const put = await door.call('PUT', `${deployments}/loose`, { body: text })
  assert.equal(put.status, 201, put.text)
  await door.door.idle()
  assert.match((await door.call('GET', `${deployments}/loose`)).text, /"value":"ab"/)
  assert.equal((await door.call('PUT', `${deployments}/loose`, { body: '{"properties": {' })).status, 400)
})

test('at subscription scope a deployment makes groups, and deploys into them', async () => {
  await using door = await opened()
  const wide = `/subscriptions/${subscriptionId}/providers/Microsoft.Resources/deployments/wide`
  const resources = [
    {
      type: 'Microsoft.Resources/resourceGroups',
      apiVersion: '2022-09-01',
      name: 'made',
      location: 'westeurope',
      properties: {},
    },
    {
      type: 'Microsoft.Resources/deployments',
      apiVersion: '2022-09-01',
      name: 'into',
      resourceGroup: 'made',
      dependsOn: ['made'],
      properties: {
        mode: 'Incremental',
        expressionEvaluationOptions: { scope: 'inner' },
        template: template({ resources: [vnet('v')] }),
      },
    },
  ]
  const properties = { mode: 'Incremental', template: template({ resources }) }
  assert.equal((await door.call('PUT', wide, { body: { properties } })).status, 400)
  const put = await door.call('PUT', wide, { body: { location: 'westeurope', properties } })
  assert.equal(put.status, 201, put.text)
  await door.door.idle()
  const got = await door.call('GET', wide)
  assert.match(got.text, /"provisioningState":"Succeeded"/, got.text)
  const made = await door.call(
    'GET',
    `/subscriptions/${subscriptionId}/resourceGroups/made/providers/Microsoft.Network/virtualNetworks/v`,
  )
  assert.match(made.text, /"location":"westeurope"/)
})

test('a deployment that runs is active, can be cancelled, and begins nothing after that', async () => {
  await using door = await opened()
  const one = vnet("[format('v{0}', copyIndex())]", { copy: { name: 'all', count: 100, mode: 'serial', batchSize: 1 } })
  const body = { properties: { mode: 'Incremental', template: template({ resources: [one] }) } }
  assert.equal((await door.call('PUT', `${deployments}/slow`, { body })).status, 201)
  const twice = await door.call('PUT', `${deployments}/slow`, { body })
  assert.match(twice.text, /"code":"DeploymentActive"/)
  assert.equal((await door.call('DELETE', `${deployments}/slow`)).status, 409)
  assert.equal((await door.call('POST', `${deployments}/slow/cancel`)).status, 204)
  await door.door.idle()
  const got = await door.call('GET', `${deployments}/slow`)
  assert.match(got.text, /"provisioningState":"Canceled"/)
  assert.equal((await door.call('GET', `${networks}/virtualNetworks/v99`)).status, 404)
  assert.match((await door.call('POST', `${deployments}/slow/cancel`)).text, /DeploymentCannotBeCancelled/)
  assert.equal((await door.call('DELETE', `${deployments}/slow`)).status, 204)
  assert.equal((await door.call('HEAD', `${deployments}/slow`)).status, 404)
})

test('a server that ends in the middle leaves a deployment that the next one finishes', async () => {
  await using store = createMemoryStore(testScope())
  const parameters = { ...clusterParameters, id: { type: 'string', defaultValue: '[newGuid()]' } }
  const resources = [
    vnet("[concat('v-', parameters('id'))]"),
    cluster,
    vnet('last', { dependsOn: ["[parameters('clusterName')]"] }),
  ]
  const given = { adminPassword: { value: 'planted-again' } }
  const properties = { mode: 'Incremental', template: template({ parameters, resources }), parameters: given }
  {
    await using first = await openFrontDoor({ store: kept(store), neverReady: () => true })
    await first.call('PUT', group, { body: { location: 'eastus' } })
    assert.equal((await first.call('PUT', `${deployments}/half`, { body: { properties } })).status, 201)
    const half = await first.call('GET', `${deployments}/half`)
    assert.match(half.text, /"provisioningState":"Running"/)
  }
  await using second = await openFrontDoor({ store: kept(store) })
  await second.door.resume()
  await second.door.idle()
  const whole = await second.call('GET', `${deployments}/half`)
  assert.match(whole.text, /"provisioningState":"Succeeded"/, whole.text)
  const listed = await second.call('GET', `${networks}/virtualNetworks`)
  const names = (listed.body as unknown as { value: readonly { name: string }[] }).value.map(({ name }) => name)
  assert.equal(names.length, 2, names.join(' '))
  const { items } = await store.range({ prefix: 'hub/' })
  for (const { key, value } of items) assert.doesNotMatch(Buffer.from(value).toString(), /planted-again/, key)
})
