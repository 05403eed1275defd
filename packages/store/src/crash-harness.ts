// Runs a seeded load against a log store on a simulated disk, remembers what was acknowledged, and judges what a store
// opened later shows. The oracle: a key shows its last acknowledged change, or one that was begun and never answered.

import assert from 'node:assert/strict'
import { fraction, seededRandom, type Random } from '@aksel/base/ids'
import { text } from './contract-help.ts'
import { openLogStore, type LogLimits } from './log-store.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import { StoreError, type Store, type Transaction } from './store.ts'
import { testScope } from './test-scope.ts'

export const crashDirectory = '/data/store'

/** So small that a few dozen writes fill segments and start compactions. */
export const crashLimits: Partial<LogLimits> = {
  segmentBytes: 1_500,
  batchBytes: 600,
  slackBytes: 500,
  historyRevisions: 6,
  retryMs: 0,
}

export function openCrashStore(disk: SimulatedDisk, seed = 1): Promise<Store> {
  return openLogStore(testScope(seed), { disk, directory: crashDirectory, limits: crashLimits })
}

/** What was asked of one key: a value, or undefined for its deletion. */
interface Change {
  readonly value: string | undefined
  /** Set when it was acknowledged. */
  revision: number | undefined
}

export class Load {
  readonly #random: Random
  readonly #byKey = new Map<string, Change[]>()
  #count = 0
  acknowledged = 0
  readonly failures: StoreError[] = []

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  /** Writes in bursts; returns early when the store refuses for good. */
  async run(store: Store, bursts: number): Promise<void> {
    for (let i = 0; i < bursts; i++) {
      const size = 1 + Math.floor(fraction(this.#random) * 5)
      await Promise.all(Array.from({ length: size }, () => this.#transact(store)))
      if (this.failures.at(-1)?.kind === 'Poisoned') return
    }
  }

  async #transact(store: Store): Promise<void> {
    const writes = this.#writes()
    const changes = writes.map((write) => {
      const change: Change = { value: write.kind === 'put' ? String(write.value) : undefined, revision: undefined }
      const before = this.#byKey.get(write.key)
      if (before === undefined) this.#byKey.set(write.key, [change])
      else before.push(change)
      return change
    })
    try {
      const { revision } = await store.transact({ guards: [], writes })
      for (const change of changes) change.revision = revision
      this.acknowledged = Math.max(this.acknowledged, revision)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      this.failures.push(error)
    }
  }

  #writes(): Transaction['writes'] {
    const first = Math.floor(fraction(this.#random) * 12)
    const count = fraction(this.#random) < 0.3 ? 2 : 1
    return Array.from({ length: count }, (_, i) => {
      const key = `pods/default/web-${(first + i) % 12}`
      if (fraction(this.#random) < 0.2) return { kind: 'delete', key }
      this.#count += 1
      const padding = 'x'.repeat(Math.floor(fraction(this.#random) ** 4 * 900))
      return { kind: 'put', key, value: Buffer.from(`${this.#count} ${padding}`) }
    })
  }

  /** Throws when something acknowledged is not there, or something is there that nobody wrote. */
  async check(store: Store): Promise<void> {
    assert.ok(store.revision >= this.acknowledged, `revision ${store.revision}, acknowledged ${this.acknowledged}`)
    for (const [key, changes] of this.#byKey) {
      const last = changes.findLastIndex((change) => change.revision !== undefined)
      const possible = changes.filter((change, i) => i === last || change.revision === undefined)
      const values = new Set(possible.map((change) => change.value))
      if (last === -1) values.add(undefined)
      const found = text(await store.get(key))
      assert.ok(
        values.has(found),
        `${key} shows ${found?.slice(0, 20)}, not one of ${[...values].join(', ').slice(0, 200)}`,
      )
    }
  }
}

/** Opens what a power cut leaves, `images` times with other dice, and checks each. */
export async function checkPowerCuts(disk: SimulatedDisk, load: Load, images: number, seed: number): Promise<void> {
  for (let image = 0; image < images; image++) {
    const left = disk.afterPowerCut(seededRandom(seed * 1009 + image + 1))
    await using store = await openCrashStore(left)
    await load.check(store)
  }
}
