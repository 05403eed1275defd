// The store as the API server sees it where some kinds are sealed: values are sealed on their way down and opened on their way
// up. What was opened is kept with the value that it came from, so that all who read one revision share it.

import type { EncryptionConfiguration } from '@aksel/api/encryption-configuration'
import type { KindRow } from '@aksel/api/kind-row'
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
import { sealersOf, type Sealer } from './providers.ts'

export interface SealedStoreParts {
  readonly store: Store
  /** `clusters/KEY/`: what stands behind it in a key is its place, wherever the cluster lies. */
  readonly keyPrefix: string
  readonly rows: readonly KindRow[]
  readonly random: Random
  readonly metrics: MetricsRegistry
}

/** The sealers of one kind: the first one seals. */
type Sealers = readonly Sealer[]

export class SealedStore implements Store {
  readonly #parts: SealedStoreParts
  readonly #opened = new WeakMap<KeyValue, { readonly item: KeyValue; readonly prefix: string }>()
  /** Who sealed the value that this one was made of. */
  readonly #prefixes = new WeakMap<KeyValue, string>()
  readonly #resources: ReadonlyMap<string, string>
  readonly #sealers = new Map<string, Sealers | undefined>()
  readonly #transformations: Counter
  #configuration: EncryptionConfiguration

  constructor(parts: SealedStoreParts, configuration: EncryptionConfiguration) {
    this.#parts = parts
    this.#configuration = configuration
    this.#transformations = parts.metrics.counter(
      'apiserver_storage_transformation_operations_total',
      "Total number of transformations. Successful transformation will have a status 'OK' and a varied status string when the transformation fails.",
    )
    this.#resources = new Map(parts.rows.map((row) => [row.storagePrefix, `${row.plural}.${row.group}`]))
  }

  /** From now on: what is there stays readable as long as its key is among these. */
  configure(configuration: EncryptionConfiguration): void {
    this.#configuration = configuration
    this.#sealers.clear()
  }

  /** Whether a value, as it was read here, would be sealed otherwise today. */
  isStale(item: KeyValue): boolean {
    const sealers = this.#sealersOf(item.key)
    return sealers !== undefined && (this.#prefixes.get(item) ?? '') !== sealers[0]!.prefix
  }

  get revision(): number {
    return this.#parts.store.revision
  }

  get compactedRevision(): number {
    return this.#parts.store.compactedRevision
  }

  get(key: string, revision?: number): KeyValue | undefined | Promise<KeyValue | undefined> {
    const found = this.#parts.store.get(key, revision)
    return found instanceof Promise ? found.then((item) => item && this.#open(item)) : found && this.#open(found)
  }

  range(query: RangeQuery): RangeResult | Promise<RangeResult> {
    const found = this.#parts.store.range(query)
    const opened = (result: RangeResult): RangeResult => ({
      ...result,
      items: result.items.map((item) => this.#open(item)),
    })
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
    return { ...result, current: this.#open(result.current) }
  }

  watch(options: WatchOptions): void {
    const over = new AbortController()
    const signal = AbortSignal.any([options.signal, over.signal])
    this.#parts.store.watch({
      ...options,
      signal,
      deliver: ({ revision, events }) => {
        if (signal.aborted) return
        let opened: readonly StoreEvent[]
        try {
          opened = events.map((event) => this.#event(event))
        } catch (error) {
          over.abort()
          return options.ended(new StoreError('Corrupt', (error as Error).message, error))
        }
        options.deliver({ revision, events: opened })
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

  #event(event: StoreEvent): StoreEvent {
    const { previous } = event
    const before = previous === undefined ? {} : { previous: this.#open(previous) }
    if (event.kind === 'put') return { kind: 'put', item: this.#open(event.item), ...before }
    return { ...event, previous: this.#open(event.previous) }
  }

  #seal(key: string, value: Uint8Array): Uint8Array {
    const sealer = this.#sealersOf(key)?.[0]
    if (sealer === undefined || sealer.prefix === '') return value
    const sealed = sealer.seal(value, this.#placeOf(key), (count) => this.#parts.random.nextBytes(count))
    this.#count('to_storage', sealer.prefix, 'OK')
    return Buffer.concat([Buffer.from(sealer.prefix), sealed])
  }

  #open(item: KeyValue): KeyValue {
    const sealers = this.#sealersOf(item.key)
    if (sealers === undefined) return item
    const known = this.#opened.get(item)
    if (known !== undefined) return known.item
    const value = Buffer.from(item.value.buffer, item.value.byteOffset, item.value.byteLength)
    const sealer = sealers.find(
      ({ prefix }) => prefix !== '' && value.subarray(0, prefix.length).toString('latin1') === prefix,
    )
    const opener = sealer ?? sealers.find(({ prefix }) => prefix === '')
    const plain = this.#opening(opener, value, item.key)
    const opened = opener!.prefix === '' ? item : { ...item, value: plain }
    this.#opened.set(item, { item: opened, prefix: opener!.prefix })
    this.#prefixes.set(opened, opener!.prefix)
    return opened
  }

  /** Throws InternalError in upstream's words. */
  #opening(sealer: Sealer | undefined, value: Buffer, key: string): Buffer {
    const place = this.#placeOf(key)
    try {
      if (sealer === undefined) throw new Error('no matching prefix found')
      const plain = sealer.open(value.subarray(sealer.prefix.length), place)
      if (sealer.prefix !== '') this.#count('from_storage', sealer.prefix, 'OK')
      return plain
    } catch (error) {
      this.#count('from_storage', sealer?.prefix ?? 'unknown', 'Unknown')
      const why = `unable to transform key "${place}": ${(error as Error).message}`
      throw new ApiError('InternalError', `Internal error occurred: ${why}`, { cause: error })
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
    const entry = this.#configuration.resources.find(({ resources }) => resources.some((one) => names.has(one)))
    return entry?.providers.flatMap(sealersOf)
  }
}

/** Below `group/plural/`; what the server notes for itself is no resource. */
function customResourceOf(prefix: string): string | undefined {
  const [group = '', plural = ''] = prefix.split('/')
  return group.includes('.') && group !== 'aksel.dev' && plural !== '' ? `${plural}.${group}` : undefined
}
