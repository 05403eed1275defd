// Looks at what a machine has left: memory and processes of its cgroup, and the file systems of its folders.

import { readFile, stat, statfs } from 'node:fs/promises'
import { readCgroupUsage, readProcessCount } from '@aksel/host/cgroup-usage'
import type { Observation, Observations } from './pressure.ts'
import type { Signal } from './thresholds.ts'

export interface WatchedMachine {
  /** The machine's cgroup: `/aksel/<machine>`. */
  readonly cgroupRoot: string
  readonly memoryBytes: number
  /** Pods' volumes and logs. */
  readonly nodeDirectory: string
  /** Images and writable layers; on the node's file system where it is not there. */
  readonly imageDirectory: string | undefined
  /** On the host's file system, where the node's own is an image on it. */
  readonly hostDirectory?: string
}

/** Below this the host gives no node's disk what it promised, and a write that it has taken could fail. */
const HOST_RESERVE_BYTES = 2 ** 30

export async function observeMachine(machine: WatchedMachine): Promise<Observations> {
  const found = new Map<Signal, Observation>()
  const usage = await readCgroupUsage(machine.cgroupRoot)
  if (usage !== undefined) {
    const available = Math.max(0, machine.memoryBytes - usage.workingSetBytes)
    found.set('memory.available', { available, capacity: machine.memoryBytes })
  }
  const processes = await readProcessCount(machine.cgroupRoot)
  if (processes !== undefined) {
    const capacity = processes.max ?? (await kernelPidMax())
    found.set('pid.available', { available: Math.max(0, capacity - processes.current), capacity })
  }
  await observeDisk(found, 'nodefs', machine.nodeDirectory)
  const { imageDirectory } = machine
  if (imageDirectory !== undefined) await observeDisk(found, 'imagefs', imageDirectory)
  if (machine.hostDirectory !== undefined) await observeHost(found, machine.hostDirectory)
  return found
}

/** Whether images lie on another file system than pods' volumes do. */
export async function hasOwnImageDisk({ nodeDirectory, imageDirectory }: WatchedMachine): Promise<boolean> {
  if (imageDirectory === undefined) return false
  const [node, images] = await Promise.all([stat(nodeDirectory), stat(imageDirectory).catch(() => undefined)])
  return images !== undefined && node.dev !== images.dev
}

async function observeDisk(found: Map<Signal, Observation>, disk: 'nodefs' | 'imagefs', path: string): Promise<void> {
  const { bsize, blocks, bavail, files, ffree } = await statfs(path)
  found.set(`${disk}.available`, { available: bavail * bsize, capacity: blocks * bsize })
  // Some file systems make inodes as they need them and count none.
  if (files > 0) found.set(`${disk}.inodesFree`, { available: ffree, capacity: files })
}

/** A thin disk holds no more than its host has room for. */
async function observeHost(found: Map<Signal, Observation>, path: string): Promise<void> {
  const { bsize, bavail } = await statfs(path)
  if (bavail * bsize >= HOST_RESERVE_BYTES) return
  for (const signal of ['nodefs.available', 'imagefs.available'] as const) {
    const own = found.get(signal)
    if (own !== undefined) found.set(signal, { ...own, available: 0 })
  }
}

async function kernelPidMax(): Promise<number> {
  const read = async (file: string): Promise<number> => Number(await readFile(`/proc/sys/kernel/${file}`, 'utf8'))
  return Math.min(await read('pid_max'), await read('threads-max'))
}
