// Many simulated nodes over one watch: they register, run and complete pods, and live by the faults that are ordered.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leases, nodes, pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope, type TestScope } from '@aksel/testing/test-scope'
import { DueQueue } from './due-queue.ts'
import { faultsAnnotation, type Fault } from './faults.ts'
import { openFleet } from './fleet.ts'
import { machineSpec } from './testing/machine-spec.ts'

async function withFleet(count: number, work: (scope: TestScope, client: FakeClient) => Promise<void>): Promise<void> {
  using scope = testScope()
  const client = new FakeClient(scope)
  await using fleet = openFleet(scope, client)
  for (let index = 0; index < count; index += 1)
    fleet.add({ client: () => client, spec: machineSpec(index), address: `198.18.0.${index}` })
  await scope.clock.run(1)
  await work(scope, client)
}

const podOn = (nodeName: string, more: Partial<Pod['metadata']> = {}): Pod => ({
  metadata: { name: 'p', namespace: 'd', ...more },
  spec: { nodeName, restartPolicy: 'Never', containers: [{ name: 'c', resources: {} }] },
})

function order(client: FakeClient, name: string, faults: readonly Fault[]): void {
  client.change(nodes, name, (draft) => {
    draft.metadata.annotations = { ...draft.metadata.annotations, [faultsAnnotation]: JSON.stringify(faults) }
  })
}

test('a simulated node counts the devices that its machine is said to have, and says that there are none', async () => {
  using scope = testScope()
  const client = new FakeClient(scope)
  await using fleet = openFleet(scope, client)
  const spec = { ...machineSpec(0), devices: { 'nvidia.com/gpu': 4 } }
  fleet.add({ client: () => client, spec, address: '198.18.0.0' })
  await scope.clock.run(1)
  const node = client.peek(nodes, 'n0')!
  assert.deepEqual(
    [node.status?.capacity?.['nvidia.com/gpu'], node.status?.allocatable?.['nvidia.com/gpu']],
    ['4', '4'],
  )
  assert.equal(node.metadata.annotations?.['aksel.dev/simulated-devices'], 'neither device nor plug-in: nvidia.com/gpu')
})

const phaseOf = (client: FakeClient): string | undefined => client.peek(pods, 'd/p')?.status?.phase
const renewals = (client: FakeClient, name: string): number =>
  client.writes.filter(({ type, name: of }) => type.plural === leases.plural && of === name).length

test('nodes register, say that they are simulated, and renew their leases on one timer', () =>
  withFleet(50, async (scope, client) => {
    assert.equal(client.peekAll(nodes).length, 50)
    const labels = client.peek(nodes, 'n7')?.metadata.labels
    assert.equal(labels?.['aksel.dev/simulated'], 'true')
    assert.equal(labels?.['kubernetes.io/hostname'], 'n7')
    assert.ok(scope.clock.timerCount <= 1, `${scope.clock.timerCount} timers`)
    const before = renewals(client, 'n7')
    await scope.clock.run(30_000)
    assert.ok(renewals(client, 'n7') - before >= 3)
  }))

test("a Job's pod runs and completes on a simulated node", () =>
  withFleet(1, async (scope, client) => {
    const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'x', controller: true }]
    await client.create(pods, podOn('n0', { ownerReferences }))
    await scope.clock.run(500)
    assert.equal(phaseOf(client), 'Running')
    await scope.clock.run(600)
    assert.equal(phaseOf(client), 'Succeeded')
  }))

test('a lost node renews nothing and moves no pod, and goes on when the order is taken back', () =>
  withFleet(2, async (scope, client) => {
    order(client, 'n0', [{ kind: 'lost' }])
    await scope.clock.run(1)
    const before = renewals(client, 'n0')
    await client.create(pods, podOn('n0'))
    await scope.clock.run(60_000)
    assert.equal(renewals(client, 'n0'), before)
    assert.ok(renewals(client, 'n1') > 5)
    assert.equal(phaseOf(client), 'Pending')
    order(client, 'n0', [])
    await scope.clock.run(1)
    assert.equal(phaseOf(client), 'Running')
    assert.ok(renewals(client, 'n0') > before)
  }))

test('a flapping node is silent half of the time', () =>
  withFleet(1, async (scope, client) => {
    order(client, 'n0', [{ kind: 'flapping', seconds: 120 }])
    const before = renewals(client, 'n0')
    await scope.clock.run(240_000)
    const seen = renewals(client, 'n0') - before
    assert.ok(seen >= 10 && seen <= 18, `${seen} renewals in four minutes`)
  }))

test('a full disk is a condition of the node and evicts its pods', () =>
  withFleet(1, async (scope, client) => {
    await client.create(pods, podOn('n0'))
    await scope.clock.run(1)
    order(client, 'n0', [{ kind: 'disk-full' }])
    await scope.clock.run(1)
    const disk = client.peek(nodes, 'n0')?.status?.conditions?.find(({ type }) => type === 'DiskPressure')
    assert.deepEqual([disk?.status, disk?.reason], ['True', 'KubeletHasDiskPressure'])
    assert.equal(client.peek(pods, 'd/p')?.status?.reason, 'Evicted')
  }))

test('a pod that is deleted leaves, and a failed write is tried again', async () => {
  using scope = testScope()
  let failures = 2
  const client = new FakeClient({
    ...scope,
    before: ({ verb, type }) => {
      if (verb === 'patch' && type.plural === 'pods' && failures > 0) {
        failures -= 1
        throw new Error('the server is gone')
      }
    },
  })
  await using fleet = openFleet(scope, client)
  fleet.add({ client: () => client, spec: machineSpec(0), address: '198.18.0.0' })
  await scope.clock.run(1)
  await client.create(pods, podOn('n0'))
  await scope.clock.run(5000)
  assert.equal(phaseOf(client), 'Running')
  await client.delete(pods, { namespace: 'd', name: 'p' })
  await scope.clock.run(1)
  assert.equal(client.peek(pods, 'd/p'), undefined)
})

test('DueQueue runs what falls due in order and forgets what is disposed', () => {
  using scope = testScope()
  using queue = new DueQueue(scope.clock)
  const ran: number[] = []
  const delays = [50, 10, 30, 10, 90, 70, 20]
  const entries = delays.map((delay) => queue.after(delay, () => ran.push(delay)))
  entries[4]![Symbol.dispose]()
  scope.clock.advance(60)
  assert.deepEqual(ran, [10, 10, 20, 30, 50])
  scope.clock.advance(60)
  assert.deepEqual(ran, [10, 10, 20, 30, 50, 70])
})
