// The cgroups above the pods': all pods together have what the machine does not keep for itself, and of the CPU each class
// of service has what its pods asked for. Plan pure, writing beside it.

import { dirname, join } from 'node:path'
import type { Pod } from '@aksel/api/types/core-v1'
import { delegate, hostCgroups } from '@aksel/host/cgroup-world'
import type { CgroupWorld } from '@aksel/host/cgroup-world'
import { qosOf, sharesOf, weightOf } from '../pod/resources.ts'
import { requestOf } from '../pod/totals.ts'

/** Whether memory is bounded on a tree of version 2. */
export async function boundsMemoryUnified(world: CgroupWorld = hostCgroups): Promise<boolean> {
  return (await world.trees()).some(({ version, controllers }) => version === 2 && controllers.includes('memory'))
}

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
export async function applyQos(root: string, plan: QosPlan, world: CgroupWorld = hostCgroups): Promise<void> {
  for (const { version, mountPoint, controllers } of await world.trees()) {
    const kubepods = join(mountPoint, root, 'kubepods')
    const has = (name: string): boolean => controllers.includes(name)
    if (!has('cpu') && !has('memory')) continue
    const folder = async (path: string): Promise<void> => {
      if (version === 2) await delegate(world, dirname(path), controllers)
      await world.makeFolder(path)
    }
    const shares = async (path: string, value: number): Promise<void> => {
      await folder(path)
      if (version === 2) await world.write(join(path, 'cpu.weight'), weightOf(value))
      else await world.write(join(path, 'cpu.shares'), value)
    }
    await folder(kubepods)
    if (has('cpu')) {
      await shares(kubepods, plan.cpuShares)
      await shares(join(kubepods, 'burstable'), plan.burstableShares)
      await shares(join(kubepods, 'besteffort'), plan.bestEffortShares)
    }
    if (!has('memory')) continue
    const file = version === 2 ? 'memory.max' : 'memory.limit_in_bytes'
    await unlessBusy(world.write(join(kubepods, file), plan.memoryBytes))
  }
}

/** Pods that use more than the new limit at this moment keep it from being set: the next writing tries again. */
async function unlessBusy(work: Promise<void>): Promise<void> {
  await work.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EBUSY') throw error
  })
}
