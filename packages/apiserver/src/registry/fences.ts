// Binds the writes of a leader to its term: each is committed in one transaction with the check that the Lease still names it.
// A leader that was stopped, and wakes when another leads, writes nothing, whatever it believes.

import type { Lease } from '@aksel/api/types/coordination-v1'
import { ApiError } from '@aksel/base/errors'
import type { Fence } from '@aksel/runtime/fenced-client'
import type { KeyValue, RevisionGuard, TransactionResult } from '@aksel/store/store'

export interface FenceParts {
  /** Where a Lease is kept. */
  readonly keyOf: (namespace: string, name: string) => string
  /** The newest version that the store has. */
  readonly read: (key: string) => Promise<KeyValue | undefined>
  readonly leaseOf: (item: KeyValue) => Lease
}

export class Fences {
  readonly #parts: FenceParts
  /** Leases as last seen, by key: a term costs no read while its Lease is not renewed, and a second try when it was. */
  readonly #seen = new Map<string, KeyValue>()

  constructor(parts: FenceParts) {
    this.#parts = parts
  }

  /** Commits with a guard on the fence's Lease. Throws Conflict, with nothing written, where the term is over. */
  async commit(
    fence: Fence,
    transact: (guard: RevisionGuard) => Promise<TransactionResult>,
  ): Promise<TransactionResult> {
    const { keyOf, read } = this.#parts
    const key = keyOf(fence.namespace, fence.name)
    let lease = this.#seen.get(key)
    // What was seen last may be of a term before this one.
    if (!this.#names(lease, fence)) lease = this.#remember(key, await read(key))
    for (;;) {
      if (lease === undefined || !this.#names(lease, fence)) throw this.#over(lease, fence)
      const result = await transact({ kind: 'revision', key, modRevision: lease.modRevision })
      if (result.committed || result.guard.key !== key) return result
      lease = this.#remember(key, result.current)
    }
  }

  /** What stands, for a write that would change nothing. Throws Conflict where the term is over: its leader hears it all the same. */
  async unchanged<T>(fence: Fence | undefined, standing: T): Promise<T> {
    if (fence === undefined) return standing
    const { keyOf, read } = this.#parts
    const key = keyOf(fence.namespace, fence.name)
    const lease = this.#remember(key, await read(key))
    if (!this.#names(lease, fence)) throw this.#over(lease, fence)
    return standing
  }

  #remember(key: string, item: KeyValue | undefined): KeyValue | undefined {
    if (item === undefined) this.#seen.delete(key)
    else this.#seen.set(key, item)
    return item
  }

  #names(item: KeyValue | undefined, { uid, holder, transitions }: Fence): boolean {
    if (item === undefined) return false
    const { metadata, spec } = this.#parts.leaseOf(item)
    return metadata.uid === uid && spec?.holderIdentity === holder && (spec.leaseTransitions ?? 0) === transitions
  }

  #over(item: KeyValue | undefined, fence: Fence): ApiError {
    const term = (holder: string | undefined, transitions: number): string => `"${holder ?? ''}" in term ${transitions}`
    const { spec } = item === undefined ? { spec: undefined } : this.#parts.leaseOf(item)
    const found =
      item === undefined ? 'is gone' : `is held by ${term(spec?.holderIdentity, spec?.leaseTransitions ?? 0)}`
    return new ApiError(
      'Conflict',
      `Operation cannot be fulfilled on leases.coordination.k8s.io "${fence.name}": it ${found}, and nothing is written for ${term(fence.holder, fence.transitions)}`,
    )
  }
}
