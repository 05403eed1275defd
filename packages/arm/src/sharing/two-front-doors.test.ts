// Two front doors on one store: whichever a client asks, the server whose work it is does it, and the other goes on when that one ends.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { silentLog } from '@aksel/base/log'
import { systemClock } from '@aksel/base/clock'
import { seededRandom } from '@aksel/base/ids'
import { createMemoryStore } from '@aksel/store/memory-store'
import { StoreError } from '@aksel/store/store'
import { openFrontDoor, subscriptionId, type OpenedFrontDoor } from '../testing/opened-front-door.ts'

const sub = `/subscriptions/${subscriptionId}`
const system = { name: 'system', mode: 'System', count: 1 }
/** Nobody is taken for dead because the machine is slow: whoever stops makes way. */
const timing = { retryPeriodMs: 50 }
/** Of one that has no rival, and loses its term when the store is silent. */
const hasty = { leaseDurationMs: 1_000, renewDeadlineMs: 800, retryPeriodMs: 50 }
const DEADLINE_MS = 30_000

interface TwoDoors extends AsyncDisposable {
  readonly first: OpenedFrontDoor
  readonly second: OpenedFrontDoor
}

async function twoDoors(hasHost: readonly [boolean, boolean], neverReady?: () => boolean): Promise<TwoDoors> {
  const store = createMemoryStore({
    clock: systemClock(),
    random: seededRandom(1),
    log: silentLog(),
    signal: new AbortController().signal,
  })
  const open = async (name: string, own: boolean): Promise<OpenedFrontDoor> => {
    const options = neverReady === undefined || name === 'second' ? {} : { neverReady }
    const opened = await openFrontDoor({ store, sharing: { name, hasHost: own, timing }, ...options })
    await opened.door.resume()
    return opened
  }
  const first = await open('first', hasHost[0])
  await first.door
    .whileOnDuty(scopeUntil(AbortSignal.timeout(DEADLINE_MS)), sub, async () => Promise.reject(elected))
    .catch((error: unknown) => assert.equal(error, elected))
  const second = await open('second', hasHost[1])
  return {
    first,
    second,
    async [Symbol.asyncDispose]() {
      await second[Symbol.asyncDispose]()
      await first[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

const elected = new Error('elected')

function scopeUntil(signal: AbortSignal) {
  return { clock: systemClock(), random: seededRandom(2), log: silentLog(), signal }
}

/** The answer of the operation's address, once it has ended. */
async function ended(door: OpenedFrontDoor, answer: { readonly headers: Readonly<Record<string, unknown>> }) {
  const { pathname, search } = new URL(String(answer.headers['azure-asyncoperation']))
  const late = AbortSignal.timeout(DEADLINE_MS)
  for (;;) {
    const status = await door.call('GET', `${pathname}${search}`, { headers: { prefer: 'wait=20' } })
    if (String(status.body?.['status']) !== 'InProgress') return String(status.body?.['status'])
    late.throwIfAborted()
  }
}

async function makeCluster(by: OpenedFrontDoor, group: string) {
  await by.call('PUT', `${sub}/resourcegroups/${group}`, { body: { location: 'eastus' } })
  const path = `${sub}/resourcegroups/${group}/providers/Microsoft.ContainerService/managedClusters/c1`
  const answer = await by.call('PUT', path, {
    body: { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles: [system] } },
  })
  assert.equal(answer.status, 201, answer.text)
  return { path, answer }
}

const made = ({ engine, machines }: OpenedFrontDoor): readonly number[] => [
  engine.clusters.size,
  machines(true).list().length,
  machines(false).list().length,
]

test('a cluster without a host is made by the elected server, whichever door it was ordered at', async () => {
  await using doors = await twoDoors([false, false])
  const { first, second } = doors
  const { path, answer } = await makeCluster(second, 'rg')
  assert.equal(await ended(second, answer), 'Succeeded')
  assert.deepEqual(
    [made(first), made(second)],
    [
      [1, 1, 0],
      [0, 0, 0],
    ],
  )
  const [one, two] = await Promise.all([first.call('GET', path), second.call('GET', path)])
  assert.equal(one.body?.['properties']?.['provisioningState'], 'Succeeded')
  assert.equal(two.body?.['properties']?.['provisioningState'], 'Succeeded')
  const deleted = await second.call('DELETE', path)
  assert.equal(await ended(first, deleted), 'Succeeded')
  assert.deepEqual(made(first), [0, 0, 0])
})

test('a cluster in a group of a host is made on that host with real machines, whichever door it was ordered at', async () => {
  await using doors = await twoDoors([false, true])
  const { first, second } = doors
  await second.call('PUT', `${sub}/resourcegroups/bound`, { body: { location: 'eastus' } })
  const { answer } = await makeCluster(first, 'bound')
  assert.equal(await ended(first, answer), 'Succeeded')
  assert.deepEqual(
    [made(first), made(second)],
    [
      [0, 0, 0],
      [1, 0, 1],
    ],
  )
  // A group that was made where there is no host stays without one: its pools are simulated, whoever makes them.
  const other = await makeCluster(first, 'free')
  assert.equal(await ended(second, other.answer), 'Succeeded')
  const pool = await second.call('PUT', `${other.path}/agentPools/more`, { body: { properties: { count: 2 } } })
  assert.equal(pool.status, 201, pool.text)
  assert.equal(await ended(second, pool), 'Succeeded')
  assert.deepEqual(
    [made(first), made(second)],
    [
      [1, 3, 0],
      [1, 0, 1],
    ],
  )
})

test('a server whose store does not answer for a while keeps its machines, and goes on', async () => {
  const state = { isDown: false }
  const scope = scopeUntil(new AbortController().signal)
  await using disk = createMemoryStore(scope)
  const store = new Proxy(disk, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (name === 'transact' && state.isDown)
        return () => Promise.reject(new StoreError('Unavailable', 'nobody answers'))
      return typeof member === 'function' ? (member as (...args: never[]) => unknown).bind(target) : member
    },
  })
  await using opened = await openFrontDoor({ store, sharing: { name: 'alone', hasHost: false, timing: hasty } })
  await opened.door.resume()
  const { path, answer } = await makeCluster(opened, 'rg')
  assert.equal(await ended(opened, answer), 'Succeeded')
  const [spec] = opened.machines(true).specs.values()
  const lasting = new AbortController()
  const terms = { begun: 0 }
  const again = Promise.withResolvers<void>()
  const working = opened.door.whileOnDuty(scopeUntil(lasting.signal), sub, async (own) => {
    terms.begun += 1
    if (terms.begun === 2) return again.resolve()
    state.isDown = true
    await new Promise<void>((resolve) => own.signal.addEventListener('abort', () => resolve(), { once: true }))
    assert.deepEqual(made(opened), [1, 1, 0])
    state.isDown = false
  })
  await again.promise
  assert.deepEqual(made(opened), [1, 1, 0])
  const scaled = await opened.call('PUT', `${path}/agentPools/more`, { body: { properties: { count: 1 } } })
  assert.equal(await ended(opened, scaled), 'Succeeded')
  assert.deepEqual(made(opened), [1, 2, 0])
  assert.equal([...opened.machines(true).specs.values()][0], spec, 'it was made anew')
  lasting.abort()
  await working
})

test('an operation that the first server has begun is finished by the second when the first is gone', async () => {
  await using doors = await twoDoors([false, false], () => true)
  const { first, second } = doors
  const { path, answer } = await makeCluster(first, 'rg')
  const waiting = (): boolean => made(first)[1] === 1
  for (const late = AbortSignal.timeout(DEADLINE_MS); !waiting(); late.throwIfAborted()) await oneTurn()
  await first[Symbol.asyncDispose]()
  assert.equal(await ended(second, answer), 'Succeeded')
  assert.deepEqual(made(second), [1, 1, 0])
  const { body } = await second.call('GET', path)
  assert.equal(body?.['properties']?.['provisioningState'], 'Succeeded')
})

test('a deployment that is accepted at one door is run by the elected server, once', async () => {
  await using doors = await twoDoors([false, false])
  const { first, second } = doors
  await first.call('PUT', `${sub}/resourcegroups/rg`, { body: { location: 'eastus' } })
  const template = {
    $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
    contentVersion: '1.0.0.0',
    resources: [
      {
        type: 'Microsoft.ContainerService/managedClusters',
        apiVersion: '2026-06-01',
        name: 'c1',
        location: 'eastus',
        identity: { type: 'SystemAssigned' },
        properties: { dnsPrefix: 'c1', agentPoolProfiles: [system] },
      },
    ],
  }
  const deployment = `${sub}/resourcegroups/rg/providers/Microsoft.Resources/deployments/d1?api-version=2025-04-01`
  const answer = await second.call('PUT', deployment, { body: { properties: { mode: 'Incremental', template } } })
  assert.equal(answer.status, 201, answer.text)
  const late = AbortSignal.timeout(DEADLINE_MS)
  for (;;) {
    const { body } = await second.call('GET', deployment)
    const state = String(body?.['properties']?.['provisioningState'])
    if (!['Accepted', 'Running', 'Created'].includes(state)) {
      assert.equal(state, 'Succeeded', JSON.stringify(body))
      break
    }
    late.throwIfAborted()
    await oneTurn()
  }
  assert.deepEqual(
    [made(first), made(second)],
    [
      [1, 1, 0],
      [0, 0, 0],
    ],
  )
})

async function oneTurn(): Promise<void> {
  await once(AbortSignal.timeout(20), 'abort')
}
