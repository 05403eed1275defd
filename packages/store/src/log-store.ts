// The store on a disk: the shared core, and a log that makes each revision durable before anyone hears of it.
//
// Transactions are judged and applied in memory at once, in the order of the calls. What is applied and not yet durable
// waits; one write and one fdatasync take all that waits (group commit), while the next transactions gather. Only then
// is it visible, delivered to watchers and acknowledged.

import type { Scope } from '@aksel/base/scope'
import { writeBase } from './compaction.ts'
import { isDiskError, type Disk } from './disk.ts'
import { defaultHistoryLimits, HistoryKeeper, type HistoryLimits } from './history-keeper.ts'
import type { Change, Mvcc } from './mvcc.ts'
import { recover, type Recovered } from './recovery.ts'
import { draftPathOf, pathOf, removeFile } from './segment-files.ts'
import { randomSalt, SegmentWriter, type LogFolder } from './segment-writer.ts'
import {
  StoreError,
  type KeyValue,
  type RangeQuery,
  type RangeResult,
  type Store,
  type Transaction,
  type TransactionResult,
  type WatchOptions,
} from './store.ts'
import { WatchHub } from './watch-hub.ts'

export interface LogLimits extends HistoryLimits {
  /** A segment that is larger is followed by a new one. */
  readonly segmentBytes: number
  /** Bytes written in one go; what waits beyond goes with the next batch. */
  readonly batchBytes: number
  /** The log is rewritten when it is larger than twice what it must hold, plus this. */
  readonly slackBytes: number
  /** After a full disk stopped a rewriting, the next is tried this much later. */
  readonly retryMs: number
}

export const defaultLogLimits: LogLimits = {
  ...defaultHistoryLimits,
  segmentBytes: 64 << 20,
  batchBytes: 4 << 20,
  slackBytes: 64 << 20,
  retryMs: 60_000,
}

export interface LogStoreOptions {
  readonly disk: Disk
  /** The folder of this store alone; made when it is not there. */
  readonly directory: string
  readonly limits?: Partial<LogLimits>
}

/** Throws `Locked` while the folder is open elsewhere, `Corrupt` when acknowledged data may be damaged. */
export async function openLogStore(scope: Scope, options: LogStoreOptions): Promise<Store> {
  const { disk, directory } = options
  const limits = { ...defaultLogLimits, ...options.limits }
  await disk.makeDirectory(directory)
  const lock = await acquire(disk, directory)
  try {
    const folder: LogFolder = { disk, directory, random: scope.random }
    const recovered = await recover(folder, limits)
    if (recovered.droppedBytes > 0) {
      scope.log.warn('store dropped the torn tail of its log', { directory, bytes: recovered.droppedBytes })
    }
    return new LogStore(scope, { folder, limits, lock, recovered })
  } catch (error) {
    await lock[Symbol.asyncDispose]()
    throw error
  }
}

async function acquire(disk: Disk, directory: string): Promise<AsyncDisposable> {
  try {
    return await disk.lock(directory)
  } catch (error) {
    if (!isDiskError(error, 'ELOCKED')) throw error
    throw new StoreError('Locked', `Cannot open the store: ${error.message}`, error)
  }
}

/** Someone who waits until `revision` is durable. */
interface Waiter {
  readonly revision: number
  readonly result: TransactionResult
  readonly resolve: (result: TransactionResult) => void
  readonly reject: (error: StoreError) => void
}

interface Parts {
  readonly folder: LogFolder
  readonly limits: LogLimits
  readonly lock: AsyncDisposable
  readonly recovered: Recovered
}

class LogStore implements Store {
  readonly #scope: Scope
  readonly #folder: LogFolder
  readonly #limits: LogLimits
  readonly #lock: AsyncDisposable
  readonly #core: Mvcc
  readonly #hub: WatchHub
  readonly #keeper: HistoryKeeper
  readonly #writer: SegmentWriter
  /** In the order of their revisions. */
  #waiters: Waiter[] = []
  #writing = false
  #written: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined
  #poison: StoreError | undefined
  readonly #closed = new AbortController()
  /** Sizes of the full segments behind the base, by number. */
  readonly #sealedBytes: Map<number, number>
  #base: { readonly number: number; readonly sizeBytes: number }
  /** A new segment was begun and may stand half made: nothing may be written to the one before it. */
  #mustRoll = false
  #compaction: Promise<void> | undefined
  #compactNotBeforeMs = 0

