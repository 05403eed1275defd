// The store as the API server sees it where some kinds are sealed: values are sealed on their way down and opened on their way
// up; at once, unless a key management service must be asked. What was opened is kept with the value that it came from, so that all who read one revision share it.

import type { KindRow } from '@aksel/api/kind-row'
import { anySignal } from '@aksel/base/any-signal'
import { sleep, type Clock } from '@aksel/base/clock'
import { ApiError } from '@aksel/base/errors'
import type { Random } from '@aksel/base/ids'
import type {
  KeyValue,
  RangeQuery,
  RangeResult,
  Store,
  StoreEvent,
  Transaction,
  TransactionResult,
  WatchOptions,
} from '@aksel/store/store'
import { StoreError } from '@aksel/store/store'
import { labelText, type Counter, type MetricsRegistry } from '../metrics.ts'
import { kmsFault, type Encryption } from './encryption.ts'
import { KmsMetrics } from './kms/kms-metrics.ts'
import { DecryptError } from './kms/provider.ts'
import { KmsError } from './kms/protocol.ts'
import { sealersOf, type Sealer } from './providers.ts'

export interface SealedStoreParts {
  readonly store: Store
  /** `clusters/KEY/`: what stands behind it in a key is its place, wherever the cluster lies. */
  readonly keyPrefix: string
  readonly rows: readonly KindRow[]
  readonly random: Random
  readonly clock: Clock
  readonly metrics: MetricsRegistry
  /** The server's name among others of its cluster. Absent: it has none. */
  readonly serverId?: string
}

/** Until a service that was away is asked again for what a watch has to tell. */
const AGAIN_MS = 1000

/** The sealers of one kind: the first one seals. */
type Sealers = readonly Sealer[]

export class SealedStore implements Store {
  readonly #parts: SealedStoreParts
  readonly #opened = new WeakMap<KeyValue, KeyValue>()
  /** Who sealed the value that this one was made of: the prefix, and which key behind it. */
  readonly #marks = new WeakMap<KeyValue, string>()
  readonly #resources: ReadonlyMap<string, string>
  readonly #sealers = new Map<string, Sealers | undefined>()
  readonly #transformations: Counter
  readonly #kms: KmsMetrics
  #encryption: Encryption

