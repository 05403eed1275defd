// What rolling and blue-green upgrades have in common: a node's steps, written down before they are taken, and its drain.

import { anySignal } from '@aksel/base/any-signal'
import type { ControlPlaneStatus } from '@aksel/provider/cluster-engine'
import { AksError } from '../../azure-errors.ts'
import { keys } from '../../store-keyspace.ts'
import type { ClusterRecord, MachineRecord, MachineStep, PoolRecord } from '../../records.ts'
import { isSpot } from '../../upgrade-plan.ts'
import { machinesOf } from './cluster-store.ts'
import { forcedUpgrade } from './force-upgrade.ts'
import { leaveMs } from './machine-passes.ts'
import { tellNode } from './node-marks.ts'
import { drain } from './nodes.ts'
import { engineId, type Pass } from './pass.ts'

export interface UpgradeRun {
  readonly cluster: ClusterRecord
  readonly pool: PoolRecord
  readonly controlPlane: ControlPlaneStatus
}

export async function poolMachines(pass: Pass, { cluster, pool }: UpgradeRun): Promise<readonly MachineRecord[]> {
  const all = await machinesOf(pass.store, cluster.id)
  return all.map(({ value }) => value).filter((machine) => machine.pool === pool.name)
}

export function upgradeFailed(message: string): AksError {
  return new AksError(400, 'UpgradeFailed', message)
}

/** Undefined when it is drained; else which pods stood in the way, and why. */
export async function drainForUpgrade(
  pass: Pass,
  run: UpgradeRun,
  machine: MachineRecord,
  timeoutMs: number,
): Promise<string | undefined> {
  const client = pass.suppliers.engine.client(engineId(run.cluster))
  const { clock } = pass.scope
  await tellNode(pass.scope, client, {
    node: machine.name,
    reason: 'Drain',
    message: `Draining node: ${machine.name}`,
  })
  const refusals = new Map<string, string>()
  const late = new AbortController()
  using _timer = clock.after((machine.step?.sinceMs ?? 0) + timeoutMs - clock.now(), () => late.abort())
  const gently = !isSpot(run.pool.properties) && !forcedUpgrade(run.cluster, clock.now())
  try {
    await drain(pass.scope, client, {
      node: machine.name,
      signal: anySignal([pass.scope.signal, pass.signal, late.signal]),
      leaveMs: leaveMs(run.pool),
      ignoreDisruptionBudgets: !gently,
      refused: (pod, why) => {
        if (refusals.has(pod)) return
        refusals.set(pod, why)
        void tellBlocked(pass, client, machine.name, pod)
      },
    })
    return undefined
  } catch (error) {
    if (!late.signal.aborted || pass.signal.aborted || pass.scope.signal.aborted) throw error
    if (!gently) return undefined
    const pods = [...refusals].map(([pod, why]) => `pod ${pod} with pdb: ${why}`)
    return pods.length === 0 ? 'its pods did not end in time' : `when evicting ${pods.join('; ')}`
  }
}

async function tellBlocked(
  pass: Pass,
  client: Parameters<typeof tellNode>[1],
  node: string,
  pod: string,
): Promise<void> {
  const message = `Eviction blocked by Too Many Requests (usually a pdb): ${pod}`
  await tellNode(pass.scope, client, { node, reason: 'Drain', message, warning: true }).catch((error: unknown) =>
    pass.scope.log.warn('an event was not written', { node, error }),
  )
}

export function withoutStep(machine: MachineRecord): MachineRecord {
  const { step: _, ...rest } = machine
  return rest
}

export function withoutQuarantine(machine: MachineRecord): MachineRecord {
  const { quarantinedBy: _, ...rest } = machine
  return rest
}

/** Keeps the time of a step that has begun already. */
export async function begin(
  pass: Pass,
  run: UpgradeRun,
  machine: MachineRecord,
  kind: MachineStep['kind'],
): Promise<MachineRecord> {
  if (machine.step?.kind === kind) return machine
  const step = { kind, sinceMs: pass.scope.clock.now() }
  return change(pass, run, machine, (current) => ({ ...withoutQuarantine(current), step }))
}

export async function change(
  pass: Pass,
  { cluster }: UpgradeRun,
  machine: MachineRecord,
  next: (current: MachineRecord) => MachineRecord,
): Promise<MachineRecord> {
  const changed = await pass.store.update<MachineRecord>(keys.machine(cluster.id, machine.name), next)
  if (changed === undefined) throw new Error(`Machine "${machine.name}" is gone while it is upgraded`)
  return changed
}
