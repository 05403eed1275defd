// What a process has cost so far, as the kernel counts it: CPU time, and memory of its own apart from file pages.

import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessCost {
  readonly pid: number
  /** User and system time, with that of children it has waited for. */
  readonly cpuSeconds: number
  readonly rssAnonBytes: number
  readonly rssFileBytes: number
}

export interface RoleCost extends Omit<ProcessCost, 'pid'> {
  readonly role: string
  readonly count: number
  /** The largest single process: what a limit per process is held against. */
  readonly rssAnonMaxBytes: number
}

/** Linux counts CPU time for user space in hundredths of a second on every architecture we run on. */
const TICKS_PER_SECOND = 100

/** Undefined for a process that has ended meanwhile. */
export function costOf(pid: number): ProcessCost | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return { pid, cpuSeconds: parseCpuSeconds(stat), ...parseMemory(readFileSync(`/proc/${pid}/status`, 'latin1')) }
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** Fields 14 to 17 of /proc/PID/stat; the name in brackets may hold anything. */
export function parseCpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / TICKS_PER_SECOND
}

/** RssAnon and RssFile of /proc/PID/status; a kernel thread has neither. */
export function parseMemory(status: string): { readonly rssAnonBytes: number; readonly rssFileBytes: number } {
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? '0') * 1024
  return { rssAnonBytes: bytes('RssAnon'), rssFileBytes: bytes('RssFile') }
}

/** What a process of an instance is, by its command line; undefined for one that is none of its own. */
export function roleOf(command: readonly string[], dataDir: string): string | undefined {
  if (!command.some((word) => word === dataDir || word.includes(`${dataDir}/`))) return undefined
  if (command.some((word) => word.endsWith('/apps/server/src/main.ts'))) return 'server'
  if (command.some((word) => word.endsWith('/apps/node/src/main.ts'))) return 'agent'
  const program = command[0]?.split('/').at(-1) ?? ''
  if (program === 'containerd' || program === 'containerd-shim-runc-v2') return program
  return undefined
}

/** All processes of the instance in this data folder, by role. */
export function costByRole(dataDir: string): readonly RoleCost[] {
  const roles = new Map<string, ProcessCost[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const role = roleOf(commandOf(Number(name)), dataDir)
    const cost = role === undefined ? undefined : costOf(Number(name))
    if (role === undefined || cost === undefined) continue
    roles.set(role, [...(roles.get(role) ?? []), cost])
  }
  return [...roles]
    .map(([role, costs]) => sumOf(role, costs))
    .toSorted((left, right) => right.rssAnonBytes - left.rssAnonBytes)
}

export function sumOf(role: string, costs: readonly ProcessCost[]): RoleCost {
  const sum = (pick: (cost: ProcessCost) => number): number => costs.reduce((total, cost) => total + pick(cost), 0)
  return {
    role,
    count: costs.length,
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    rssAnonBytes: sum(({ rssAnonBytes }) => rssAnonBytes),
    rssFileBytes: sum(({ rssFileBytes }) => rssFileBytes),
    rssAnonMaxBytes: Math.max(...costs.map(({ rssAnonBytes }) => rssAnonBytes)),
  }
}

function commandOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean)
  } catch {
    return []
  }
}
