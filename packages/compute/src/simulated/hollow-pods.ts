// The pods of one simulated node: each is taken from stage to stage, one write at a time.

import { pods } from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import type { DueQueue } from './due-queue.ts'
import type { NodeFaults } from './faults.ts'
import type { PodAddresses } from './pod-addresses.ts'
import { newsOf, type PodNews } from './pod-news.ts'
import type { Stage } from './stage.ts'
import { parseStageOptions, stagesAnnotation, type StageOptions } from './stage-options.ts'
import { nextStage } from './stages.ts'
import type { WriteLanes } from './write-lanes.ts'

const RETRY_MS = 1000

export interface HollowPodsOptions {
  readonly client: () => Client
  readonly nodeName: string
  readonly nodeAddress: string
  readonly addresses: PodAddresses
  readonly faults: () => NodeFaults
  readonly node: () => Node | undefined
  readonly due: DueQueue
  readonly lanes: WriteLanes
}

interface Track {
  pod: Pod
  /** Exact moments behind the times of whole seconds that were written. */
  readonly exact: Map<string, number>
  writing: boolean
  timer?: Disposable | undefined
  /** Its removal was asked for at this revision. */
  removedAt?: string | undefined
  /** When that was: one that does not go and changes all the same is not asked again at once, for ever. */
  removedMs?: number
}

export class HollowPods {
  readonly #scope: Scope
  readonly #options: HollowPodsOptions
  readonly #tracks = new Map<string, Track>()

  constructor(scope: Scope, options: HollowPodsOptions) {
    this.#scope = scope
    this.#options = options
  }

  get size(): number {
    return this.#tracks.size
  }

  /** The pod as the API has it; undefined when it is gone from this node. */
  observe(key: string, pod: Pod | undefined): void {
    const known = this.#tracks.get(key)
    if (pod === undefined) {
      known?.timer?.[Symbol.dispose]()
      this.#tracks.delete(key)
      this.#options.addresses.release(key)
      return
    }
    if (known !== undefined && known.pod.metadata.uid === pod.metadata.uid) {
      if (isOlder(pod, known.pod)) return
      known.pod = pod
      return this.#drive(key, known)
    }
    known?.timer?.[Symbol.dispose]()
    const track: Track = { pod, exact: new Map(), writing: false }
    this.#tracks.set(key, track)
    this.#drive(key, track)
  }

  driveAll(): void {
    for (const [key, track] of this.#tracks) this.#drive(key, track)
  }

  stop(): void {
    for (const { timer } of this.#tracks.values()) timer?.[Symbol.dispose]()
    this.#tracks.clear()
  }

  #drive(key: string, track: Track): void {
    if (track.writing || this.#scope.signal.aborted || this.#tracks.get(key) !== track) return
    track.timer?.[Symbol.dispose]()
    track.timer = undefined
    const faults = this.#options.faults()
    // A lost machine does nothing; its pods move on when it is back.
    if (faults.silent) return
    const stage = this.#stageOf(key, track, faults)
    if (stage === undefined) return
    if (stage.kind === 'remove' && isAskedFor(track)) return
    const waitMs = stage.kind === 'wait' ? stage.afterMs : stage.kind === 'remove' ? this.#restMs(track) : 0
    if (waitMs > 0 || stage.kind === 'wait') {
      track.timer = this.#options.due.after(waitMs, () => this.#drive(key, track))
      return
    }
    track.writing = true
    void this.#write(key, track)
  }

  #restMs({ removedMs }: Track): number {
    return removedMs === undefined ? 0 : removedMs + RETRY_MS - this.#scope.clock.monotonicMs()
  }

  #stageOf(key: string, track: Track, faults: NodeFaults): Stage | undefined {
    const { addresses, nodeAddress } = this.#options
    const options = this.#nodeOptions()
    return nextStage(track.pod, {
      nowMs: this.#scope.clock.now(),
      podAddress: () => addresses.of(key, track.pod.status?.podIP),
      nodeAddress,
      faults,
      ...(options === undefined ? {} : { options }),
      // A time that is none is long past.
      exactMs: (time) => (time === undefined ? 0 : (track.exact.get(time) ?? (Date.parse(time) || 0))),
    })
  }

  /** What cannot be read counts as not said: the pods' own annotations tell of their errors. */
  #nodeOptions(): StageOptions | undefined {
    const text = this.#options.node()?.metadata.annotations?.[stagesAnnotation]
    if (text === undefined) return undefined
    try {
      return parseStageOptions(text)
    } catch {
      return undefined
    }
  }

  async #write(key: string, track: Track): Promise<void> {
    let retry = false
    let isGone = false
    try {
      await this.#options.lanes.run(async () => {
        if (this.#scope.signal.aborted || this.#tracks.get(key) !== track) return
        const faults = this.#options.faults()
        if (faults.silent) return
        // Judged again: the wait for a lane may have been long.
        const stage = this.#stageOf(key, track, faults)
        if (stage === undefined || stage.kind === 'wait') return
        const { pod } = track
        await this.#apply(track, stage)
        // A write that changed nothing would be judged necessary again at once, for ever.
        retry = stage.kind === 'status' && track.pod.metadata.resourceVersion === pod.metadata.resourceVersion
      })
    } catch (error) {
      // The watch will tell that it is gone; until then it would be judged the same again at once, for ever.
      isGone = isReason(error, 'NotFound')
      retry = !isGone
      if (retry && !this.#scope.signal.aborted) this.#scope.log.warn('a pod did not move on', { pod: key, error })
    }
    track.writing = false
    if (isGone) return
    if (!retry) return this.#drive(key, track)
    track.timer = this.#options.due.after(RETRY_MS, () => this.#drive(key, track))
  }

  async #apply(track: Track, stage: Exclude<Stage, { kind: 'wait' }>): Promise<void> {
    const { pod } = track
    const { uid } = pod.metadata
    const ref = { name: pod.metadata.name, namespace: pod.metadata.namespace ?? '' }
    const client = this.#options.client()
    if (stage.kind === 'remove') {
      const preconditions = uid === undefined ? {} : { preconditions: { uid } }
      await client.delete(pods, ref, { gracePeriodSeconds: 0, ...preconditions })
      // A finalizer may hold it back: asking again changes nothing until it does.
      track.removedAt = pod.metadata.resourceVersion
      track.removedMs = this.#scope.clock.monotonicMs()
      return
    }
    const nowMs = this.#scope.clock.now()
    const text = formatTime(nowMs)
    if (!track.exact.has(text)) track.exact.set(text, nowMs)
    const patch = { kind: 'strategic', body: { metadata: { uid }, status: stage.status } } as const
    // The news first: who sees the status finds the event that explains it.
    await Promise.all(newsOf(pod, stage.status).map((news) => this.#tell(pod, news)))
    const written = await client.patch(pods, ref, patch, { subresource: 'status' })
    if (!isOlder(written, track.pod)) track.pod = written
  }

  #tell(pod: Pod, { type, reason, message, fieldPath }: PodNews): Promise<void> {
    const host = this.#options.nodeName
    const about = referenceTo(pods, pod, fieldPath)
    return recordEvent(this.#scope, this.#options.client(), { about, type, reason, message, source: 'kubelet', host })
  }
}

function isAskedFor({ removedAt, pod }: Track): boolean {
  return removedAt !== undefined && removedAt === pod.metadata.resourceVersion
}

/** Revisions of one server are numbers that grow. */
function isOlder(pod: Pod, known: Pod): boolean {
  return Number(pod.metadata.resourceVersion ?? 0) < Number(known.metadata.resourceVersion ?? 0)
}
