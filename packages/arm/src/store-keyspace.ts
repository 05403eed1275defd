// Azure's resources in the hub's part of the store: JSON values below `hub/`, changed only under a guard.

import { anySignal } from '@aksel/base/any-signal'
import type { Delete, KeyValue, Put, Store, ValueGuard } from '@aksel/store/store'

/** A value and the revision it was read at: what a guarded change must name. */
export interface Stored<T> {
  readonly key: string
  readonly value: T
  readonly modRevision: number
}

/** `expected` is the revision that must still stand, 0 for "must not exist". */
export type Change =
  | { readonly kind: 'put'; readonly key: string; readonly value: unknown; readonly expected: number }
  | { readonly kind: 'delete'; readonly key: string; readonly expected: number }

/** One term of the server that works where several share a store: what stands there while it lasts. */
export interface Term {
  readonly guard: ValueGuard
}

/** Nothing was written: another server works now. */
export class TermOverError extends Error {
  constructor() {
    super('Nothing is written: another server works on this now')
    this.name = 'TermOverError'
  }
}

const root = 'hub/'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Keys of everything kept here. Ids are lower case, so that names compare as Azure compares them. */
export const keys = {
  /** A resource of any type, by its id. */
  resource: (id: string): string => `${root}resources${id.toLowerCase()}`,
  /** Everything below an id. */
  below: (id: string): string => `${root}resources${id.toLowerCase()}/`,
  machine: (clusterId: string, name: string): string => `${root}machines${clusterId.toLowerCase()}/${name}`,
  machines: (clusterId: string): string => `${root}machines${clusterId.toLowerCase()}/`,
  operation: (subscriptionId: string, id: string): string =>
    `${root}operations/${subscriptionId.toLowerCase()}/${id.toLowerCase()}`,
  operations: `${root}operations/`,
  /** Locks whose scope is the id or lies below it. */
  locks: (scopeId: string): string => `${root}locks${scopeId.toLowerCase()}/`,
  /** Role assignments whose scope is the id or lies below it; '' is the root. */
  roleAssignments: (scopeId: string): string => `${root}role-assignments${scopeId.toLowerCase()}/`,
  roleDefinition: (name: string): string => `${root}role-definitions/${name.toLowerCase()}`,
  roleDefinitions: `${root}role-definitions/`,
  application: (appId: string): string => `${root}applications/${appId.toLowerCase()}`,
  applications: `${root}applications/`,
  /** Groups of principals, by object id. */
  directoryGroup: (id: string): string => `${root}directory-groups/${id.toLowerCase()}`,
  directoryGroups: `${root}directory-groups/`,
  /** What happened in a subscription, by time. */
  activity: (subscriptionId: string): string => `${root}activity/${subscriptionId.toLowerCase()}/`,
  activities: `${root}activity/`,
  registration: (subscriptionId: string, namespace: string): string =>
    `${root}registrations/${subscriptionId.toLowerCase()}/${namespace.toLowerCase()}`,
  tagName: (subscriptionId: string, name: string): string =>
    `${root}tag-names/${subscriptionId.toLowerCase()}/${name.toLowerCase()}`,
  tagNames: (subscriptionId: string): string => `${root}tag-names/${subscriptionId.toLowerCase()}/`,
  signingKey: `${root}identity/signing-key`,
  /** Sign-ins that wait to be approved, by the code that is typed. */
  deviceSignIn: (userCode: string): string => `${root}device-sign-ins/${userCode}`,
  deviceSignIns: `${root}device-sign-ins/`,
  /** By the token's hash. */
  refreshToken: (hash: string): string => `${root}refresh-tokens/${hash}`,
  refreshTokens: `${root}refresh-tokens/`,
  /** What one server asks of the one that works on it. */
  call: (id: string): string => `${root}calls${id.toLowerCase()}`,
  calls: `${root}calls/`,
  lease: (name: string): string => `${root}leases/${name}`,
  leases: `${root}leases/`,
  term: (name: string): string => `${root}terms/${name}`,
} as const

/** Changes of one transaction: etcd takes 128. */
export const changesMax = 100

/** Values kept parsed at most; then all are let go. */
const parsedMax = 20_000

export class ResourceStore {
  readonly #store: Store
  /** What was parsed last of each key, shared read-only: a list of hundreds of clusters parses what has changed since. */
  readonly #parsed: Map<string, Stored<unknown>>
  readonly #term: Term | undefined

  constructor(store: Store, term?: Term, parsed = new Map<string, Stored<unknown>>()) {
    this.#store = store
    this.#term = term
    this.#parsed = parsed
  }

