// The activity log: an event for every write, refused ones included, with the end of what took long and what was only recorded.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { createMemoryStore } from '@aksel/store/memory-store'
import { pruneOperations } from './operations.ts'
import { keepEnd, readEvents } from './resource-providers/insights/activity-log.ts'
import { ResourceStore } from './store-keyspace.ts'
import {
  openFrontDoor,
  clientId,
  subscriptionId,
  type Answer,
  type OpenedFrontDoor,
} from './testing/opened-front-door.ts'
import { otherClient } from './testing/other-client.ts'

const subscription = `/subscriptions/${subscriptionId}`
const group = `${subscription}/resourceGroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`

interface Event {
  readonly id: string
  readonly operationName: { readonly value: string }
  readonly status: { readonly value: string }
  readonly caller: string
  readonly correlationId: string
  readonly level: string
  readonly description: string
  readonly resourceId: string
  readonly properties: Readonly<Record<string, string>>
}

const day = 86_400_000
const since = (ms: number): string => `eventTimestamp ge '${new Date(Date.now() - ms).toISOString()}'`

async function events(door: Pick<OpenedFrontDoor, 'call'>, filter = '', more = ''): Promise<readonly Event[]> {
  const answer = await ask(door, `${since(day)}${filter === '' ? '' : ` and ${filter}`}`, more)
  assert.equal(answer.status, 200, answer.text)
  return (answer.body as unknown as { value: readonly Event[] }).value
}

function ask(door: Pick<OpenedFrontDoor, 'call'>, filter: string, more = ''): Promise<Answer> {
  const path = `${subscription}/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01`
  return door.call('GET', `${path}&$filter=${encodeURIComponent(filter)}${more}`)
}

const story = (all: readonly Event[]): readonly string[] =>
  all.map(({ operationName, status }) => `${operationName.value} ${status.value}`).toReversed()

test('every write is told with who, what, how it ended and one correlation id; what was only recorded is named', async () => {
  await using door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  const headers = { 'x-ms-correlation-request-id': 'corr-1' }
  const agentPoolProfiles = [{ name: 'system', mode: 'System', count: 1 }]
  const properties = { dnsPrefix: 'c1', agentPoolProfiles, aiToolchainOperatorProfile: { enabled: true } }
  const made = await door.call('PUT', cluster, { headers, body: { location: 'eastus', properties } })
  assert.equal(made.headers['x-ms-correlation-request-id'], 'corr-1')
  await door.door.idle()
  await door.call('PUT', `${cluster}/agentPools/UPPER`, { body: { properties: { count: 1 } } })
  await door.call('GET', cluster)
  const write = 'Microsoft.ContainerService/managedClusters/write'
  assert.deepEqual(story(await events(door)), [
    'Microsoft.Resources/subscriptions/resourceGroups/write Succeeded',
    `${write} Started`,
    `${write} Succeeded`,
    'Microsoft.ContainerService/managedClusters/agentPools/write Failed',
  ])
  const [end, begin] = await events(door, "correlationId eq 'corr-1'")
  assert.deepEqual([begin!.caller, begin!.resourceId], [clientId, cluster])
  assert.equal(begin!.level, 'Warning')
  assert.match(begin!.description, /Recorded without effect: aiToolchainOperatorProfile/)
  assert.match(begin!.properties['recordedWithoutEffect']!, /aiToolchainOperatorProfile/)
  assert.notEqual(begin!.id, end!.id)
  const [failed] = await events(door, "status eq 'Failed'")
  assert.equal(failed!.level, 'Error')
  assert.match(failed!.properties['statusMessage']!, /InvalidParameter/)
})

test('events are filtered by group, resource, provider and time, and show the members that are chosen', async () => {
  await using door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  await door.call('PUT', `${subscription}/resourceGroups/other`, { body: { location: 'eastus' } })
  const table = `${group}/providers/Microsoft.Network/routeTables/r`
  await door.call('PUT', table, { body: { location: 'eastus', properties: {} } })
  await door.door.idle()
  assert.ok((await events(door, "resourceGroupName eq 'RG'")).every(({ resourceId }) => resourceId.startsWith(group)))
  assert.deepEqual(
    new Set((await events(door, `resourceUri eq '${table}'`)).map(({ resourceId }) => resourceId)),
    new Set([table]),
  )
  assert.ok((await events(door, "resourceProvider eq 'Microsoft.Network'")).length > 0)
  assert.deepEqual(Object.keys((await events(door, '', '&$select=status,caller'))[0]!).toSorted(), ['caller', 'status'])
  assert.equal((await ask(door, `${since(day)} and eventTimestamp le '2020-01-01T00:00:00Z'`)).text, '{"value":[]}')
  for (const bad of ['', "resourceGroupName eq 'rg'", `${since(day)} and weather eq 'fine'`, since(100 * day)])
    assert.equal((await ask(door, bad)).status, 400, bad)
})

test('a deployment and what it orders go by its correlation id; refusals are told, and each caller sees its own', async () => {
  await using door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  await door.call('PUT', `${subscription}/resourceGroups/other`, { body: { location: 'eastus' } })
  const resources = [
    { type: 'Microsoft.Network/routeTables', apiVersion: '2024-05-01', name: 'r', location: 'eastus', properties: {} },
  ]
  const template = { $schema: 's', contentVersion: '1.0.0.0', resources }
  const deployment = `${group}/providers/Microsoft.Resources/deployments/d`
  const put = await door.call('PUT', deployment, { body: { properties: { mode: 'Incremental', template } } })
  await door.door.idle()
  const { correlationId } = (put.body as unknown as { properties: { correlationId: string } }).properties
  const own = await events(door, `correlationId eq '${correlationId}'`)
  assert.deepEqual([...new Set(own.map(({ operationName }) => operationName.value))].toSorted(), [
    'Microsoft.Network/routeTables/write',
    'Microsoft.Resources/deployments/write',
  ])
  const other = await otherClient(door)
  assert.equal((await other.call('DELETE', group)).status, 403)
  const [refused] = await events(door, `caller eq '${other.appId}'`)
  assert.match(refused!.properties['statusMessage']!, /AuthorizationFailed/)
  await other.grant('acdd72a7-3385-48ef-bd42-f606fba81ae7', `${subscription}/resourceGroups/other`)
  const seen = await events(other)
  assert.ok(seen.length > 0)
  assert.ok(seen.every(({ resourceId }) => resourceId.includes('/other')))
})

test('how an operation ended is still told when the operation itself is forgotten', async () => {
  await using store = createMemoryStore({ clock: systemClock(), random: systemRandom() } as never)
  await using door = await openFrontDoor({ store })
  await door.call('PUT', group, { body: { location: 'eastus' } })
  await door.call('DELETE', group)
  await door.door.idle()
  const kept = new ResourceStore(store)
  const before = await readEvents(kept, subscriptionId)
  const later = systemClock()
  const clock = Object.create(later, { now: { value: () => Date.now() + 3 * day } }) as typeof later
  const scope = { clock, random: systemRandom(), log: silentLog(), signal: new AbortController().signal }
  await pruneOperations(scope, kept, (operation) => keepEnd(kept, operation))
  const after = await readEvents(kept, subscriptionId)
  assert.deepEqual(
    after.map(({ id, status }) => [id, status]),
    before.map(({ id, status }) => [id, status]),
  )
  assert.ok(after.some(({ action, status }) => action.endsWith('/delete') && status === 'Succeeded'))
})
