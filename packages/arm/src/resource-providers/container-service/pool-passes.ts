// The machines of a cluster's pools: decide who is wanted, write that down, then make it so.

import { nodes } from '@aksel/api/resources'
import type { ControlPlaneStatus } from '@aksel/provider/cluster-engine'
import type { Machine } from '@aksel/provider/machine-provider'
import { childScope } from '@aksel/base/scope'
import { AksError } from '../../azure-errors.ts'
import { machineSpec, networkOf } from '../../machine-spec.ts'
import { digitsOf, planPool, type MachineFacts } from '../../plan.ts'
import { keys, type Change, type Stored } from '../../store-keyspace.ts'
import type { ClusterRecord, MachineRecord, PoolRecord } from '../../records.ts'
import { defaultPodCidr } from './cluster-properties.ts'
import { machinesOf, poolsOf } from './cluster-store.ts'
import { drain, isReady, removeNode, syncNode, waitForReady } from './nodes.ts'
import { ensureSandboxing } from './pod-sandboxing.ts'
import { engineId, inParallel, machinesOfPool, subscriptionOf, type Pass } from './pass.ts'

/** Writes down which machines each pool is to have. The pools as they were planned for; undefined where one was written anew meanwhile. */
export async function planMachines(pass: Pass, cluster: ClusterRecord): Promise<readonly PoolRecord[] | undefined> {
  const facts = await machineFacts(pass, cluster)
  const planned: PoolRecord[] = []
  for (const pool of await poolsOf(pass.store, cluster.id)) {
    const machines = await machinesOf(pass.store, cluster.id)
    const plan = planPool({
      pool: pool.value,
      clusterDigits: digitsOf(cluster.uid),
      podCidr: cluster.properties.networkProfile.podCidr ?? defaultPodCidr,
      machines: machines.map(({ value }) => value).filter((machine) => machine.pool === pool.value.name),
      usedPodCidrs: new Set(machines.map(({ value }) => value.podCidr)),
      factsOf: (name) => facts.get(name) ?? { failed: false, ready: false },
      nowMs: pass.scope.clock.now(),
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
    planned.push(pool.value)
    if (changes.length === 0) continue
    const counted: PoolRecord = { ...pool.value, nextInstance: plan.nextInstance }
    const committed = await pass.store.commit([
      ...changes,
      { kind: 'put', key: pool.key, value: counted, expected: pool.modRevision },
    ])
    if (!committed) return undefined
  }
  return planned
}

async function machineFacts(pass: Pass, cluster: ClusterRecord): Promise<ReadonlyMap<string, MachineFacts>> {
  const id = engineId(cluster)
  const { items } = await pass.suppliers.engine.client(id).list(nodes, { signal: pass.signal })
  const ready = new Set(items.filter(isReady).map((node) => node.metadata.name))
  const machines = [false, true].flatMap((simulated) => listMachines(pass, simulated, id))
  return new Map(machines.map(({ name, state }) => [name, { failed: state === 'Failed', ready: ready.has(name) }]))
}

function listMachines(pass: Pass, simulated: boolean, id: string): readonly Machine[] {
  return pass.suppliers.machines(simulated).list(id)
}

/** Makes one pool's machines as they were written down; resolves when those that stay are Ready and the others gone. */
export async function reconcilePool(
  pass: Pass,
  cluster: ClusterRecord,
  pool: PoolRecord,
  controlPlane: ControlPlaneStatus,
): Promise<void> {
  const machines = (await machinesOf(pass.store, cluster.id)).filter(({ value }) => value.pool === pool.name)
  const staying = machines.filter(({ value }) => value.leavingSinceMs === undefined)
  const leaving = machines.filter(({ value }) => value.leavingSinceMs !== undefined)
  const scoped: Pass = { ...pass, scope: childScope(pass.scope, { pool: pool.name }) }
  const limit = pass.limits.machinesAtOnce
  pass.tell(cluster.id, `Starting machines of pool ${pool.name} (${staying.length})`)
  await inParallel(staying, limit, ({ value }) => bringUp(scoped, cluster, pool, value, controlPlane))
  await inParallel(staying, limit, (machine) => syncMachine(scoped, cluster, pool, machine))
  if (pool.progress.operationId !== undefined) {
    await awaitNodes(
      scoped,
      cluster,
      pool,
      staying.map(({ value }) => value.name),
    )
  }
  if (leaving.length > 0) pass.tell(cluster.id, `Draining ${leaving.length} nodes of pool ${pool.name}`)
  await inParallel(leaving, limit, ({ value }) => letGo(scoped, cluster, pool, value))
}

async function bringUp(
  pass: Pass,
  cluster: ClusterRecord,
  pool: PoolRecord,
  machine: MachineRecord,
  controlPlane: ControlPlaneStatus,
): Promise<void> {
  const id = engineId(cluster)
  const provider = machinesOfPool(pass, pool)
  const key = `${id}/${machine.name}`
  const known = provider.list(id).find(({ name }) => name === machine.name)
  if (known?.state === 'Running' && pass.seen.machines.has(key)) return
  // Down by order: who ordered it boots it.
  if (known?.heldBy !== undefined) return
  try {
    if (known === undefined || known.state === 'Creating') {
      await ensureSandboxing(pass, cluster, pool)
      const { subnetId } = networkOf(cluster, subscriptionOf(cluster.id))
      await provider.create(pass.scope, machineSpec({ cluster, pool, machine, controlPlane, subnetId }), (node) =>
        pass.suppliers.engine.nodeCredentials(id, node),
      )
    } else {
      await provider.start(pass.scope, id, machine.name)
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new AksError(
      500,
      'CreateVMSSAgentPoolFailed',
      `Machine '${machine.name}' of agent pool '${pool.name}' did not start: ${why}`,
      { cause: error },
    )
  }
  pass.seen.machines.add(key)
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

async function awaitNodes(
  pass: Pass,
  cluster: ClusterRecord,
  pool: PoolRecord,
  names: readonly string[],
): Promise<void> {
  const { clock } = pass.scope
  const operationKey = `${pool.id}/${pool.progress.operationId}`
  const since = pass.seen.waitingSince.get(operationKey) ?? clock.monotonicMs()
  pass.seen.waitingSince.set(operationKey, since)
  const late = new AbortController()
  using _timer = clock.after(since + pass.limits.readyTimeoutMs - clock.monotonicMs(), () => late.abort())
  let missing: readonly string[] = names
  const wait = {
    names,
    signal: AbortSignal.any([pass.scope.signal, pass.signal, late.signal]),
    missing: (still: readonly string[]) => {
      missing = still
      pass.tell(
        cluster.id,
        `Waiting for nodes of pool ${pool.name}: ${names.length - still.length} of ${names.length} Ready`,
      )
    },
  }
  try {
    await waitForReady(pass.scope, pass.suppliers.engine.client(engineId(cluster)), wait)
  } catch (error) {
    if (!late.signal.aborted || pass.signal.aborted) throw error
    throw new AksError(
      500,
      'VMExtensionProvisioningTimeout',
      `Agent pool '${pool.name}': ${missing.length} of ${names.length} nodes were not Ready within ${Math.round(pass.limits.readyTimeoutMs / 1000)} seconds: ${missing.join(', ')}`,
    )
  }
  pass.seen.waitingSince.delete(operationKey)
}

/** Drains the node while there is time, then ends machine, node and record, in this order. */
async function letGo(pass: Pass, cluster: ClusterRecord, pool: PoolRecord, machine: MachineRecord): Promise<void> {
  const client = pass.suppliers.engine.client(engineId(cluster))
  await drainInTime(pass, cluster, pool, machine)
  await machinesOfPool(pass, pool).delete(pass.scope, engineId(cluster), machine.name)
  await removeNode(client, machine.name)
  await forgetMachine(pass, cluster, machine.name)
}

async function drainInTime(
  pass: Pass,
  cluster: ClusterRecord,
  pool: PoolRecord,
  machine: MachineRecord,
): Promise<void> {
  const minutes = pool.properties.upgradeSettings?.['drainTimeoutInMinutes']
  const allowedMs = (typeof minutes === 'number' ? minutes : 30) * 60_000
  const leftMs = (machine.leavingSinceMs ?? 0) + allowedMs - pass.scope.clock.now()
  const late = new AbortController()
  using _timer = pass.scope.clock.after(leftMs, () => late.abort())
  try {
    await drain(pass.scope, pass.suppliers.engine.client(engineId(cluster)), {
      node: machine.name,
      signal: AbortSignal.any([pass.scope.signal, pass.signal, late.signal]),
      ignoreDisruptionBudgets: pool.ignoreDisruptionBudgets === true,
    })
  } catch (error) {
    if (!late.signal.aborted || pass.signal.aborted || pass.scope.signal.aborted) throw error
    pass.scope.log.warn('node was not drained in time and is removed with its pods', { node: machine.name })
  }
}

export async function forgetMachine(pass: Pass, cluster: ClusterRecord, name: string): Promise<void> {
  const key = keys.machine(cluster.id, name)
  const stored = await pass.store.get<MachineRecord>(key)
  if (stored !== undefined) await pass.store.commit([{ kind: 'delete', key, expected: stored.modRevision }])
  pass.seen.machines.delete(`${engineId(cluster)}/${name}`)
}
