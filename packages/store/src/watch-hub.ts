// Who watches what: finds the watchers of a changed key without asking each, and brings late comers up to date in slices.

import type { Change, Mvcc } from './mvcc.ts'
import { StoreError, type StoreEvent, type WatchOptions } from './store.ts'

interface Watcher {
  readonly options: WatchOptions
  /** Everything up to here was delivered. */
  sentRevision: number
  /** False while history is still being delivered. */
  live: boolean
  readonly onAbort: () => void
}

/** Changes looked at in one go when history is delivered. */
const SLICE_CHANGES = 10_000

export class WatchHub {
  readonly #core: Mvcc
  readonly #watchers = new Set<Watcher>()
  readonly #byPrefix = new Map<string, Set<Watcher>>()
  /** Lengths of the watched prefixes that do not end in a slash, and how many prefixes have each. */
  readonly #oddLengths = new Map<number, number>()
  readonly #unpublished: Change[] = []
  #publishing = false

  constructor(core: Mvcc) {
    this.#core = core
  }

  get size(): number {
    return this.#watchers.size
  }

  /** `future`: the revision is known to exist and only did not arrive here yet. */
  add(options: WatchOptions, { future = false }: { readonly future?: boolean } = {}): void {
    if (!future || options.afterRevision < this.#core.floor) this.#core.assertReadable(options.afterRevision)
    if (options.signal.aborted) return
    const watcher: Watcher = {
      options,
      sentRevision: options.afterRevision,
      live: false,
      onAbort: () => this.#remove(watcher),
    }
    options.signal.addEventListener('abort', watcher.onAbort, { once: true })
    this.#watchers.add(watcher)
    this.#catchUp(watcher)
  }

  /** Delivers one durable revision to all who watch a key of it; a commit made by a watcher waits its turn. */
  publish(change: Change): void {
    this.#unpublished.push(change)
    if (this.#publishing) return
    this.#publishing = true
    for (let next = this.#unpublished.shift(); next !== undefined; next = this.#unpublished.shift()) {
      this.#publishOne(next)
    }
    this.#publishing = false
  }

  #publishOne(change: Change): void {
    const [event] = change.events
    if (change.events.length === 1) {
      for (const watcher of this.#watchersOf(keyOf(event!))) this.#send(watcher, change.revision, change.events)
      return
    }
    const batches = new Map<Watcher, StoreEvent[]>()
    for (const one of change.events) {
      for (const watcher of this.#watchersOf(keyOf(one))) {
        const events = batches.get(watcher)
        if (events === undefined) batches.set(watcher, [one])
        else events.push(one)
      }
    }
    for (const [watcher, events] of batches) this.#send(watcher, change.revision, events)
  }

  /** Tells those who were sent nothing lately how far they are, so that they can resume from there. */
  bookmark(): void {
    const revision = this.#core.visible
    for (const watcher of this.#watchers) {
      if (watcher.live && watcher.sentRevision < revision) this.#send(watcher, revision, [])
    }
  }

  /** Ends every watch. */
  end(error: StoreError): void {
    for (const watcher of this.#watchers) this.#end(watcher, error)
  }

  /** Delivers history until the watcher is level with what is durable; from then on it is live. */
  #catchUp(watcher: Watcher): void {
    if (!this.#watchers.has(watcher)) return
    if (watcher.sentRevision < this.#core.floor) {
      const text = `revision ${watcher.sentRevision} was compacted while it was being delivered`
      return this.#end(watcher, new StoreError('Compacted', text))
    }
    this.#deliverHistory(watcher)
    if (!this.#watchers.has(watcher)) return
    if (watcher.sentRevision < this.#core.visible) {
      setImmediate(() => this.#catchUp(watcher))
      return
    }
    watcher.live = true
    this.#file(watcher)
  }

  #deliverHistory(watcher: Watcher): void {
    const { prefix } = watcher.options
    const last = Math.min(this.#core.visible, watcher.sentRevision + SLICE_CHANGES)
    let idle = true
    this.#core.changesAfter(watcher.sentRevision, (change) => {
      if (change.revision > last || !this.#watchers.has(watcher)) return false
      const events = change.events.filter((event) => keyOf(event).startsWith(prefix))
      idle = events.length === 0
      if (!idle) this.#send(watcher, change.revision, events)
      return true
    })
    if (idle && watcher.sentRevision < last && this.#watchers.has(watcher)) this.#send(watcher, last, [])
  }

  #send(watcher: Watcher, revision: number, events: readonly StoreEvent[]): void {
    if (revision <= watcher.sentRevision || !this.#watchers.has(watcher)) return
    watcher.sentRevision = revision
    try {
      watcher.options.deliver({ revision, events })
    } catch (error) {
      this.#end(watcher, new StoreError('Closed', 'the watcher failed to take a batch', error))
    }
  }

  #end(watcher: Watcher, error: StoreError): void {
    if (!this.#watchers.has(watcher)) return
    this.#remove(watcher)
    watcher.options.ended(error)
  }

  *#watchersOf(key: string): Generator<Watcher> {
    if (this.#watchers.size === 0) return
    yield* this.#byPrefix.get('') ?? []
    for (let slash = key.indexOf('/'); slash !== -1; slash = key.indexOf('/', slash + 1)) {
      yield* this.#byPrefix.get(key.slice(0, slash + 1)) ?? []
    }
    for (const length of this.#oddLengths.keys()) {
      if (length <= key.length && key.charCodeAt(length - 1) !== SLASH) {
        yield* this.#byPrefix.get(key.slice(0, length)) ?? []
      }
    }
  }

  #file(watcher: Watcher): void {
    const { prefix } = watcher.options
    const others = this.#byPrefix.get(prefix)
    if (others !== undefined) return void others.add(watcher)
    this.#byPrefix.set(prefix, new Set([watcher]))
    if (isOdd(prefix)) this.#oddLengths.set(prefix.length, (this.#oddLengths.get(prefix.length) ?? 0) + 1)
  }

  #remove(watcher: Watcher): void {
    watcher.options.signal.removeEventListener('abort', watcher.onAbort)
    this.#watchers.delete(watcher)
    const { prefix } = watcher.options
    const others = this.#byPrefix.get(prefix)
    if (others?.delete(watcher) !== true || others.size > 0) return
    this.#byPrefix.delete(prefix)
    if (!isOdd(prefix)) return
    const left = this.#oddLengths.get(prefix.length)! - 1
    if (left === 0) this.#oddLengths.delete(prefix.length)
    else this.#oddLengths.set(prefix.length, left)
  }
}

const SLASH = '/'.charCodeAt(0)

function isOdd(prefix: string): boolean {
  return prefix !== '' && !prefix.endsWith('/')
}

function keyOf(event: StoreEvent): string {
  return event.kind === 'put' ? event.item.key : event.key
}
