// What a deployment only points to, by the Azure SDK: templates at an address, beside another, in a template spec; parameters; and
// secrets of key vaults.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { DeploymentsClient } from '@azure/arm-resourcesdeployments'
import { openFrontDoor, subscriptionId, tenantId, type OpenedFrontDoor } from './testing/opened-front-door.ts'
import { otherClient } from './testing/other-client.ts'
import { sdkAccess } from './testing/sdk-access.ts'

const group = `/subscriptions/${subscriptionId}/resourceGroups/rg`
const spec = `${group}/providers/Microsoft.Resources/templateSpecs/network`
const vault = `${group}/providers/Microsoft.KeyVault/vaults/secrets-of-rg`

const template = (parts: object): object => ({
  $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
  contentVersion: '1.0.0.0',
  ...parts,
})

const network = template({
  parameters: { name: { type: 'string' } },
  resources: [
    {
      type: 'Microsoft.Network/virtualNetworks',
      apiVersion: '2024-05-01',
      name: "[parameters('name')]",
      location: '[resourceGroup().location]',
      properties: { addressSpace: { addressPrefixes: ['10.9.0.0/16'] } },
    },
  ],
  outputs: { name: { type: 'string', value: "[parameters('name')]" } },
})

/** Deploys the network that lies beside it, under a name of its own. */
const outer = template({
  resources: [
    {
      type: 'Microsoft.Resources/deployments',
      apiVersion: '2025-04-01',
      name: 'inner',
      properties: {
        mode: 'Incremental',
        templateLink: { relativePath: 'parts/network.json' },
        parameters: { name: { value: 'inside' } },
      },
    },
  ],
  outputs: { name: { type: 'string', value: "[reference('inner').outputs.name.value]" } },
})

interface Served extends AsyncDisposable {
  readonly url: string
}

