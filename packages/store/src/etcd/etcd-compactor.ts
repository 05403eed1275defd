// Lets etcd's history go after five minutes. One process of all that use this etcd does it: whoever changes the key that an
// upstream API server uses for the same end, with the same meaning, so that both can share an etcd.

import type { Timer } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { defaultHistoryLimits } from '../history-keeper.ts'
import { StoreError } from '../store.ts'
import type { EtcdClient } from './etcd-client.ts'
import { numberOf, type TxnResponse } from './etcd-proto.ts'

const COMPACT_REVISION_KEY = Buffer.from('compact_rev_key')
/** etcd's numbers in a comparison. */
const EQUAL = 0
const VERSION = 0

export interface CompactorOptions {
  readonly client: EtcdClient
  readonly historyMs?: number
}

export class EtcdCompactor {
  readonly #scope: Scope
  readonly #client: EtcdClient
  readonly #historyMs: number
  /** How often the key was changed, as far as we know: who guesses right is the one who compacts. */
  #version = 0
  /** etcd's revision at the last look: the one to compact at the next. */
  #revision = 0
  #timer: Timer | undefined
  #turn: Promise<void> = Promise.resolve()

  constructor(scope: Scope, { client, historyMs }: CompactorOptions) {
    this.#scope = scope
    this.#client = client
    this.#historyMs = historyMs ?? defaultHistoryLimits.historyMs
    this.#arm()
  }

  /** Drops history below the revision, for all who use this etcd. */
  async compact(revision: number): Promise<void> {
    try {
      await this.#client.call('KV.Compact', { revision }, { repeatable: true })
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind !== 'Compacted') throw error
    }
  }

  async close(): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    await this.#turn
  }

  #arm(): void {
    this.#timer = this.#scope.clock.after(this.#historyMs, () => {
      this.#turn = this.#take().then(() => {
        if (!this.#scope.signal.aborted) this.#arm()
      })
    })
  }

  /** Never rejects: what failed is tried again at the next turn. */
  async #take(): Promise<void> {
    try {
      const due = this.#revision
      const answer = await this.#client.call<TxnResponse>('KV.Txn', this.#claim(due), { repeatable: true })
      this.#revision = numberOf(answer.header.revision)
      if (!answer.succeeded) {
        const current = answer.responses[0]?.responseRange?.kvs[0]
        this.#version = current === undefined ? 0 : numberOf(current.version)
        return
      }
      this.#version += 1
      if (due > 0) await this.compact(due)
    } catch (error) {
      if (!this.#scope.signal.aborted) this.#scope.log.warn('etcd was not compacted', { error })
    }
  }

  #claim(revision: number): object {
    const key = COMPACT_REVISION_KEY
    return {
      compare: [{ result: EQUAL, target: VERSION, key, version: this.#version }],
      success: [{ requestPut: { key, value: Buffer.from(String(revision)) } }],
      failure: [{ requestRange: { key } }],
    }
  }
}
