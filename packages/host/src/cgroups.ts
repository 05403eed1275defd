// Machines and pods are bounded by cgroups. Hosts mount the controllers on version 1 trees, on version 2, or on both;
// a cgroup here is one path made under every tree that is mounted.

import { readdir, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Ledger } from './ledger.ts'
import { cgroupTrees, delegate, hostCgroups, type CgroupTree, type CgroupWorld } from './cgroup-world.ts'

export interface CgroupLimits {
  /** CPUs, fractions allowed: 0.5 is half of one. */
  readonly cpus?: number
  readonly memoryBytes?: number
  readonly pidsMax?: number
}

const CPU_PERIOD_US = 100_000

/**
 * Makes the cgroup `path` (`/aksel/m1`) on every tree and sets its limits; idempotent. Processes go into a child of a
 * limited cgroup (`/aksel/m1/system`), because version 2 keeps processes out of inner nodes.
 */
export async function makeCgroup(request: {
  readonly ledger: Ledger
  readonly owner: string
  readonly path: string
  readonly limits?: CgroupLimits
  /** This host when absent. */
  readonly world?: CgroupWorld
}): Promise<void> {
  const { ledger, owner, path } = request
  const known = ledger.entries(owner).some((entry) => entry.object.kind === 'cgroup' && entry.object.path === path)
  if (!known) await ledger.record(owner, { kind: 'cgroup', path })
  const { world = hostCgroups, limits = {} } = request
  await Promise.all((await world.trees()).map((tree) => makeIn(world, tree, path, limits)))
}

async function makeIn(world: CgroupWorld, tree: CgroupTree, path: string, limits: CgroupLimits): Promise<void> {
  const parts = path.split('/').filter((part) => part !== '')
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const directory = join(tree.mountPoint, ...parts.slice(0, depth))
    if (tree.version === 2) await delegate(world, dirname(directory), tree.controllers)
    await world.makeFolder(directory)
    if (tree.controllers.includes('cpuset') && tree.version === 1) await inheritCpuset(world, directory)
  }
  await applyLimits(world, tree, join(tree.mountPoint, ...parts), limits)
}

/** A new cpuset of version 1 is empty and accepts no process until it names CPUs and memory nodes. */
async function inheritCpuset(world: CgroupWorld, directory: string): Promise<void> {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if ((await world.read(join(directory, file))) === '') {
      await world.write(join(directory, file), await world.read(join(dirname(directory), file)))
    }
  }
}

async function applyLimits(
  world: CgroupWorld,
  tree: CgroupTree,
  directory: string,
  limits: CgroupLimits,
): Promise<void> {
  const has = (name: string): boolean => tree.controllers.includes(name)
  const set = (file: string, value: string | number): Promise<void> => world.write(join(directory, file), value)
  const quotaUs = Math.round((limits.cpus ?? 0) * CPU_PERIOD_US)
  if (limits.cpus !== undefined && has('cpu')) {
    if (tree.version === 2) await set('cpu.max', `${quotaUs} ${CPU_PERIOD_US}`)
    else {
      await set('cpu.cfs_period_us', CPU_PERIOD_US)
      await set('cpu.cfs_quota_us', quotaUs)
    }
  }
  if (limits.memoryBytes !== undefined && has('memory')) {
    await set(tree.version === 2 ? 'memory.max' : 'memory.limit_in_bytes', limits.memoryBytes)
  }
  if (limits.pidsMax !== undefined && has('pids')) await set('pids.max', limits.pidsMax)
}

/** Moves a process, with all its threads, into the cgroup on every tree. */
export async function addToCgroup(path: string, pid: number): Promise<void> {
  const trees = await cgroupTrees()
  await Promise.all(trees.map((tree) => writeFile(join(tree.mountPoint, path, 'cgroup.procs'), String(pid))))
}

/** The cgroup's folders on every tree, itself and all below it, deepest first. */
export async function cgroupFolders(path: string): Promise<readonly string[]> {
  const found = await Promise.all((await cgroupTrees()).map((tree) => foldersBelow(join(tree.mountPoint, path))))
  return found.flat()
}

async function foldersBelow(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    const children = entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => foldersBelow(join(directory, entry.name)))
    return [...(await Promise.all(children)).flat(), directory]
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

/** Process ids in one cgroup folder; none when it is gone. */
export async function processesIn(folder: string): Promise<readonly number[]> {
  const text = await hostCgroups.read(join(folder, 'cgroup.procs')).catch((error: unknown) => {
    if (isGone(error)) return ''
    throw error
  })
  return text
    .split('\n')
    .filter((line) => line !== '' && line !== '0')
    .map(Number)
}

/** Removes a cgroup folder that holds nothing; false when the kernel says it is still in use. */
export async function removeCgroupFolder(folder: string): Promise<boolean> {
  try {
    await rmdir(folder)
    return true
  } catch (error) {
    if (isGone(error)) return true
    if (['EBUSY', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')
}