  constructor(parts: SealedStoreParts, encryption: Encryption) {
    this.#parts = parts
    this.#encryption = encryption
    this.#transformations = parts.metrics.counter(
      'apiserver_storage_transformation_operations_total',
      "Total number of transformations. Successful transformation will have a status 'OK' and a varied status string when the transformation fails.",
    )
    const { clock, metrics, serverId = '' } = parts
    this.#kms = new KmsMetrics({ clock, metrics, serverId }, () => [...(this.#encryption.kms?.values() ?? [])])
    this.#resources = new Map(parts.rows.map((row) => [row.storagePrefix, `${row.plural}.${row.group}`]))
  }

  /** From now on: what is there stays readable as long as its key is among these. */
  configure(encryption: Encryption): void {
    this.#encryption = encryption
    this.#sealers.clear()
  }

  /** Whether a value, as it was read here, would be sealed otherwise today. */
  isStale(item: KeyValue): boolean {
    const first = this.#sealersOf(item.key)?.[0]
    return first !== undefined && (this.#marks.get(item) ?? '') !== `${first.prefix}${first.keyNow?.() ?? ''}`
  }

  /** What is wrong with the key management services, or undefined. */
  fault(): Promise<string | undefined> {
    return kmsFault(this.#encryption)
  }

  get revision(): number {
    return this.#parts.store.revision
  }

  get compactedRevision(): number {
    return this.#parts.store.compactedRevision
  }

  get(key: string, revision?: number): KeyValue | undefined | Promise<KeyValue | undefined> {
    const found = this.#parts.store.get(key, revision)
    const open = (item: KeyValue | undefined): KeyValue | undefined | Promise<KeyValue> => item && this.#open(item)
    return found instanceof Promise ? found.then(open) : open(found)
  }

  range(query: RangeQuery): RangeResult | Promise<RangeResult> {
    const found = this.#parts.store.range(query)
    const opened = (result: RangeResult): RangeResult | Promise<RangeResult> => {
      const items = result.items.map((item) => this.#open(item))
      return allNow(items) ? { ...result, items } : allOf(items).then((all) => ({ ...result, items: all }))
    }
    return found instanceof Promise ? found.then(opened) : opened(found)
  }

  count(prefix: string): number | Promise<number> {
    return this.#parts.store.count(prefix)
  }

  async transact({ guards, writes }: Transaction): Promise<TransactionResult> {
    const sealed = writes.map((write) =>
      write.kind === 'put' ? { ...write, value: this.#seal(write.key, write.value) } : write,
    )
    const result = await this.#parts.store.transact({ guards, writes: sealed })
    if (result.committed || result.current === undefined) return result
    return { ...result, current: await this.#open(result.current) }
  }

  watch(options: WatchOptions): void {
    const over = new AbortController()
    const signal = anySignal([options.signal, over.signal])
    const end = (error: unknown): void => {
      if (signal.aborted) return
      over.abort()
      options.ended(new StoreError('Corrupt', (error as Error).message, error))
    }
    // Behind events for which a service must be asked, all others wait in line.
    let waiting: Promise<void> | undefined
    this.#parts.store.watch({
      ...options,
      signal,
      deliver: ({ revision, events }) => {
        if (signal.aborted) return
        try {
          const opened = events.map((event) => this.#event(event))
          if (waiting === undefined && allNow(opened)) return options.deliver({ revision, events: opened })
          const all = this.#eventually(events, opened, signal)
          // It is looked at in its turn: until then its failure is nobody's.
          all.catch(() => undefined)
          const turn: Promise<void> = (waiting ?? Promise.resolve())
            .then(async () => {
              const done = await all
              if (!signal.aborted) options.deliver({ revision, events: done })
            })
            .catch(end)
            .then(() => {
              if (waiting === turn) waiting = undefined
            })
          waiting = turn
        } catch (error) {
          end(error)
        }
      },
    })
  }

  compact(revision: number): Promise<void> {
    return this.#parts.store.compact(revision)
  }

  async sizeBytes(): Promise<number> {
    return (await this.#parts.store.sizeBytes?.()) ?? 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.store[Symbol.asyncDispose]()
  }

  #event(event: StoreEvent): StoreEvent | Promise<StoreEvent> {
    const previous = event.previous && this.#open(event.previous)
    const item = event.kind === 'put' ? this.#open(event.item) : undefined
    const made = (now: KeyValue | undefined, before: KeyValue | undefined): StoreEvent => {
      const known = before === undefined ? {} : { previous: before }
      return (event.kind === 'put' ? { kind: 'put', item: now, ...known } : { ...event, ...known }) as StoreEvent
    }
    if (!(previous instanceof Promise) && !(item instanceof Promise)) return made(item, previous)
    return Promise.all([item, previous]).then(([now, before]) => made(now, before))
  }

  /** Asks again while the service is away: who watches hears of changes later, but of all of them. */
  async #eventually(
    events: readonly StoreEvent[],
    first: readonly (StoreEvent | Promise<StoreEvent>)[],
    signal: AbortSignal,
  ): Promise<readonly StoreEvent[]> {
    for (let opening = first; ; opening = events.map((event) => this.#event(event))) {
      try {
        return await allOf(opening)
      } catch (error) {
        if (!isAway(error)) throw error
        await sleep(this.#parts.clock, AGAIN_MS, signal)
      }
    }
  }

  #seal(key: string, value: Uint8Array): Uint8Array {
    const sealer = this.#sealersOf(key)?.[0]
    if (sealer === undefined || sealer.prefix === '') return value
    try {
      const sealed = sealer.seal(value, this.#placeOf(key), (count) => this.#parts.random.nextBytes(count))
      this.#count('to_storage', sealer.prefix, 'OK')
      if (sealer.kms !== undefined) this.#kms.used('to_storage', sealer.kms.name, sealer.kms.keyIdOf(sealed))
      return Buffer.concat([Buffer.from(sealer.prefix), sealed])
    } catch (error) {
      this.#count('to_storage', sealer.prefix, 'Unknown')
      throw new ApiError('InternalError', `Internal error occurred: ${(error as Error).message}`, { cause: error })
    }
  }

  #open(item: KeyValue): KeyValue | Promise<KeyValue> {
    const sealers = this.#sealersOf(item.key)
    if (sealers === undefined) return item
    const known = this.#opened.get(item)
    if (known !== undefined) return known
    const value = Buffer.from(item.value.buffer, item.value.byteOffset, item.value.byteLength)
    const sealer = sealers.find(
      ({ prefix }) => prefix !== '' && value.subarray(0, prefix.length).toString('latin1') === prefix,
    )
    const opener = sealer ?? sealers.find(({ prefix }) => prefix === '')
    const made = (plain: Buffer): KeyValue => {
      const opened = opener!.prefix === '' ? item : { ...item, value: plain }
      this.#opened.set(item, opened)
      this.#marks.set(opened, `${opener!.prefix}${opener!.keyOf?.(value.subarray(opener!.prefix.length)) ?? ''}`)
      return opened
    }
    const plain = this.#opening(opener, value, item.key)
    // Who asked at the same time gets the same one: records are shared by identity.
    return plain instanceof Promise ? plain.then((bytes) => this.#opened.get(item) ?? made(bytes)) : made(plain)
  }

  /** Throws, or rejects with, InternalError in upstream's words. */
  #opening(sealer: Sealer | undefined, value: Buffer, key: string): Buffer | Promise<Buffer> {
    const place = this.#placeOf(key)
    const done = (plain: Buffer): Buffer => {
      if (sealer!.prefix !== '') this.#count('from_storage', sealer!.prefix, 'OK')
      const { kms, prefix } = sealer!
      if (kms !== undefined) this.#kms.used('from_storage', kms.name, kms.keyIdOf(value.subarray(prefix.length)))
      return plain
    }
    const failed = (error: unknown): never => {
      this.#count('from_storage', sealer?.prefix ?? 'unknown', 'Unknown')
      const why = `unable to transform key "${place}": ${(error as Error).message}`
      throw new ApiError('InternalError', `Internal error occurred: ${why}`, { cause: error })
    }
    try {
      if (sealer === undefined) throw new Error('no matching prefix found')
      const plain = sealer.open(value.subarray(sealer.prefix.length), place)
      return plain instanceof Promise ? plain.then(done, failed) : done(plain)
    } catch (error) {
      return failed(error)
    }
  }

  #count(type: string, prefix: string, status: string): void {
    const [, , provider = 'unknown', version = ''] = prefix.split(':')
    const named = provider === 'unknown' ? provider : `k8s:enc:${provider}:${version}:`
    this.#transformations.add(labelText({ status, transformation_type: type, transformer_prefix: named }))
  }

  /** `/registry/secrets/default/a`: upstream's name for the key, the same wherever the cluster is moved. */
  #placeOf(key: string): string {
    return `/registry/${key.slice(this.#parts.keyPrefix.length)}`
  }

  #sealersOf(key: string): Sealers | undefined {
    const place = key.slice(this.#parts.keyPrefix.length)
    const first = place.indexOf('/')
    const second = place.indexOf('/', first + 1)
    const short = place.slice(0, first)
    const long = second < 0 ? place : place.slice(0, second)
    const prefix = this.#resources.has(long) ? long : this.#resources.has(short) ? short : long
    if (this.#sealers.has(prefix)) return this.#sealers.get(prefix)
    const sealers = this.#sealersFor(this.#resources.get(prefix) ?? customResourceOf(prefix))
    this.#sealers.set(prefix, sealers)
    return sealers
  }

  /** `resource.group`, with nothing behind the dot for the core group. */
  #sealersFor(resource: string | undefined): Sealers | undefined {
    if (resource === undefined) return undefined
    const group = resource.slice(resource.indexOf('.') + 1)
    const own = resource.endsWith('.') ? resource.slice(0, -1) : resource
    const names = new Set([own, `*.${group}`, '*.*'])
    const entry = this.#encryption.resources.find(({ resources }) => resources.some((one) => names.has(one)))
    return entry?.providers.flatMap((provider): Sealers => {
      if (provider.kms === undefined) return sealersOf(provider)
      const service = this.#encryption.kms?.get(provider.kms.name)
      if (service === undefined) throw new Error(`the key management service "${provider.kms.name}" was not opened`)
      return [service.sealer]
    })
  }
}

function allOf<T>(things: readonly (T | Promise<T>)[]): Promise<readonly T[]> {
  return Promise.all(things.map((thing) => Promise.resolve(thing)))
}

function allNow<T extends object>(things: readonly (T | Promise<T>)[]): things is readonly T[] {
  return !things.some((thing) => thing instanceof Promise)
}

/** A key management service could not be asked. */
function isAway(error: unknown): boolean {
  const { cause } = error as Error
  return cause instanceof DecryptError && cause.cause instanceof KmsError && cause.cause.isTransient
}

/** Below `group/plural/`; what the server notes for itself is no resource. */
function customResourceOf(prefix: string): string | undefined {
  const [group = '', plural = ''] = prefix.split('/')
  return group.includes('.') && group !== 'aksel.dev' && plural !== '' ? `${plural}.${group}` : undefined
}
