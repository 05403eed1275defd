// Candidates for one lease, on simulated time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps, leases } from '@aksel/api/resources'
import type { Clock } from '@aksel/base/clock'
import { FakeClient } from '@aksel/testing/fake-client'
import { FakeObjects } from '@aksel/testing/fake-objects'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { testScope } from '@aksel/testing/test-scope'
import { fencedClient, type Lead } from './fenced-client.ts'
import { runAsLeader, type LeaderOptions } from './leader-election.ts'

const lease = { namespace: 'kube-system', name: 'loops' }

class Candidate {
  readonly scope
  readonly client: FakeClient
  leads = false
  isCutOff = false
  readonly ended: Promise<void>

  constructor(identity: string, seed: number, clock: SimulatedClock, objects: FakeObjects) {
    this.scope = testScope({ clock, seed })
    this.client = new FakeClient({
      clock,
      random: this.scope.random,
      objects,
      before: () => {
        if (this.isCutOff) throw new Error('The network is down')
      },
    })
    this.ended = runAsLeader(this.scope, {
      client: this.client,
      lease,
      identity,
      run: (scope) => {
        this.leads = true
        return new Promise((resolve) => {
          scope.signal.addEventListener('abort', () => {
            this.leads = false
            resolve()
          })
        })
      },
    })
  }
}

test('one of two candidates leads, and the other takes over at once when it leaves', async () => {
  const clock = new SimulatedClock()
  const objects = new FakeObjects()
  const first = new Candidate('first', 1, clock, objects)
  await clock.run(10)
  const second = new Candidate('second', 2, clock, objects)
  await clock.run(60_000)
  assert.deepEqual([first.leads, second.leads], [true, false])
  const spec = (): { holderIdentity?: string; leaseTransitions?: number } =>
    second.client.peek(leases, 'kube-system/loops')!.spec!
  assert.equal(spec().leaseTransitions, 0)
  first.scope.abort()
  await first.ended
  await clock.run(5_000)
  assert.deepEqual([first.leads, second.leads], [false, true])
  assert.deepEqual([spec().holderIdentity, spec().leaseTransitions], ['second', 1])
  second.scope.abort()
  await second.ended
  assert.equal(spec().holderIdentity, '')
})

test('a leader that cannot renew stops before another can begin', async () => {
  const clock = new SimulatedClock()
  const objects = new FakeObjects()
  const first = new Candidate('first', 1, clock, objects)
  await clock.run(10)
  const second = new Candidate('second', 2, clock, objects)
  await clock.run(10_000)
  first.isCutOff = true
  let both = 0
  let stoppedMs: number | undefined
  let begunMs: number | undefined
  for (let passedMs = 0; passedMs < 30_000; passedMs += 100) {
    await clock.run(100)
    if (first.leads && second.leads) both += 1
    if (!first.leads) stoppedMs ??= passedMs
    if (second.leads) begunMs ??= passedMs
  }
  assert.equal(both, 0)
  assert.ok(stoppedMs! <= 10_000, `stopped after ${stoppedMs} ms`)
  assert.ok(begunMs! >= 12_000 && begunMs! < 20_000, `began after ${begunMs} ms`)
  first.isCutOff = false
  await clock.run(10_000)
  assert.deepEqual([first.leads, second.leads], [false, true])
  first.scope.abort()
  second.scope.abort()
  await Promise.all([first.ended, second.ended])
})

