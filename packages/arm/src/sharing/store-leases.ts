// Leases of servers, kept beside Azure's resources: an election needs no cluster. The term stands apart from the renewals, so that
// a guard on it holds as long as the term does.

import type { Lease } from '@aksel/api/types/coordination-v1'
import { ApiError } from '@aksel/base/errors'
import { uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import type { Fence } from '@aksel/runtime/fenced-client'
import type { LeaseApi } from '@aksel/runtime/leader-election'
import { keys, type Change, type ResourceStore, type Term } from '../store-keyspace.ts'

/** Who held it last, though it may be free now. */
export const lastHolder = 'aksel.dev/last-holder'

type TermValue = Pick<Fence, 'uid' | 'holder' | 'transitions'>

export class StoreLeases implements LeaseApi {
  readonly #scope: Scope
  readonly #store: ResourceStore

  constructor(scope: Scope, store: ResourceStore) {
    this.#scope = scope
    this.#store = store
  }

  async get(_type: unknown, { name }: { readonly name: string }): Promise<Lease> {
    const stored = await this.#store.get<Lease>(keys.lease(name))
    if (stored === undefined) throw new ApiError('NotFound', `There is no lease "${name}"`)
    return withVersion(stored.value, stored.modRevision)
  }

  async create(_type: unknown, lease: Lease): Promise<Lease> {
    const metadata = { ...lease.metadata, uid: uuid(this.#scope.random) }
    return this.#write({ ...lease, metadata }, 0)
  }

  async update(_type: unknown, lease: Lease): Promise<Lease> {
    return this.#write(lease, Number(lease.metadata.resourceVersion))
  }

  /** Rejects with Conflict where another was quicker. */
  async #write(lease: Lease, expected: number): Promise<Lease> {
    const { resourceVersion: _, ...metadata } = lease.metadata
    const { name } = metadata
    const holder = lease.spec?.holderIdentity ?? ''
    const annotations = holder === '' ? metadata.annotations : { ...metadata.annotations, [lastHolder]: holder }
    const value: Lease = { ...lease, metadata: { ...metadata, ...(annotations === undefined ? {} : { annotations }) } }
    const term = keys.term(name)
    const standing = await this.#store.get<TermValue>(term)
    const next = termOf(value)
    const changes: readonly Change[] = [
      { kind: 'put', key: keys.lease(name), value, expected },
      ...(JSON.stringify(standing?.value) === JSON.stringify(next)
        ? []
        : [{ kind: 'put' as const, key: term, value: next, expected: standing?.modRevision ?? 0 }]),
    ]
    if (!(await this.#store.commit(changes))) throw new ApiError('Conflict', `Lease "${name}" was changed meanwhile`)
    const written = await this.#store.get<Lease>(keys.lease(name))
    // Another may have written since: then its version is not ours to go on from, and the next update meets a Conflict.
    return written === undefined || JSON.stringify(written.value) !== JSON.stringify(value)
      ? withVersion(value, expected)
      : withVersion(value, written.modRevision)
  }
}

/** What stands in the store exactly while this term lasts. */
export function termGuard({ name, uid, holder, transitions }: Fence): Term {
  const value = Buffer.from(JSON.stringify({ uid, holder, transitions } satisfies TermValue))
  return { guard: { kind: 'value', key: keys.term(name), value } }
}

function termOf({ metadata, spec }: Lease): TermValue {
  return {
    uid: metadata.uid ?? '',
    holder: spec?.holderIdentity ?? '',
    transitions: spec?.leaseTransitions ?? 0,
  }
}

function withVersion(lease: Lease, modRevision: number): Lease {
  return { ...lease, metadata: { ...lease.metadata, resourceVersion: String(modRevision) } }
}
