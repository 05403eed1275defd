// Machines whose certificates an authority of before signed: no API server lets them in, so they are made anew without a drain.

import type { Pass } from './pass.ts'
import { change, poolMachines, type UpgradeRun } from './upgrade-steps.ts'

/** Writes down which machines are to be made anew; whoever puts the pool in order does it. */
export async function markStale(pass: Pass, run: UpgradeRun): Promise<void> {
  const { certificates } = run.controlPlane.rotations
  const sinceMs = pass.scope.clock.now()
  for (const machine of await poolMachines(pass, run)) {
    if ((machine.certificates ?? 0) === certificates || machine.leavingSinceMs !== undefined) continue
    await change(pass, run, machine, (current) => ({ ...current, certificates, step: { kind: 'Reimaging', sinceMs } }))
  }
}