  /** The same, where every change is committed in this term or rejects with a TermOverError. */
  within(term: Term): ResourceStore {
    return new ResourceStore(this.#store, term, this.#parsed)
  }

  async get<T>(key: string): Promise<Stored<T> | undefined> {
    const item = await this.#store.get(key)
    return item === undefined ? undefined : this.#decode<T>(item)
  }

  async list<T>(prefix: string): Promise<readonly Stored<T>[]> {
    const { items } = await this.#store.range({ prefix })
    return items.map((item) => this.#decode<T>(item))
  }

  #decode<T>(item: KeyValue): Stored<T> {
    const known = this.#parsed.get(item.key)
    if (known?.modRevision === item.modRevision) return known as Stored<T>
    const fresh = decode<T>(item)
    if (this.#parsed.size >= parsedMax) this.#parsed.clear()
    this.#parsed.set(item.key, fresh)
    return fresh
  }

  /** All changes or none. False: something changed since it was read; read again and decide again. */
  async commit(changes: readonly Change[]): Promise<boolean> {
    const guard = this.#term?.guard
    const result = await this.#store.transact({
      guards: [
        ...(guard === undefined ? [] : [guard]),
        ...changes.map(({ key, expected }) => ({ kind: 'revision' as const, key, modRevision: expected })),
      ],
      writes: changes.map(writeOf),
    })
    if (!result.committed && guard !== undefined && result.guard.key === guard.key) throw new TermOverError()
    return result.committed
  }

  /** Takes away what may go piece by piece. False: something changed since it was read, and some may be gone. */
  async removeAll(items: readonly Pick<Stored<unknown>, 'key' | 'modRevision'>[]): Promise<boolean> {
    for (let at = 0; at < items.length; at += changesMax) {
      const some = items.slice(at, at + changesMax)
      if (!(await this.commit(some.map(({ key, modRevision }) => ({ kind: 'delete', key, expected: modRevision })))))
        return false
    }
    return true
  }

  /** Reads and decides until what was decided could be written; `decide` returns undefined to leave things as they are. */
  async decide<R>(decide: () => Promise<{ readonly changes: readonly Change[]; readonly result: R }>): Promise<R> {
    while (true) {
      const { changes, result } = await decide()
      if (changes.length === 0 || (await this.commit(changes))) return result
    }
  }

  /** Changes one value; `undefined` from `next` leaves it alone. Returns what stands afterwards. */
  async update<T>(key: string, next: (current: T) => T | undefined): Promise<T | undefined> {
    return this.decide(async () => {
      const current = await this.get<T>(key)
      const value = current === undefined ? undefined : next(current.value)
      if (current === undefined || value === undefined) return { changes: [], result: current?.value }
      return { changes: [{ kind: 'put', key, value, expected: current.modRevision }], result: value }
    })
  }

  /** Tells of every value that is written below the prefix from now on; `missed` where some may not have been told. */
  follow(
    prefix: string,
    told: {
      readonly signal: AbortSignal
      readonly deliver: (stored: Stored<unknown>) => void
      readonly missed: () => void
    },
  ): void {
    const store = this.#store
    store.watch({
      prefix,
      afterRevision: store.revision,
      signal: told.signal,
      deliver: ({ events }) => {
        for (const event of events) if (event.kind === 'put') told.deliver(this.#decode(event.item))
      },
      ended: (error) => {
        if (error.kind !== 'Compacted') return
        this.follow(prefix, told)
        told.missed()
      },
    })
  }

  /** Resolves when the key's value changes after this call's read, or when the signal aborts. */
  async changed(key: string, satisfied: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    const afterRevision = this.#store.revision
    if (signal.aborted || (await satisfied())) return
    const stop = new AbortController()
    const either = anySignal([signal, stop.signal])
    await new Promise<void>((resolve) => {
      either.addEventListener('abort', () => resolve(), { once: true })
      if (either.aborted) return resolve()
      const recheck = (): void =>
        void satisfied().then(
          (yes) => yes && stop.abort(),
          () => stop.abort(),
        )
      this.#store.watch({ prefix: key, afterRevision, signal: either, deliver: recheck, ended: () => stop.abort() })
    })
  }
}

function writeOf(change: Change): Put | Delete {
  if (change.kind === 'delete') return { kind: 'delete', key: change.key }
  return { kind: 'put', key: change.key, value: encoder.encode(JSON.stringify(change.value)) }
}

function decode<T>(item: KeyValue): Stored<T> {
  return { key: item.key, value: JSON.parse(decoder.decode(item.value)) as T, modRevision: item.modRevision }
}
