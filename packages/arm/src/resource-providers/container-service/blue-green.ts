// Blue-green upgrades: a second set of nodes beside the first, the first drained in batches, and taken away only after it has
// soaked. Until then the old pair of versions brings everything back.

import { anySignal } from '@aksel/base/any-signal'
import { sleep } from '@aksel/base/clock'
import { keys } from '../../store-keyspace.ts'
import type { MachineRecord, PoolRecord } from '../../records.ts'
import { blueGreenSettings, isCurrent, planBlueGreen } from '../../upgrade-plan.ts'
import { setCordon } from './node-marks.ts'
import { engineId, inParallel, type Pass } from './pass.ts'
import { letGo, machinesAtOnce } from './machine-passes.ts'
import {
  begin,
  change,
  drainForUpgrade,
  poolMachines,
  upgradeFailed,
  withoutStep,
  type UpgradeRun,
} from './upgrade-steps.ts'

/** The nodes of the new versions are there and Ready already: planning counts no others. */
export async function replaceByGreen(pass: Pass, run: UpgradeRun): Promise<void> {
  const machines = await poolMachines(pass, run)
  await shift(pass, run, machines)
  const plan = planBlueGreen(run.pool, machines)
  for (const [at, batch] of plan.batches.entries()) {
    pass.tell(run.pool.id, `Draining batch ${at + 1} of ${plan.batches.length} of pool ${run.pool.name}`)
    await inParallel(batch, batch.length, (machine) => drainBlue(pass, run, machine))
    await wait(pass, plan.batchSoakMs)
  }
  await finalSoak(pass, run, plan.finalSoakMs)
  await removeBlue(pass, run)
}

/** New pods go to the new nodes alone. After a rollback the old ones are the new. */
async function shift(pass: Pass, run: UpgradeRun, machines: readonly MachineRecord[]): Promise<void> {
  const client = pass.suppliers.engine.client(engineId(run.cluster))
  const staying = machines.filter(({ leavingSinceMs }) => leavingSinceMs === undefined)
  await inParallel(staying, machinesAtOnce(pass, run.pool), async (machine) => {
    const current = isCurrent(machine, run.pool)
    await setCordon(client, machine.name, !current)
    if (current && machine.step !== undefined) await change(pass, run, machine, withoutStep)
  })
}

async function drainBlue(pass: Pass, run: UpgradeRun, machine: MachineRecord): Promise<void> {
  const draining = await begin(pass, run, machine, 'Draining')
  const { drainTimeoutMs } = blueGreenSettings(run.pool.properties)
  const blocked = await drainForUpgrade(pass, run, draining, drainTimeoutMs)
  if (blocked !== undefined) {
    await change(pass, run, draining, withoutStep)
    throw upgradeFailed(`Drain node ${machine.name} failed ${blocked}`)
  }
  await begin(pass, run, draining, 'Drained')
}

async function finalSoak(pass: Pass, run: UpgradeRun, soakMs: number): Promise<void> {
  const now = pass.scope.clock.now()
  const pool = await pass.store.update<PoolRecord>(keys.resource(run.pool.id), (current) =>
    current.upgrade === undefined || current.upgrade.finalSoakSinceMs !== undefined
      ? undefined
      : { ...current, upgrade: { ...current.upgrade, finalSoakSinceMs: now } },
  )
  pass.tell(run.pool.id, `Pool ${run.pool.name} soaks before its old nodes are removed`)
  // 0 where somebody ended the soak.
  await wait(pass, (pool?.upgrade?.finalSoakSinceMs ?? now) + soakMs - now)
}

async function wait(pass: Pass, ms: number): Promise<void> {
  if (ms > 0) await sleep(pass.scope.clock, ms, anySignal([pass.scope.signal, pass.signal]))
}

async function removeBlue(pass: Pass, run: UpgradeRun): Promise<void> {
  const old = (await poolMachines(pass, run)).filter((machine) => !isCurrent(machine, run.pool))
  await inParallel(old, machinesAtOnce(pass, run.pool), async (machine) => {
    const told = await change(pass, run, machine, (current) => ({
      ...current,
      leavingSinceMs: current.leavingSinceMs ?? pass.scope.clock.now(),
    }))
    await letGo(pass, run.cluster, run.pool, told)
  })
}
