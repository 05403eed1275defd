// Group `simulated`: how soon thousands of simulated nodes and their pods stand, what holding them costs, and what nothing costs.

import type { Scope } from '@aksel/base/scope'
import { CommandError } from '../../command-error.ts'
import type { BenchRequest } from '../group.ts'
import { rowOf, type BenchRow, type Measured } from '../row.ts'
import { runWorkload } from '../scheduler/run.ts'
import { basic } from '../scheduler/workloads.ts'
import { crowd, type Crowd } from './crowd.ts'
import { idle, type Idle } from './idle.ts'

/** Upstream's greatest cluster with `--full`, a tenth of it for two minutes with `--tenth`; else small enough for a look. */
const sizes = {
  look: { nodes: 100, podsANode: 2, holdPodsANode: 5, services: 50, holdSeconds: 10, idleSeconds: 5, probePods: 1000 },
  tenth: {
    nodes: 500,
    podsANode: 2,
    holdPodsANode: 30,
    services: 1000,
    holdSeconds: 120,
    idleSeconds: 20,
    probePods: 3000,
  },
  full: {
    nodes: 5000,
    podsANode: 2,
    holdPodsANode: 30,
    services: 10_000,
    holdSeconds: 1800,
    idleSeconds: 60,
    probePods: 10_000,
  },
} as const

/** A run that is interrupted while it fills or holds gives what it saw until then; the rows say so. */
export async function simulatedGroup(scope: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  const size = request.full ? sizes.full : request.tenth ? sizes.tenth : sizes.look
  const { say } = request
  const { signal: until } = scope
  // Interrupted, it still has to be looked through.
  const own: Scope = { ...scope, signal: new AbortController().signal }
  say('simulated: an idle control plane')
  const nothing = await idle(own, size.idleSeconds)
  until.throwIfAborted()
  say('simulated: the write rate of this machine, before')
  const before = await writesPerSecond(own, size.probePods)
  until.throwIfAborted()
  say(`simulated: ${size.nodes} nodes Ready, ${size.nodes * size.podsANode} pods Running, then held`)
  const seen = await crowd(own, size, { say, until })
  const { lost, writes } = seen.hold
  if (lost.length > 0) throw new CommandError(`Acknowledged and not there: ${lost.slice(0, 5).join('; ')}`)
  if (!until.aborted) say('simulated: the write rate of this machine, after')
  const after = until.aborted ? before : await writesPerSecond(own, size.probePods)
  const { stages } = seen
  const interrupted = until.aborted
    ? { interrupted: `after ${Math.round(seen.heldSeconds)} of ${size.holdSeconds} seconds of holding` }
    : {}
  const common = { stages, details: { sizes: size, eventLoopDelayMs: seen.loopDelayMs, ...interrupted } }
  return [
    rowOf({
      ...common,
      name: 'C6 nodes Ready and pods Running',
      unit: 's',
      runs: [seen.seconds],
      // Seconds that the writes alone would take at the probed rate.
      probe: {
        of: `${seen.writes} writes at the probed rate`,
        before: seen.writes / before,
        after: seen.writes / after,
      },
    }),
    // Interrupted before anything was held.
    ...(writes === 0 ? [] : [heldRow(seen, nothing, common)]),
    idleRow(nothing, common),
  ]
}

type Common = Pick<Measured, 'stages' | 'details'>

function heldRow(seen: Crowd, nothing: Idle, common: Common): BenchRow {
  return rowOf({
    ...common,
    name: 'A9 writes while holding the crowd, p99',
    unit: 's',
    runs: [seen.hold.p99Seconds],
    probe: {
      of: 'the same write with nothing to hold, p99',
      before: nothing.p99Seconds,
      after: nothing.p99Seconds,
    },
    details: {
      ...common.details,
      fillSeconds: seen.fillSeconds,
      heldSeconds: seen.heldSeconds,
      cores: seen.hold.cores,
      changes: seen.hold.writes,
      /** Of all: a lease that came too late makes a node unready. */
      unreadyNodes: seen.hold.unready.length,
      processes: [{ role: 'bench', count: 1, ...seen.hold.cost }],
    },
  })
}

function idleRow({ cores, floorCores }: Idle, common: Common): BenchRow {
  return rowOf({
    ...common,
    name: 'A11 CPU-seconds a second of an idle control plane',
    unit: 's',
    runs: [cores],
    probe: { of: 'this process without one', before: floorCores, after: floorCores },
  })
}

/** A pod that is created and bound is two writes. */
async function writesPerSecond(scope: Scope, pods: number): Promise<number> {
  // Forty of them fill a node.
  const plain = { nodes: Math.max(100, Math.ceil(pods / 40)), initial: 0, pods }
  return 2 * (await runWorkload(scope, basic, { sizes: plain, scheduler: false })).podsPerSecond
}
