// A control plane that nobody asks anything: what it burns, and how quick its writes are.

import { configMaps } from '@aksel/api/resources'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { openInProcessCluster } from '@aksel/testing/in-process-cluster'
import { startLoops } from './control-loops.ts'

export interface Idle {
  /** CPU-seconds a second. */
  readonly cores: number
  /** Of this process without a control plane. */
  readonly floorCores: number
  readonly p99Seconds: number
}

/** Compiling and collecting what the start left over is over by then: two seconds measured that, not idleness. */
const SETTLE_MS = 10_000

export async function idle(scope: Scope, seconds: number): Promise<Idle> {
  const floorCores = await burned(scope, seconds)
  await using cluster = await openInProcessCluster(scope)
  await using _loops = startLoops(scope, cluster)
  await sleep(scope.clock, SETTLE_MS, scope.signal)
  const cores = await burned(scope, seconds)
  const taken: number[] = []
  for (let index = 0; index < 200; index += 1) {
    const startedMs = performance.now()
    const metadata = { name: `change-${index}`, namespace: cluster.namespace }
    await cluster.user.create(configMaps, { metadata, data: { value: String(index) } })
    taken.push((performance.now() - startedMs) / 1000)
  }
  const p99Seconds = taken.toSorted((left, right) => left - right)[198]!
  return { cores, floorCores, p99Seconds }
}

/** Not less than the clock can tell, so that it can be divided by. */
async function burned(scope: Scope, seconds: number): Promise<number> {
  const before = process.cpuUsage()
  await sleep(scope.clock, seconds * 1000, scope.signal)
  const { user, system } = process.cpuUsage(before)
  return Math.max((user + system) / 1e6 / seconds, 1e-6)
}
