// Gives back the disk that images take which no container uses: those unused for longest first, until enough is free.

import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { ContainerRuntime, ImageEntry } from '../cri/types.ts'
import type { NodeSettings } from '../kubelet-config.ts'
import type { PulledImages } from './pulled-images.ts'

/** What is known of an image over time; monotonic milliseconds. */
export interface ImageRecord {
  readonly firstSeenMs: number
  /** -Infinity: never seen in use. */
  readonly lastUsedMs: number
}

export interface ImageFacts {
  readonly images: readonly Pick<ImageEntry, 'id' | 'size'>[]
  readonly inUse: ReadonlySet<string>
  /** Only these may go. */
  readonly pulled: ReadonlySet<string>
  readonly records: ReadonlyMap<string, ImageRecord>
  readonly nowMs: number
}

/** Unused images that may go, in the order in which they should. */
export function collectable(
  facts: ImageFacts,
  minAgeMs: number,
): readonly { readonly id: string; readonly size: number }[] {
  const { images, inUse, pulled, records, nowMs } = facts
  return images
    .filter(({ id }) => !inUse.has(id) && pulled.has(id))
    .filter(({ id }) => nowMs - (records.get(id)?.firstSeenMs ?? nowMs) >= minAgeMs)
    .toSorted((left, right) => {
      const [a, b] = [records.get(left.id)!, records.get(right.id)!]
      return byTime(a.lastUsedMs, b.lastUsedMs) || byTime(a.firstSeenMs, b.firstSeenMs)
    })
}

function byTime(left: number, right: number): number {
  return left === right ? 0 : left - right
}

/** How many bytes have to go; 0 while the disk is not fuller than it may be. */
export function bytesToFree(
  disk: { readonly availableBytes: number; readonly capacityBytes: number },
  { highPercent, lowPercent }: { readonly highPercent: number; readonly lowPercent: number },
): number {
  const { availableBytes, capacityBytes } = disk
  if (capacityBytes === 0 || highPercent === 100) return 0
  const usedPercent = 100 - Math.floor((availableBytes * 100) / capacityBytes)
  if (usedPercent < highPercent) return 0
  return Math.max(0, Math.floor((capacityBytes * (100 - lowPercent)) / 100) - availableBytes)
}

export interface ImageGcWorld {
  readonly runtime: ContainerRuntime
  readonly pulled: PulledImages
  /** Undefined where the runtime does not say where its images lie. */
  disk(): Promise<{ readonly availableBytes: number; readonly capacityBytes: number } | undefined>
  tellNode(type: 'Normal' | 'Warning', reason: string, message: string): void
}

export class ImageGc {
  readonly #scope: Scope
  readonly #settings: NodeSettings['images']
  readonly #world: ImageGcWorld
  readonly #records = new Map<string, ImageRecord>()

  constructor(scope: Scope, settings: NodeSettings['images'], world: ImageGcWorld) {
    this.#scope = scope
    this.#settings = settings
    this.#world = world
  }

  async run(): Promise<void> {
    const { clock, signal, log } = this.#scope
    while (!signal.aborted) {
      await this.look().catch((error: unknown) => {
        if (!signal.aborted) log.warn('images were not looked through', { error })
      })
      await sleep(clock, this.#settings.periodMs, signal).catch(() => {})
    }
  }

  async look(): Promise<void> {
    const facts = await this.#observe()
    await this.#removeOld(facts)
    const disk = await this.#world.disk()
    const wanted = disk === undefined ? 0 : bytesToFree(disk, this.#settings)
    if (wanted === 0) return
    const freed = await this.#free(facts, wanted, this.#settings.minAgeMs)
    if (freed >= wanted) return
    const message = `Failed to garbage collect required amount of images. Attempted to free ${wanted} bytes, but only found ${freed} bytes eligible to free.`
    this.#world.tellNode('Warning', 'FreeDiskSpaceFailed', message)
  }

  /** All that no container uses, whatever its age: the node is about to evict pods. */
  async removeUnused(): Promise<void> {
    await this.#free(await this.#observe(), Infinity, 0)
  }

  async #observe(): Promise<ImageFacts> {
    const { runtime, pulled } = this.#world
    const nowMs = this.#scope.clock.monotonicMs()
    const [images, containers, ids] = await Promise.all([runtime.listImages(), runtime.listContainers(), pulled.ids()])
    const inUse = new Set(containers.flatMap(({ imageRef, image }) => [imageRef, image?.image ?? '']))
    const known = new Set(images.map(({ id }) => id))
    for (const id of this.#records.keys()) if (!known.has(id)) this.#records.delete(id)
    for (const { id, repoTags, repoDigests } of images) {
      if ([...repoTags, ...repoDigests].some((name) => inUse.has(name))) inUse.add(id)
      const before = this.#records.get(id)
      this.#records.set(id, {
        firstSeenMs: before?.firstSeenMs ?? nowMs,
        lastUsedMs: inUse.has(id) ? nowMs : (before?.lastUsedMs ?? -Infinity),
      })
    }
    return { images, inUse, pulled: ids, records: this.#records, nowMs }
  }

  async #removeOld(facts: ImageFacts): Promise<void> {
    const { maxAgeMs, minAgeMs } = this.#settings
    if (maxAgeMs === 0) return
    for (const { id } of collectable(facts, minAgeMs)) {
      const { firstSeenMs, lastUsedMs } = facts.records.get(id)!
      if (facts.nowMs - Math.max(firstSeenMs, lastUsedMs) > maxAgeMs) await this.#remove(id)
    }
  }

  /** Returns how many bytes went. */
  async #free(facts: ImageFacts, wanted: number, minAgeMs: number): Promise<number> {
    let freed = 0
    for (const { id, size } of collectable(facts, minAgeMs)) {
      if (freed >= wanted) break
      await this.#remove(id)
      freed += size
    }
    return freed
  }

  async #remove(id: string): Promise<void> {
    this.#scope.log.info('removing an image that no container uses', { image: id })
    await this.#world.runtime.removeImage(id)
    await this.#world.pulled.forget(id)
    this.#records.delete(id)
  }
}
