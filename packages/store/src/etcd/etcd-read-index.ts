// How new the replica is, compared with what any server has acknowledged: one small question to etcd, shared by all who ask
// at the same time.

import type { Scope } from '@aksel/base/scope'
import type { EtcdClient } from './etcd-client.ts'
import { numberOf, type RangeResponse } from './etcd-proto.ts'
import type { EtcdReplica } from './etcd-replica.ts'

/** Changes arrive within about a millisecond; what takes longer were changes of others. */
const ARRIVAL_MS = 5
/** After others were seen to write, nobody waits for this long. */
const SHARED_MS = 1_000
/** A key that is never written. */
const PROBE_KEY = 'aksel.dev/read-index'

export interface Current {
  /** What etcd's newest revision was, at a moment after the question was asked. */
  readonly revision: number
  /** The replica shows everything up to the revision. */
  readonly local: boolean
}

export class ReadIndex {
  readonly #scope: Scope
  readonly #client: EtcdClient
  readonly #replica: EtcdReplica
  #known = 0
  #running: Promise<number> | undefined
  #next: Promise<number> | undefined
  #sharedUntilMs = -Infinity

  constructor(scope: Scope, client: EtcdClient, replica: EtcdReplica) {
    this.#scope = scope
    this.#client = client
    this.#replica = replica
  }

  /** The newest revision that etcd was heard to have. */
  get known(): number {
    return Math.max(this.#known, this.#replica.core.visible)
  }

  learn(revision: number): void {
    this.#known = Math.max(this.#known, revision)
  }

  /** Rejects with `Unavailable` when etcd does not answer. */
  async current(): Promise<Current> {
    const revision = await this.#newest()
    return { revision, local: await this.#arrives(revision) }
  }

  /** A question that is under way was asked too early for this caller; the one after it serves all who wait. */
  #newest(): Promise<number> {
    if (this.#running === undefined) return this.#ask()
    const begin = (): Promise<number> => {
      this.#next = undefined
      return this.#ask()
    }
    this.#next ??= this.#running.then(begin, begin)
    return this.#next
  }

  #ask(): Promise<number> {
    const request = { key: this.#replica.keyOf(PROBE_KEY), countOnly: true }
    const asked = this.#client.call<RangeResponse>('KV.Range', request, { repeatable: true }).then((answer) => {
      const revision = numberOf(answer.header.revision)
      this.learn(revision)
      return revision
    })
    const running = asked.finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
  }

  async #arrives(revision: number): Promise<boolean> {
    const arriving = this.#replica.reaches(revision)
    if (arriving === undefined) return true
    const { clock } = this.#scope
    if (clock.monotonicMs() < this.#sharedUntilMs) return false
    const arrived = await this.#within(arriving, ARRIVAL_MS)
    if (!arrived) this.#sharedUntilMs = clock.monotonicMs() + SHARED_MS
    return arrived
  }

  #within(arriving: Promise<void>, limitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#scope.clock.after(limitMs, () => resolve(false))
      void arriving.then(() => {
        timer[Symbol.dispose]()
        resolve(true)
      })
    })
  }
}
