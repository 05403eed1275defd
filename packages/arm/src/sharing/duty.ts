// Which of several servers on one store works on what. What lies in a group with a host is that host's: its networks and machines
// are there. All else is worked on by one elected server, and what that one writes is bound to its term in the store.

import { sleep } from '@aksel/base/clock'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Lease } from '@aksel/api/types/coordination-v1'
import { runAsLeader, type LeaderOptions } from '@aksel/runtime/leader-election'
import type { Suppliers } from '../hub.ts'
import type { GroupRecord } from '../records.ts'
import { groupId, groupOfId } from '../resource-id.ts'
import { keys, type ResourceStore } from '../store-keyspace.ts'
import { lastHolder, StoreLeases, termGuard } from './store-leases.ts'

export interface Sharing {
  /** This server's name among those that share the store. */
  readonly name: string
  /** It has networks and machines of its own: what is made through it is bound to it. */
  readonly hasHost: boolean
  /** Of the election; upstream's 15, 10 and 2 seconds where absent. */
  readonly timing?: Pick<LeaderOptions, 'leaseDurationMs' | 'renewDeadlineMs' | 'retryPeriodMs'>
}

/** With what something is worked on, and how long. */
export interface Turn {
  readonly store: ResourceStore
  readonly suppliers: Suppliers
  /** Aborts when the term is over; absent where no term bounds it. */
  readonly signal?: AbortSignal
}

export interface DutyWork {
  /** The term has begun: take up everything that no host has. */
  readonly begin: () => Promise<void>
  /** The term is over: resolves when nothing of it is being worked on any more. */
  readonly end: () => Promise<void>
}

const leaseName = 'aksel-resource-manager'
const AGAIN_MS = 1_000

export class Duty {
  readonly #scope: Scope
  readonly #store: ResourceStore
  readonly #suppliers: Suppliers
  readonly #sharing: Sharing
  #term: Required<Turn> | undefined
  /** Resolved when the next term of this server begins. */
  #begun = Promise.withResolvers<void>()

  constructor(
    scope: Scope,
    parts: { readonly store: ResourceStore; readonly suppliers: Suppliers; readonly sharing: Sharing },
  ) {
    this.#scope = childScope(scope, { component: 'arm-duty' })
    this.#store = parts.store
    this.#suppliers = parts.suppliers
    this.#sharing = parts.sharing
  }

  /** Whether this server was elected, as far as it knows. */
  get isElected(): boolean {
    return this.#term !== undefined
  }

  /** Whether nobody else was elected since this server was, or nobody ever was. */
  async wasLast(): Promise<boolean> {
    const last = (await this.#store.get<Lease>(keys.lease(leaseName)))?.value.metadata.annotations?.[lastHolder]
    return last === undefined || last === this.#sharing.name
  }

  /** Undefined where another server works on it, or none does yet. */
  async turnOf(id: string): Promise<Turn | undefined> {
    const host = await this.hostOf(id)
    if (host === undefined) return this.#term
    return host === this.#sharing.name ? { store: this.#store, suppliers: this.#suppliers } : undefined
  }

  /** The host that what lies under this id is bound to. A group that a cluster made is where the cluster is. */
  async hostOf(id: string): Promise<string | undefined> {
    const group = await this.#groupOf(id)
    if (group?.host !== undefined || group?.managedBy === undefined) return group?.host
    return (await this.#groupOf(group.managedBy))?.host
  }

  async #groupOf(id: string): Promise<GroupRecord | undefined> {
    const ref = groupOfId(id)
    if (ref === undefined) return undefined
    return (await this.#store.get<GroupRecord>(keys.resource(groupId(ref))))?.value
  }

  /** Asks whoever works on it to look at it. */
  async call(id: string): Promise<void> {
    const key = keys.call(id)
    await this.#store.decide(async () => {
      const expected = (await this.#store.get(key))?.modRevision ?? 0
      return { changes: [{ kind: 'put', key, value: { id, by: this.#sharing.name }, expected }], result: undefined }
    })
  }

  /** Stands for election until the scope ends. Rejects never. */
  async stand(work: DutyWork): Promise<void> {
    const scope = this.#scope
    const client = new StoreLeases(scope, this.#store)
    const run: LeaderOptions['run'] = async (own, lead) => {
      this.#term = {
        store: this.#store.within(termGuard(lead.fence)),
        suppliers: hostless(this.#suppliers),
        signal: own.signal,
      }
      try {
        await work.begin()
        this.#begun.resolve()
        await ended(own.signal)
      } finally {
        this.#term = undefined
        this.#begun = Promise.withResolvers<void>()
        await work.end()
      }
    }
    const lease = { namespace: '', name: leaseName }
    const { name: identity, timing = {} } = this.#sharing
    while (!scope.signal.aborted) {
      try {
        return await runAsLeader(scope, { client, lease, identity, run, ...timing })
      } catch (error) {
        if (scope.signal.aborted) return
        scope.log.error('a term of resource manager failed', { error })
        await sleep(scope.clock, AGAIN_MS, scope.signal).catch(() => {})
      }
    }
  }

  /** Does the work while this server works on what lies under the id, as often as that begins. Resolves when the scope ends. */
  async whileOnDuty(scope: Scope, id: string, work: (scope: Scope) => Promise<void>): Promise<void> {
    while (!scope.signal.aborted) {
      const begun = this.#begun.promise
      const turn = await this.turnOf(id)
      if (turn !== undefined) {
        const own = childScope(scope, {}, turn.signal)
        await work(own)
        if (turn.signal === undefined) return
        await ended(own.signal)
      } else if ((await this.hostOf(id)) === undefined) await Promise.race([begun, ended(scope.signal)])
      else return
    }
  }
}

/** What an elected server works on has no network: it must be able to go on elsewhere. */
function hostless(suppliers: Suppliers): Suppliers {
  const { fabric: _fabric, commandRuntime: _commandRuntime, ...rest } = suppliers
  return { ...rest, machines: () => rest.machines(true), simulatedByDefault: true }
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
