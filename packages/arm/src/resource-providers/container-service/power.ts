// Clusters and pools that stand still: machines are stopped and kept, and so is everything in the cluster.

import { pods } from '@aksel/api/resources'
import { ignoreReason } from '@aksel/base/errors'
import type { Machine } from '@aksel/provider/machine-provider'
import type { ClusterRecord, MachineRecord, PoolRecord } from '../../records.ts'
import { keys } from '../../store-keyspace.ts'
import { machinesOf, poolsOf } from './cluster-store.ts'
import { drainInTime, machinesAtOnce } from './machine-passes.ts'
import { engineId, inParallel, machinesOfPool, type Pass } from './pass.ts'

/** Machines first, then the control plane. Idempotent. */
export async function standStill(pass: Pass, cluster: ClusterRecord): Promise<void> {
  const id = engineId(cluster)
  const { engine } = pass.suppliers
  const pools = (await poolsOf(pass.store, cluster.id)).map(({ value }) => value)
  const machines = (await machinesOf(pass.store, cluster.id)).map(({ value }) => value)
  pass.tell(id, `Stopping the machines of ${cluster.name} (${machines.length})`)
  await Promise.all(
    pools.map((pool) =>
      inParallel(
        machines.filter((machine) => machine.pool === pool.name),
        machinesAtOnce(pass, pool),
        (machine) => stopMachine(pass, cluster, pool, machine),
      ),
    ),
  )
  if (engine.status(id)?.state !== 'Running') return
  await removeBarePods(pass, cluster)
  pass.tell(id, `Stopping the control plane of ${cluster.name}`)
  await engine.stop(pass.scope, id)
  pass.seen.prepared.delete(id)
}

/** Pods without a controller do not come back, as after any drain. */
async function removeBarePods(pass: Pass, cluster: ClusterRecord): Promise<void> {
  const client = pass.suppliers.engine.client(engineId(cluster))
  const { items } = await client.list(pods, {})
  const bare = items.filter(({ metadata }) => metadata.ownerReferences?.some(({ controller }) => controller) !== true)
  await inParallel(bare, 16, async ({ metadata }) => {
    const ref = { name: metadata.name, namespace: metadata.namespace ?? 'default' }
    await ignoreReason('NotFound', client.delete(pods, ref, { gracePeriodSeconds: 0 }))
  })
}

/** Its nodes are drained while there is time; they stay registered, and are not Ready. */
export async function stopPool(pass: Pass, cluster: ClusterRecord, pool: PoolRecord): Promise<void> {
  const machines = (await machinesOf(pass.store, cluster.id)).map(({ value }) => value)
  const own = machines.filter((machine) => machine.pool === pool.name)
  pass.tell(pool.id, `Stopping pool ${pool.name} (${own.length})`)
  await inParallel(own, machinesAtOnce(pass, pool), async (machine) => {
    if (machineOf(pass, cluster, pool, machine)?.state === 'Running') {
      const sinceMs = machine.step?.sinceMs ?? pass.scope.clock.now()
      // Whoever starts the pool takes the cordon away by this step.
      await pass.store.update<MachineRecord>(keys.machine(cluster.id, machine.name), (current) => ({
        ...current,
        step: { kind: 'Draining', sinceMs },
      }))
      await drainInTime(pass, cluster, pool, { ...machine, leavingSinceMs: sinceMs })
    }
    await stopMachine(pass, cluster, pool, machine)
  })
}

function machineOf(pass: Pass, cluster: ClusterRecord, pool: PoolRecord, { name }: MachineRecord): Machine | undefined {
  const all = machinesOfPool(pass, pool).list(engineId(cluster))
  return all.find((machine) => machine.name === name)
}

async function stopMachine(
  pass: Pass,
  cluster: ClusterRecord,
  pool: PoolRecord,
  machine: MachineRecord,
): Promise<void> {
  const id = engineId(cluster)
  if (machineOf(pass, cluster, pool, machine)?.state === 'Running') {
    await machinesOfPool(pass, pool).stop(pass.scope, id, machine.name)
  }
  pass.seen.machines.delete(`${id}/${machine.name}`)
}
