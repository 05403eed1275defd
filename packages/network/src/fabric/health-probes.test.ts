// Probes over simulated time: who is out, when, and what is told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { testScope } from '../testing/host-bench.ts'
import { HealthProbes, type ProbeChange, type ProbeTarget } from './health-probes.ts'
import { ProbePorts } from './probe-ports.ts'

const target: ProbeTarget = {
  address: '10.224.0.4',
  probe: { protocol: 'Tcp', port: 30080, intervalSeconds: 5, failures: 2 },
}

function bench() {
  const clock = new SimulatedClock()
  const changes: ProbeChange[] = []
  const state = { answer: undefined as string | undefined, asked: 0 }
  const probes = new HealthProbes(
    { ...testScope(), clock },
    {
      ask: () => {
        state.asked += 1
        return Promise.resolve(state.answer)
      },
      placeOf: ({ probe }) => ({ host: '100.64.0.2', port: 1024, probe }),
      onChange: (change) => changes.push(change),
    },
  )
  return { clock, changes, state, probes }
}

test('a new backend is out until it answers, which is known when set() resolves', async () => {
  const { changes, probes } = bench()
  await probes.set([target])
  assert.equal(probes.isUp(target), true)
  assert.deepEqual(
    changes.map(({ isUp }) => isUp),
    [true],
  )
  probes[Symbol.dispose]()
})

test('one that does not answer is asked again soon, then at the interval, and told once', async () => {
  const { clock, changes, state, probes } = bench()
  state.answer = 'connection refused'
  await probes.set([target])
  assert.equal(probes.isUp(target), false)
  await clock.run(1000)
  assert.ok(state.asked >= 3, `${state.asked}`)
  await clock.run(60_000)
  assert.ok(state.asked < 20, `${state.asked}`)
  assert.deepEqual(
    changes.map(({ isUp, why }) => [isUp, why]),
    [[false, 'connection refused']],
  )
  state.answer = undefined
  await clock.run(5_000)
  assert.equal(probes.isUp(target), true)
  probes[Symbol.dispose]()
})

test('a backend is lost after as many failures in a row as asked, and found by one answer', async () => {
  const { clock, changes, state, probes } = bench()
  await probes.set([target])
  state.answer = 'connection refused'
  await clock.run(5_000)
  assert.equal(probes.isUp(target), true, 'one failure is none')
  state.answer = undefined
  await clock.run(5_000)
  state.answer = 'connection refused'
  await clock.run(5_000)
  assert.equal(probes.isUp(target), true, 'failures count in a row')
  await clock.run(5_000)
  assert.equal(probes.isUp(target), false)
  state.answer = undefined
  await clock.run(5_000)
  assert.equal(probes.isUp(target), true)
  assert.deepEqual(
    changes.map(({ isUp }) => isUp),
    [true, false, true],
  )
  probes[Symbol.dispose]()
})

test('what was in force before a restart counts as alive, what is no target any more is not asked', async () => {
  const { clock, changes, state, probes } = bench()
  state.answer = 'no answer in time'
  await probes.set([{ ...target, isKnown: true }])
  assert.equal(probes.isUp(target), true)
  await clock.run(5_000)
  assert.equal(probes.isUp(target), false)
  await probes.set([])
  const { asked } = state
  await clock.run(60_000)
  assert.equal(state.asked, asked)
  assert.equal(changes.length, 1)
})

test('places have ports of their own, which come free with them', () => {
  const ports = new ProbePorts()
  const other = { ...target, address: '10.224.0.5' }
  ports.set([target, other])
  const before = ports.portOf(other)
  assert.notEqual(ports.portOf(target), before)
  ports.set([other])
  assert.equal(ports.portOf(other), before)
  assert.deepEqual([...ports.places()], [[before, { address: '10.224.0.5', port: 30080 }]])
})
