// Pods that wait for a node: those to be tried now, those that wait a little after a failure, and those that wait for
// a change which may help them.

import { keyOf } from '@aksel/api/resource'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Clock, Timer } from '@aksel/base/clock'
import { mayHelp, roomKeyOf, wokenBy, type ClusterEvent, type EventKind } from './events.ts'
import { PriorityHeap } from './priority-heap.ts'
import type { Room } from './room.ts'

const BACKOFF_FIRST_MS = 1000
const BACKOFF_LAST_MS = 10_000
/** A pod is tried again after this time even when nothing that would help it was seen. */
const FORGOTTEN_AFTER_MS = 5 * 60_000

export interface QueueOptions {
  readonly initialBackoffMs?: number
  readonly maxBackoffMs?: number
}

interface Waiting {
  readonly key: string
  pod: Pod
  readonly priority: number
  /** Order of arrival among equals. */
  readonly sequence: number
  attempts: number
  /** `backoff` after a change that may help, `error` after a failure such as a lost binding. */
  place: 'active' | 'backoff' | 'error' | 'unschedulable' | 'taken'
  /** Plug-ins that turned it away; none when something else did. */
  refusedBy: ReadonlySet<string>
  /** Changes that came while it was being tried. */
  missed: ClusterEvent[]
  /** Others are on their way out for it. */
  isMakingRoom: boolean
  /** Where it sleeps, beside what else may wake it: among those whom only room helps, and who are alike. */
  roomKey?: string | undefined
  timer?: Timer | undefined
}

/** Beyond so many changes during one try, it is tried again without asking which. */
const MISSED_MAX = 64

export class SchedulingQueue {
  readonly #clock: Clock
  readonly #firstMs: number
  readonly #lastMs: number
  readonly #waiting = new Map<string, Waiting>()
  readonly #active = new PriorityHeap<Waiting>()
  readonly #backingOff = new PriorityHeap<Waiting>()
  /** Those that sleep, by what may wake them: a change looks only at whom it concerns. */
  readonly #sleeping = new Map<EventKind | 'any', Set<Waiting>>()
  /** Sleepers whom a pod that goes helps by its room alone, by `roomKey`. */
  readonly #byRoom = new Map<string, Set<Waiting>>()
  readonly #taken = new Set<Waiting>()
  readonly #onActive: () => void
  #sequence = 0

  /** `onActive` is called whenever a pod becomes ready to be tried. */
  constructor(clock: Clock, onActive: () => void, options: QueueOptions = {}) {
    this.#clock = clock
    this.#onActive = onActive
    this.#firstMs = options.initialBackoffMs ?? BACKOFF_FIRST_MS
    this.#lastMs = options.maxBackoffMs ?? BACKOFF_LAST_MS
  }

  get length(): number {
    return this.#waiting.size
  }

  /** By upstream's names of its queues. */
  get counts(): { readonly active: number; readonly backoff: number; readonly unschedulable: number } {
    const counts = { active: 0, backoff: 0, unschedulable: 0 }
    for (const { place } of this.#waiting.values())
      counts[place === 'taken' ? 'active' : place === 'error' ? 'backoff' : place] += 1
    return counts
  }

  has(key: string): boolean {
    return this.#waiting.has(key)
  }

  /** A new pod, or a changed one: its change may be what helps it. */
  put(pod: Pod): void {
    const key = keyOf(pod)
    const known = this.#waiting.get(key)
    if (known !== undefined && known.pod.metadata.uid === pod.metadata.uid) {
      known.pod = pod
      return this.#tell(known, { kind: 'self' })
    }
    this.drop(key)
    this.#sequence += 1
    const waiting: Waiting = {
      key,
      pod,
      priority: pod.spec.priority ?? 0,
      sequence: this.#sequence,
      attempts: 0,
      place: 'active',
      refusedBy: new Set(),
      missed: [],
      isMakingRoom: false,
    }
    this.#waiting.set(key, waiting)
    this.#active.push(waiting)
    this.#onActive()
  }

  /** Bound, deleted or finished. */
  drop(key: string): void {
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) return
    this.#leave(waiting)
    this.#waiting.delete(key)
  }

  /**
   * The next pod to try: highest priority first, then in order of arrival. When none is due, one that only waits out
   * its back-off is tried early, as upstream does: an idle scheduler has nothing to protect. Failures wait to the end.
   */
  take(): Pod | undefined {
    const next = this.#active.pop() ?? this.#backingOff.pop()
    if (next === undefined) return undefined
    this.#leave(next)
    next.place = 'taken'
    next.attempts += 1
    next.missed = []
    this.#taken.add(next)
    return next.pod
  }

