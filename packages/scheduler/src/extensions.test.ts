// What may be added to the scheduler, each by a stand-in: an extender, devices and a gang.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, nodes, pods } from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { createCaches } from '@aksel/runtime/caches'
import { FakeClient, type FakeClientOptions } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import type { Extension } from './extensions.ts'
import { createScheduler, type Scheduler } from './scheduler.ts'

function node(name: string): Node {
  return { metadata: { name }, spec: {}, status: { allocatable: { cpu: '4', memory: '4Gi', pods: '10' } } }
}

function pod(name: string, labels: Readonly<Record<string, string>> = {}): Pod {
  const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }]
  return { metadata: { name, namespace: 'default', labels }, spec: { containers } }
}

interface Rig {
  readonly client: FakeClient
  readonly scheduler: Scheduler
  /** Lets so much time pass, and all that follows from it. */
  readonly pass: (ms: number) => Promise<void>
  /** Nodes by pod; '' for one that waits. */
  readonly placed: () => Readonly<Record<string, string>>
}

async function withExtensions(
  extensions: readonly Extension[],
  work: (rig: Rig) => Promise<void>,
  hooks: Pick<FakeClientOptions, 'before'> = {},
): Promise<void> {
  using scope = testScope()
  const client = new FakeClient({ ...scope, ...hooks })
  await using caches = createCaches(scope, client)
  const scheduler = createScheduler(scope, { client, caches, extensions })
  scheduler.run().catch(() => {})
  for (const name of ['a', 'b']) await client.create(nodes, node(name))
  await scope.clock.run(1)
  await work({
    client,
    scheduler,
    pass: (ms) => scope.clock.run(ms),
    placed: () =>
      Object.fromEntries(client.peekAll(pods).map(({ metadata, spec }) => [metadata.name, spec.nodeName ?? ''])),
  })
}

test('an extender that is asked turns nodes away in its own words, and its scores count', async () => {
  const asked: string[] = []
  const extender: Extension = {
    name: 'Licences',
    weight: 1000,
    ask(_scope, { metadata }) {
      if (metadata.labels?.['licensed'] === undefined) return undefined
      asked.push(metadata.name)
      return Promise.resolve({ refused: new Map([['a', 'no licence is left here']]), scores: new Map([['b', 100]]) })
    },
  }
  await withExtensions([extender], async ({ client, pass, placed }) => {
    for (const name of ['one', 'two', 'three', 'four', 'five'])
      await client.create(pods, pod(name, { licensed: 'yes' }))
    await client.create(pods, pod('free'))
    await pass(1000)
    assert.deepEqual(placed(), { one: 'b', two: 'b', three: 'b', four: 'b', five: '', free: 'a' })
    assert.deepEqual(asked.slice(0, 5), ['one', 'two', 'three', 'four', 'five'])
    const told = client.peekAll(events).find(({ reason }) => reason === 'FailedScheduling')!
    assert.match(told.message!, /^0\/2 nodes are available: 1 Insufficient cpu, 1 no licence is left here\./)
  })
})

test('a score of an extender decides between nodes that fit', async () => {
  const prefers: Extension = {
    name: 'Prefers',
    weight: 10,
    ask: () => Promise.resolve({ scores: new Map([['b', 100]]) }),
  }
  await withExtensions([prefers], async ({ client, pass, placed }) => {
    await client.create(pods, pod('one'))
    await client.create(pods, pod('two'))
    await pass(10)
    assert.deepEqual(placed(), { one: 'b', two: 'b' })
  })
})

test('an extender that fails costs its pod a try, and no other', async () => {
  let fails = 1
  const broken: Extension = {
    name: 'Broken',
    ask: (_scope, { metadata }) =>
      metadata.name === 'unlucky' && fails-- > 0 ? Promise.reject(new Error('no answer from it')) : undefined,
  }
  await withExtensions([broken], async ({ client, pass, placed }) => {
    await client.create(pods, pod('unlucky'))
    await client.create(pods, pod('other'))
    await pass(10)
    assert.equal(placed()['unlucky'], '')
    assert.notEqual(placed()['other'], '')
    const { status } = client.peek(pods, 'default/unlucky')!
    assert.deepEqual(
      status?.conditions?.map(({ reason, message }) => [reason, message]),
      [['SchedulerError', 'no answer from it']],
    )
    await pass(2000)
    assert.notEqual(placed()['unlucky'], '')
  })
})