async function serve(documents: Readonly<Record<string, string>>): Promise<Served> {
  const server = createServer((request, response) => {
    const text = documents[request.url ?? '']
    response.statusCode = text === undefined ? 404 : 200
    response.end(text ?? '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function opened(): Promise<OpenedFrontDoor & { readonly deployments: DeploymentsClient['deployments'] }> {
  const door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  const { credential, options } = sdkAccess(door)
  return Object.assign(door, { deployments: new DeploymentsClient(credential, subscriptionId, options).deployments })
}

const codeOf = (code: string) => (error: unknown) => {
  const { message, code: found } = error as { readonly message: string; readonly code?: string }
  assert.equal(found, code, message)
  return true
}

test('a template and its parameters are fetched from their addresses, and a template beside it too', async () => {
  await using door = await opened()
  await using files = await serve({
    '/network.json?sig=a': `// as people write them\n${JSON.stringify(network)}`,
    '/parameters.json': JSON.stringify({ contentVersion: '2.0.0.0', parameters: { name: { value: 'linked' } } }),
    '/outer.json': JSON.stringify(outer),
    '/parts/network.json': JSON.stringify(network),
    '/broken.json': '{',
  })
  const deployed = await door.deployments.createOrUpdate('rg', 'd1', {
    properties: {
      mode: 'Incremental',
      templateLink: { uri: `${files.url}/network.json`, queryString: 'sig=a', contentVersion: '1.0.0.0' },
      parametersLink: { uri: `${files.url}/parameters.json`, contentVersion: '2.0.0.0' },
    },
  })
  assert.deepEqual(deployed.properties?.outputs, { name: { type: 'String', value: 'linked' } })
  assert.equal(deployed.properties?.templateLink?.uri, `${files.url}/network.json`)
  const nested = await door.deployments.createOrUpdate('rg', 'd2', {
    properties: { mode: 'Incremental', templateLink: { uri: `${files.url}/outer.json` } },
  })
  assert.deepEqual(nested.properties?.outputs, { name: { type: 'String', value: 'inside' } })
  assert.equal((await door.call('GET', `${group}/providers/Microsoft.Network/virtualNetworks/inside`)).status, 200)
  for (const templateLink of [
    { uri: `${files.url}/nothing.json` },
    { uri: `${files.url}/broken.json` },
    { uri: `${files.url}/outer.json`, contentVersion: '9.0.0.0' },
    { uri: 'file:///etc/passwd' },
    { uri: 'http://127.0.0.1:1/closed.json' },
  ])
    await assert.rejects(
      async () => door.deployments.createOrUpdate('rg', 'd3', { properties: { mode: 'Incremental', templateLink } }),
      codeOf('InvalidContentLink'),
    )
  assert.equal((await door.call('GET', `${group}/providers/Microsoft.Resources/deployments/d3`)).status, 404)
})

test('a version of a template spec is deployed by its id, with what it links to; who may not read it may not deploy it', async () => {
  await using door = await opened()
  assert.equal(
    (
      await door.call('PUT', `${spec}/versions/1.0`, {
        body: { location: 'eastus', properties: { mainTemplate: network } },
      })
    ).status,
    404,
  )
  await door.call('PUT', spec, { body: { location: 'eastus', properties: { description: 'networks' } } })
  const linkedTemplates = [{ path: 'parts\\network.json', template: network }]
  const version = { location: 'eastus', properties: { mainTemplate: outer, linkedTemplates } }
  assert.equal((await door.call('PUT', `${spec}/versions/1.0`, { body: version })).status, 201)
  assert.equal((await door.call('PUT', `${spec}/versions/bad`, { body: { location: 'eastus' } })).status, 400)
  const id = `${spec}/versions/1.0`
  const properties = { mode: 'Incremental', templateLink: { id } } as const
  const deployed = await door.deployments.createOrUpdate('rg', 'd1', { properties })
  assert.deepEqual(deployed.properties?.outputs, { name: { type: 'String', value: 'inside' } })
  assert.equal(deployed.properties?.templateLink?.id, id)
  await assert.rejects(
    async () =>
      door.deployments.createOrUpdate('rg', 'd2', {
        properties: { mode: 'Incremental', templateLink: { id: `${spec}/versions/2.0` } },
      }),
    codeOf('ResourceNotFound'),
  )
  const stranger = await otherClient(door)
  await door.call('PUT', `/subscriptions/${subscriptionId}/resourceGroups/other`, { body: { location: 'eastus' } })
  await stranger.grant('b24988ac-6180-42a0-ab88-20f7382dd24c', `/subscriptions/${subscriptionId}/resourceGroups/other`)
  const elsewhere = `/subscriptions/${subscriptionId}/resourceGroups/other/providers/Microsoft.Resources/deployments/d`
  const refused = await stranger.call('PUT', elsewhere, { body: { properties } })
  assert.equal(refused.status, 403, refused.text)
  assert.match(refused.text, /templateSpecs\/versions\/read/)
  const expanded = await door.call('GET', `${spec}?$expand=versions`)
  assert.match(expanded.text, /"versions":\{"1\.0":/)
  assert.match((await door.call('GET', `${group}/resources`)).text, /Microsoft\.Resources\/templateSpecs"/)
  await door.call('DELETE', spec)
  assert.equal((await door.call('GET', `${spec}/versions/1.0`)).status, 404)
})

test('a parameter takes a secret of a key vault that is open to deployments, and nobody ever reads it', async () => {
  await using door = await opened()
  const vaultBody = (enabledForTemplateDeployment: boolean): object => ({
    location: 'eastus',
    properties: {
      tenantId,
      sku: { family: 'A', name: 'standard' },
      enableRbacAuthorization: true,
      enabledForTemplateDeployment,
    },
  })
  await door.call('PUT', vault, { body: vaultBody(true) })
  const set = (value: string): Promise<{ readonly text: string; readonly status: number }> =>
    door.call('PUT', `${vault}/secrets/admin`, { body: { properties: { value } } })
  assert.equal((await set('first secret')).status, 201)
  const secret = JSON.parse((await set('second secret')).text) as {
    readonly properties: { readonly secretUriWithVersion: string }
  }
  assert.match(secret.properties.secretUriWithVersion, /^https:\/\/secrets-of-rg\..*\/secrets\/admin\/[0-9a-f]{32}$/)
  for (const path of [`${vault}/secrets/admin`, `${vault}/secrets`, vault, `${group}/resources`])
    assert.doesNotMatch((await door.call('GET', path)).text, /first secret|second secret/, path)
  const parts = {
    parameters: { password: { type: 'securestring' } },
    resources: [],
    outputs: { length: { type: 'int', value: "[length(parameters('password'))]" } },
  }
  const from = (reference: object, name = 'd1') =>
    door.deployments.createOrUpdate('rg', name, {
      properties: {
        mode: 'Incremental',
        template: template(parts),
        parameters: { password: { reference: { keyVault: { id: vault }, ...reference } } },
      } as never,
    })
  const deployed = await from({ secretName: 'admin' })
  assert.deepEqual(deployed.properties?.outputs, { length: { type: 'Int', value: 'second secret'.length } })
  assert.doesNotMatch(
    (await door.call('GET', `${group}/providers/Microsoft.Resources/deployments/d1`)).text,
    /second secret/,
  )
  await assert.rejects(from({ secretName: 'nobody' }), codeOf('KeyVaultParameterReferenceSecretRetrieveFailed'))
  await assert.rejects(
    from({ secretName: 'admin', secretVersion: 'x' }),
    codeOf('KeyVaultParameterReferenceSecretRetrieveFailed'),
  )
  await assert.rejects(
    from({ secretName: 'admin', keyVault: { id: `${vault}2` } }),
    codeOf('KeyVaultParameterReferenceNotFound'),
  )
  await assert.rejects(from({ secretName: 'admin', keyVault: {} }), codeOf('KeyVaultParameterReferenceInvalid'))
  const stranger = await otherClient(door)
  const other = `/subscriptions/${subscriptionId}/resourceGroups/other`
  await door.call('PUT', other, { body: { location: 'eastus' } })
  await stranger.grant('b24988ac-6180-42a0-ab88-20f7382dd24c', other)
  const parameters = { password: { reference: { keyVault: { id: vault }, secretName: 'admin' } } }
  const refused = await stranger.call('PUT', `${other}/providers/Microsoft.Resources/deployments/d`, {
    body: { properties: { mode: 'Incremental', template: template(parts), parameters } },
  })
  assert.equal(refused.status, 403)
  assert.match(refused.text, /KeyVaultParameterReferenceAuthorizationFailed/)
  await door.call('PUT', vault, { body: vaultBody(false) })
  await assert.rejects(from({ secretName: 'admin' }), codeOf('KeyVaultParameterReferenceNotAllowed'))
  await door.call('DELETE', vault)
  await door.call('PUT', vault, { body: vaultBody(true) })
  assert.equal((await door.call('GET', `${vault}/secrets/admin`)).status, 404, 'secrets go with their vault')
})
