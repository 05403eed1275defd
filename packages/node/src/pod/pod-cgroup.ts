// A pod's own cgroup, below the machine's: its containers share what they asked for together. The machine's cgroup
// stands in the ledger with all below it.

import { join } from 'node:path'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { cgroupFolders, removeCgroupFolder } from '@aksel/host/cgroups'
import { delegate, hostCgroups } from '@aksel/host/cgroup-world'
import type { CgroupTree, CgroupWorld } from '@aksel/host/cgroup-world'
import { podLimits, qosOf, weightOf } from './resources.ts'
import type { NodeCapacity, PodLimits } from './resources.ts'

const qosFolder = { Guaranteed: '', Burstable: 'burstable/', BestEffort: 'besteffort/' } as const

/** `/aksel/m1/kubepods/burstable/pod6f…`, as the kubelet lays them out with the cgroupfs driver. */
export function podCgroup(root: string, pod: Pod): string {
  return `${root}/kubepods/${qosFolder[qosOf(pod)]}pod${pod.metadata.uid}`
}

/** Where a pod's cgroup may be when its object is gone. */
export function possibleCgroups(root: string, uid: string): readonly string[] {
  return Object.values(qosFolder).map((folder) => `${root}/kubepods/${folder}pod${uid}`)
}

/** Idempotent. */
export async function makePodCgroup(
  root: string,
  pod: Pod,
  node: NodeCapacity,
  world: CgroupWorld = hostCgroups,
): Promise<void> {
  const path = podCgroup(root, pod)
  const limits = podLimits(pod, node)
  await Promise.all((await world.trees()).map((tree) => makeIn(world, tree, { root, path, limits })))
}

/** Idempotent; the pod's processes are gone. */
export async function removePodCgroup(scope: Scope, root: string, uid: string): Promise<void> {
  for (const path of possibleCgroups(root, uid)) {
    for (const folder of await cgroupFolders(path)) {
      if (!(await removeCgroupFolder(folder))) scope.log.debug('a cgroup is still in use', { folder })
    }
  }
}

async function makeIn(
  world: CgroupWorld,
  tree: CgroupTree,
  { root, path, limits }: { readonly root: string; readonly path: string; readonly limits: PodLimits },
): Promise<void> {
  const has = (name: string): boolean => tree.controllers.includes(name)
  if (!has('cpu') && !has('memory') && !has('pids')) return
  const parts = path
    .slice(root.length)
    .split('/')
    .filter((part) => part !== '')
  let directory = join(tree.mountPoint, root)
  for (const part of parts) {
    if (tree.version === 2) await delegate(world, directory, tree.controllers)
    directory = join(directory, part)
    await world.makeFolder(directory)
  }
  const set = (file: string, value: string | number): Promise<void> => world.write(join(directory, file), value)
  const { cpuShares, cpuQuota, memoryBytes, pidsMax } = limits
  if (has('pids') && pidsMax !== undefined) await set('pids.max', pidsMax)
  if (has('cpu')) {
    await (tree.version === 2 ? set('cpu.weight', weightOf(cpuShares)) : set('cpu.shares', cpuShares))
    if (cpuQuota !== undefined) {
      await (tree.version === 2 ? set('cpu.max', `${cpuQuota} 100000`) : set('cpu.cfs_quota_us', cpuQuota))
    }
  }
  if (has('memory') && memoryBytes !== undefined) {
    await set(tree.version === 2 ? 'memory.max' : 'memory.limit_in_bytes', memoryBytes)
  }
}
