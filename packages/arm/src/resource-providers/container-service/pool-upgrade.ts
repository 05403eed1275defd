// A pool's nodes are brought to its versions, one after the other: drained, soaked, made anew. Every step is written down before
// it is taken, so that whoever comes next goes on there.

import { anySignal } from '@aksel/base/any-signal'
import { sleep } from '@aksel/base/clock'
import { AksError } from '../../azure-errors.ts'
import { keys } from '../../store-keyspace.ts'
import type { MachineRecord, PoolRecord } from '../../records.ts'
import { bootOf, goalOf, isBlueGreen, planRolling } from '../../upgrade-plan.ts'
import { replaceByGreen } from './blue-green.ts'
import { awaitNodes, bringUp, letGo, machinesAtOnce } from './machine-passes.ts'
import { setCordon, setQuarantine, tellNode } from './node-marks.ts'
import { removeNode } from './nodes.ts'
import { engineId, inParallel, machinesOfPool, type Pass } from './pass.ts'
import {
  begin,
  change,
  drainForUpgrade,
  poolMachines,
  upgradeFailed,
  withoutQuarantine,
  withoutStep,
  type UpgradeRun,
} from './upgrade-steps.ts'

const MINUTE_MS = 60_000

/** Resolves when every machine has the pool's versions and the extra ones are gone. Rejects with UpgradeFailed. */
export async function upgradePool(pass: Pass, run: UpgradeRun): Promise<void> {
  if (isBlueGreen(run.pool)) await replaceByGreen(pass, run)
  else await rollOn(pass, run)
  await pass.store.update<PoolRecord>(keys.resource(run.pool.id), (current) => {
    if (current.upgrade === undefined || current.version !== run.pool.version) return undefined
    if (current.nodeImageVersion !== run.pool.nodeImageVersion || bootOf(current) !== bootOf(run.pool)) return undefined
    const { upgrade, ...done } = current
    const { from } = upgrade
    // Made anew for another reason than a version: there is nothing to go back to.
    if (from.kubernetes === current.version && from.image === current.nodeImageVersion) return done
    const older = (current.recentlyUsed ?? []).filter(
      ({ kubernetes, image }) => kubernetes !== from.kubernetes || image !== from.image,
    )
    return { ...done, recentlyUsed: [{ ...from, atMs: pass.scope.clock.now() }, ...older].slice(0, 5) }
  })
}

async function rollOn(pass: Pass, run: UpgradeRun): Promise<void> {
  const machines = await poolMachines(pass, run)
  const surge = machines.filter((machine) => machine.surge === true && machine.leavingSinceMs === undefined)
  const plan = planRolling(run.pool, machines, surge.length)
  let failed = false
  let done = 0
  try {
    await inParallel(plan.queue, plan.atOnce, async (machine) => {
      if (failed) return
      try {
        await replace(pass, run, machine)
        done += 1
        pass.tell(run.pool.id, `Upgrading pool ${run.pool.name}: ${done} of ${plan.queue.length} nodes`)
      } catch (error) {
        failed = true
        throw error
      }
    })
    await judgeQuarantine(pass, run)
  } catch (error) {
    if (error instanceof AksError && error.code === 'UpgradeFailed') await releaseSurge(pass, run)
    throw error
  }
  await releaseSurge(pass, run)
}

/** One extra node stays for each that is quarantined. */
async function releaseSurge(pass: Pass, run: UpgradeRun): Promise<void> {
  const machines = await poolMachines(pass, run)
  const kept = machines.filter(({ quarantinedBy }) => quarantinedBy !== undefined).length
  const surge = machines.filter((machine) => machine.surge === true)
  const leaving = surge.slice(Math.min(kept, surge.length))
  if (leaving.length > 0) pass.tell(run.pool.id, `Removing the extra nodes of pool ${run.pool.name}`)
  await inParallel(leaving, machinesAtOnce(pass, run.pool), async (machine) => {
    const told = await change(pass, run, machine, (current) => ({
      ...current,
      leavingSinceMs: current.leavingSinceMs ?? pass.scope.clock.now(),
    }))
    await letGo(pass, run.cluster, run.pool, told)
  })
}

async function judgeQuarantine(pass: Pass, run: UpgradeRun): Promise<void> {
  const quarantined = (await poolMachines(pass, run)).filter(({ quarantinedBy }) => quarantinedBy !== undefined)
  if (quarantined.length === 0) return
  throw upgradeFailed(
    `${quarantined.length} node(s) of agent pool '${run.pool.name}' could not be drained and are quarantined: ${quarantined
      .map(({ name }) => name)
      .join(', ')}.`,
  )
}

