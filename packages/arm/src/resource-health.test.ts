// Resource Health of a cluster: what an operator sees before he asks anybody.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flowSchemas } from '@aksel/api/resources'
import { openFrontDoor, subscriptionId } from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
const statuses = `${cluster}/providers/Microsoft.ResourceHealth/availabilityStatuses`

interface Health {
  readonly type: string
  readonly properties: Readonly<Record<string, string>> & { readonly recommendedActions: readonly unknown[] }
}

test('a cluster is available, degraded while the managed API server guard throttles clients, and unavailable when it is stopped', async () => {
  await using door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  const missing = await door.call('GET', `${statuses}/current?api-version=2020-05-01`)
  assert.equal(missing.status, 404)
  const agentPoolProfiles = [{ name: 'system', mode: 'System', count: 1 }]
  await door.call('PUT', cluster, { body: { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles } } })
  await door.door.idle()
  const current = async (): Promise<Health> =>
    (await door.call('GET', `${statuses}/current?api-version=2020-05-01`)).body as unknown as Health
  const healthy = await current()
  assert.deepEqual(
    [healthy.type, healthy.properties['availabilityState'], healthy.properties['reasonType']],
    ['Microsoft.ResourceHealth/AvailabilityStatuses', 'Available', ''],
  )
  const client = door.engine.client([...door.engine.clusters.keys()][0]!)
  const message = 'those of "greedy" are throttled'
  client.put(flowSchemas, {
    metadata: { name: 'aks-managed-apiserver-guard' },
    spec: { matchingPrecedence: 950, priorityLevelConfiguration: { name: 'aks-managed-apiserver-guard' } },
    status: {
      conditions: [
        {
          type: 'Throttling',
          status: 'True',
          reason: 'RequestsRejected',
          message,
          lastTransitionTime: '2026-11-27T10:00:00Z',
        },
      ],
    },
  })
  const { properties } = await current()
  assert.deepEqual(
    [properties['availabilityState'], properties['summary'], properties['occuredTime']],
    ['Degraded', message, '2026-11-27T10:00:00Z'],
  )
  assert.equal(properties.recommendedActions.length, 2)
  // Kept by its user after the guard let go: nobody is throttled by the guard.
  client.put(flowSchemas, {
    metadata: { name: 'aks-managed-apiserver-guard' },
    spec: { matchingPrecedence: 950, priorityLevelConfiguration: { name: 'aks-managed-apiserver-guard' } },
    status: { conditions: [{ type: 'Throttling', status: 'False' }] },
  })
  assert.equal((await current()).properties['availabilityState'], 'Available')
  await door.call('POST', `${cluster}/stop`)
  await door.door.idle()
  const list = (await door.call('GET', `${statuses}?api-version=2020-05-01`)).body as unknown as {
    readonly value: readonly Health[]
  }
  assert.deepEqual(
    list.value.map((one) => [one.properties['availabilityState'], one.properties['reasonType']]),
    [['Unavailable', 'UserInitiated']],
  )
})
