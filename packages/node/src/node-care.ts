// The parts by which a node looks after itself, wired: eviction, garbage collection, rotation of logs.

import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { nodes } from '@aksel/api/resources'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { recordEvent } from '@aksel/runtime/event-recorder'
import { EvictionManager } from './eviction/eviction-manager.ts'
import type { EvictablePod } from './eviction/eviction-manager.ts'
import { EVICTED } from './eviction/messages.ts'
import { hasOwnImageDisk, observeMachine } from './eviction/observe.ts'
import type { WatchedMachine } from './eviction/observe.ts'
import { podUsage } from './eviction/pod-usage.ts'
import { removeDeadContainers, removeEvicted } from './garbage/pod-garbage.ts'
import { ImageGc } from './images/image-gc.ts'
import type { PulledImages } from './images/pulled-images.ts'
import type { NodeSettings } from './kubelet-config.ts'
import { rotateLogs } from './logs/rotation.ts'
import { evictedBy } from './pod/failure.ts'
import { containerLogPath, identityOf, podLogDirectory } from './pod/names.ts'
import { tellPod } from './pod/pod-host.ts'
import type { PodHost } from './pod/pod-host.ts'
import { isRunning } from './pod/runtime-view.ts'
import type { PodWorker } from './pod/worker.ts'
import type { NodePods } from './pods.ts'

const GARBAGE_MS = 60_000

interface Evictable extends EvictablePod {
  readonly worker: PodWorker
}

export interface NodeCare {
  readonly eviction: EvictionManager<Evictable>
  /** Until the scope aborts. */
  run(): Promise<void>
}

export interface CareRequest {
  readonly host: PodHost
  readonly pods: NodePods
  readonly settings: NodeSettings
  readonly pulled: PulledImages
  /** On the host's file system, where the node's own is an image on it. */
  readonly hostDirectory?: string
  /** Conditions of the node have changed. */
  readonly changed: () => void
}

export function nodeCare(
  scope: Scope,
  { host, pods, settings, pulled, hostDirectory, changed }: CareRequest,
): NodeCare {
  const tellNode = (type: 'Normal' | 'Warning', reason: string, message: string): void =>
    tellOfNode(scope, host, { type, reason, message })
  const imageDirectory = onceFound(() => host.runtime.imageFileSystem())
  const images = new ImageGc(scope, settings.images, {
    runtime: host.runtime,
    pulled,
    disk: async () => {
      const path = await imageDirectory()
      if (path === undefined) return undefined
      const { bsize, blocks, bavail } = await statfs(path)
      return { availableBytes: bavail * bsize, capacityBytes: blocks * bsize }
    },
    tellNode,
  })
  const machine = async (): Promise<WatchedMachine> => {
    const watched = {
      cgroupRoot: host.cgroupRoot,
      memoryBytes: host.capacity.memoryBytes,
      nodeDirectory: host.rootDirectory,
      imageDirectory: await imageDirectory().catch(() => undefined),
      ...(hostDirectory === undefined ? {} : { hostDirectory }),
    }
    return (await hasOwnImageDisk(watched)) ? watched : { ...watched, imageDirectory: undefined }
  }
  const eviction = new EvictionManager<Evictable>(
    scope,
    {
      thresholds: settings.thresholds,
      transitionMs: settings.pressureTransitionMs,
      maxPodGraceSeconds: settings.maxPodGraceSeconds,
      intervalMs: settings.monitoringMs,
    },
    {
      observe: async () => observeMachine(await machine()),
      pods: () =>
        [...pods.workers.values()].filter(({ isOver }) => !isOver).map((worker) => evictable(scope, host, worker)),
      usageOf: ({ worker }) => podUsage(host, worker),
      reclaimDisk: async () => {
        await removeEvicted(scope, host, pods.workers.values())
        await removeDeadContainers(host, pods.workers.values())
        await images.removeUnused()
      },
      changed,
      tellNode,
    },
  )
  const logs = {
    logs: () => [...pods.workers.values()].flatMap((worker) => logsOf(host, worker)),
    reopen: (id: string) => host.runtime.reopenContainerLog(id),
  }
  return {
    eviction,
    async run() {
      await pods.synced()
      host.managers?.keepOnly(new Set(pods.workers.keys()))
      await Promise.all([
        eviction.run(),
        images.run(),
        rotateLogs(scope, settings.logs, logs),
        collectGarbage(scope, host, pods),
      ])
    },
  }
}

function evictable(scope: Scope, host: PodHost, worker: PodWorker): Evictable {
  return {
    worker,
    get pod() {
      return worker.pod
    },
    evict(order) {
      const { message, annotations } = order
      tellPod(scope, host, {
        pod: worker.pod,
        type: 'Warning',
        reason: EVICTED,
        message,
        ...(annotations === undefined ? {} : { annotations }),
      })
      return worker.fail(evictedBy(order))
    },
  }
}

function logsOf(
  host: PodHost,
  { pod, view }: PodWorker,
): readonly { readonly containerId: string; readonly path: string }[] {
  const directory = podLogDirectory(host.podLogsDirectory, identityOf(pod))
  return view.containers.filter(isRunning).map(({ id, name, attempt }) => ({
    containerId: id,
    path: join(directory, containerLogPath(name, attempt)),
  }))
}

async function collectGarbage(scope: Scope, host: PodHost, pods: NodePods): Promise<void> {
  const { clock, signal, log } = scope
  while (!signal.aborted) {
    await sleep(clock, GARBAGE_MS, signal).catch(() => {})
    if (signal.aborted) return
    const work = [removeEvicted(scope, host, pods.workers.values()), pods.removeOrphans()]
    for (const result of await Promise.allSettled(work)) {
      if (result.status === 'rejected' && !signal.aborted)
        log.warn('garbage was not collected', { error: result.reason })
    }
  }
}

/** An event on the node; upstream's kubelet names it by its name in place of its uid. */
export function tellOfNode(
  scope: Scope,
  host: Pick<PodHost, 'client' | 'nodeName'>,
  news: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string },
): void {
  const { nodeName: name } = host
  const about = { apiVersion: 'v1', kind: nodes.kind, name, uid: name }
  void recordEvent(scope, host.client, { about, ...news, source: 'kubelet', host: name })
}

/** Asks until there is an answer, and then no more. */
function onceFound(ask: () => Promise<string | undefined>): () => Promise<string | undefined> {
  let found: string | undefined
  return async () => (found ??= await ask())
}
