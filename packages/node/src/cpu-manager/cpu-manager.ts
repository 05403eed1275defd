// Which containers have CPUs alone, kept in the kubelet's state file, so that a restarted agent gives none away twice.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod } from '@aksel/api/types/core-v1'
import { cgroupTrees } from '@aksel/host/cgroup-world'
import { StateFile } from '@aksel/host/durable-file'
import type { ContainerRuntime } from '../cri/types.ts'
import type { Refusal } from '../pod/admission.ts'
import { assignCpus, sharedCpus } from './assign.ts'
import type { CpuPool } from './assign.ts'
import { formatCpuSet, parseCpuSet } from './cpu-set.ts'
import type { CpuSet } from './cpu-set.ts'

export interface RunningContainer {
  readonly podUid: string
  readonly name: string
  readonly id: string
}

export interface CpuManagerWorld {
  readonly runtime: ContainerRuntime
  /** Holds `cpu_manager_state`. */
  readonly directory: string
  readonly running: () => readonly RunningContainer[]
}

export class CpuManager {
  readonly #world: CpuManagerWorld
  readonly #path: string
  readonly #file: StateFile
  readonly #all: CpuSet
  readonly #reserved: number
  readonly #assigned = new Map<string, ReadonlyMap<string, CpuSet>>()
  /** What containers that share were last held to. */
  readonly #held = new Map<string, string>()

  constructor(world: CpuManagerWorld, all: CpuSet, reserved: number) {
    this.#world = world
    this.#path = join(world.directory, 'cpu_manager_state')
    this.#file = new StateFile(this.#path)
    this.#all = all
    this.#reserved = reserved
  }

  /** Reads the state of the agent before. */
  async load(): Promise<void> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (text === undefined) return
    const { entries = {} } = JSON.parse(text) as { readonly entries?: Record<string, Record<string, string>> }
    for (const [uid, own] of Object.entries(entries)) {
      this.#assigned.set(uid, new Map(Object.entries(own).map(([name, cpus]) => [name, parseCpuSet(cpus)])))
    }
  }

  /** Sets CPUs aside for the pod, once. */
  async admit(pod: Pod): Promise<Refusal | undefined> {
    const uid = pod.metadata.uid ?? ''
    if (this.#assigned.has(uid)) return undefined
    const own = assignCpus(this.#pool, pod)
    if ('reason' in own) return own
    if (own.size === 0) return undefined
    this.#assigned.set(uid, own)
    await this.#save().catch((error: unknown) => {
      // What is not written down is not given out: an agent that restarts would give it to another.
      this.#assigned.delete(uid)
      throw error
    })
    await this.#shrinkOthers()
    return undefined
  }

  /** Pods that have CPUs alone. */
  get holders(): readonly string[] {
    return [...this.#assigned.keys()]
  }

  async release(uid: string): Promise<void> {
    if (!this.#assigned.delete(uid)) return
    // What is not written down is given back again by the agent that finds it.
    await this.#save().finally(() => this.#shrinkOthers())
  }

  /** What the container's cgroup is held to. */
  cpusOf(podUid: string, container: string): string {
    const own = this.#assigned.get(podUid)?.get(container)
    return formatCpuSet(own ?? sharedCpus(this.#pool))
  }

  get #pool(): CpuPool {
    return { all: this.#all, reserved: this.#reserved, assigned: this.#assigned }
  }

  /** Containers that share have other CPUs now. */
  async #shrinkOthers(): Promise<void> {
    const running = this.#world.running()
    const ids = new Set(running.map(({ id }) => id))
    for (const id of this.#held.keys()) if (!ids.has(id)) this.#held.delete(id)
    for (const { podUid, name, id } of running) {
      const cpus = this.cpusOf(podUid, name)
      if (this.#held.get(id) === cpus) continue
      // A container that ended meanwhile needs none.
      const done = await this.#world.runtime.updateContainerResources(id, { cpusetCpus: cpus }).then(
        () => true,
        () => false,
      )
      if (done) this.#held.set(id, cpus)
    }
  }

  #save(): Promise<void> {
    return this.#file.write(() => this.#text())
  }

  #text(): string {
    const entries = Object.fromEntries(
      [...this.#assigned].map(([uid, own]) => [
        uid,
        Object.fromEntries([...own].map(([name, cpus]) => [name, formatCpuSet(cpus)])),
      ]),
    )
    const state = { policyName: 'static', defaultCpuSet: formatCpuSet(sharedCpus(this.#pool)), entries }
    return JSON.stringify(state)
  }
}

/** CPUs that the machine's cgroup may run on: as many as it has, the first that its host gives it. */
export async function machineCpus(cgroupRoot: string, count: number): Promise<CpuSet> {
  const tree = (await cgroupTrees()).find(({ controllers }) => controllers.includes('cpuset'))
  if (tree === undefined)
    throw new Error('cpuManagerPolicy static needs the cpuset controller, which this host does not mount')
  const file = tree.version === 2 ? 'cpuset.cpus.effective' : 'cpuset.cpus'
  const cpus = parseCpuSet(await readFile(join(tree.mountPoint, cgroupRoot, file), 'utf8'))
  if (cpus.length < count)
    throw new Error(`cpuManagerPolicy static: the machine has ${count} CPUs, its host ${cpus.length}`)
  return cpus.slice(0, count)
}
