// The machine's NUMA nodes: read from the kernel, shared out of the machine's size, less what its own programs keep.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { quantityUnits } from '@aksel/base/quantity'
import { cgroupTrees } from '@aksel/host/cgroup-world'
import { parseCpuSet } from '../cpu-manager/cpu-set.ts'
import type { MemoryNode } from './assign.ts'

/** What the kernel says: of `/sys/devices/system/node`. */
export interface HostMemoryNode {
  readonly id: number
  readonly totalBytes: number
}

/** A field of upstream's KubeletConfiguration. */
export interface MemoryReservation {
  readonly numaNode: number
  readonly limits: Readonly<Record<string, string>>
}

const folder = '/sys/devices/system/node'

/** Those that the cgroup may have memory of. Reads files through `read`, for tests of other hosts than this. */
export async function hostMemoryNodes(
  allowed: readonly number[] | undefined,
  read: (path: string) => Promise<string> = (path) => readFile(path, 'utf8'),
): Promise<readonly HostMemoryNode[]> {
  const ids = parseCpuSet(await read(join(folder, 'has_memory')))
  const usable = ids.filter((id) => allowed === undefined || allowed.includes(id))
  return Promise.all(
    usable.map(async (id) => ({ id, totalBytes: memTotal(id, await read(join(folder, `node${id}`, 'meminfo'))) })),
  )
}

/** `Node 0 MemTotal:       22243104 kB` */
function memTotal(id: number, text: string): number {
  const found = /^Node \d+ MemTotal:\s+(\d+) kB$/m.exec(text)
  if (found === null) throw new Error(`memory node ${id} of this host does not say how much memory it has`)
  return Number(found[1]) * 1024
}

/** Memory nodes of the machine's cgroup; undefined where nothing bounds them. */
export async function allowedMemoryNodes(cgroupRoot: string): Promise<readonly number[] | undefined> {
  const tree = (await cgroupTrees()).find(({ controllers }) => controllers.includes('cpuset'))
  if (tree === undefined)
    throw new Error('memoryManagerPolicy Static needs the cpuset controller, which this host does not mount')
  const file = tree.version === 2 ? 'cpuset.mems.effective' : 'cpuset.mems'
  const text = await readFile(join(tree.mountPoint, cgroupRoot, file), 'utf8').catch(() => '')
  const nodes = parseCpuSet(text)
  return nodes.length === 0 ? undefined : nodes
}

export interface MachineMemory {
  /** A machine is smaller than its host: it has of each node in proportion. */
  readonly capacityBytes: number
  /** What pods do not get in all. */
  readonly reservedBytes: number
  /** Who says nothing has it all taken from the lowest nodes; upstream refuses to start. */
  readonly reservations: readonly MemoryReservation[]
}

/** Pure. Throws in upstream's words where what is reserved by node is not what is reserved in all. */
export function machineMemoryNodes(host: readonly HostMemoryNode[], machine: MachineMemory): readonly MemoryNode[] {
  const { capacityBytes, reservedBytes, reservations } = machine
  const whole = host.reduce((sum, { totalBytes }) => sum + totalBytes, 0)
  const sizes = host.map(({ id, totalBytes }) => ({
    id,
    totalBytes: Math.floor((Math.min(capacityBytes, whole) * totalBytes) / whole),
  }))
  if (reservations.length > 0) return withReservations(sizes, reservations, reservedBytes)
  let left = reservedBytes
  return sizes.map((node) => {
    const own = Math.min(left, node.totalBytes)
    left -= own
    return { ...node, reservedBytes: own }
  })
}

function withReservations(
  nodes: readonly HostMemoryNode[],
  reservations: readonly MemoryReservation[],
  expected: number,
): readonly MemoryNode[] {
  const unknown = reservations.find(({ numaNode }) => nodes.every(({ id }) => id !== numaNode))
  if (unknown !== undefined)
    throw new Error(
      `the reserved memory configuration references a NUMA node ${unknown.numaNode} that does not exist on this machine`,
    )
  const bytesOf = (id: number): number =>
    reservations
      .filter(({ numaNode }) => numaNode === id)
      .reduce((sum, { limits }) => sum + quantityUnits(limits['memory'] ?? '0'), 0)
  const sum = nodes.reduce((total, { id }) => total + bytesOf(id), 0)
  if (sum !== expected) {
    throw new Error(
      `the total amount "${sum}" of type "memory" is not equal to the value "${expected}" determined by Node Allocatable feature`,
    )
  }
  return nodes.map((node) => ({ ...node, reservedBytes: Math.min(bytesOf(node.id), node.totalBytes) }))
}
