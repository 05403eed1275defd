// Locks, tags of any scope, and moves: what people manage about resources rather than in them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { targetOf } from './front-door/request-target.ts'
import { openFrontDoor, subscriptionId, type Answer, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const subscription = `/subscriptions/${subscriptionId}`
const group = `${subscription}/resourceGroups/rg`
const identity = `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app`
const lockAt = (scope: string): string => `${scope}/providers/Microsoft.Authorization/locks/keep`

async function opened(): Promise<OpenedFrontDoor> {
  const door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  await door.call('PUT', identity, { body: { location: 'eastus', tags: { team: 'blue', cost: '1' } } })
  return door
}

const refusalOf = ({ status, body }: Answer): readonly [number, string] => [
  status,
  (body as unknown as { readonly error: { readonly code: string } } | undefined)?.error.code ?? '',
]
const lock = (level: string): { readonly body: object } => ({ body: { properties: { level, notes: 'n' } } })
const locked = [409, 'ScopeLocked']

test('targetOf() names the scope and the action of a request', () => {
  const of = (method: string, url: string): unknown => {
    const target = targetOf({ method, url })
    return target === undefined ? undefined : [target.action, target.scopeId]
  }
  assert.equal(of('GET', '/tenants?api-version=1'), undefined)
  assert.deepEqual(of('DELETE', '/subscriptions/s/resourceGroups/g?x=1'), [
    'Microsoft.Resources/subscriptions/resourceGroups/delete',
    '/subscriptions/s/resourceGroups/g',
  ])
  assert.deepEqual(of('GET', '/subscriptions/s//resourceGroups/'), [
    'Microsoft.Resources/subscriptions/resourceGroups/read',
    '/subscriptions/s',
  ])
  const cluster = '/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c'
  assert.deepEqual(of('POST', `${cluster}/stop?api-version=1`), [
    'Microsoft.ContainerService/managedClusters/stop/action',
    cluster,
  ])
  assert.deepEqual(of('PUT', `${cluster}/agentPools/p`), [
    'Microsoft.ContainerService/managedClusters/agentPools/write',
    `${cluster}/agentPools/p`,
  ])
  assert.deepEqual(of('GET', '/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks'), [
    'Microsoft.Network/virtualNetworks/read',
    '/subscriptions/s/resourceGroups/g',
  ])
  assert.deepEqual(of('DELETE', `${lockAt(cluster)}`), ['Microsoft.Authorization/locks/delete', lockAt(cluster)])
})

test('a lock against deletion holds at its scope, above it and below it, until it is taken away', async () => {
  await using door = await opened()
  assert.equal((await door.call('PUT', lockAt(identity), lock('CanNotDelete'))).status, 201)
  assert.equal((await door.call('PUT', lockAt(identity), lock('canNotDelete'))).status, 200)
  assert.deepEqual(refusalOf(await door.call('DELETE', identity.toLowerCase())), locked)
  assert.deepEqual(refusalOf(await door.call('DELETE', group)), locked, 'what is deleted takes the locked one along')
  assert.equal((await door.call('PATCH', identity, { body: { tags: {} } })).status, 200, 'it may be changed')
  const listed = (await door.call('GET', `${group}/providers/Microsoft.Authorization/locks`)).body?.['value'] as unknown
  assert.deepEqual(
    (listed as readonly { readonly id: string }[]).map(({ id }) => id),
    [lockAt(identity)],
  )
  assert.equal((await door.call('DELETE', lockAt(identity))).status, 200)
  assert.equal((await door.call('DELETE', lockAt(identity))).status, 204)
  assert.equal((await door.call('DELETE', identity)).status, 200)
})

test('a group that is read only takes no write, no action and no deployment, and reads go on', async () => {
  await using door = await opened()
  await door.call('PUT', lockAt(group), lock('ReadOnly'))
  assert.deepEqual(refusalOf(await door.call('PATCH', identity, { body: { tags: {} } })), locked)
  assert.deepEqual(refusalOf(await door.call('PUT', group, { body: { location: 'eastus' } })), locked)
  const credentials = `${group}/providers/Microsoft.ContainerService/managedClusters/c/listClusterUserCredential`
  assert.deepEqual(refusalOf(await door.call('POST', credentials)), locked)
  const deployment = `${group}/providers/Microsoft.Resources/deployments/d`
  assert.deepEqual(refusalOf(await door.call('PUT', deployment, { body: {} })), locked)
  assert.equal((await door.call('GET', identity)).status, 200)
  const other = `${subscription}/resourceGroups/rg2`
  assert.equal(
    (await door.call('PUT', other, { body: { location: 'eastus' } })).status,
    201,
    'a longer name is another group',
  )
})

test('a lock in the group of machines keeps the cluster, and names and levels are judged', async () => {
  await using door = await opened()
  const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c`
  const properties = { dnsPrefix: 'c', agentPoolProfiles: [{ name: 'a', mode: 'System', count: 1 }] }
  await door.call('PUT', cluster, { body: { location: 'eastus', properties } })
  await door.door.idle()
  const machines = `${subscription}/resourceGroups/MC_rg_c_eastus`
  assert.equal((await door.call('PUT', lockAt(machines), lock('CanNotDelete'))).status, 201)
  assert.deepEqual(refusalOf(await door.call('DELETE', cluster)), locked)
  assert.deepEqual(refusalOf(await door.call('DELETE', group)), locked)
  await door.call('DELETE', lockAt(machines))
  assert.equal((await door.call('DELETE', cluster)).status, 202)
  assert.deepEqual(refusalOf(await door.call('GET', lockAt(group))), [404, 'LockNotFound'])
  assert.deepEqual(refusalOf(await door.call('PUT', lockAt(group), lock('Sometimes'))), [400, 'InvalidLockLevel'])
  assert.deepEqual(refusalOf(await door.call('PUT', `${lockAt(group)}%3F`, lock('ReadOnly'))), [400, 'InvalidLockName'])
  assert.deepEqual(refusalOf(await door.call('PUT', lockAt(`${identity}2`), lock('ReadOnly'))), [
    404,
    'ResourceNotFound',
  ])
})

test('tags are merged, replaced and taken away through tags/default, of groups and resources alike', async () => {
  await using door = await opened()
  const tags = async (scope: string, operation: string, given: object): Promise<unknown> => {
    const body = { operation, properties: { tags: given } }
    const answer = await door.call('PATCH', `${scope}/providers/Microsoft.Resources/tags/default`, { body })
    return (answer.body as unknown as { readonly properties: { readonly tags: unknown } }).properties.tags
  }
  assert.deepEqual(await tags(identity, 'Merge', { TEAM: 'red', more: 'x' }), { cost: '1', TEAM: 'red', more: 'x' })
  assert.deepEqual(await tags(identity, 'Delete', { team: '' }), { cost: '1', more: 'x' })
  assert.deepEqual((await door.call('GET', identity)).body?.['tags'], { cost: '1', more: 'x' })
  assert.deepEqual(await tags(group, 'Replace', { env: 'dev' }), { env: 'dev' })
  assert.deepEqual((await door.call('GET', group)).body?.['tags'], { env: 'dev' })
  const path = `${group}/providers/Microsoft.Resources/tags/default`
  assert.deepEqual(refusalOf(await door.call('PATCH', path, { body: { operation: 'Sum' } })), [
    400,
    'InvalidTagsOperation',
  ])
  assert.equal((await door.call('DELETE', path)).status, 200)
  assert.deepEqual((await door.call('GET', group)).body?.['tags'], {})
})

test('a move is refused before anything is touched', async () => {
  await using door = await opened()
  const body = { resources: [identity], targetResourceGroup: `${subscription}/resourceGroups/else` }
  for (const action of ['validateMoveResources', 'moveResources'])
    assert.deepEqual(refusalOf(await door.call('POST', `${group}/${action}`, { body })), [
      409,
      'ResourceMoveNotSupported',
    ])
  assert.equal((await door.call('GET', identity)).status, 200)
})

test('a group goes with the record of a deployment that failed', { timeout: 60_000 }, async () => {
  await using door = await opened()
  const resource = {
    type: 'Microsoft.ManagedIdentity/userAssignedIdentities',
    apiVersion: '2023-01-31',
    name: 'i1',
    location: 'eastus',
  }
  const $schema = 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#'
  const template = { $schema, contentVersion: '1.0.0.0', resources: [resource] }
  const deployment = `${group}/providers/Microsoft.Resources/deployments/d`
  const made = await door.call('PUT', deployment, { body: { properties: { mode: 'Incremental', template } } })
  assert.equal(made.status, 201, made.text)
  await door.door.idle()
  assert.equal((await door.call('DELETE', group)).status, 202)
  await door.door.idle()
  assert.equal((await door.call('GET', group)).status, 404)
})

test('tag names and values are made beforehand, counted as they are used, and not taken away while they are', async () => {
  await using door = await opened()
  const tags = `${subscription}/tagNames`
  assert.equal((await door.call('PUT', `${tags}/season`)).status, 201)
  assert.equal((await door.call('PUT', `${tags}/season`)).status, 200)
  assert.equal((await door.call('PUT', `${tags}/season/tagValues/autumn`)).status, 201)
  assert.deepEqual(refusalOf(await door.call('PUT', `${tags}/nothing/tagValues/x`)), [404, 'TagNameNotFound'])
  interface Listed {
    readonly tagName: string
    readonly count: { readonly value: number }
    readonly values: readonly { readonly tagValue: string; readonly count: { readonly value: number } }[]
  }
  const listed = async (): Promise<object> => {
    const { value } = (await door.call('GET', tags)).body as unknown as { readonly value: readonly Listed[] }
    const of = ({ count, values }: Listed): object => ({
      all: count.value,
      ...Object.fromEntries(values.map((one) => [one.tagValue, one.count.value])),
    })
    return Object.fromEntries(value.map((one) => [one.tagName, of(one)]))
  }
  assert.deepEqual(await listed(), {
    cost: { all: 1, '1': 1 },
    season: { all: 0, autumn: 0 },
    team: { all: 1, blue: 1 },
  })
  assert.deepEqual(refusalOf(await door.call('DELETE', `${tags}/team`)), [409, 'TagInUse'])
  assert.equal((await door.call('DELETE', `${tags}/season/tagValues/autumn`)).status, 200)
  assert.equal((await door.call('DELETE', `${tags}/season/tagValues/autumn`)).status, 204)
  assert.equal((await door.call('DELETE', `${tags}/season`)).status, 200)
  assert.deepEqual(Object.keys(await listed()).toSorted(), ['cost', 'team'])
})
