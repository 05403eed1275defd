// One machine of a pool: brought up, awaited, drained and let go.

import { anySignal } from '@aksel/base/any-signal'
import type { ControlPlaneStatus } from '@aksel/provider/cluster-engine'
import { AksError } from '../../azure-errors.ts'
import { SubnetFullError } from '@aksel/provider/fabric'
import { machineSpec, networkOfSubnet, subnetOf } from '../../machine-spec.ts'
import { keys } from '../../store-keyspace.ts'
import type { ClusterRecord, DocumentRecord, MachineRecord, PoolRecord } from '../../records.ts'
import { modelOf } from './network-model.ts'
import { rangesOf } from '../network/virtual-networks.ts'
import { drain, removeNode, waitForReady } from './nodes.ts'
import { engineId, machinesOfPool, type Pass } from './pass.ts'
import { judgeSpotBegin } from './spot-market.ts'
import { deallocateEvicted, giveNotice, tellEvicted } from './spot-passes.ts'
import { ensureSandboxing } from './pod-sandboxing.ts'

/** Hollow nodes cost next to nothing. */
export function machinesAtOnce(pass: Pass, pool: Pick<PoolRecord, 'simulated'>): number {
  return pool.simulated ? Math.max(64, pass.limits.machinesAtOnce) : pass.limits.machinesAtOnce
}

export async function bringUp(
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
  const isEvicted = machine.eviction !== undefined && machine.eviction.done !== true
  if (known?.state === 'Running' && pass.seen.machines.has(key) && !isEvicted) return
  if (await deallocateEvicted(pass, cluster, pool, machine)) return
  // Down by order: who ordered it boots it.
  if (known?.heldBy !== undefined) return
  if (known === undefined) await judgeSpotBegin(pass.store, pass.suppliers, { cluster, pool, machine })
  try {
    if (known === undefined || known.state === 'Creating') {
      await ensureSandboxing(pass, cluster, pool)
      const subnetId = subnetOf(cluster, pool)
      const networkPrefixes = await prefixesOf(pass, networkOfSubnet(subnetId))
      const spec = machineSpec({ cluster, pool, machine, controlPlane, subnetId, networkPrefixes })
      await provider.create(pass.scope, spec, (node) => pass.suppliers.engine.nodeCredentials(id, node))
    } else {
      await provider.start(pass.scope, id, machine.name)
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    if (error instanceof SubnetFullError) {
      throw new AksError(400, 'SubnetIsFull', `${why} Machine '${machine.name}' of agent pool '${pool.name}' has none.`)
    }
    throw new AksError(
      500,
      'CreateVMSSAgentPoolFailed',
      `Machine '${machine.name}' of agent pool '${pool.name}' did not start: ${why}`,
      { cause: error },
    )
  }
  pass.seen.machines.add(key)
}

/** Ranges of the network; none where it is not there. */
async function prefixesOf(pass: Pass, networkId: string): Promise<readonly string[]> {
  const stored = await pass.store.get<DocumentRecord>(keys.resource(networkId))
  return stored === undefined ? [] : rangesOf(stored.value)
}

export async function awaitNodes(
  pass: Pass,
  cluster: ClusterRecord,
  pool: PoolRecord,
  names: readonly string[],
  about = '',
): Promise<void> {
  const { clock } = pass.scope
  const operationKey = `${pool.id}/${pool.progress.operationId}/${about}`
  const since = pass.seen.waitingSince.get(operationKey) ?? clock.monotonicMs()
  pass.seen.waitingSince.set(operationKey, since)
  const late = new AbortController()
  using _timer = clock.after(since + pass.limits.readyTimeoutMs - clock.monotonicMs(), () => late.abort())
  let missing: readonly string[] = names
  const wait = {
    names,
    // Nodes without a network plugin wait for the one that their user brings.
    registered: modelOf(cluster.properties.networkProfile) === 'none',
    signal: anySignal([pass.scope.signal, pass.signal, late.signal]),
    missing: (still: readonly string[]) => {
      missing = still
      pass.tell(
        pool.id,
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
export async function letGo(
  pass: Pass,
  cluster: ClusterRecord,
  pool: PoolRecord,
  machine: MachineRecord,
): Promise<void> {
  const client = pass.suppliers.engine.client(engineId(cluster))
  await giveNotice(pass, cluster, pool, machine)
  if (machine.undrained !== true) await drainInTime(pass, cluster, pool, machine)
  await machinesOfPool(pass, pool).delete(pass.scope, engineId(cluster), machine.name)
  await removeNode(client, machine.name)
  await tellEvicted(pass, cluster, machine)
  await forgetMachine(pass, cluster, machine.name)
}

/** Nobody sends traffic to hollow nodes. */
export function leaveMs({ simulated }: Pick<PoolRecord, 'simulated'>): number {
  return simulated ? 0 : 2_000
}

export async function drainInTime(
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
      signal: anySignal([pass.scope.signal, pass.signal, late.signal]),
      leaveMs: leaveMs(pool),
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
