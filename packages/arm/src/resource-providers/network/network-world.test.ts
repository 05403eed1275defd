// What reading the network of a subscription costs, in questions to those who have its parts: it is read with every write of a cluster.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { body, ref, runningWorld } from '../../testing/world.ts'
import { putCluster } from '../container-service/cluster-writes.ts'
import { readWorld } from './network-world.ts'

test('however many clusters there are, each kind of machine is asked for once', async () => {
  const world = await runningWorld()
  for (let at = 0; at < 20; at += 1) {
    const request = world.request('PUT', body([{ name: 'a', mode: 'System', count: 1 }]))
    await putCluster(world.hub(), request, { ...ref, cluster: `many${at}` })
  }
  const hub = world.hub()
  let lists = 0
  const counted = (simulated: boolean): ReturnType<typeof hub.suppliers.machines> =>
    new Proxy(hub.suppliers.machines(simulated), {
      get: (provider, name) => {
        if (name === 'list') lists += 1
        const found: unknown = Reflect.get(provider, name, provider)
        return typeof found === 'function' ? found.bind(provider) : found
      },
    })
  const read = await readWorld({ ...hub, suppliers: { ...hub.suppliers, machines: counted } }, ref.subscriptionId)
  assert.equal(lists, 2)
  assert.equal([...read.claims.values()].length, 21, 'a subnet of each cluster is in it')
  const own = [...read.taken.values()].flat().map(({ owner }) => owner)
  assert.equal(own.length, 3, own.join(' '))
  assert.ok(own.every((owner) => /\/virtualMachineScaleSets\/aks-[ab]-/.test(owner)))
})
