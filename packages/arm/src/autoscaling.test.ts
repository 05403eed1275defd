// Pools that scale by themselves, as Resource Manager sees them: groups for the loop, counts without an operation, and who runs when.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Autoscale } from './resource-providers/container-service/autoscaling.ts'
import { openFrontDoor, subscriptionId, type Answer, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourceGroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
const pool = `${cluster}/agentPools/apps`

type Seen = Parameters<Autoscale>[1] & { readonly signal: AbortSignal }

interface Opened extends OpenedFrontDoor {
  /** Autoscalers that were started, in order. */
  readonly started: readonly Seen[]
}

const scaled = { enableAutoScaling: true, minCount: 1, maxCount: 4 }

async function withCluster(properties: object = {}): Promise<Opened> {
  const started: Seen[] = []
  const autoscale: Autoscale = (scope, seen) => {
    started.push({ ...seen, signal: scope.signal })
    return new Promise((resolve) => scope.signal.addEventListener('abort', () => resolve(), { once: true }))
  }
  const door = await openFrontDoor({ autoscale })
  await door.call('PUT', group, { body: { location: 'eastus' } })
  const agentPoolProfiles = [
    { name: 'system', mode: 'System', count: 1 },
    {
      name: 'apps',
      count: 1,
      vmSize: 'Standard_D4s_v5',
      availabilityZones: ['1', '2'],
      nodeLabels: { tier: 'web' },
      nodeTaints: ['tier=web:NoSchedule'],
      ...scaled,
    },
  ]
  const body = { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles, ...properties } }
  const made = await door.call('PUT', cluster, { body })
  assert.equal(made.status, 201, made.text)
  assert.doesNotMatch(String(made.headers['warning']), /AutoScaling|minCount|autoScalerProfile/)
  await door.door.idle()
  return Object.assign(door, { started })
}

async function stateOf(
  door: OpenedFrontDoor,
): Promise<{ readonly count: number; readonly state: string; readonly machines: readonly string[] }> {
  const { properties } = (await door.call('GET', pool)).body as unknown as {
    properties: { count: number; provisioningState: string }
  }
  const machines = door
    .machines(false)
    .list()
    .map(({ name }) => name)
  return {
    count: properties.count,
    state: properties.provisioningState,
    machines: machines.filter((name) => name.includes('-apps-')),
  }
}

test('a pool that scales by itself is a group with its limits, its nodes, and the node that would come next', async () => {
  await using door = await withCluster({ autoScalerProfile: { expander: 'least-waste', 'scan-interval': '20' } })
  assert.equal(door.started.length, 1)
  const [{ groups, profile }] = door.started as [Seen]
  assert.deepEqual(profile(), { expander: 'least-waste', 'scan-interval': '20s' })
  const [apps, ...others] = await groups.list()
  assert.equal(others.length, 0, 'the other pool is scaled by hand')
  assert.match(apps!.name, /^aks-apps-\d{8}-vmss$/)
  assert.deepEqual([apps!.minCount, apps!.maxCount, apps!.target, apps!.nodeNames.length], [1, 4, 1, 1])
  const { metadata, spec, status } = apps!.template
  const labels = metadata.labels!
  assert.deepEqual(
    [
      labels['agentpool'],
      labels['tier'],
      labels['topology.kubernetes.io/zone'],
      labels['node.kubernetes.io/instance-type'],
    ],
    ['apps', 'web', 'eastus-2', 'Standard_D4s_v5'],
  )
  assert.deepEqual(spec.taints, [{ key: 'tier', value: 'web', effect: 'NoSchedule' }])
  assert.equal(status!.allocatable!['cpu'], '3860m', 'less what AKS keeps back')
})

test('the loop grows and shrinks a pool without an operation; nodes that it names go, and the limits hold', async () => {
  await using door = await withCluster()
  const [{ groups }] = door.started as [Seen]
  const name = (await groups.list())[0]!.name
  assert.equal(await groups.resize(name, 3), true)
  await door.door.idle()
  const grown = await stateOf(door)
  assert.deepEqual([grown.count, grown.state, grown.machines.length], [3, 'Succeeded', 3])
  assert.equal(await groups.resize(name, 5), false, 'more than the maximum')
  assert.equal(await groups.resize(name, 2), false, 'a resize only grows')
  const [first, second] = grown.machines as [string, string]
  assert.equal(await groups.remove(name, [second]), true)
  await door.door.idle()
  const shrunk = await stateOf(door)
  assert.deepEqual([shrunk.count, shrunk.machines.includes(second), shrunk.machines.includes(first)], [2, false, true])
  assert.equal(await groups.remove(name, shrunk.machines), false, 'less than the minimum')
  assert.equal(await groups.remove(name, ['nobody']), false)
})

test('an autoscaler runs while a pool of a running cluster has one, and rests while an operation is under way', async () => {
  await using door = await withCluster()
  const running = (): number => door.started.filter(({ signal }) => !signal.aborted).length
  const put = async (properties: object): Promise<Answer> => {
    const answer = await door.call('PUT', pool, {
      body: { properties: { vmSize: 'Standard_D4s_v5', availabilityZones: ['1', '2'], ...properties } },
    })
    assert.ok(answer.status < 300, answer.text)
    return answer
  }
  assert.equal(running(), 1)
  const [{ groups }] = door.started as [Seen]
  await put({ ...scaled, maxCount: 6 })
  const [busy] = await groups.list()
  if (busy?.maxCount === 1) assert.equal(await groups.resize(busy.name, 2), false)
  await door.door.idle()
  assert.equal((await groups.list())[0]!.maxCount, 6)
  await put({ enableAutoScaling: false, count: 1 })
  await door.door.idle()
  assert.equal(running(), 0)
  await put(scaled)
  await door.door.idle()
  assert.equal(running(), 1)
  await door.call('POST', `${cluster}/stop`)
  await door.door.idle()
  assert.equal(running(), 0)
  await door.call('POST', `${cluster}/start`)
  await door.door.idle()
  assert.equal(running(), 1)
  await door.call('DELETE', cluster)
  await door.door.idle()
  assert.equal(running(), 0)
})

test('profiles that AKS refuses are refused', async () => {
  await using door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  const agentPoolProfiles = [{ name: 'system', mode: 'System', count: 1 }]
  for (const [name, value] of [
    ['expander', 'cheapest'],
    ['scale-down-unneeded-time', '30s'],
    ['scan-interval', '1m'],
    ['scale-down-utilization-threshold', '50'],
    ['balance-similar-node-groups', 'yes'],
  ] as const) {
    const properties = { dnsPrefix: 'c1', agentPoolProfiles, autoScalerProfile: { [name]: value } }
    const answer = await door.call('PUT', cluster, { body: { location: 'eastus', properties } })
    assert.equal(answer.status, 400, name)
    assert.match(answer.text, new RegExp(`InvalidParameter.*autoScalerProfile\\.${name}`))
  }
})