test('a leader that slept through the end of its lease writes nothing when it wakes, not even before it knows', async () => {
  const clock = new SimulatedClock()
  const objects = new FakeObjects()
  let sleptMs = 0
  const own: Clock = {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs() + sleptMs,
    after: (delayMs, fire) => clock.after(delayMs, fire),
  }
  const base = testScope({ clock, seed: 5 })
  const scope = { ...base, clock: own }
  const client = new FakeClient({ clock, random: scope.random, objects })
  const write = Promise.withResolvers<() => Promise<unknown>>()
  const ended = runAsLeader(scope, {
    client,
    lease,
    identity: 'sleeper',
    run: (leading, lead) => {
      const fenced = fencedClient(client, lead)
      let count = 0
      write.resolve(() => {
        count += 1
        return fenced.create(configMaps, { metadata: { name: `n${count}`, namespace: 'default' } })
      })
      return new Promise((resolve) => leading.signal.addEventListener('abort', () => resolve()))
    },
  })
  await clock.run(10)
  const writeOne = await write.promise
  await writeOne()
  // Renewals keep the lead.
  await clock.run(60_000)
  await writeOne()
  // Asleep: time passes, and none of its timers has fired when the next line of the work runs.
  sleptMs = 11_000
  await assert.rejects(writeOne, /Nothing is written: the lease that allows it is not held any more/)
  assert.equal(client.peekAll(configMaps).length, 2)
  base.abort()
  await ended
  await assert.rejects(writeOne, /Nothing is written/)
})

/** Stands for election with one client; what it holds is told. */
function stand(objects: FakeObjects, clock: SimulatedClock, seed: number, options: Partial<LeaderOptions> = {}) {
  const scope = testScope({ clock, seed })
  const client = new FakeClient({ clock, random: scope.random, objects })
  const leads: Lead[] = []
  const told: string[] = []
  const ended = runAsLeader(scope, {
    client,
    lease,
    identity: 'host',
    tell: (_, what) => void told.push(what),
    run: (own, lead) => {
      leads.push(lead)
      return new Promise((resolve) => own.signal.addEventListener('abort', () => resolve()))
    },
    ...options,
  })
  return { scope, client, leads, told, ended }
}

test('a program that comes back takes the lease of its predecessor at once, in a new term; a twin that lives waits', async () => {
  const clock = new SimulatedClock()
  const objects = new FakeObjects()
  const before = stand(objects, clock, 1)
  await clock.run(10)
  // It is killed: nothing is released. Its successor has its name.
  const after = stand(objects, clock, 2)
  await clock.run(10)
  assert.equal(after.leads.length, 1)
  assert.deepEqual(
    [before.leads[0]!.fence.transitions, after.leads[0]!.fence.transitions, before.leads[0]!.fence.uid],
    [0, 1, after.leads[0]!.fence.uid],
  )
  // It was no corpse after all: it sees that its term is over before its lease could have run out, and takes nothing back.
  await clock.run(5_000)
  assert.deepEqual([before.leads[0]!.holds(), after.leads[0]!.holds()], [false, true])
  assert.deepEqual([before.told, after.told], [['became leader', 'stopped leading'], ['became leader']])
  await clock.run(120_000)
  assert.deepEqual([before.leads.length, after.leads.length, after.leads[0]!.holds()], [1, 1, true])
  for (const one of [before, after]) {
    one.scope.abort()
    await one.ended
  }
  assert.equal(after.client.peek(leases, 'kube-system/loops')!.spec!.holderIdentity, '')
})

test('where nobody else can open the store, the lease of whoever held it last is taken at once', async () => {
  const clock = new SimulatedClock()
  const objects = new FakeObjects()
  stand(objects, clock, 1, { identity: 'another host' })
  await clock.run(10)
  const alone = stand(objects, clock, 2, { isAlone: true })
  await clock.run(10)
  assert.deepEqual([alone.leads[0]?.fence.holder, alone.leads[0]?.fence.transitions], ['host', 1])
})

test('a lease that is deleted ends the term of its holder, and the next is of another lease', async () => {
  const clock = new SimulatedClock()
  const objects = new FakeObjects()
  const one = stand(objects, clock, 1)
  await clock.run(10)
  await one.client.delete(leases, lease)
  await clock.run(10_000)
  const [first, second] = one.leads
  assert.deepEqual([first!.holds(), second!.holds()], [false, true])
  assert.notEqual(first!.fence.uid, second!.fence.uid)
  one.scope.abort()
  await one.ended
})
