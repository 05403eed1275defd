// The bench of the network measures what is in force: it runs small, beside its peers, and refuses to time nothing.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { measureCosts, measureFirstPackets, measureThroughput, openWorld } from './packets.ts'
import { measureServices } from './services.ts'

test('services are loaded and changed in the kernel, each beside its peer', async () => {
  const signal = new AbortController().signal
  const scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal }
  const report = await measureServices(scope, { services: 50, changes: 20, runs: 2 })
  assert.deepEqual(
    [report.loads.length, report.peers.length, report.changes.length, report.bareChanges.length],
    [2, 3, 20, 20],
  )
  assert.ok([...report.loads, ...report.peers, ...report.changes].every((seconds) => seconds > 0))
})

test('packets pass the tables of a node, each kind beside the same without it', async () => {
  const { few, many } = await measureFirstPackets({ few: 10, many: 50, packets: 20 })
  assert.deepEqual([few.length, many.length], [20, 20])
  await using world = await openWorld(10)
  const { pods, bare } = await measureThroughput(world, { seconds: 0.1, runs: 1 })
  assert.deepEqual([pods.length, bare.length], [1, 2])
  const { plain, policies, flows, seen } = await measureCosts(world, { seconds: 0.1, runs: 1, packets: 50 })
  assert.deepEqual([plain.rates.length, policies.rates.length, flows.rates.length], [2, 1, 1])
  // Those that the kernel still held back when the reader left are missing.
  assert.ok(seen >= 25, `the reader saw ${seen} flows of 50`)
  assert.ok([...pods, ...bare, ...plain.rates, ...policies.firsts, ...flows.firsts].every((value) => value > 0))
})
