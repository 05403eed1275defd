// Clusters of the SKU Automatic over HTTP: presets, guard rails, moving there and back; node resource groups that are locked down.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { automaticPresets } from './resource-providers/container-service/automatic.ts'
import { openFrontDoor, subscriptionId, type Answer, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`

interface Shown {
  readonly sku: object
  readonly properties: Readonly<Record<string, unknown>> & {
    readonly agentPoolProfiles: readonly Readonly<Record<string, unknown>>[]
    readonly nodeResourceGroup: string
    readonly aksel: { readonly recorded: readonly string[] }
  }
}

async function opened(): Promise<OpenedFrontDoor> {
  const door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  return door
}

async function put(door: OpenedFrontDoor, sku: object | undefined, properties: object = {}): Promise<Answer> {
  const body = {
    location: 'eastus',
    ...(sku === undefined ? {} : { sku }),
    properties: { dnsPrefix: 'c1', ...properties },
  }
  const answer = await door.call('PUT', cluster, { body })
  await door.door.idle()
  return answer
}

const shown = async (door: OpenedFrontDoor): Promise<Shown> =>
  (await door.call('GET', cluster)).body as unknown as Shown

const valueAt = (from: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], from)

test('an Automatic cluster comes with its presets, a tainted system pool and the tier Standard', async () => {
  await using door = await opened()
  const made = await put(door, { name: 'Automatic' })
  assert.equal(made.status, 201, made.text)
  const { sku, properties } = await shown(door)
  assert.deepEqual(sku, { name: 'Automatic', tier: 'Standard' })
  assert.equal(properties['provisioningState'], 'Succeeded')
  for (const { path, value } of automaticPresets) assert.deepEqual(valueAt(properties, path), value, path)
  const [pool] = properties.agentPoolProfiles
  assert.deepEqual(
    [pool!['name'], pool!['mode'], pool!['nodeTaints']],
    ['systempool', 'System', ['CriticalAddonsOnly=true:NoSchedule']],
  )
  // What is there for show alone says so.
  for (const path of ['nodeProvisioningProfile', 'networkProfile.networkDataplane'])
    assert.ok(
      properties.aksel.recorded.some((recorded) => recorded.startsWith(path)),
      `${path} in ${properties.aksel.recorded.join()}`,
    )
})

test('what an Automatic cluster may not be, and a stop of one, are refused', async () => {
  await using door = await opened()
  const taint = 'CriticalAddonsOnly=true:NoSchedule'
  const pool = { name: 'system', mode: 'System', count: 1, nodeTaints: [taint] }
  for (const [sku, properties, words] of [
    [{ tier: 'Free' }, {}, /should use Standard tier/],
    [
      {},
      { oidcIssuerProfile: { enabled: false } },
      /should enable 'oidcIssuerProfile' feature with recommended values/,
    ],
    [{}, { networkProfile: { networkPlugin: 'kubenet' } }, /'networkProfile' feature/],
    [{}, { agentPoolProfiles: [{ ...pool, nodeTaints: [] }] }, /should set taint 'CriticalAddonsOnlyNoSchedule'/],
    [{}, { agentPoolProfiles: [pool, { name: 'win', osType: 'Windows', count: 1 }] }, /does not support Windows/],
    [{}, { linuxProfile: { adminUsername: 'a', ssh: { publicKeys: [{ keyData: 'ssh-rsa A' }] } } }, /SSH keys/],
  ] as const) {
    const { status, text } = await put(door, { name: 'Automatic', ...sku }, properties)
    assert.deepEqual([status, words.test(text)], [400, true], text)
  }
  assert.equal((await put(door, { name: 'Automatic' }, { agentPoolProfiles: [pool] })).status, 201)
  assert.match((await door.call('POST', `${cluster}/stop`)).text, /'Automatic' and cannot be stopped/)
  const untainted = { properties: { mode: 'System', count: 1 } }
  assert.match((await door.call('PUT', `${cluster}/agentPools/more`, { body: untainted })).text, /should set taint/)
  const changed = await put(door, undefined, { workloadAutoScalerProfile: { keda: { enabled: false } } })
  assert.match(changed.text, /'workloadAutoScalerProfile' feature/)
})

test('a cluster moves from Automatic to Base, where presets can be changed, and back', async () => {
  await using door = await opened()
  await put(door, { name: 'Automatic' })
  const moved = await put(door, { name: 'Base', tier: 'Standard' })
  assert.equal(moved.status, 200, moved.text)
  assert.deepEqual((await shown(door)).sku, { name: 'Base', tier: 'Standard' })
  const changed = await put(door, undefined, { nodeResourceGroupProfile: { restrictionLevel: 'Unrestricted' } })
  assert.equal(changed.status, 200, changed.text)
  const back = await put(door, { name: 'Automatic', tier: 'Standard' })
  assert.equal(back.status, 200, back.text)
  const { sku, properties } = await shown(door)
  assert.deepEqual(sku, { name: 'Automatic', tier: 'Standard' })
  assert.equal(valueAt(properties, 'nodeResourceGroupProfile.restrictionLevel'), 'ReadOnly')
})

test('a Base cluster moves to Automatic only where its network and its system pools are of that kind', async () => {
  await using door = await opened()
  await put(door, undefined, { agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1 }] })
  const network = await put(door, { name: 'Automatic' })
  assert.deepEqual([network.status, /'networkProfile' feature/.test(network.text)], [400, true], network.text)
  assert.deepEqual((await shown(door)).sku, { name: 'Base', tier: 'Free' })
})

test('the tier Premium and long-term support come together', async () => {
  await using door = await opened()
  const agentPoolProfiles = [{ name: 'system', mode: 'System', count: 1 }]
  const premium = { name: 'Base', tier: 'Premium' }
  assert.match((await put(door, premium, { agentPoolProfiles })).text, /needs the support plan 'AKSLongTermSupport'/)
  const longTerm = { agentPoolProfiles, supportPlan: 'AKSLongTermSupport' }
  assert.match((await put(door, undefined, longTerm)).text, /needs the tier 'Premium'/)
  assert.equal((await put(door, premium, longTerm)).status, 201)
})

test('in a node resource group that is locked down nothing can be changed, and everything be read', async () => {
  await using door = await opened()
  const agentPoolProfiles = [{ name: 'system', mode: 'System', count: 1 }]
  await put(door, undefined, { agentPoolProfiles, nodeResourceGroupProfile: { restrictionLevel: 'ReadOnly' } })
  const nodeGroup = `/subscriptions/${subscriptionId}/resourceGroups/${(await shown(door)).properties.nodeResourceGroup}`
  const network = `${nodeGroup}/providers/Microsoft.Network/networkSecurityGroups/mine`
  const write = (): Promise<Answer> => door.call('PUT', network, { body: { location: 'eastus' } })
  const denied = await write()
  assert.deepEqual([denied.status, /DenyAssignmentAuthorizationFailed/.test(denied.text)], [403, true], denied.text)
  assert.match(denied.text, /action 'Microsoft\.Network\/networkSecurityGroups\/write'/)
  assert.equal((await door.call('DELETE', nodeGroup)).status, 403)
  assert.equal((await door.call('GET', nodeGroup)).status, 200)
  await put(door, undefined, { nodeResourceGroupProfile: { restrictionLevel: 'Unrestricted' } })
  assert.notEqual((await write()).status, 403)
})

test('processors and clusters are counted, and what goes past an ordered quota is refused before it begins', async () => {
  await using door = await opened()
  const usages = `/subscriptions/${subscriptionId}/providers/Microsoft.Compute/locations/eastus/usages`
  const clusters = `/subscriptions/${subscriptionId}/providers/Microsoft.ContainerService/locations/eastus/usages`
  const pools = [
    { name: 'system', mode: 'System', count: 1 },
    { name: 'large', count: 2, vmSize: 'Standard_E8s_v5' },
  ]
  await put(door, undefined, { agentPoolProfiles: pools })
  const list = async (path: string): Promise<readonly string[]> => {
    interface One {
      readonly name: { readonly value: string }
      readonly currentValue: number
      readonly limit: number
    }
    const { value } = (await door.call('GET', path)).body as unknown as { readonly value: readonly One[] }
    return value.map(({ name, currentValue, limit }) => `${name.value} ${currentValue}/${limit}`)
  }
  assert.deepEqual(await list(clusters), ['ManagedClusters 1/5000'])
  assert.deepEqual(await list(usages), [
    'cores 18/100000',
    'standardESv5Family 16/100000',
    'standardDSv5Family 2/100000',
  ])
  const limit = (path: string, value: number | null): Promise<Answer> =>
    door.call('PUT', path, { body: { limit: value } })
  await limit(`${usages}/standardESv5Family`, 20)
  const scaled = (count: number): Promise<Answer> =>
    door.call('PUT', `${cluster}/agentPools/large`, { body: { properties: { count } } })
  const refused = await scaled(3)
  assert.equal(refused.status, 400)
  assert.match(
    refused.text,
    /Insufficient vcpu quota requested 8, remaining 4 for family standardESv5Family for region eastus/,
  )
  await limit(`${usages}/standardESv5Family`, null)
  assert.equal((await scaled(3)).status, 200)
  await door.door.idle()
  await limit(`${usages}/cores`, 10)
  assert.equal((await scaled(2)).status, 200, 'who wants less is not held back')
  await door.door.idle()
  await limit(`${usages}/cores`, null)
  await limit(`${clusters}/ManagedClusters`, 1)
  const body = { location: 'eastus', properties: { dnsPrefix: 'c2', agentPoolProfiles: [pools[0]] } }
  const second = await door.call('PUT', cluster.replace(/c1$/, 'c2'), { body })
  assert.deepEqual([second.status, /ManagedClusterCountExceedsQuotaLimit/.test(second.text)], [400, true], second.text)
})
