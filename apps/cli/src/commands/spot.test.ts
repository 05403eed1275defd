// The spot market by order of the command line.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientId, clientSecret, openFrontDoor, subscriptionId, tenantId } from '@aksel/arm/testing/opened-front-door'
import { ArmClient } from '../arm-client.ts'
import { orderMarket } from './spot.ts'

test('price and capacity are ordered, who has to go is told, and the orders are listed', async () => {
  await using opened = await openFrontDoor()
  const folder = mkdtempSync(join(tmpdir(), 'aksel-spot-'))
  const caPath = join(folder, 'ca.pem')
  writeFileSync(caPath, opened.caPem)
  const arm = new ArmClient({ armUrl: opened.url, caPath, tenantId, clientId, clientSecret, subscriptionId })
  const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
  await opened.call('PUT', group, { body: { location: 'westeurope' } })
  const profiles = [
    { name: 'system', mode: 'System', count: 1 },
    { name: 'cheap', count: 2, scaleSetPriority: 'Spot', scaleSetEvictionPolicy: 'Deallocate' },
  ]
  const body = { location: 'westeurope', properties: { dnsPrefix: 'c1', agentPoolProfiles: profiles } }
  await opened.call('PUT', `${group}/providers/Microsoft.ContainerService/managedClusters/c1`, { body })
  await opened.door.idle()
  const location = 'westeurope'
  assert.deepEqual(await orderMarket(arm, undefined, { location }), ['nothing was ordered in westeurope'])
  const told = await orderMarket(arm, 'Standard_D2s_v5', { location, price: 0.5, capacity: 1 })
  assert.equal(told[0], 'Standard_D2s_v5 in westeurope: at 0.5 USD an hour, 1 at most')
  assert.match(told[1]!, /^aks-cheap-\d{8}-vmss000001: evicted in 30 s$/)
  assert.equal(told.length, 2)
  assert.deepEqual(await orderMarket(arm, undefined, { location }), [told[0]])
  await assert.rejects(orderMarket(arm, 'Standard_Nothing', { location }), /There is no VM size/)
  rmSync(folder, { recursive: true })
})
