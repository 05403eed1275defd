// The parts of the kubelet's Summary that cgroups do not tell: file systems, volumes, logs, networks.

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readProcessCount } from '@aksel/host/cgroup-usage'
import { readDiskCounters, type DiskCounters } from '@aksel/host/disk-counters'
import type { ContainerRuntime } from '../cri/types.ts'
import { diskUsage, type DiskUsage } from '../eviction/disk-usage.ts'
import { identityOf, podLogDirectory, podUidLabel } from '../pod/names.ts'
import { podCgroup } from '../pod/pod-cgroup.ts'
import { isRunning } from '../pod/runtime-view.ts'
import type { PodWorker } from '../pod/worker.ts'
import type { MountedVolume } from '../volumes/volume.ts'
import { linksOfCgroup, linksOfNode, type LinkCounters } from './network-counters.ts'

export interface DiskFacts {
  readonly runtime: ContainerRuntime
  /** The machine's cgroup: `/aksel/<machine>`. */
  readonly cgroupRoot: string
  readonly capacity: { readonly cpuMilli: number; readonly memoryBytes: number }
  readonly rootDirectory: string
  readonly podLogsDirectory: string
}

/** Everything of the node but CPU and memory; handed the time, in the API's form. */
export async function nodeFacts(facts: DiskFacts): Promise<(time: string) => object> {
  const images = await facts.runtime.imageFileSystem().catch(() => undefined)
  const [disk, imageDisk, links, processes] = await Promise.all([
    readDiskCounters(facts.rootDirectory),
    readDiskCounters(images ?? facts.rootDirectory),
    linksOfNode(),
    readProcessCount(facts.cgroupRoot),
  ])
  return (time) => ({
    network: networkStats(time, links),
    fs: fsStats(time, disk),
    runtime: { imageFs: fsStats(time, imageDisk), containerFs: fsStats(time, imageDisk) },
    rlimit: {
      time,
      ...(processes?.max === undefined ? {} : { maxpid: processes.max }),
      curproc: processes?.current ?? 0,
    },
  })
}

/** A pod in the machine's network has none of its own. */
export async function podNetwork({ cgroupRoot }: DiskFacts, { pod, view }: PodWorker, time: string): Promise<object> {
  const sandbox = view.sandboxes.find(({ ready }) => ready)
  if (pod.spec.hostNetwork === true || sandbox === undefined) return {}
  return { network: networkStats(time, await linksOfCgroup(`${podCgroup(cgroupRoot, pod)}/${sandbox.id}`)) }
}

export interface PodDisk {
  /** By name: `rootfs` and `logs`. */
  readonly containers: ReadonlyMap<string, object>
  /** `volume` and `ephemeral-storage`. */
  readonly pod: object
}

export async function podDisk(facts: DiskFacts, worker: PodWorker, time: string): Promise<PodDisk> {
  const { pod, view } = worker
  const identity = identityOf(pod)
  const logs = podLogDirectory(facts.podLogsDirectory, identity)
  const [disk, layers, volumes] = await Promise.all([
    readDiskCounters(facts.rootDirectory),
    facts.runtime.listContainerStats({ [podUidLabel]: identity.uid }).catch(() => []),
    Promise.all([...worker.volumes].map(([name, volume]) => volumeStats(facts, worker, { name, volume, time }))),
  ])
  const taken: DiskUsage[] = volumes.flatMap((each) => (each?.isEphemeral === true ? [each.usage] : []))
  const containers = new Map<string, object>()
  for (const { name, id } of view.containers.filter(isRunning)) {
    const layer = layers.find(({ attributes }) => attributes.id === id)?.writableLayer
    const root = { bytes: layer?.usedBytes?.value ?? 0, inodes: layer?.inodesUsed?.value ?? 0 }
    const log = await diskUsage(join(logs, name))
    taken.push(root, log)
    containers.set(name, { rootfs: fsStats(time, disk, root), logs: fsStats(time, disk, log) })
  }
  const total = taken.reduce((sum, { bytes, inodes }) => ({ bytes: sum.bytes + bytes, inodes: sum.inodes + inodes }), {
    bytes: 0,
    inodes: 0,
  })
  return {
    containers,
    pod: {
      volume: volumes.flatMap((each) => (each === undefined ? [] : [each.stats])),
      'ephemeral-storage': fsStats(time, disk, total),
    },
  }
}

/** Undefined for what is the host's, and for devices. */
async function volumeStats(
  { rootDirectory }: DiskFacts,
  { pod }: PodWorker,
  { name, volume, time }: { readonly name: string; readonly volume: MountedVolume; readonly time: string },
): Promise<{ readonly stats: object; readonly usage: DiskUsage; readonly isEphemeral: boolean } | undefined> {
  const spec = pod.spec.volumes?.find((each) => each.name === name)
  if (spec === undefined || spec.hostPath !== undefined || volume.isBlock === true) return undefined
  try {
    const [disk, own, root] = await Promise.all([
      readDiskCounters(volume.hostPath),
      stat(volume.hostPath),
      stat(rootDirectory),
    ])
    const claim = spec.persistentVolumeClaim?.claimName ?? (spec.ephemeral && `${pod.metadata.name}-${name}`)
    const isOwnDisk = claim !== undefined || own.dev !== root.dev
    const usage = isOwnDisk && claim !== undefined ? wholeOf(disk) : await diskUsage(volume.hostPath)
    const pvcRef = claim === undefined ? {} : { pvcRef: { name: claim, namespace: pod.metadata.namespace ?? '' } }
    return { stats: { ...fsStats(time, disk, usage), name, ...pvcRef }, usage, isEphemeral: !isOwnDisk }
  } catch (error) {
    // It goes while it is looked at.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function wholeOf({ usedBytes, inodes, inodesFree }: DiskCounters): DiskUsage {
  return { bytes: usedBytes, inodes: inodes - inodesFree }
}

function fsStats(time: string, disk: DiskCounters, usage: DiskUsage = wholeOf(disk)): object {
  const { availableBytes, capacityBytes, inodesFree, inodes } = disk
  return { time, availableBytes, capacityBytes, usedBytes: usage.bytes, inodesFree, inodes, inodesUsed: usage.inodes }
}

function networkStats(time: string, links: readonly LinkCounters[]): object {
  const interfaces = links.map(({ name, rxBytes, rxErrors, txBytes, txErrors }) => ({
    name,
    rxBytes,
    rxErrors,
    txBytes,
    txErrors,
  }))
  const first = interfaces.find(({ name }) => name === 'eth0') ?? interfaces[0]
  return { time, ...first, interfaces }
}
