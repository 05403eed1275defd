// What the processes of a cgroup, and of all below it, have used.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cgroupTrees, type CgroupTree } from './cgroups.ts'

export interface CgroupUsage {
  /** Since the cgroup was made. */
  readonly cpuNanoSeconds: number
  /** Without pages of files that nobody used lately: what can not be taken back. */
  readonly workingSetBytes: number
  readonly usageBytes: number
}

/** Undefined where the cgroup is not there, or no tree counts both CPU and memory. */
export async function readCgroupUsage(path: string): Promise<CgroupUsage | undefined> {
  const trees = await cgroupTrees()
  try {
    const cpuNanoSeconds = await firstOf(trees, (tree) => cpuOf(tree, join(tree.mountPoint, path)))
    const memory = await firstOf(trees, (tree) => memoryOf(tree, join(tree.mountPoint, path)))
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
export async function readProcessCount(path: string): Promise<ProcessCount | undefined> {
  const tree = (await cgroupTrees()).find(({ controllers }) => controllers.includes('pids'))
  if (tree === undefined) return undefined
  try {
    const directory = join(tree.mountPoint, path)
    const max = await readText(join(directory, 'pids.max'))
    return {
      current: Number(await readText(join(directory, 'pids.current'))),
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

async function cpuOf({ version, controllers }: CgroupTree, directory: string): Promise<number | undefined> {
  if (version === 1)
    return controllers.includes('cpuacct') ? Number(await readText(join(directory, 'cpuacct.usage'))) : undefined
  if (!controllers.includes('cpu')) return undefined
  return (await readCounters(join(directory, 'cpu.stat')))('usage_usec') * 1000
}

async function memoryOf(
  { version, controllers }: CgroupTree,
  directory: string,
): Promise<Pick<CgroupUsage, 'workingSetBytes' | 'usageBytes'> | undefined> {
  if (!controllers.includes('memory')) return undefined
  const [usage, inactive] =
    version === 1 ? ['memory.usage_in_bytes', 'total_inactive_file'] : ['memory.current', 'inactive_file']
  const usageBytes = Number(await readText(join(directory, usage)))
  const counter = await readCounters(join(directory, 'memory.stat'))
  return { usageBytes, workingSetBytes: Math.max(0, usageBytes - counter(inactive)) }
}

async function readCounters(file: string): Promise<(name: string) => number> {
  const lines = (await readText(file)).split('\n').map((line) => line.split(' '))
  const counters = new Map(lines.map(([name = '', value = '0']) => [name, Number(value)]))
  return (name) => counters.get(name) ?? 0
}

async function readText(path: string): Promise<string> {
  return (await readFile(path, 'utf8')).trim()
}
