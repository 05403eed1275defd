// All that a cgroup counts of its processes and of all below it, and what it holds them to: what cAdvisor tells of it.

import { join } from 'node:path'
import { hostCgroups, type CgroupTree, type CgroupWorld } from './cgroup-world.ts'

export interface CgroupDetails {
  readonly cpu: {
    readonly userSeconds: number
    readonly systemSeconds: number
    readonly periods: number
    readonly throttledPeriods: number
    readonly throttledSeconds: number
    /** As version 1 counts them: 1024 is one core's part. */
    readonly shares: number
    readonly periodMicroseconds: number
    /** Of each period; undefined where nothing bounds it. */
    readonly quotaMicroseconds: number | undefined
  }
  readonly memory: {
    readonly rssBytes: number
    readonly cacheBytes: number
    readonly swapBytes: number
    readonly mappedBytes: number
    readonly maxUsageBytes: number
    readonly limitHits: number
    readonly pageFaults: number
    readonly majorPageFaults: number
    readonly oomKills: number
    /** Undefined where nothing bounds it. */
    readonly limitBytes: number | undefined
  }
  readonly processes: number
  readonly threads: number
}

/** USER_HZ of every Linux that runs containers. */
const TICKS_PER_SECOND = 100
/** Version 1 writes "no limit" as the largest number of pages. */
const NO_LIMIT_BYTES = 2 ** 62

/** Undefined where the cgroup is not there. What a kernel does not count is 0. */
export async function readCgroupDetails(
  path: string,
  world: CgroupWorld = hostCgroups,
): Promise<CgroupDetails | undefined> {
  const trees = await world.trees()
  const treeOf = (controller: string): CgroupTree | undefined =>
    trees.find(({ controllers }) => controllers.includes(controller))
  const [cpuTree, memoryTree, pidsTree] = [treeOf('cpu'), treeOf('memory'), treeOf('pids')]
  if (cpuTree === undefined || memoryTree === undefined) return undefined
  const filesOf = (tree: CgroupTree): Files => new Files(world, join(tree.mountPoint, path))
  const memoryFiles = filesOf(memoryTree)
  if ((await memoryFiles.text('cgroup.procs')) === undefined) return undefined
  const accounting = cpuTree.version === 2 ? cpuTree : (treeOf('cpuacct') ?? cpuTree)
  const pids = pidsTree === undefined ? undefined : filesOf(pidsTree)
  const [cpu, memory, threads, procs] = await Promise.all([
    cpuTree.version === 1 ? cpuOfV1(filesOf(cpuTree), filesOf(accounting)) : cpuOfV2(filesOf(cpuTree)),
    memoryTree.version === 1 ? memoryOfV1(memoryFiles) : memoryOfV2(memoryFiles),
    pids?.number('pids.current') ?? 0,
    memoryFiles.text('cgroup.procs'),
  ])
  const processes = (procs ?? '').split('\n').filter((line) => line !== '').length
  return { cpu, memory, threads, processes }
}

async function cpuOfV1(files: Files, accounting: Files): Promise<CgroupDetails['cpu']> {
  const [ticks, stat, quota] = await Promise.all([
    accounting.counters('cpuacct.stat'),
    files.counters('cpu.stat'),
    files.number('cpu.cfs_quota_us'),
  ])
  return {
    userSeconds: ticks('user') / TICKS_PER_SECOND,
    systemSeconds: ticks('system') / TICKS_PER_SECOND,
    periods: stat('nr_periods'),
    throttledPeriods: stat('nr_throttled'),
    throttledSeconds: stat('throttled_time') / 1e9,
    shares: await files.number('cpu.shares'),
    periodMicroseconds: await files.number('cpu.cfs_period_us'),
    quotaMicroseconds: quota > 0 ? quota : undefined,
  }
}

async function cpuOfV2(files: Files): Promise<CgroupDetails['cpu']> {
  const [stat, weight, max] = await Promise.all([
    files.counters('cpu.stat'),
    files.number('cpu.weight'),
    files.text('cpu.max'),
  ])
  const [quota = 'max', period = '100000'] = (max ?? '').split(' ')
  return {
    userSeconds: stat('user_usec') / 1e6,
    systemSeconds: stat('system_usec') / 1e6,
    periods: stat('nr_periods'),
    throttledPeriods: stat('nr_throttled'),
    throttledSeconds: stat('throttled_usec') / 1e6,
    shares: sharesOf(weight),
    periodMicroseconds: Number(period),
    quotaMicroseconds: quota === 'max' || quota === '' ? undefined : Number(quota),
  }
}

/** The inverse of what runtimes do to shares, 2 to 262144, for weights, 1 to 10000. */
function sharesOf(weight: number): number {
  return weight === 0 ? 0 : Math.round(2 + ((weight - 1) * 262_142) / 9999)
}

async function memoryOfV1(files: Files): Promise<CgroupDetails['memory']> {
  const [stat, limit, oom] = await Promise.all([
    files.counters('memory.stat'),
    files.number('memory.limit_in_bytes'),
    files.counters('memory.oom_control'),
  ])
  return {
    rssBytes: stat('total_rss'),
    cacheBytes: stat('total_cache'),
    swapBytes: stat('total_swap'),
    mappedBytes: stat('total_mapped_file'),
    maxUsageBytes: await files.number('memory.max_usage_in_bytes'),
    limitHits: await files.number('memory.failcnt'),
    pageFaults: stat('total_pgfault'),
    majorPageFaults: stat('total_pgmajfault'),
    oomKills: oom('oom_kill'),
    limitBytes: limit === 0 || limit >= NO_LIMIT_BYTES ? undefined : limit,
  }
}

async function memoryOfV2(files: Files): Promise<CgroupDetails['memory']> {
  const [stat, events, max] = await Promise.all([
    files.counters('memory.stat'),
    files.counters('memory.events'),
    files.text('memory.max'),
  ])
  return {
    rssBytes: stat('anon'),
    cacheBytes: stat('file'),
    swapBytes: await files.number('memory.swap.current'),
    mappedBytes: stat('file_mapped'),
    maxUsageBytes: await files.number('memory.peak'),
    limitHits: events('max'),
    pageFaults: stat('pgfault'),
    majorPageFaults: stat('pgmajfault'),
    oomKills: events('oom_kill'),
    limitBytes: max === undefined || max === 'max' ? undefined : Number(max),
  }
}

/** The files of one cgroup; what is not there is nothing. */
class Files {
  readonly #world: CgroupWorld
  readonly #folder: string

  constructor(world: CgroupWorld, folder: string) {
    this.#world = world
    this.#folder = folder
  }

  async text(name: string): Promise<string | undefined> {
    try {
      return await this.#world.read(join(this.#folder, name))
    } catch (error) {
      if (['ENOENT', 'ENODEV', 'EOPNOTSUPP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
      throw error
    }
  }

  async number(name: string): Promise<number> {
    const value = Number(await this.text(name))
    return Number.isFinite(value) ? value : 0
  }

  async counters(name: string): Promise<(counter: string) => number> {
    const lines = ((await this.text(name)) ?? '').split('\n').map((line) => line.split(' '))
    const counters = new Map(lines.map(([counter = '', value = '0']) => [counter, Number(value)]))
    return (counter) => counters.get(counter) ?? 0
  }
}