/** From wherever it stands to a node of the new versions that is Ready, or to quarantine. */
async function replace(pass: Pass, run: UpgradeRun, machine: MachineRecord): Promise<void> {
  const client = pass.suppliers.engine.client(engineId(run.cluster))
  let current = machine
  if (current.step === undefined || current.step.kind === 'Draining') {
    current = await begin(pass, run, current, 'Draining')
    const blocked = await drainForUpgrade(pass, run, current, drainTimeoutMs(run.pool))
    if (blocked !== undefined) return giveBack(pass, run, current, blocked)
    current = await begin(pass, run, current, 'Soaking')
  }
  if (current.step?.kind === 'Soaking') {
    await soak(pass, run, current)
    current = await begin(pass, run, current, 'Reimaging')
  }
  await reimage(pass, run, current)
  await tellNode(pass.scope, client, {
    node: machine.name,
    reason: 'Upgrade',
    message: `Successfully upgraded node: ${machine.name}`,
  })
}

function drainTimeoutMs(pool: PoolRecord): number {
  const minutes = pool.properties.upgradeSettings?.['drainTimeoutInMinutes']
  return (typeof minutes === 'number' ? minutes : 30) * MINUTE_MS
}

async function soak(pass: Pass, run: UpgradeRun, machine: MachineRecord): Promise<void> {
  const minutes = Number(run.pool.properties.upgradeSettings?.['nodeSoakDurationInMinutes'] ?? 0)
  const leftMs = (machine.step?.sinceMs ?? 0) + minutes * MINUTE_MS - pass.scope.clock.now()
  if (leftMs <= 0) return
  pass.tell(run.pool.id, `Node ${machine.name} is drained and soaks for ${minutes} minutes`)
  await tellNode(pass.scope, pass.suppliers.engine.client(engineId(run.cluster)), {
    node: machine.name,
    reason: 'Upgrade',
    message: `Soak duration ${minutes}m0s after draining node: ${machine.name}`,
  })
  await sleep(pass.scope.clock, leftMs, anySignal([pass.scope.signal, pass.signal]))
}

/** A node that could not be drained: it goes on as it was, or it is shut off for people to look at. */
async function giveBack(pass: Pass, run: UpgradeRun, machine: MachineRecord, why: string): Promise<void> {
  const client = pass.suppliers.engine.client(engineId(run.cluster))
  if (run.pool.properties.upgradeSettings?.['undrainableNodeBehavior'] === 'Cordon') {
    await setQuarantine(client, machine.name, true)
    await change(pass, run, machine, (current) => ({
      ...withoutStep(current),
      quarantinedBy: run.pool.progress.operationId ?? 'none',
    }))
    return
  }
  await setCordon(client, machine.name, false)
  await change(pass, run, machine, withoutStep)
  throw upgradeFailed(`Drain node ${machine.name} failed ${why}`)
}

/** The machine ends and begins again under its name, with the pool's versions. */
async function reimage(pass: Pass, run: UpgradeRun, machine: MachineRecord): Promise<void> {
  const { cluster, pool, controlPlane } = run
  const client = pass.suppliers.engine.client(engineId(cluster))
  await machinesOfPool(pass, pool).delete(pass.scope, engineId(cluster), machine.name)
  await removeNode(client, machine.name)
  pass.seen.machines.delete(`${engineId(cluster)}/${machine.name}`)
  const fresh = await change(pass, run, machine, (current) => ({
    ...withoutQuarantine(withoutStep(current)),
    versions: goalOf(pool),
    boot: bootOf(pool),
    labels: pool.properties.nodeLabels ?? {},
    taints: pool.properties.nodeTaints ?? [],
  }))
  await bringUp(pass, cluster, pool, fresh, controlPlane)
  await awaitNodes(pass, cluster, pool, [machine.name], machine.name)
}

/** After an abort or a failure: who was being drained goes on as it was, who was being made anew is made. */
export async function putInOrder(pass: Pass, run: UpgradeRun): Promise<void> {
  const client = pass.suppliers.engine.client(engineId(run.cluster))
  const machines = await poolMachines(pass, run)
  await inParallel(machines, machinesAtOnce(pass, run.pool), async (machine) => {
    if (machine.leavingSinceMs !== undefined) return
    if (machine.step?.kind === 'Reimaging') return reimage(pass, run, machine)
    if (machine.step === undefined || machine.step.kind === 'Drained') return
    await setCordon(client, machine.name, false)
    await change(pass, run, machine, withoutStep)
  })
}
