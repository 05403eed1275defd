// The cgroups above the pods': all pods together have what the machine does not keep for itself, and of the CPU each class
// of service has what its pods asked for. Plan pure, writing beside it.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod } from '@aksel/api/types/core-v1'
import { cgroupTrees } from '@aksel/host/cgroups'
import { qosOf, sharesOf, weightOf } from '../pod/resources.ts'
import { requestOf } from '../pod/totals.ts'

export interface NodeAmounts {
  readonly cpuMilli: number
  readonly memoryBytes: number
}

export interface QosPlan {
  /** Of `kubepods`: the capacity without what the machine's own programs keep. */
  readonly cpuShares: number
  readonly memoryBytes: number
  readonly burstableShares: number
  readonly bestEffortShares: number
}

const BEST_EFFORT_SHARES = 2

/** `pods` are those that have not come to an end. The eviction threshold stays usable: eviction comes before the limit. */
export function planQos(capacity: NodeAmounts, kubeReserved: NodeAmounts, pods: readonly Pod[]): QosPlan {
  const burstable = pods.filter((pod) => qosOf(pod) === 'Burstable')
  return {
    cpuShares: sharesOf(capacity.cpuMilli - kubeReserved.cpuMilli),
    memoryBytes: capacity.memoryBytes - kubeReserved.memoryBytes,
    burstableShares: sharesOf(burstable.reduce((sum, pod) => sum + requestOf(pod, 'cpu'), 0)),
    bestEffortShares: BEST_EFFORT_SHARES,
  }
}

/** Idempotent. `root` is the machine's cgroup. */
export async function applyQos(root: string, plan: QosPlan): Promise<void> {
  for (const { version, mountPoint, controllers } of await cgroupTrees()) {
    const kubepods = join(mountPoint, root, 'kubepods')
    const has = (name: string): boolean => controllers.includes(name)
    const shares = async (folder: string, value: number): Promise<void> => {
      await mkdir(folder, { recursive: true })
      if (version === 2) await writeFile(join(folder, 'cpu.weight'), String(weightOf(value)))
      else await writeFile(join(folder, 'cpu.shares'), String(value))
    }
    // On version 2 an agent's pods make the folders, and hand the controllers down, before they have files.
    if (has('cpu') && version === 1) {
      await shares(kubepods, plan.cpuShares)
      await shares(join(kubepods, 'burstable'), plan.burstableShares)
      await shares(join(kubepods, 'besteffort'), plan.bestEffortShares)
    } else if (has('cpu')) {
      await ifThere(shares(kubepods, plan.cpuShares))
      await ifThere(shares(join(kubepods, 'burstable'), plan.burstableShares))
      await ifThere(shares(join(kubepods, 'besteffort'), plan.bestEffortShares))
    }
    if (has('memory')) {
      await mkdir(kubepods, { recursive: true })
      const file = version === 2 ? 'memory.max' : 'memory.limit_in_bytes'
      await ifThere(writeFile(join(kubepods, file), String(plan.memoryBytes)))
    }
  }
}

/** Pods that use more than the new limit at this moment keep it from being set: the next writing tries again. */
async function ifThere(work: Promise<void>): Promise<void> {
  await work.catch((error: NodeJS.ErrnoException) => {
    if (!['ENOENT', 'EBUSY', 'EACCES'].includes(error.code ?? '')) throw error
  })
}
