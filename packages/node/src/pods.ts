// All pods of this node: one watch feeds their workers, containerd's events wake them, and what belongs to no pod any
// more is taken away.

import { join } from 'node:path'
import { readdir } from 'node:fs/promises'
import { pods as podType } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { Informer } from '@aksel/runtime/informer'
import type { TaskEvent } from './containerd/events.ts'
import { removeFromRuntime } from './pod/end-pod.ts'
import { isMirrorPod } from './pod/critical.ts'
import { podNameLabel, podNamespaceLabel, podUidLabel } from './pod/names.ts'
import type { PodIdentity } from './pod/names.ts'
import { podFolders } from './pod/pod-host.ts'
import type { PodHost } from './pod/pod-host.ts'
import { PodWorker } from './pod/worker.ts'
import { followManifests } from './static-pods/manifest-folder.ts'
import type { ManifestFolder } from './static-pods/manifest-folder.ts'
import { StaticWorkers } from './static-pods/static-workers.ts'
import { removePodFolders } from './volumes/pod-volumes.ts'

export type TaskEvents = (signal: AbortSignal) => AsyncIterable<TaskEvent>

/** Ends of containers, remembered for workers that see them a moment later in CRI. */
export class RecentExits {
  readonly #ids = new Set<string>()
  readonly #max = 1000

  add(id: string): void {
    this.#ids.add(id)
    const [oldest] = this.#ids
    if (this.#ids.size > this.#max) this.#ids.delete(oldest!)
  }

  has(id: string): boolean {
    return this.#ids.has(id)
  }
}

export class NodePods {
  readonly #scope: Scope
  readonly #host: PodHost
  readonly #events: TaskEvents
  readonly #exits: RecentExits
  readonly #workers = new Map<string, PodWorker>()
  readonly #informer: Informer<Pod>
  readonly #cleaned = Promise.withResolvers<void>()
  readonly #static: StaticWorkers
  #removing: Promise<unknown> = Promise.resolve()

