// More nodes than a cluster's network can do are refused, for pools together and by what the autoscaler may make of them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFrontDoor, subscriptionId } from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
const clusters = `${group}/providers/Microsoft.ContainerService/managedClusters`

test('kubenet ends at 400 nodes and network policy azure at 250, pools together and autoscaled ones at their most', async () => {
  await using opened = await openFrontDoor()
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const put = (networkProfile: object, ...pools: readonly object[]) =>
    opened.call('PUT', `${clusters}/c1`, {
      body: {
        location: 'eastus',
        tags: { 'aksel.simulated': 'true' },
        properties: {
          dnsPrefix: 'c1',
          networkProfile,
          agentPoolProfiles: [
            { name: 'system', mode: 'System', count: 1 },
            ...pools.map((pool, at) => ({ name: `p${at}`, mode: 'User', ...pool })),
          ],
        },
      },
    })
  const kubenet = { networkPlugin: 'kubenet' }
  const npm = { networkPlugin: 'azure', networkPolicy: 'azure' }
  for (const [network, pools, why] of [
    [kubenet, [{ count: 200 }, { count: 200 }], /401 nodes together, more than the 400 that network plugin kubenet/],
    [
      kubenet,
      [{ count: 1, enableAutoScaling: true, minCount: 1, maxCount: 400 }],
      /401 nodes together, more than the 400/,
    ],
    [npm, [{ count: 250 }], /251 nodes together, more than the 250 that network policy azure allows/],
  ] as const) {
    const { status, text } = await put(network, ...pools)
    assert.equal(status, 400, text)
    assert.match(text, why)
    assert.match(text, /"code":"InvalidParameter"/)
  }
  assert.equal((await opened.call('GET', `${clusters}/c1`)).status, 404)
  const made = await put(kubenet, { count: 2 })
  assert.equal(made.status, 201, made.text)
  await opened.door.idle()
  const grown = await opened.call('PUT', `${clusters}/c1/agentPools/p0`, { body: { properties: { count: 400 } } })
  assert.deepEqual([grown.status, /more than the 400/.test(grown.text)], [400, true])
})