  /** No node took it: it sleeps until something changes that these plug-ins may judge by. `isMakingRoom`: others go for it. */
  turnAway(key: string, refusedBy: ReadonlySet<string>, { isMakingRoom = false } = {}): void {
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) return
    const { missed } = waiting
    this.#leave(waiting)
    waiting.refusedBy = refusedBy
    if (missed.length > MISSED_MAX || missed.some((event) => mayHelp(waiting.pod, refusedBy, event)))
      return this.#backOff(waiting, 'backoff')
    waiting.place = 'unschedulable'
    waiting.isMakingRoom = isMakingRoom
    const byRoom = roomKeyOf(waiting.pod, refusedBy)
    waiting.roomKey = byRoom === undefined ? undefined : `${isMakingRoom}|${byRoom}`
    for (const set of this.#bedsOf(waiting)) set.add(waiting)
    waiting.timer = this.#clock.after(FORGOTTEN_AFTER_MS, () => this.#activate(waiting))
  }

  /** Something else failed, such as the binding: it is tried again after its back-off. */
  retry(key: string): void {
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) return
    this.#leave(waiting)
    waiting.refusedBy = new Set()
    this.#backOff(waiting, 'error')
  }

  /** Something changed that may help pods which were turned away. */
  wake(event: ClusterEvent): void {
    for (const waiting of this.#taken) if (waiting.missed.length <= MISSED_MAX) waiting.missed.push(event)
    for (const kind of [event.kind, 'any'] as const)
      for (const waiting of this.#sleeping.get(kind) ?? []) this.#tell(waiting, event)
    if (event.kind === 'pod-gone') this.#wakeByRoom(event.room)
  }

  #wakeByRoom(room: Room | undefined): void {
    for (const alike of this.#byRoom.values()) {
      const [one] = alike
      if (one !== undefined && (room?.fits(one.pod, one) ?? true)) for (const waiting of alike) this.#rouse(waiting)
    }
    for (const key of room?.heirs ?? []) {
      const waiting = this.#waiting.get(key)
      if (waiting?.place === 'unschedulable') this.#rouse(waiting)
      else if (waiting?.place === 'taken') waiting.missed.push({ kind: 'self' })
    }
  }

  close(): void {
    for (const key of this.#waiting.keys()) this.drop(key)
  }

  #tell(waiting: Waiting, event: ClusterEvent): void {
    if (waiting.place === 'taken') waiting.missed.push(event)
    if (waiting.place === 'unschedulable' && mayHelp(waiting.pod, waiting.refusedBy, event)) this.#rouse(waiting)
  }

  #rouse(waiting: Waiting): void {
    this.#leave(waiting)
    this.#backOff(waiting, 'backoff')
  }

  #backOff(waiting: Waiting, place: 'backoff' | 'error'): void {
    waiting.place = place
    const delayMs = Math.min(this.#lastMs, this.#firstMs * 2 ** Math.max(0, waiting.attempts - 1))
    waiting.timer = this.#clock.after(delayMs, () => this.#activate(waiting))
    if (place === 'error') return
    this.#backingOff.push(waiting)
    this.#onActive()
  }

  #activate(waiting: Waiting): void {
    if (this.#waiting.get(waiting.key) !== waiting || waiting.place === 'taken') return
    this.#leave(waiting)
    waiting.place = 'active'
    this.#active.push(waiting)
    this.#onActive()
  }

  /** Out of every list but the map. */
  #leave(waiting: Waiting): void {
    waiting.timer?.[Symbol.dispose]()
    waiting.timer = undefined
    if (waiting.place === 'active') this.#active.remove(waiting)
    else if (waiting.place === 'backoff') this.#backingOff.remove(waiting)
    else if (waiting.place === 'unschedulable') {
      for (const set of this.#bedsOf(waiting)) set.delete(waiting)
      if (waiting.roomKey !== undefined && this.#byRoom.get(waiting.roomKey)!.size === 0)
        this.#byRoom.delete(waiting.roomKey)
    }
    this.#taken.delete(waiting)
  }

  /** Where it sleeps: the lists that are gone through when something of their kind happens. */
  *#bedsOf({ refusedBy, roomKey }: Waiting): Iterable<Set<Waiting>> {
    for (const kind of wokenBy(refusedBy) ?? (['any'] as const))
      if (kind !== 'pod-gone' || roomKey === undefined) yield ofKey(this.#sleeping, kind)
    if (roomKey !== undefined) yield ofKey(this.#byRoom, roomKey)
  }
}

function ofKey<K>(sets: Map<K, Set<Waiting>>, key: K): Set<Waiting> {
  let set = sets.get(key)
  if (set === undefined) sets.set(key, (set = new Set()))
  return set
}
