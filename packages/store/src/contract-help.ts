// Short words for the tests of the store, and a watch that remembers what it was sent.

import type { Guard, KeyValue, Store, StoreError, StoreEvent, TransactionResult, WatchBatch } from './store.ts'

export function put(store: Store, key: string, value: string): Promise<TransactionResult> {
  return store.transact({ guards: [], writes: [{ kind: 'put', key, value: Buffer.from(value) }] })
}

export function remove(store: Store, key: string): Promise<TransactionResult> {
  return store.transact({ guards: [], writes: [{ kind: 'delete', key }] })
}

/** Holds when there is no such key. */
export function unless(key: string): Guard {
  return { kind: 'revision', key, modRevision: 0 }
}

export function text(item: KeyValue | undefined): string | undefined {
  return item === undefined ? undefined : Buffer.from(item.value).toString()
}

export function storyOf(event: StoreEvent): string {
  const was = event.previous === undefined ? '' : ` was ${text(event.previous)}`
  return event.kind === 'put' ? `${event.item.key}=${text(event.item)}${was}` : `-${event.key}${was}`
}

export class Watching {
  readonly batches: WatchBatch[] = []
  ended: StoreError | undefined
  readonly #store: Store
  readonly #from: number
  readonly #abort = new AbortController()
  #onBatch: (() => void) | undefined

  constructor(store: Store, { prefix, afterRevision }: { readonly prefix: string; readonly afterRevision: number }) {
    this.#store = store
    this.#from = afterRevision
    store.watch({
      prefix,
      afterRevision,
      signal: this.#abort.signal,
      deliver: (batch) => {
        this.batches.push(batch)
        this.#onBatch?.()
      },
      ended: (error) => {
        this.ended = error
        this.#onBatch?.()
      },
    })
  }

  get sentRevision(): number {
    return this.batches.at(-1)?.revision ?? this.#from
  }

  /** Resolves when a batch of this revision or a later one came, or the watch ended. */
  async until(revision: number): Promise<void> {
    while (this.sentRevision < revision && this.ended === undefined) {
      await new Promise<void>((resolve) => (this.#onBatch = resolve))
    }
  }

  /** Writes a key that the watch sees and waits for it: then everything committed before was delivered. */
  async mark(key: string): Promise<void> {
    const { revision } = await put(this.#store, key, 'mark')
    await this.until(revision)
  }

  abort(): void {
    this.#abort.abort()
  }

  /** A line for each batch with events: `3 p/a=2 was 1, -p/b was 1`. */
  story(): string[] {
    const told = this.batches.filter((batch) => batch.events.length > 0)
    return told.map((batch) => `${batch.revision} ${batch.events.map(storyOf).join(', ')}`)
  }

  /** Revisions of the batches with events. */
  revisions(): number[] {
    return this.batches.filter((batch) => batch.events.length > 0).map((batch) => batch.revision)
  }
}
