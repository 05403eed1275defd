// The writes of a leader, bound to its term in the store's own transactions: what one server's leader may write, and what it may
// no more when another server, on the same store, has given the Lease to another.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps, leases, pods, resourceQuotas, serviceAccounts, services } from '@aksel/api/resources'
import type { Client } from '@aksel/client/client'
import { createClient } from '@aksel/client/typed-client'
import type { Fence } from '@aksel/runtime/fenced-client'
import { startTestServer, type TestServer } from '../test-server.ts'

const ref = { namespace: 'kube-system', name: 'kube-controller-manager' }
const manager = { name: 'system:kube-controller-manager', groups: ['system:masters'] }

async function holder(client: Client, name: string, transitions: number): Promise<Fence> {
  const found = await client.get(leases, ref).catch(() => undefined)
  const spec = { holderIdentity: name, leaseTransitions: transitions, leaseDurationSeconds: 15 }
  const lease =
    found === undefined
      ? await client.create(leases, { metadata: { ...ref }, spec })
      : await client.update(leases, { ...found, spec })
  return { ...ref, uid: lease.metadata.uid!, holder: name, transitions }
}

function fenced(server: TestServer, fence: Fence): Client {
  return createClient(server.server.transportFor(manager, fence))
}

const metadata = (name: string) => ({ name, namespace: 'default' })
const pod = (name: string) => ({
  metadata: metadata(name),
  spec: { containers: [{ name: 'c', image: 'registry.example.com/none:1', resources: { limits: { cpu: '1' } } }] },
})

/** Every way to write that the loops have; the last ones take away what the others need. */
const writes: readonly (readonly [string, (client: Client) => Promise<unknown>])[] = [
  ['create', (client) => client.create(configMaps, { metadata: metadata('new') })],
  [
    'a name that is generated',
    (client) => client.create(configMaps, { metadata: { name: '', generateName: 'new-', namespace: 'default' } }),
  ],
  [
    'a service with an address',
    (client) => client.create(services, { metadata: metadata('new'), spec: { ports: [{ port: 80 }] } }),
  ],
  ['a pod that a quota counts', (client) => client.create(pods, pod('new'))],
  ['an update that changes nothing', (client) => client.update(configMaps, { metadata: metadata('idle') })],
  ['update', (client) => client.update(configMaps, { metadata: metadata('kept'), data: { a: '2' } })],
  ['patch', (client) => client.patch(configMaps, metadata('kept'), { kind: 'merge', body: { data: { a: '3' } } })],
  [
    'apply',
    (client) =>
      client.patch(configMaps, metadata('kept'), {
        kind: 'apply',
        fieldManager: 'loop',
        body: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'kept' }, data: { b: '1' } },
      }),
  ],
  [
    'a binding',
    (client) =>
      client.createSubresource(pods, metadata('kept'), 'binding', {
        kind: 'Binding',
        apiVersion: 'v1',
        metadata: metadata('kept'),
        target: { kind: 'Node', name: 'n1' },
      }),
  ],
  [
    'an eviction',
    (client) =>
      client.createSubresource(pods, metadata('kept'), 'eviction', {
        kind: 'Eviction',
        apiVersion: 'policy/v1',
        metadata: metadata('kept'),
      }),
  ],
  ['delete', (client) => client.delete(configMaps, metadata('kept'))],
  ['the delete of a collection', (client) => client.deleteCollection(configMaps, { namespace: 'default' })],
]

async function prepare(server: TestServer): Promise<Client> {
  const admin = server.client()
  await admin.create(serviceAccounts, { metadata: metadata('default') })
  await admin.create(configMaps, { metadata: metadata('kept'), data: { a: '1' } })
  await admin.create(configMaps, { metadata: metadata('idle') })
  await admin.create(pods, pod('kept'))
  const quota = await admin.create(resourceQuotas, { metadata: metadata('q'), spec: { hard: { pods: '10' } } })
  const status = { hard: { pods: '10' }, used: { pods: '1' } }
  await admin.update(resourceQuotas, { ...quota, status }, { subresource: 'status' })
  return admin
}

test('a leader whose term is over changes nothing in any way, and the next one does', async () => {
  await using server = await startTestServer()
  const admin = await prepare(server)
  const first = fenced(server, await holder(admin, 'a', 0))
  const last = fenced(server, await holder(admin, 'b', 1))
  const before = server.store.revision
  const message =
    'Operation cannot be fulfilled on leases.coordination.k8s.io "kube-controller-manager": it is held by "b" in term 1, and nothing is written for "a" in term 0'
  for (const [name, write] of writes) {
    await assert.rejects(write(first), { reason: 'Conflict', message }, name)
    assert.equal(server.store.revision, before, name)
  }
  for (const [name, write] of writes) {
    const stands = server.store.revision
    await write(last)
    assert.equal(server.store.revision > stands, name !== 'an update that changes nothing', name)
  }
})

test('a term outlives the renewals of its lease, and ends for every server of the store at once', async () => {
  await using one = await startTestServer()
  await using two = await startTestServer({ store: one.store })
  const fence = await holder(one.client(), 'a', 0)
  const leader = fenced(one, fence)
  const create = (name: string) => leader.create(configMaps, { metadata: metadata(name) })
  await create('first')
  // Renewed where this server does not see it: what it knows of the lease is old, and its term is not over.
  await holder(two.client(), 'a', 0)
  const lease = await two.client().get(leases, ref)
  await two.client().update(leases, { ...lease, spec: { ...lease.spec, renewTime: '2030-01-01T00:00:00.000000Z' } })
  await create('second')
  const next = await holder(two.client(), 'b', 1)
  await assert.rejects(create('third'), { reason: 'Conflict' })
  await fenced(two, next).create(configMaps, { metadata: metadata('fourth') })
  // Back again, in another term: the old one stays over.
  const again = await holder(two.client(), 'a', 2)
  await assert.rejects(create('fifth'), { reason: 'Conflict' })
  await fenced(one, again).create(configMaps, { metadata: metadata('sixth') })
  const { items } = await one.client().list(configMaps, { namespace: 'default' })
  const made = items.map((item) => item.metadata.name).filter((name) => name !== 'kube-root-ca.crt')
  assert.deepEqual(made, ['first', 'fourth', 'second', 'sixth'])
})

test('a lease that was deleted and made anew, with the same holder, is another', async () => {
  await using server = await startTestServer()
  const admin = server.client()
  const leader = fenced(server, await holder(admin, 'a', 0))
  await leader.create(configMaps, { metadata: metadata('first') })
  await admin.delete(leases, ref)
  await assert.rejects(leader.create(configMaps, { metadata: metadata('second') }), {
    message: /it is gone, and nothing is written for "a" in term 0$/,
  })
  await holder(admin, 'a', 0)
  await assert.rejects(leader.create(configMaps, { metadata: metadata('third') }), { reason: 'Conflict' })
})