/** As dynamic resources would be: each node has one device; it is taken with the decision, written down before the binding. */
function devices(written: string[]): Extension & { readonly taken: Map<string, string> } {
  const taken = new Map<string, string>()
  return {
    name: 'Devices',
    taken,
    plugin: ({ state, refusals }) => ({
      names: ['Devices'],
      prepare: ({ metadata }) =>
        metadata.labels?.['device'] === undefined
          ? undefined
          : {
              filter: {
                one: (slot) =>
                  taken.has(state.nodes[slot]!.name)
                    ? refusals.code('Devices', 'cannot allocate all claims', false)
                    : 0,
              },
            },
    }),
    reserve({ metadata }, nodeName) {
      if (metadata.labels?.['device'] !== undefined) taken.set(nodeName, metadata.name)
      return undefined
    },
    unreserve({ metadata }, nodeName) {
      if (taken.get(nodeName) === metadata.name) taken.delete(nodeName)
    },
    permit: (_scope, { metadata }, nodeName) =>
      Promise.resolve().then(() => void written.push(`${metadata.name}@${nodeName}`)),
  }
}

test('a device is taken by one pod a node, written down before the binding, and given back when that fails', async () => {
  const written: string[] = []
  const extension = devices(written)
  let refusals = 1
  const before: FakeClientOptions['before'] = ({ subresource, name }) => {
    if (subresource === 'binding' && name === 'one' && refusals-- > 0) throw new Error('the server went away')
  }
  await withExtensions(
    [extension],
    async ({ client, pass, placed, scheduler }) => {
      await client.create(pods, pod('one', { device: 'yes' }))
      await pass(10)
      assert.deepEqual([placed()['one'], [...extension.taken], written.length], ['', [], 1])
      await client.create(pods, pod('two', { device: 'yes' }))
      await client.create(pods, pod('three', { device: 'yes' }))
      await pass(5000)
      const holders = [...extension.taken.values()]
      assert.deepEqual(holders.length, 2)
      assert.deepEqual(
        holders.map((name) => placed()[name] !== ''),
        [true, true],
      )
      const waiting = ['one', 'two', 'three'].find((name) => !holders.includes(name))!
      assert.equal(placed()[waiting], '')
      const { message } = scheduler.explain(`default/${waiting}`)!
      assert.match(message!, /^0\/2 nodes are available: 2 cannot allocate all claims\./)
    },
    { before },
  )
})

test('what one extension refuses to reserve, those before it give back', async () => {
  const log: string[] = []
  const first: Extension = {
    name: 'First',
    reserve(_pod, nodeName) {
      log.push(`reserve ${nodeName}`)
      return undefined
    },
    unreserve: (_pod, nodeName) => void log.push(`unreserve ${nodeName}`),
  }
  let refuses = true
  const second: Extension = { name: 'Second', reserve: () => (refuses ? 'not now' : undefined) }
  await withExtensions([first, second], async ({ client, pass, placed }) => {
    await client.create(pods, pod('one'))
    await pass(10)
    assert.deepEqual([placed()['one'], log], ['', ['reserve a', 'unreserve a']])
    const told = client.peekAll(events).find(({ reason }) => reason === 'FailedScheduling')!
    assert.equal(told.message, 'running Reserve plugin "Second": not now')
    refuses = false
    await pass(2000)
    assert.equal(placed()['one'], 'a')
  })
})

/** Pods of a gang are bound together or not at all: they hold their places for a while, and give them up again. */
function gangs(): Extension {
  const waiting = new Map<string, { readonly pods: Map<string, () => void>; readonly late: Disposable }>()
  return {
    name: 'Gang',
    permit(scope, { metadata }) {
      const { gang, size } = (metadata.labels ?? {}) as { readonly gang?: string; readonly size?: string }
      if (gang === undefined) return undefined
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const known = waiting.get(gang)
      const members = known?.pods ?? new Map<string, () => void>()
      members.set(metadata.name, resolve)
      if (members.size === Number(size)) {
        waiting.delete(gang)
        for (const release of members.values()) release()
        return promise
      }
      const late = scope.clock.after(5000, () => {
        waiting.delete(gang)
        reject(new Error(`only ${members.size} of ${size} pods of gang "${gang}" have a place`))
      })
      waiting.set(gang, { pods: members, late })
      return promise.finally(() => late[Symbol.dispose]())
    },
  }
}

test('a gang is bound when all of it has a place; one that is too large gives its places to others', async () => {
  await withExtensions([gangs()], async ({ client, pass, placed }) => {
    for (const name of ['one', 'two']) await client.create(pods, pod(name, { gang: 'g', size: '3' }))
    await pass(10)
    assert.deepEqual(placed(), { one: '', two: '' })
    await client.create(pods, pod('three', { gang: 'g', size: '3' }))
    await pass(10)
    assert.deepEqual(Object.values(placed()).filter((name) => name !== '').length, 3)
    for (const index of [1, 2, 3, 4, 5]) await client.create(pods, pod(`big-${index}`, { gang: 'big', size: '9' }))
    await pass(10)
    // Five places are left, and the gang stands on all of them, unbound.
    await client.create(pods, pod('plain'))
    await pass(10)
    assert.equal(placed()['plain'], '')
    await pass(6000)
    assert.notEqual(placed()['plain'], '')
    assert.deepEqual(
      Object.entries(placed()).filter(([name, at]) => name.startsWith('big') && at !== ''),
      [],
    )
  })
})
