// What one pod uses of its node: memory and processes by its cgroup, disk by its logs, layers and emptyDirs.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod } from '@aksel/api/types/core-v1'
import { readCgroupUsage, readProcessCount } from '@aksel/host/cgroup-usage'
import type { ContainerRuntime } from '../cri/types.ts'
import { identityOf, podLogDirectory, podUidLabel } from '../pod/names.ts'
import { podCgroup } from '../pod/pod-cgroup.ts'
import { podFolders } from '../pod/pod-host.ts'
import { isRunning } from '../pod/runtime-view.ts'
import type { RuntimeView } from '../pod/runtime-view.ts'
import { emptyDirFolder } from '../volumes/pod-volumes.ts'
import { diskUsage } from './disk-usage.ts'
import type { PodUsage } from './rank.ts'

export interface UsageHost {
  readonly runtime: ContainerRuntime
  readonly cgroupRoot: string
  readonly podLogsDirectory: string
  readonly rootDirectory: string
  readonly memoryDirectory: string
}

export async function podUsage(
  host: UsageHost,
  { pod, view }: { readonly pod: Pod; readonly view: RuntimeView },
): Promise<PodUsage> {
  const identity = identityOf(pod)
  const cgroup = podCgroup(host.cgroupRoot, pod)
  const logs = podLogDirectory(host.podLogsDirectory, identity)
  const stats = await host.runtime.listContainerStats({ [podUidLabel]: identity.uid })
  const names = [...new Set(view.containers.map(({ name }) => name))]
  const containers = await Promise.all(
    names.map(async (name) => {
      const runs = view.containers.filter((run) => run.name === name)
      const running = runs.find(isRunning)
      const memory = running === undefined ? undefined : await readCgroupUsage(`${cgroup}/${running.id}`)
      const layers = stats.filter(({ attributes }) => runs.some(({ id }) => id === attributes.id))
      const log = await diskUsage(join(logs, name))
      const layerBytes = layers.reduce((sum, { writableLayer }) => sum + (writableLayer?.usedBytes?.value ?? 0), 0)
      const layerInodes = layers.reduce((sum, { writableLayer }) => sum + (writableLayer?.inodesUsed?.value ?? 0), 0)
      return {
        name,
        memoryBytes: memory?.workingSetBytes ?? 0,
        diskBytes: layerBytes + log.bytes,
        inodes: layerInodes + log.inodes,
      }
    }),
  )
  const volumes = await emptyDirs(join(podFolders(host, identity.uid).root, 'volumes', emptyDirFolder))
  const onDisk = volumes.filter(({ name }) => mediumOf(pod, name) !== 'Memory')
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  return {
    containers,
    memoryBytes: (await readCgroupUsage(cgroup))?.workingSetBytes ?? 0,
    processes: (await readProcessCount(cgroup))?.current ?? 0,
    diskBytes: sum(containers.map(({ diskBytes }) => diskBytes)) + sum(onDisk.map(({ bytes }) => bytes)),
    inodes: sum(containers.map(({ inodes }) => inodes)) + sum(onDisk.map(({ inodes }) => inodes)),
    emptyDirBytes: new Map(volumes.map(({ name, bytes }) => [name, bytes])),
  }
}

async function emptyDirs(
  folder: string,
): Promise<readonly { readonly name: string; readonly bytes: number; readonly inodes: number }[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return Promise.all(names.map(async (name) => ({ name, ...(await diskUsage(join(folder, name))) })))
}

function mediumOf(pod: Pod, volume: string): string | undefined {
  return pod.spec.volumes?.find(({ name }) => name === volume)?.emptyDir?.medium
}
