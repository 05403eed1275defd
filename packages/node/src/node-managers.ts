// The node's policies for what containers may have alone, wired from its settings: CPUs, and nodes of memory.

import { readFile } from 'node:fs/promises'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { applyQos, planQos } from './cgroups/qos.ts'
import type { NodeAmounts } from './cgroups/qos.ts'
import { CpuManager, machineCpus } from './cpu-manager/cpu-manager.ts'
import { parseCpuSet } from './cpu-manager/cpu-set.ts'
import type { ContainerRuntime } from './cri/types.ts'
import type { NodeSettings } from './kubelet-config.ts'
import type { Refusal } from './pod/admission.ts'
import type { ResourceManagers } from './pod/pod-host.ts'
import { qosOf } from './pod/resources.ts'
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
  readonly workers: () => readonly PodWorker[]
}

/** Undefined where no policy asks for it. Rejects where the host cannot do what a policy asks for. */
export async function startManagers(scope: Scope, request: ManagersRequest): Promise<NodeManagers | undefined> {
  const { settings, runtime, rootDirectory, cgroupRoot, capacity, reserved, workers } = request
  const memory = settings.memoryManagerPolicy === 'Static' ? await onlyMemoryNode() : undefined
  if (settings.cpuManagerPolicy === 'none' && memory === undefined) return undefined
  const running = () =>
    workers().flatMap(({ pod, view }) =>
      view.containers.filter(isRunning).map(({ name, id }) => ({ podUid: pod.metadata.uid ?? '', name, id })),
    )
  let cpus: CpuManager | undefined
  if (settings.cpuManagerPolicy === 'static') {
    const all = await machineCpus(cgroupRoot, Math.floor(capacity.cpuMilli / 1000))
    cpus = new CpuManager({ runtime, directory: rootDirectory, running }, all, Math.ceil(reserved.cpuMilli / 1000))
    await cpus.load()
  }
  const release = (uid: string): void => {
    cpus?.release(uid).catch((error: unknown) => scope.log.warn('CPUs were not given back', { error, pod: uid }))
  }
  return {
    assign: async (pod) => cpus?.admit(pod),
    pin: (pod, container) => ({
      ...(cpus === undefined ? {} : { cpusetCpus: cpus.cpusOf(pod.metadata.uid ?? '', container.name) }),
      ...(memory !== undefined && qosOf(pod) === 'Guaranteed' ? { cpusetMems: memory } : {}),
    }),
    release,
    keepOnly: (uids) => cpus?.holders.filter((uid) => !uids.has(uid)).forEach(release),
  }
}

async function onlyMemoryNode(): Promise<string> {
  const online = await readFile('/sys/devices/system/node/has_memory', 'utf8').catch(() => '0')
  const nodes = parseCpuSet(online)
  if (nodes.length > 1) {
    throw new Error(
      `memoryManagerPolicy Static: this host has memory nodes ${online.trim()}, and pods are not placed by them`,
    )
  }
  return String(nodes[0] ?? 0)
}

/** Writes what classes of service have, after the last of many calls that come together. */
export function qosWriter(
  scope: Scope,
  request: Omit<ManagersRequest, 'settings' | 'runtime' | 'rootDirectory'>,
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
