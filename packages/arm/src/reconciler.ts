// Drives every cluster and group from what was written to what is: one pass per resource at a time, again after failures.

import { anySignal } from '@aksel/base/any-signal'
import { ArmError, type ArmErrorBody } from '@aksel/base/errors'
import { sleep } from '@aksel/base/clock'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Suppliers } from './hub.ts'
import { pruneOperations } from './operations.ts'
import type { ClusterRecord, DocumentRecord, GroupRecord } from './records.ts'
import type { Steps } from './steps.ts'
import type { Duty, Turn } from './sharing/duty.ts'
import { keys, TermOverError, type ResourceStore } from './store-keyspace.ts'
import { Autoscalers } from './resource-providers/container-service/autoscaling.ts'
import {
  failCluster,
  parentGroupId,
  PoolsFailed,
  reconcileCluster,
} from './resource-providers/container-service/cluster-passes.ts'
import {
  defaultLimits,
  nothingSeen,
  type Pass,
  type ReconcileLimits,
  type Seen,
} from './resource-providers/container-service/pass.ts'
import { keepEnd, pruneEvents } from './resource-providers/insights/activity-log.ts'
import {
  failNetworkResource,
  isNetworkId,
  reconcileNetworkResource,
} from './resource-providers/network/network-passes.ts'
import { failGroup, reconcileGroup } from './resource-providers/resources/group-passes.ts'

interface Worker {
  /** There is news since the pass began. */
  news: boolean
  /** Ends the waiting of the pass that runs. */
  interrupt: AbortController
  failures: number
  /** Another server asked, or a list was gone through: where the work is not ours, nobody else is asked. */
  isTold: boolean
  turn?: Turn
  done: Promise<void>
}

const slowestRetryMs = 30_000

export interface ReconcilerParts {
  readonly store: ResourceStore
  readonly suppliers: Suppliers
  readonly limits?: Partial<ReconcileLimits>
  readonly steps?: Steps
  /** Absent: everything is worked on. */
  readonly subscriptionIds?: readonly string[]
  /** Where several servers share the store: what of it is this one's. */
  readonly duty?: Duty
}

export class Reconciler {
  readonly #scope: Scope
  readonly #parts: ReconcilerParts
  readonly #limits: ReconcileLimits
  readonly #workers = new Map<string, Worker>()
  readonly #seen: Seen = nothingSeen()
  /** In the term that this server works in, where one bounds it. */
  #seenInTerm: Seen = nothingSeen()
  readonly #autoscalers: Autoscalers | undefined

  constructor(scope: Scope, parts: ReconcilerParts) {
    this.#scope = childScope(scope, { component: 'arm-reconciler' })
    this.#parts = parts
    const { autoscale, engine } = parts.suppliers
    if (autoscale !== undefined) {
      const client = engine.client.bind(engine)
      this.#autoscalers = new Autoscalers(scope, { autoscale, client, wake: (id) => this.wake(id) })
    }
    this.#limits = { ...defaultLimits, ...parts.limits }
  }

  /** Something about this cluster or group was written. */
  wake(id: string): void {
    this.#wake(id, false)
  }

  /** The same, where whoever asked knows that another server may work on it. */
  told(id: string): void {
    this.#wake(id, true)
  }

