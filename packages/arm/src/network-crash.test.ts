// Kill after any call, run again: a written network resource always ends as it was written, and its address is reserved once.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keys } from './store-keyspace.ts'
import type { DocumentRecord } from './records.ts'
import { publicAddresses } from './resource-providers/network/public-addresses.ts'
import { beginDelete, networkResourceId, putResource } from './resource-providers/network/network-writes.ts'
import { putGroup } from './resource-providers/resources/groups.ts'
import { assertEnded, ref, World } from './testing/world.ts'

const address = { ...ref, type: publicAddresses, name: 'pip' }

async function stands(world: World): Promise<DocumentRecord | undefined> {
  return (await world.store.get<DocumentRecord>(keys.resource(networkResourceId(address))))?.value
}

test('a server killed at any call reserves a public address once, and gives it back once', async () => {
  let deaths = 0
  for (let killAt = 1; killAt <= 8; killAt += 1) {
    const world = new World()
    await putGroup(world.store, ref, { location: 'eastus' })
    await putResource(world.hub(), world.request('PUT', { location: 'eastus', properties: {} }), address)
    deaths += await world.settle(killAt)
    const made = await stands(world)
    assert.equal(made?.progress?.provisioningState, 'Succeeded', `killed at call ${killAt}`)
    assert.deepEqual([...world.fabric.publicRanges.values()], [`${String(made?.properties['ipAddress'])}/32`])
    await beginDelete(world.hub(), world.request('DELETE', undefined), address)
    deaths += await world.settle(killAt)
    assert.equal(await stands(world), undefined)
    assert.equal(world.fabric.publicRanges.size, 0)
    assertEnded(await world.operations())
  }
  assert.ok(deaths > 8, `only ${deaths} servers died`)
})
