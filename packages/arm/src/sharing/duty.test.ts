// Two servers on one store: who works on what, and what one that was stopped in its term may still write.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemoryStore } from '@aksel/store/memory-store'
import { FakeClusterEngine } from '@aksel/testing/fake-cluster-engine'
import { FakeMachines } from '@aksel/testing/fake-machines'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { testScope, type TestScope } from '@aksel/testing/test-scope'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import type { Suppliers } from '../hub.ts'
import { groupId } from '../resource-id.ts'
import { putGroup } from '../resource-providers/resources/groups.ts'
import { keys, ResourceStore, TermOverError } from '../store-keyspace.ts'
import { bindGroups } from './bound-groups.ts'
import { Duty } from './duty.ts'
import { releaseMachines } from './sharers.ts'

const location = 'eastus'
const anywhere = { subscriptionId: 's', resourceGroup: 'anywhere' }
const here = { subscriptionId: 's', resourceGroup: 'here' }
const made = { subscriptionId: 's', resourceGroup: 'MC_here' }
const clusterIn = (ref: typeof here): string => `${groupId(ref)}/providers/microsoft.containerservice/managedclusters/c`

interface Server {
  readonly scope: TestScope
  readonly duty: Duty
  readonly terms: ('begin' | 'end')[]
  readonly standing: Promise<void>
}

function suppliersOf(scope: TestScope): Suppliers {
  const engine = new FakeClusterEngine(scope)
  const [local, simulated] = (['local', 'simulated'] as const).map((kind) => new FakeMachines({ kind, engine }))
  return {
    engine,
    machines: (wanted) => (wanted ? simulated! : local!),
    prepareCluster: async () => {},
    simulatedByDefault: false,
  }
}

function serverOf(store: ResourceStore, name: string, clock: SimulatedClock): Server {
  const scope = testScope({ clock, seed: name.length })
  const duty = new Duty(scope, { store, suppliers: suppliersOf(scope), sharing: { name, hasHost: true } })
  const terms: ('begin' | 'end')[] = []
  const standing = duty.stand({
    begin: async () => void terms.push('begin'),
    end: async () => void terms.push('end'),
  })
  return { scope, duty, terms, standing }
}

async function twoServers(): Promise<
  { readonly store: ResourceStore; readonly first: Server; readonly second: Server } & AsyncDisposable
> {
  using opening = testScope()
  const disk = createMemoryStore(opening)
  const store = new ResourceStore(disk)
  await putGroup(store, anywhere, { location })
  await putGroup(store, here, { location, host: 'second!' })
  await putGroup(store, made, { location, managedBy: clusterIn(here) })
  const first = serverOf(store, 'first', new SimulatedClock())
  await first.scope.clock.run(5_000)
  const second = serverOf(store, 'second!', new SimulatedClock())
  await second.scope.clock.run(5_000)
  return {
    store,
    first,
    second,
    async [Symbol.asyncDispose]() {
      for (const { scope, standing } of [first, second]) {
        scope.abort()
        await standing
      }
    },
  }
}

test('what no host has is worked on by the elected server alone, what a host has by that host alone', async () => {
  await using servers = await twoServers()
  const { first, second } = servers
  assert.deepEqual([first.duty.isElected, second.duty.isElected], [true, false])
  const ours = async (id: string): Promise<readonly boolean[]> => [
    (await first.duty.turnOf(id)) !== undefined,
    (await second.duty.turnOf(id)) !== undefined,
  ]
  assert.deepEqual(await ours(clusterIn(anywhere)), [true, false])
  assert.deepEqual(await ours(clusterIn(here)), [false, true])
  assert.deepEqual(await ours(`${groupId(made)}/providers/microsoft.network/virtualnetworks/v`), [false, true])
  assert.deepEqual(await ours('/subscriptions/s/providers/microsoft.resources/deployments/d'), [true, false])
  // It may have to go on elsewhere: nothing of this host goes into it.
  const turn = (await first.duty.turnOf(clusterIn(anywhere)))!
  assert.deepEqual([turn.suppliers.fabric, turn.suppliers.machines(false).kind], [undefined, 'simulated'])
})

test('a server that is stopped in its term and wakes when another works writes nothing', async () => {
  await using servers = await twoServers()
  const { store, first, second } = servers
  const turn = (await first.duty.turnOf(clusterIn(anywhere)))!
  const change = (value: string) => [{ kind: 'put' as const, key: 'hub/resources/x', value, expected: 0 }]
  // Renewals end no term.
  await first.scope.clock.run(20_000)
  assert.equal(await turn.store.commit([{ kind: 'put', key: 'hub/resources/early', value: 1, expected: 0 }]), true)
  // No time passes where the first is.
  await second.scope.clock.run(40_000)
  assert.deepEqual([second.duty.isElected, first.duty.isElected], [true, true])
  await assert.rejects(turn.store.commit(change('of the old term')), TermOverError)
  const next = (await second.duty.turnOf(clusterIn(anywhere)))!
  assert.equal(await next.store.commit(change('of the new term')), true)
  await first.scope.clock.run(10_000)
  assert.deepEqual([first.terms, first.duty.isElected, turn.signal!.aborted], [['begin', 'end'], false, true])
  assert.equal((await store.get('hub/resources/x'))!.value, 'of the new term')
})

test('a server that stops makes way at once, and work of a term is done wherever the term is', async () => {
  await using servers = await twoServers()
  const { first, second } = servers
  const log: string[] = []
  const works = [first, second].map(async ({ scope, duty }, i) => {
    await duty.whileOnDuty(scope, clusterIn(anywhere), async (own) => {
      log.push(`begins on ${i + 1}`)
      await new Promise<void>((resolve) => own.signal.addEventListener('abort', () => resolve(), { once: true }))
      log.push(`ends on ${i + 1}`)
    })
  })
  await first.scope.clock.run(1)
  assert.deepEqual(log, ['begins on 1'])
  first.scope.abort()
  await first.standing
  await second.scope.clock.run(5_000)
  assert.deepEqual(log, ['begins on 1', 'ends on 1', 'begins on 2'])
  assert.deepEqual([await second.duty.wasLast(), await first.duty.wasLast()], [true, false])
  second.scope.abort()
  await Promise.all(works)
})

test('machines that another server runs are let go of, those that are bound here are kept', async () => {
  await using servers = await twoServers()
  const { second } = servers
  const { scope, duty } = second
  const machines = new FakeMachines({ kind: 'simulated' })
  for (const [name, ref] of [
    ['kept', here],
    ['gone', anywhere],
  ] as const) {
    const spec = { name, clusterId: clusterIn(ref).toLowerCase() } as MachineSpec
    await machines.create(scope, spec, async () => ({ kubeconfig: '' }))
  }
  assert.equal(machines.list().length, 2)
  await releaseMachines(scope, duty, machines, 'second!')
  assert.deepEqual(
    machines.list().map(({ name }) => name),
    ['kept'],
  )
})

test('groups of a server that begins to share its store are bound to it, but not those that are made by clusters', async () => {
  await using servers = await twoServers()
  const { store } = servers
  await bindGroups(store, 'mover')
  const hosts = await Promise.all(
    [anywhere, here, made].map(
      async (ref) => (await store.get<{ host?: string }>(keys.resource(groupId(ref))))!.value.host,
    ),
  )
  assert.deepEqual(hosts, ['mover', 'second!', undefined])
})
