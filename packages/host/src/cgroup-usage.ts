// What the processes of a cgroup, and of all below it, have used.

import { join } from 'node:path'
import { hostCgroups, type CgroupTree, type CgroupWorld } from './cgroup-world.ts'

export interface CgroupUsage {
  /** Since the cgroup was made. */
  readonly cpuNanoSeconds: number
  /** Without pages of files that nobody used lately: what can not be taken back. */
  readonly workingSetBytes: number
  readonly usageBytes: number
}

/** Undefined where the cgroup is not there, or no tree counts both CPU and memory. */
export async function readCgroupUsage(
  path: string,
  world: CgroupWorld = hostCgroups,
): Promise<CgroupUsage | undefined> {
  const trees = await world.trees()
  try {
    const cpuNanoSeconds = await firstOf(trees, (tree) => cpuOf(world, tree, join(tree.mountPoint, path)))
    const memory = await firstOf(trees, (tree) => memoryOf(world, tree, join(tree.mountPoint, path)))
    return cpuNanoSeconds === undefined || memory === undefined ? undefined : { cpuNanoSeconds, ...memory }
  } catch (error) {
    if (['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

export interface ProcessCount {
  readonly current: number
  /** Undefined where nothing bounds it. */
  readonly max: number | undefined
}

/** Processes and threads of the cgroup and all below it; undefined where no tree counts them. */
export async function readProcessCount(
  path: string,
  world: CgroupWorld = hostCgroups,
): Promise<ProcessCount | undefined> {
  const tree = (await world.trees()).find(({ controllers }) => controllers.includes('pids'))
  if (tree === undefined) return undefined
  try {
    const directory = join(tree.mountPoint, path)
    const max = await world.read(join(directory, 'pids.max'))
    return {
      current: Number(await world.read(join(directory, 'pids.current'))),
      max: max === 'max' ? undefined : Number(max),
    }
  } catch (error) {
    if (['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

async function firstOf<T>(
  trees: readonly CgroupTree[],
  read: (tree: CgroupTree) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const tree of trees) {
    const found = await read(tree)
    if (found !== undefined) return found
  }
  return undefined
}

async function cpuOf(
  world: CgroupWorld,
  { version, controllers }: CgroupTree,
  directory: string,
): Promise<number | undefined> {
  if (version === 1)
    return controllers.includes('cpuacct') ? Number(await world.read(join(directory, 'cpuacct.usage'))) : undefined
  if (!controllers.includes('cpu')) return undefined
  return (await readCounters(world, join(directory, 'cpu.stat')))('usage_usec') * 1000
}

async function memoryOf(
  world: CgroupWorld,
  { version, controllers }: CgroupTree,
  directory: string,
): Promise<Pick<CgroupUsage, 'workingSetBytes' | 'usageBytes'> | undefined> {
  if (!controllers.includes('memory')) return undefined
  const [usage, inactive] =
    version === 1 ? ['memory.usage_in_bytes', 'total_inactive_file'] : ['memory.current', 'inactive_file']
  const usageBytes = Number(await world.read(join(directory, usage)))
  const counter = await readCounters(world, join(directory, 'memory.stat'))
  return { usageBytes, workingSetBytes: Math.max(0, usageBytes - counter(inactive)) }
}

async function readCounters(world: CgroupWorld, file: string): Promise<(name: string) => number> {
  const lines = (await world.read(file)).split('\n').map((line) => line.split(' '))
  const counters = new Map(lines.map(([name = '', value = '0']) => [name, Number(value)]))
  return (name) => counters.get(name) ?? 0
}
