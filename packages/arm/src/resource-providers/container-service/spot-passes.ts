// A spot machine that is evicted: thirty seconds of notice, as Azure gives, then it ends without a drain.

import { createHash } from 'node:crypto'
import { anySignal } from '@aksel/base/any-signal'
import { sleep } from '@aksel/base/clock'
import type { ClusterRecord, MachineRecord, PoolRecord } from '../../records.ts'
import { noticeMs } from '../../spot.ts'
import { keys } from '../../store-keyspace.ts'
import { setCordon, tellNode } from './node-marks.ts'
import { engineId, machinesOfPool, type Pass } from './pass.ts'

/** Tells the node, lets nothing new onto it, and resolves when the notice is over. */
export async function giveNotice(
  pass: Pass,
  cluster: ClusterRecord,
  pool: PoolRecord,
  machine: MachineRecord,
): Promise<void> {
  const { eviction } = machine
  if (eviction === undefined) return
  const client = pass.suppliers.engine.client(engineId(cluster))
  await setCordon(client, machine.name, true)
  await tellNode(pass.scope, client, {
    node: machine.name,
    reason: 'PreemptScheduled',
    message: `Preempt scheduled for spot node ${machine.name}: ${eviction.why}`,
    warning: true,
    once: String(eviction.sinceMs),
  })
  pass.tell(pool.id, `Node ${machine.name} is evicted`)
  await announce(pass, cluster, pool, machine)
  const leftMs = eviction.sinceMs + noticeMs - pass.scope.clock.now()
  if (leftMs > 0) await sleep(pass.scope.clock, leftMs, anySignal([pass.scope.signal, pass.signal]))
}

/** A GUID, the same for one eviction whoever tells it. */
function eventIdOf(name: string, sinceMs: number): string {
  const hex = createHash('sha256').update(`${name}/${sinceMs}`).digest('hex').toUpperCase()
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}

/** Whoever runs on the machine reads it at its metadata service. */
async function announce(pass: Pass, cluster: ClusterRecord, pool: PoolRecord, machine: MachineRecord): Promise<void> {
  const { sinceMs } = machine.eviction!
  const event = {
    id: eventIdOf(machine.name, sinceMs),
    type: 'Preempt',
    notBeforeMs: sinceMs + noticeMs,
    description: 'The machine is being evicted because Azure needs the capacity back, or its price has risen.',
    source: 'Platform',
    durationSeconds: -1,
  } as const
  const id = { clusterId: engineId(cluster), name: machine.name }
  await machinesOfPool(pass, pool).announce?.(id, { incarnation: 2, events: [event] })
}

/** Says that it is gone; its node may be, too. */
export async function tellEvicted(pass: Pass, cluster: ClusterRecord, machine: MachineRecord): Promise<void> {
  if (machine.eviction === undefined) return
  await tellNode(pass.scope, pass.suppliers.engine.client(engineId(cluster)), {
    node: machine.name,
    reason: 'Evicted',
    message: `Spot node ${machine.name} was evicted: ${machine.eviction.why}`,
    warning: true,
    once: String(machine.eviction.sinceMs),
  })
}

/** With the policy Deallocate: the machine stands still until somebody boots it. True where there is nothing else to do with it. */
export async function deallocateEvicted(
  pass: Pass,
  cluster: ClusterRecord,
  pool: PoolRecord,
  machine: MachineRecord,
): Promise<boolean> {
  const { eviction } = machine
  if (eviction === undefined || eviction.done === true) return false
  const id = engineId(cluster)
  const provider = machinesOfPool(pass, pool)
  const known = provider.list(id).find(({ name }) => name === machine.name)
  if (known?.heldBy === undefined) {
    await giveNotice(pass, cluster, pool, machine)
    await provider.order(pass.scope, { clusterId: id, name: machine.name }, 'deallocate', {})
  }
  await tellEvicted(pass, cluster, machine)
  await pass.store.update<MachineRecord>(keys.machine(cluster.id, machine.name), (current) => ({
    ...current,
    eviction: { ...eviction, done: true },
  }))
  return true
}
