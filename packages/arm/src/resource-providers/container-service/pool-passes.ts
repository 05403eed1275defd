// The machines of a cluster's pools: decide who is wanted, write that down, then make it so.

import { nodes } from '@aksel/api/resources'
import type { ControlPlaneStatus } from '@aksel/provider/cluster-engine'
import type { Machine } from '@aksel/provider/machine-provider'
import { childScope } from '@aksel/base/scope'
import { AksError } from '../../azure-errors.ts'
import { digitsOf, planPool, type MachineFacts } from '../../plan.ts'
import { hasTurn, isCurrent, isUpgrading, surgeWanted } from '../../upgrade-plan.ts'
import { changesMax, keys, type Change, type Stored } from '../../store-keyspace.ts'
import type { ClusterRecord, MachineRecord, PoolRecord } from '../../records.ts'
import { defaultPodCidr } from './cluster-properties.ts'
import { machinesOf, poolsOf } from './cluster-store.ts'
import { awaitNodes, bringUp, letGo, machinesAtOnce } from './machine-passes.ts'
import { isReady, syncNode } from './nodes.ts'
import { putInOrder } from './pool-upgrade.ts'
import { markStale } from './stale-certificates.ts'
import { engineId, inParallel, type Pass } from './pass.ts'

/** `turn`: its upgrade goes on in this pass. */
export interface PlannedPool {
  readonly pool: PoolRecord
  readonly turn: boolean
}

/** Writes down which machines each pool is to have. The pools as they were planned for; undefined where
 * one was written anew meanwhile, or there are more than one transaction takes. */
export async function planMachines(pass: Pass, cluster: ClusterRecord): Promise<readonly PlannedPool[] | undefined> {
  const { facts, podCidrs } = await machineFacts(pass, cluster)
  const planned: PlannedPool[] = []
  const pools = await poolsOf(pass.store, cluster.id)
  const all = pools.map(({ value }) => value)
  for (const pool of pools) {
    const turn = hasTurn(pool.value, all)
    const machines = await machinesOf(pass.store, cluster.id)
    const own = machines.map(({ value }) => value).filter((machine) => machine.pool === pool.value.name)
    const plan = planPool({
      surge: surgeWanted(pool.value, own, turn),
      pool: pool.value,
      clusterDigits: digitsOf(cluster.uid),
      podCidr: cluster.properties.networkProfile.podCidr ?? defaultPodCidr,
      machines: own,
      usedPodCidrs: new Set([...machines.map(({ value }) => value.podCidr), ...podCidrs]),
      factsOf: (name) => facts.get(name) ?? { failed: false, ready: false },
      nowMs: pass.scope.clock.now(),
      certificates: pass.suppliers.engine.status(engineId(cluster))?.rotations.certificates ?? 0,
    })
    if (plan.withoutPodCidr > 0) {
      throw new AksError(
        400,
        'InsufficientPodCidr',
        `The pod CIDR has no room for ${plan.withoutPodCidr} more node(s) of agent pool '${pool.value.name}': each node takes a /24.`,
      )
    }
    const changes = [...plan.add, ...plan.leave].map((machine): Change => {
      const key = keys.machine(cluster.id, machine.name)
      return {
        kind: 'put',
        key,
        value: machine,
        expected: machines.find((known) => known.key === key)?.modRevision ?? 0,
      }
    })
    planned.push({ pool: pool.value, turn })
    if (changes.length === 0) continue
    const some = changes.slice(0, changesMax)
    const isAll = some.length === changes.length
    const added = plan.add.slice(0, some.length)
    const nextInstance = isAll ? plan.nextInstance : Math.max(...added.map(({ instance }) => instance + 1), 0)
    const counted: PoolRecord = { ...pool.value, nextInstance: Math.max(pool.value.nextInstance, nextInstance) }
    const committed = await pass.store.commit([
      ...some,
      { kind: 'put', key: pool.key, value: counted, expected: pool.modRevision },
    ])
    if (!committed || !isAll) return undefined
  }
  return planned
}

/** What is known of the machines, and the pod ranges of all nodes: those that others made got theirs from the cluster itself. */
async function machineFacts(
  pass: Pass,
  cluster: ClusterRecord,
): Promise<{ readonly facts: ReadonlyMap<string, MachineFacts>; readonly podCidrs: readonly string[] }> {
  const id = engineId(cluster)
  const { items } = await pass.suppliers.engine.client(id).list(nodes, { signal: pass.signal })
  const ready = new Set(items.filter(isReady).map((node) => node.metadata.name))
  const machines = [false, true].flatMap((simulated) => listMachines(pass, simulated, id))
  const facts = new Map(
    machines.map(({ name, state }) => [name, { failed: state === 'Failed', ready: ready.has(name) }]),
  )
  return { facts, podCidrs: items.flatMap(({ spec }) => spec?.podCIDRs ?? []) }
}

function listMachines(pass: Pass, simulated: boolean, id: string): readonly Machine[] {
  return pass.suppliers.machines(simulated).list(id)
}

/** Makes one pool's machines as they were written down; resolves when those that stay are Ready and the others gone. What has not
 * the pool's versions is left for its upgrade. */
export async function reconcilePool(
  pass: Pass,
  cluster: ClusterRecord,
  pool: PoolRecord,
  controlPlane: ControlPlaneStatus,
): Promise<void> {
  await markStale(pass, { cluster, pool, controlPlane })
  const machines = (await machinesOf(pass.store, cluster.id)).filter(({ value }) => value.pool === pool.name)
  const staying = machines.filter(({ value }) => value.leavingSinceMs === undefined)
  const leaving = machines.filter(({ value }) => value.leavingSinceMs !== undefined)
  const scoped: Pass = { ...pass, scope: childScope(pass.scope, { pool: pool.name }) }
  const limit = machinesAtOnce(pass, pool)
  pass.tell(pool.id, `Starting machines of pool ${pool.name} (${staying.length})`)
  if (!isUpgrading(pool)) await putInOrder(scoped, { cluster, pool, controlPlane })
  const whole = staying.filter(({ value }) => value.step?.kind !== 'Reimaging')
  await inParallel(whole, limit, ({ value }) => bringUp(scoped, cluster, pool, value, controlPlane))
  await inParallel(staying, limit, (machine) => syncMachine(scoped, cluster, pool, machine))
  if (pool.progress.operationId !== undefined) {
    await awaitNodes(
      scoped,
      cluster,
      pool,
      staying.flatMap(({ value }) => (isCurrent(value, pool) && value.eviction === undefined ? [value.name] : [])),
    )
  }
  if (leaving.length > 0) pass.tell(pool.id, `Draining ${leaving.length} nodes of pool ${pool.name}`)
  await inParallel(leaving, limit, ({ value }) => letGo(scoped, cluster, pool, value))
}

async function syncMachine(
  pass: Pass,
  cluster: ClusterRecord,
  pool: PoolRecord,
  machine: Stored<MachineRecord>,
): Promise<void> {
  const client = pass.suppliers.engine.client(engineId(cluster))
  if (!(await syncNode(client, pool, machine.value))) return
  await pass.store.update<MachineRecord>(machine.key, (current) => ({
    ...current,
    labels: pool.properties.nodeLabels ?? {},
    taints: pool.properties.nodeTaints ?? [],
  }))
}
