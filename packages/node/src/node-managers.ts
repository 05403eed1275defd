// The node's policies for what containers may have alone, wired from its settings: CPUs, and nodes of memory.

import type { Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { applyQos, planQos } from './cgroups/qos.ts'
import type { NodeAmounts } from './cgroups/qos.ts'
import { CpuManager, machineCpus } from './cpu-manager/cpu-manager.ts'
import type { ContainerRuntime } from './cri/types.ts'
import type { NodeSettings } from './kubelet-config.ts'
import { MemoryManager } from './memory-manager/memory-manager.ts'
import { allowedMemoryNodes, hostMemoryNodes, machineMemoryNodes } from './memory-manager/memory-nodes.ts'
import type { HostMemoryNode } from './memory-manager/memory-nodes.ts'
import type { Refusal } from './pod/admission.ts'
import type { ResourceManagers } from './pod/pod-host.ts'
import { isRunning } from './pod/runtime-view.ts'
import type { PodWorker } from './pod/worker.ts'

export interface NodeManagers extends ResourceManagers {
  assign(pod: Pod): Promise<Refusal | undefined>
}

export interface ManagersRequest {
  readonly settings: NodeSettings
  readonly runtime: ContainerRuntime
  readonly rootDirectory: string
  readonly cgroupRoot: string
  readonly capacity: NodeAmounts
  /** What the machine's own programs keep. */
  readonly reserved: NodeAmounts
  /** The memory that the node begins to evict at. */
  readonly evictionBytes: number
  /** The host's NUMA nodes; as its kernel says where absent. */
  readonly memoryNodes?: readonly HostMemoryNode[]
  readonly workers: () => readonly PodWorker[]
}

/** Undefined where no policy asks for it. Rejects where the host cannot do what a policy asks for. */
export async function startManagers(scope: Scope, request: ManagersRequest): Promise<NodeManagers | undefined> {
  const { settings } = request
  const cpus = settings.cpuManagerPolicy === 'static' ? await cpuManager(request) : undefined
  const memory = settings.memoryManagerPolicy === 'Static' ? await memoryManager(request) : undefined
  if (cpus === undefined && memory === undefined) return undefined
  const release = (uid: string): void => {
    const warn = (error: unknown): void =>
      scope.log.warn('what a pod had alone was not given back', { error, pod: uid })
    cpus?.release(uid).catch(warn)
    memory?.release(uid).catch(warn)
  }
  return {
    async assign(pod) {
      const refusal = (await cpus?.admit(pod)) ?? (await memory?.admit(pod))
      if (refusal !== undefined) await cpus?.release(pod.metadata.uid ?? '')
      return refusal
    },
    pin(pod, { name }) {
      const uid = pod.metadata.uid ?? ''
      const cpusetMems = memory?.nodesOf(uid, name)
      return {
        ...(cpus === undefined ? {} : { cpusetCpus: cpus.cpusOf(uid, name) }),
        ...(cpusetMems === undefined ? {} : { cpusetMems }),
      }
    },
    release,
    keepOnly(uids) {
      const holders = new Set([...(cpus?.holders ?? []), ...(memory?.holders ?? [])])
      for (const uid of holders) if (!uids.has(uid)) release(uid)
    },
    fixed: {
      ...(cpus === undefined ? {} : { cpu: 'CPU Manager policy "static"' }),
      ...(memory === undefined ? {} : { memory: 'Memory Manager policy "Static"' }),
    },
  }
}

async function cpuManager(request: ManagersRequest): Promise<CpuManager> {
  const { runtime, rootDirectory, cgroupRoot, capacity, reserved, workers } = request
  const running = () =>
    workers().flatMap(({ pod, view }) =>
      view.containers.filter(isRunning).map(({ name, id }) => ({ podUid: pod.metadata.uid ?? '', name, id })),
    )
  const all = await machineCpus(cgroupRoot, Math.floor(capacity.cpuMilli / 1000))
  const cpus = new CpuManager({ runtime, directory: rootDirectory, running }, all, Math.ceil(reserved.cpuMilli / 1000))
  await cpus.load()
  return cpus
}

async function memoryManager(request: ManagersRequest): Promise<MemoryManager> {
  const { settings, rootDirectory, cgroupRoot, capacity, reserved, evictionBytes } = request
  const host = request.memoryNodes ?? (await hostMemoryNodes(await allowedMemoryNodes(cgroupRoot)))
  const machine = machineMemoryNodes(host, {
    capacityBytes: capacity.memoryBytes,
    reservedBytes: reserved.memoryBytes + evictionBytes,
    reservations: settings.config.reservedMemory,
  })
  const memory = new MemoryManager(rootDirectory, machine)
  await memory.load()
  return memory
}

/** Writes what classes of service have, after the last of many calls that come together. */
export function qosWriter(
  scope: Scope,
  request: Pick<ManagersRequest, 'cgroupRoot' | 'capacity' | 'reserved' | 'workers'>,
): () => void {
  const { cgroupRoot, capacity, reserved, workers } = request
  let isDue = false
  let running: Promise<void> | undefined
  const work = async (): Promise<void> => {
    while (isDue) {
      isDue = false
      const pods = workers()
        .filter(({ isOver }) => !isOver)
        .map(({ pod }) => pod)
      await applyQos(cgroupRoot, planQos(capacity, reserved, pods)).catch((error: unknown) =>
        scope.log.warn('cgroups of the classes of service were not written', { error }),
      )
    }
    running = undefined
  }
  return () => {
    isDue = true
    running ??= work()
  }
}
