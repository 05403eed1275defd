// Pools of sizes with GPUs. There is none behind them here: their nodes are simulated, and so is the device plug-in that counts them.

import type { MachineSpec } from '@aksel/provider/machine-provider'
import type { PoolProperties, Tags } from '../../records.ts'
import { objectAt } from '../body.ts'
import { findVmSize, type VmSize } from './vm-sizes.ts'

/** What NVIDIA's device plug-in calls them. */
export const gpuResource = 'nvidia.com/gpu'

export function hasGpus(vmSize: string): boolean {
  return (findVmSize(vmSize)?.gpus ?? 0) > 0
}

export function gpuLabels(vmSize: string): Tags {
  return hasGpus(vmSize) ? { accelerator: 'nvidia', 'kubernetes.azure.com/accelerator': 'nvidia' } : {}
}

/** With the driver `None` nobody counts them: whoever installs one brings a device plug-in along. */
export function simulatedDevices(properties: PoolProperties, { gpus = 0 }: VmSize): Pick<MachineSpec, 'devices'> {
  const isDriven = objectAt(properties, 'gpuProfile')['driver'] !== 'None'
  return gpus > 0 && isDriven ? { devices: { [gpuResource]: gpus } } : {}
}
