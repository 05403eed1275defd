// Pools of mixed sizes and pools with GPUs, over HTTP.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFrontDoor, subscriptionId, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
const poolPath = (name: string): string => `${cluster}/agentPools/${name}`

async function withCluster(): Promise<OpenedFrontDoor> {
  const opened = await openFrontDoor()
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const properties = { dnsPrefix: 'c1', agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1 }] }
  await opened.call('PUT', cluster, { body: { location: 'eastus', properties } })
  await opened.door.idle()
  return opened
}

type Shown = Readonly<Record<string, unknown>>

async function put(
  opened: OpenedFrontDoor,
  name: string,
  properties: object,
): Promise<{ status: number; text: string }> {
  const answer = await opened.call('PUT', poolPath(name), { body: { properties } })
  await opened.door.idle()
  return answer
}

async function shown(opened: OpenedFrontDoor, name: string): Promise<Shown> {
  return ((await opened.call('GET', poolPath(name))).body as unknown as { readonly properties: Shown }).properties
}

const manual = (...profiles: readonly (readonly [string, number])[]): object => ({
  type: 'VirtualMachines',
  virtualMachinesProfile: { scale: { manual: profiles.map(([size, count]) => ({ size, count })) } },
})

test('a pool of mixed sizes has machines of each, says so, and scales by its profiles', async () => {
  await using opened = await withCluster()
  const made = await put(opened, 'mixed', manual(['Standard_D2s_v5', 2], ['Standard_D4s_v5', 1]))
  assert.equal(made.status, 201, made.text)
  const pool = await shown(opened, 'mixed')
  const status = [
    { size: 'Standard_D2s_v5', count: 2 },
    { size: 'Standard_D4s_v5', count: 1 },
  ]
  assert.deepEqual(
    [pool['count'], pool['virtualMachineNodesStatus'], pool['provisioningState']],
    [3, status, 'Succeeded'],
  )
  assert.deepEqual((pool['aksel'] as { recorded: unknown }).recorded, [])
  const specs = [...opened.machines(false).specs.values()].filter(({ name }) => name.includes('-mixed-'))
  assert.deepEqual(
    specs.map(({ name, vmSize, vcpus }) => `${name.replace(/\d{8}/, '#')} ${vmSize} ${vcpus}`).toSorted(),
    ['aks-mixed-#-vms1 Standard_D2s_v5 2', 'aks-mixed-#-vms2 Standard_D2s_v5 2', 'aks-mixed-#-vms3 Standard_D4s_v5 4'],
  )
  const [large] = specs.filter(({ vmSize }) => vmSize === 'Standard_D4s_v5')
  assert.equal(large!.labels['kubernetes.azure.com/nodepool-type'], 'VirtualMachines')
  assert.equal(large!.labels['kubernetes.azure.com/sku-cpu'], '4')
  assert.match(large!.cloud!.resourceId, /\/Microsoft\.Compute\/virtualMachines\/aks-mixed-\d{8}-vms3$/)
  const gone = await opened.call('POST', `${poolPath('mixed')}/deleteMachines`, {
    body: { machineNames: [large!.name] },
  })
  assert.equal(gone.status, 202, gone.text)
  await opened.door.idle()
  const left = await shown(opened, 'mixed')
  assert.deepEqual(
    [left['count'], (left['virtualMachineNodesStatus'] as readonly { count: number }[]).map(({ count }) => count)],
    [2, [2, 0]],
  )
  assert.match((await put(opened, 'mixed', { count: 5 })).text, /follows from its scale profiles/)
})

test('what a pool of mixed sizes may not be is refused', async () => {
  await using opened = await withCluster()
  for (const [body, words] of [
    [manual(['Standard_D2s_v5', 1], ['Standard_E4s_v5', 1]), /must be of one family/],
    [manual(['Standard_D2s_v5', 1], ['standard_d2s_v5', 1]), /more than one profile/],
    [manual(['Standard_X2', 1]), /not available here/],
    [manual(...([2, 4, 8, 16, 32, 48] as const).map((cpus) => [`Standard_D${cpus}s_v5`, 1] as const)), /maximum of 5/],
    [{ ...manual(['Standard_D2s_v5', 1]), availabilityZones: ['1'] }, /no availability zones/],
    [{ ...manual(['Standard_D2s_v5', 1]), osType: 'Windows' }, /Linux only/],
    [{ ...manual(['Standard_D2s_v5', 1]), type: 'VirtualMachineScaleSets' }, /only for agent pools of type/],
  ] as const) {
    const { status, text } = await put(opened, 'mixed', body)
    assert.deepEqual([status, words.test(text)], [400, true], text)
  }
  assert.equal((await opened.call('GET', poolPath('mixed'))).status, 404)
})

test('a pool with GPUs is simulated and says so; its nodes count them unless no driver is wanted', async () => {
  await using opened = await withCluster()
  for (const [name, driver] of [
    ['gpu', 'Install'],
    ['bare', 'None'],
  ] as const) {
    const made = await put(opened, name, { count: 1, vmSize: 'Standard_NC24s_v3', gpuProfile: { driver } })
    assert.equal(made.status, 201, made.text)
    assert.deepEqual((await shown(opened, name))['tags'], { 'aksel.simulated': 'true' })
  }
  const specs = [...opened.machines(true).specs.values()]
  const of = (name: string) => specs.find((spec) => spec.name.includes(`-${name}-`))!
  assert.deepEqual([of('gpu').devices, of('bare').devices], [{ 'nvidia.com/gpu': 4 }, undefined])
  assert.equal(of('gpu').labels['kubernetes.azure.com/accelerator'], 'nvidia')
})
