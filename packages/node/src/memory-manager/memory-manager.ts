// Which containers have memory of which NUMA nodes, kept in the kubelet's state file, so that a restarted agent gives none twice.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod } from '@aksel/api/types/core-v1'
import { StateFile } from '@aksel/host/durable-file'
import type { Refusal } from '../pod/admission.ts'
import { assignMemory } from './assign.ts'
import type { MemoryGrant, MemoryGrants, MemoryNode } from './assign.ts'

interface SavedBlock {
  readonly numaAffinity: readonly number[]
  readonly type: string
  readonly size: number
  /** Not upstream's: what of it an init container did not have before. */
  readonly charged?: number
}

export class MemoryManager {
  readonly #path: string
  readonly #file: StateFile
  readonly #machine: readonly MemoryNode[]
  readonly #grants = new Map<string, ReadonlyMap<string, MemoryGrant>>()

  /** `directory`: holds `memory_manager_state`. */
  constructor(directory: string, machine: readonly MemoryNode[]) {
    this.#path = join(directory, 'memory_manager_state')
    this.#file = new StateFile(this.#path)
    this.#machine = machine
  }

  /** Reads the state of the agent before. */
  async load(): Promise<void> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (text === undefined) return
    const { entries = {} } = JSON.parse(text) as {
      readonly entries?: Readonly<Record<string, Readonly<Record<string, readonly SavedBlock[]>>>>
    }
    for (const [uid, own] of Object.entries(entries)) {
      const grants = Object.entries(own).flatMap(([name, blocks]) => {
        const block = blocks.find(({ type }) => type === 'memory')
        if (block === undefined) return []
        const { numaAffinity: nodes, size: bytes, charged: chargedBytes = bytes } = block
        return [[name, { nodes, bytes, chargedBytes }] as const]
      })
      this.#grants.set(uid, new Map(grants))
    }
  }

  /** Sets memory aside for the pod, once. */
  async admit(pod: Pod): Promise<Refusal | undefined> {
    const uid = pod.metadata.uid ?? ''
    if (this.#grants.has(uid)) return undefined
    const own = assignMemory(this.#machine, this.#grants, pod)
    if ('reason' in own) return own
    if (own.size === 0) return undefined
    this.#grants.set(uid, own)
    await this.#save().catch((error: unknown) => {
      // What is not written down is not given out: an agent that restarts would give it to another.
      this.#grants.delete(uid)
      throw error
    })
    return undefined
  }

  /** Pods that have memory of certain nodes. */
  get holders(): readonly string[] {
    return [...this.#grants.keys()]
  }

  async release(uid: string): Promise<void> {
    if (this.#grants.delete(uid)) await this.#save()
  }

  /** What the container's cgroup is held to, as the kernel writes it; undefined: nothing. */
  nodesOf(podUid: string, container: string): string | undefined {
    return this.#grants.get(podUid)?.get(container)?.nodes.join(',')
  }

  #save(): Promise<void> {
    return this.#file.write(() => this.#text())
  }

  #text(): string {
    const entries = Object.fromEntries(
      [...this.#grants].map(([uid, own]) => [
        uid,
        Object.fromEntries(
          [...own].map(([name, { nodes, bytes, chargedBytes }]) => [
            name,
            [{ numaAffinity: nodes, type: 'memory', size: bytes, charged: chargedBytes } satisfies SavedBlock],
          ]),
        ),
      ]),
    )
    const state = { policyName: 'Static', machineState: machineState(this.#machine, this.#grants), entries }
    return JSON.stringify(state)
  }
}

/** For whoever reads the file, as upstream writes it; never read back. Memory of several nodes is counted from the lowest. */
function machineState(machine: readonly MemoryNode[], grants: MemoryGrants): object {
  const all = [...grants.values()].flatMap((own) => [...own.values()])
  const reserved = new Map<number, number>()
  for (const { nodes, chargedBytes } of all) {
    let left = chargedBytes
    for (const { id, totalBytes, reservedBytes } of machine.filter((node) => nodes.includes(node.id))) {
      const room = totalBytes - reservedBytes - (reserved.get(id) ?? 0)
      const here = Math.min(left, room)
      reserved.set(id, (reserved.get(id) ?? 0) + here)
      left -= here
    }
  }
  return Object.fromEntries(
    machine.map(({ id, totalBytes, reservedBytes }) => {
      const own = all.filter(({ nodes }) => nodes.includes(id))
      const allocatable = totalBytes - reservedBytes
      const used = reserved.get(id) ?? 0
      const memory = {
        total: totalBytes,
        systemReserved: reservedBytes,
        allocatable,
        reserved: used,
        free: allocatable - used,
      }
      return [id, { numberOfAssignments: own.length, memoryMap: { memory }, cells: own[0]?.nodes ?? [id] }]
    }),
  )
}