  #wake(id: string, isTold: boolean): void {
    const key = id.toLowerCase()
    const running = this.#workers.get(key)
    if (running !== undefined) {
      running.news = true
      running.isTold &&= isTold
      running.interrupt.abort(new DOMException('there is news', 'AbortError'))
      return
    }
    if (this.#scope.signal.aborted) return
    const worker: Worker = {
      news: true,
      interrupt: new AbortController(),
      failures: 0,
      isTold,
      done: Promise.resolve(),
    }
    this.#workers.set(key, worker)
    worker.done = this.#work(key, worker)
      .catch((error: unknown) => this.#broken(key, error))
      .finally(() => {
        this.#workers.delete(key)
        this.#parts.steps?.clear(key)
        // News that came after the last look would be lost with the worker.
        if (worker.news) this.#wake(key, worker.isTold)
      })
  }

  /** Takes up everything: unfinished operations, and clusters that should be running. */
  async resume(): Promise<void> {
    const { store } = this.#parts
    await pruneOperations(this.#scope, store, (operation) => keepEnd(store, operation))
    await pruneEvents(this.#scope, store)
    const all = await this.#parts.store.list<ClusterRecord | GroupRecord | DocumentRecord | { readonly kind: 'pool' }>(
      keys.below('/subscriptions'),
    )
    for (const { value } of all) {
      if (!('id' in value) || !this.#isOurs(value.id)) continue
      if (value.kind === 'cluster') this.told(value.id)
      if (value.kind === 'document' && isNetworkId(value.id) && hasOperation(value)) this.told(value.id)
      if (value.kind === 'group' && value.progress.deleting === true) this.told(value.id)
    }
  }

  /** Where several servers share a store, each has subscriptions of its own, and works on nothing else. */
  #isOurs(id: string): boolean {
    const { subscriptionIds } = this.#parts
    if (subscriptionIds === undefined) return true
    return subscriptionIds.some((one) => id.toLowerCase().startsWith(`/subscriptions/${one.toLowerCase()}/`))
  }

  /** The term is over: resolves when nothing of it is being worked on, and what it has seen is forgotten. */
  async leave(): Promise<void> {
    const inTerm = [...this.#workers.values()].filter(({ turn }) => turn?.signal !== undefined)
    await Promise.all(inTerm.map(({ done }) => done))
    this.#seenInTerm = nothingSeen()
  }

  /** Resolves when nothing is being worked on. */
  async idle(): Promise<void> {
    while (this.#workers.size > 0) await Promise.all([...this.#workers.values()].map(({ done }) => done))
  }

  /** Not even the failure could be written down: the store is closed or broken. The next start takes it up. */
  #broken(id: string, error: unknown): void {
    if (this.#scope.signal.aborted) return
    this.#scope.log.error('reconciling has stopped', { resource: id, error })
  }

  async #work(id: string, worker: Worker): Promise<void> {
    while (worker.news && !this.#scope.signal.aborted) {
      worker.news = false
      worker.interrupt = new AbortController()
      const turn = await this.#turn(id, worker)
      if (turn === undefined) return
      worker.turn = turn
      const { store, suppliers, signal } = turn
      const interrupt = worker.interrupt.signal
      const pass: Pass = {
        scope: this.#scope,
        signal: signal === undefined ? interrupt : anySignal([interrupt, signal]),
        store,
        suppliers,
        limits: this.#limits,
        seen: signal === undefined ? this.#seen : this.#seenInTerm,
        tell: (resourceId, step) => this.#parts.steps?.set(resourceId, step),
      }
      try {
        const outcome = await this.#pass(pass, id, turn)
        worker.failures = 0
        if (outcome === 'again') worker.news = true
      } catch (error) {
        if (this.#scope.signal.aborted) return
        // Another server goes on with it, or this one in its next term.
        if (signal?.aborted === true || error instanceof TermOverError) return
        if (pass.signal.aborted && worker.news) continue
        await this.#failed(pass, id, worker, error)
      }
    }
  }

  /** Undefined where it is not ours to work on; whoever's it is has been asked then. */
  async #turn(id: string, worker: Worker): Promise<Turn | undefined> {
    const { duty, store, suppliers } = this.#parts
    if (duty === undefined) return { store, suppliers }
    while (!this.#scope.signal.aborted) {
      try {
        const turn = await duty.turnOf(id)
        if (turn === undefined && !worker.isTold) await duty.call(id)
        return turn
      } catch (error) {
        this.#scope.log.warn('whose work this is could not be asked', { resource: id, error })
        await sleep(this.#scope.clock, this.#limits.firstRetryMs, this.#scope.signal).catch(() => {})
      }
    }
    return undefined
  }

  #pass(pass: Pass, id: string, turn: Turn): Promise<'done' | 'again'> {
    if (isClusterId(id)) return this.#cluster(pass, id, turn)
    return isNetworkId(id) ? reconcileNetworkResource(pass, id) : this.#group(pass, id)
  }

  async #cluster(pass: Pass, id: string, turn: Turn): Promise<'done' | 'again'> {
    const outcome = await reconcileCluster(pass, id)
    await this.#autoscalers?.sync(id, turn)
    if ((await pass.store.get(keys.resource(id))) === undefined) this.wake(parentGroupId(id))
    return outcome
  }

  async #group(pass: Pass, id: string): Promise<'done' | 'again'> {
    return reconcileGroup(pass, id, (clusterId) => this.wake(clusterId))
  }

  /** Tries again a few times; then the operation has failed. What no operation stands behind is tried for ever, slowly. */
  async #failed(pass: Pass, id: string, worker: Worker, error: unknown): Promise<void> {
    worker.failures += 1
    const final = worker.failures >= this.#limits.triesMax || isFinal(error)
    this.#scope.log.warn(final ? 'resource could not be reconciled' : 'pass failed, trying again', {
      resource: id,
      failures: worker.failures,
      error,
    })
    if (final && isNetworkId(id)) return failNetworkResource(pass, id, errorBody(error))
    if (error instanceof ArmError && isGroupId(id)) return failGroup(pass, id, errorBody(error))
    if (final && isClusterId(id) && (await this.#giveUp(pass, id, error))) return
    const waitMs = Math.min(this.#limits.firstRetryMs * 2 ** (worker.failures - 1), slowestRetryMs)
    worker.news = true
    const signal = anySignal([this.#scope.signal, pass.signal])
    await sleep(this.#scope.clock, final ? slowestRetryMs : waitMs, signal).catch(() => {})
    if (pass.signal.aborted) worker.failures = 0
  }

  /** True where an operation ended as failed: its caller has the next word. */
  async #giveUp(pass: Pass, id: string, error: unknown): Promise<boolean> {
    const ended = await failCluster(pass, id, error, errorBody)
    const left = await pass.store.get<ClusterRecord>(keys.resource(id))
    if (left?.value.progress.deleting === true) await failGroup(pass, parentGroupId(id), errorBody(error))
    return ended
  }
}

function isGroupId(id: string): boolean {
  return /^\/subscriptions\/[^/]+\/resourcegroups\/[^/]+$/i.test(id)
}

function hasOperation({ progress }: DocumentRecord): boolean {
  return progress?.operationId !== undefined
}

export function isClusterId(id: string): boolean {
  return /\/managedclusters\/[^/]+$/i.test(id)
}

/** A refusal that no second try changes. */
function isFinal(error: unknown): boolean {
  const causes = error instanceof PoolsFailed ? [...error.failures.values()] : [error]
  return causes.every(
    (cause) => cause instanceof ArmError && (cause.status < 500 || cause.code === 'VMExtensionProvisioningTimeout'),
  )
}

/** What an operation says of its failure. */
export function errorBody(error: unknown): ArmErrorBody {
  if (error instanceof ArmError) return error.toBody().error
  return { code: 'InternalOperationError', message: error instanceof Error ? error.message : String(error) }
}