  constructor(scope: Scope, host: PodHost, events: TaskEvents, exits: RecentExits) {
    this.#scope = scope
    this.#host = host
    this.#events = events
    this.#exits = exits
    this.#informer = new Informer(scope, host.client, podType, { fieldSelector: `spec.nodeName=${host.nodeName}` })
    this.#static = new StaticWorkers(scope, {
      client: host.client,
      start: (pod, onGone) => this.#start(pod, onGone),
      end: (uid) => this.#workers.get(uid)?.remove(),
      wake: (uid) => this.#workers.get(uid)?.wake(),
    })
  }

  /** Resolves when what earlier agents left of pods that are gone is removed. */
  get cleaned(): Promise<void> {
    return this.#cleaned.promise
  }

  /** By uid. */
  get workers(): ReadonlyMap<string, PodWorker> {
    return this.#workers
  }

  /** Resolves when the node's pods are known. */
  synced(): Promise<void> {
    return this.#informer.synced(this.#scope.signal)
  }

  workerOf(namespace: string, name: string): PodWorker | undefined {
    return [...this.#workers.values()].findLast(
      ({ pod }) => pod.metadata.name === name && pod.metadata.namespace === namespace,
    )
  }

  /** The picture of a static pod in the API. */
  mirrorOf(pod: Pod): Pod | undefined {
    return this.#static.mirrorOf(pod)
  }

  /** What all may have waited for has come. */
  wakeAll(): void {
    for (const worker of this.#workers.values()) worker.wake()
  }

  /** Until the scope aborts; then containers stay and workers rest. Pods from manifests start without the API. */
  async run(manifests?: Omit<ManifestFolder, 'nodeName'>): Promise<void> {
    const { signal } = this.#scope
    const loops = [this.#listen()]
    if (manifests !== undefined) {
      const folder = { ...manifests, nodeName: this.#host.nodeName }
      loops.push((await followManifests(this.#scope, folder, (pods) => this.#static.set(pods))).ended)
    }
    this.#informer.subscribe((now, before) => this.#onChange(now, before))
    loops.push(this.#informer.run())
    await this.#informer.synced(signal)
    const left = await this.#removeOrphans(await this.#findOrphans().catch(() => []))
    this.#cleaned.resolve()
    await Promise.all([...loops, this.#removeLater(left)])
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()))
  }

  #onChange(now: Pod | undefined, before: Pod | undefined): void {
    const pod = now ?? before
    if (pod !== undefined && isMirrorPod(pod)) return this.#static.onMirror(now, before)
    const old = before?.metadata.uid
    if (old !== undefined && old !== now?.metadata.uid) this.#workers.get(old)?.remove()
    const uid = now?.metadata.uid
    if (now === undefined || uid === undefined) return
    const known = this.#workers.get(uid)
    if (known !== undefined) return known.update(now)
    this.#start(now)
  }

  #start(pod: Pod, onGone: () => void = () => {}): void {
    const uid = pod.metadata.uid ?? ''
    const worker = new PodWorker(this.#scope, this.#host, pod, () => {
      this.#workers.delete(uid)
      this.#host.guards?.release(uid)
      this.#host.probeMetrics.forget(uid)
      this.#host.managers?.release(uid)
      this.#host.qosChanged?.()
      // What it held may be what another waits for.
      for (const other of this.#workers.values()) if (other.waitsForRoom) other.wake()
      onGone()
    })
    this.#workers.set(uid, worker)
    worker.wake()
  }

  /** Subscribes again when containerd went away; then every worker looks for itself. */
  async #listen(): Promise<void> {
    const { signal, clock, log } = this.#scope
    while (!signal.aborted) {
      try {
        this.wakeAll()
        this.#host.runtimeReturned?.()
        for await (const event of this.#events(signal)) this.#onEvent(event)
      } catch (error) {
        if (signal.aborted) return
        log.warn('the event stream of the container runtime broke', { error })
      }
      await sleep(clock, 1000, signal).catch(() => {})
    }
  }

  #onEvent(event: TaskEvent): void {
    const isOwn = event.kind === 'exit' && (event.execId === '' || event.execId === event.containerId)
    if (!isOwn && event.kind !== 'oom') return
    if (event.kind === 'exit') this.#exits.add(event.containerId)
    else this.#host.outOfMemory?.()
    for (const worker of this.#workers.values()) {
      const { sandboxes, containers } = worker.view
      const isIts = [...sandboxes, ...containers].some(({ id }) => id === event.containerId)
      if (isIts) worker.wake()
    }
  }

  /** What could not be taken away when its pod went. */
  async removeOrphans(): Promise<void> {
    await this.#removeOrphans(await this.#findOrphans())
  }

  /** Sandboxes and folders of pods that were deleted while no agent ran. */
  async #findOrphans(): Promise<readonly PodIdentity[]> {
    const orphans = new Map<string, PodIdentity>()
    for (const { labels } of await this.#host.runtime.listPodSandboxes()) {
      const uid = labels[podUidLabel]
      if (uid === undefined || this.#workers.has(uid)) continue
      orphans.set(uid, { uid, name: labels[podNameLabel] ?? '', namespace: labels[podNamespaceLabel] ?? '' })
    }
    for (const uid of this.#host.dra.holders) {
      if (!this.#workers.has(uid) && !orphans.has(uid)) orphans.set(uid, { uid, name: '', namespace: '' })
    }
    const folders = await readdir(join(this.#host.rootDirectory, 'pods')).catch(() => [])
    for (const uid of folders) {
      if (!this.#workers.has(uid) && !orphans.has(uid)) orphans.set(uid, { uid, name: '', namespace: '' })
    }
    return [...orphans.values()]
  }

  /** Those that are still there. */
  #removeOrphans(orphans: readonly PodIdentity[]): Promise<readonly PodIdentity[]> {
    // One after the other: several have reasons to ask for the same.
    const removal = this.#removing.then(() => this.#removeEach(orphans))
    this.#removing = removal.catch(() => {})
    return removal
  }

  async #removeEach(orphans: readonly PodIdentity[]): Promise<readonly PodIdentity[]> {
    const left: PodIdentity[] = []
    for (const identity of orphans) {
      try {
        this.#scope.log.info('removing an orphaned pod', { ...identity })
        await this.#stopOrphan(identity)
        await this.#host.dra.release(identity.uid)
        await removePodFolders(this.#scope, this.#host.volumes, podFolders(this.#host, identity.uid))
        await removeFromRuntime(this.#scope, this.#host, identity)
        this.#host.guards?.release(identity.uid)
      } catch (error) {
        if (!this.#scope.signal.aborted) this.#scope.log.warn('an orphan was not removed', { error, ...identity })
        left.push(identity)
      }
    }
    return left
  }

  /** The driver of a volume may still be starting. */
  async #removeLater(orphans: readonly PodIdentity[]): Promise<void> {
    const { clock, signal } = this.#scope
    for (let left = orphans; left.length > 0; left = await this.#removeOrphans(left)) {
      await sleep(clock, ORPHAN_RETRY_MS, signal).catch(() => {})
      if (signal.aborted) return
    }
  }

  async #stopOrphan({ uid }: PodIdentity): Promise<void> {
    const containers = await this.#host.runtime.listContainers({ [podUidLabel]: uid })
    await Promise.all(containers.map(({ id }) => this.#host.runtime.stopContainer(id, ORPHAN_GRACE_SECONDS)))
    for (const { id } of await this.#host.runtime.listPodSandboxes({ [podUidLabel]: uid })) {
      await this.#host.runtime.stopPodSandbox(id)
    }
  }
}

const ORPHAN_GRACE_SECONDS = 2
const ORPHAN_RETRY_MS = 5000