  constructor(scope: Scope, { folder, limits, lock, recovered }: Parts) {
    this.#scope = scope
    this.#folder = folder
    this.#limits = limits
    this.#lock = lock
    this.#core = recovered.core
    this.#hub = new WatchHub(this.#core)
    this.#keeper = new HistoryKeeper(scope.clock, this.#core, this.#hub, limits)
    this.#writer = new SegmentWriter(folder, recovered.segment)
    this.#sealedBytes = new Map(recovered.sealedBytes)
    this.#base = recovered.base
    this.#keeper.afterCommit(0)
  }

  get revision(): number {
    return this.#core.visible
  }

  get compactedRevision(): number {
    return this.#core.floor
  }

  get(key: string, revision?: number): KeyValue | undefined {
    this.#assertOpen()
    return this.#core.get(key, revision)
  }

  range(query: RangeQuery): RangeResult {
    this.#assertOpen()
    return this.#core.range(query)
  }

  count(prefix: string): number {
    this.#assertOpen()
    return this.#core.count(prefix)
  }

  watch(options: WatchOptions): void {
    this.#assertOpen()
    this.#hub.add(options)
  }

  async compact(revision: number): Promise<void> {
    this.#assertOpen()
    await this.#keeper.compact(revision)
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    this.#assertOpen()
    if (this.#poison !== undefined) throw this.#poison
    const verdict = this.#core.transact(transaction, this.#scope.clock.now())
    const { applied, visible } = this.#core
    switch (verdict.kind) {
      case 'refused': {
        const { guard, current, settled } = verdict
        if (settled) return { committed: false, revision: visible, guard, current }
        return await this.#durable({ committed: false, revision: applied, guard, current })
      }
      case 'unchanged':
        return await this.#durable({ committed: true, revision: applied })
      case 'applied':
        return await this.#durable({ committed: true, revision: applied })
      default:
        return verdict satisfies never
    }
  }

  /** The result, once its revision is durable. */
  #durable(result: TransactionResult): Promise<TransactionResult> | TransactionResult {
    const { revision } = result
    if (revision <= this.#core.visible) return result
    return new Promise((resolve, reject) => {
      this.#waiters.push({ revision, result, resolve, reject })
      if (this.#writing) return
      this.#writing = true
      this.#written = this.#write()
    })
  }

  /** Runs until nothing waits. `#writing` falls in the same step as the last look at what waits. */
  async #write(): Promise<void> {
    // All that arrives in this turn of the event loop goes with the first batch.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#core.applied > this.#core.visible) {
      try {
        if (this.#poison !== undefined) throw this.#poison
        await this.#makeRoom()
        const batch = this.#nextBatch()
        await this.#writer.append(batch)
        this.#publish(batch)
      } catch (error) {
        await this.#giveUp(error)
      }
    }
    this.#writing = false
  }

  #nextBatch(): Change[] {
    const batch: Change[] = []
    let bytes = 0
    this.#core.changesAfter(this.#core.visible, (change) => {
      if (bytes >= this.#limits.batchBytes) return false
      for (const event of change.events) bytes += event.kind === 'put' ? event.item.value.byteLength + 64 : 64
      return batch.push(change) > 0
    })
    return batch
  }

  #publish(batch: readonly Change[]): void {
    for (const change of batch) {
      this.#core.advance(change.revision)
      this.#hub.publish(change)
    }
    const { visible } = this.#core
    let done = 0
    while (done < this.#waiters.length && this.#waiters[done]!.revision <= visible) done += 1
    for (const waiter of this.#waiters.splice(0, done)) waiter.resolve(waiter.result)
    this.#keeper.afterCommit(batch.length)
  }

  /** A batch could not be made durable. A full disk is survived; after anything else nothing is known about the disk. */
  async #giveUp(error: unknown): Promise<void> {
    let failure = new StoreError('NoSpace', 'Cannot write to the store: the disk is full', error)
    if (isDiskError(error, 'ENOSPC', 'EDQUOT')) {
      await this.#writer.dropTail().catch((second: unknown) => (failure = this.#poisonBy(second)))
    } else failure = this.#poisonBy(error)
    this.#core.rollback()
    for (const waiter of this.#waiters.splice(0)) waiter.reject(failure)
  }

  #poisonBy(error: unknown): StoreError {
    if (this.#poison === undefined) {
      const text =
        'Cannot write to the store: an I/O error made its disk uncertain; reads go on, open it again to write'
      this.#poison = new StoreError('Poisoned', text, error)
      this.#scope.log.error('store refuses writes after an I/O error', { directory: this.#folder.directory, error })
    }
    return this.#poison
  }

  /** Begins a new segment when the newest is full, and a compaction when the log holds more dead bytes than live ones. */
  async #makeRoom(): Promise<void> {
    if (this.#compactionIsDue()) {
      await this.#roll()
      this.#compaction = this.#compact(this.#writer.number - 1, this.#core.visible)
    } else if (this.#mustRoll || this.#writer.sizeBytes >= this.#limits.segmentBytes) await this.#roll()
  }

  async #roll(): Promise<void> {
    const { number } = this.#writer
    this.#mustRoll = true
    this.#sealedBytes.set(number, await this.#writer.roll(this.#core.visible))
    this.#mustRoll = false
  }

  #compactionIsDue(): boolean {
    if (this.#compaction !== undefined || this.#scope.clock.monotonicMs() < this.#compactNotBeforeMs) return false
    return this.sizeBytes() > 2 * this.#core.sizeBytes + this.#limits.slackBytes
  }

  /** Of base and segments. */
  sizeBytes(): number {
    let logBytes = this.#base.sizeBytes + this.#writer.sizeBytes
    for (const bytes of this.#sealedBytes.values()) logBytes += bytes
    return logBytes
  }

  /** Replaces the segments up to `number`, which end at `revision`, by a base. Never throws. */
  async #compact(number: number, revision: number): Promise<void> {
    const { disk, directory, random } = this.#folder
    using pin = this.#keeper.pin()
    try {
      const request = { disk, directory, core: this.#core, number, revision, floor: pin.revision }
      const sizeBytes = await writeBase({ ...request, salt: randomSalt(random), signal: this.#closed.signal })
      const before = this.#base
      this.#base = { number, sizeBytes }
      if (before.number > 0) await removeFile(disk, pathOf(directory, 'base', before.number))
      for (const sealed of this.#sealedBytes.keys()) {
        if (sealed > number) continue
        this.#sealedBytes.delete(sealed)
        await removeFile(disk, pathOf(directory, 'segment', sealed))
      }
    } catch (error) {
      if (this.#closed.signal.aborted) return
      if (!isDiskError(error, 'ENOSPC', 'EDQUOT')) return void this.#poisonBy(error)
      this.#compactNotBeforeMs = this.#scope.clock.monotonicMs() + this.#limits.retryMs
      this.#scope.log.warn('store cannot compact its log: the disk is full', { directory })
      await removeFile(disk, draftPathOf(directory, number)).catch((second: unknown) => this.#poisonBy(second))
    } finally {
      this.#compaction = undefined
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new StoreError('Closed', 'the store is closed')
  }

  /** Waits for what was begun, then gives the folder free. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#written
    this.#closed.abort()
    await this.#compaction
    this.#keeper.close()
    this.#hub.end(new StoreError('Closed', 'the store is closed'))
    try {
      if (this.#poison === undefined) await this.#writer.end(this.#core.visible)
    } catch (error) {
      this.#poisonBy(error)
    }
    await this.#writer.close()
    await this.#lock[Symbol.asyncDispose]()
  }
}
