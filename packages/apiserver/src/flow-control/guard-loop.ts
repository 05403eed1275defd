// Acts on what the guard judges: the flow schema and the priority level that throttle its clients come and go, an event says so.
// It sleeps while nobody asks the server anything.

import { deepEqual } from '@aksel/api/deep-equal'
import type { ResourceType } from '@aksel/api/resource'
import { flowSchemas, priorityLevelConfigurations } from '@aksel/api/resources'
import type { FlowSchema, PriorityLevelConfiguration } from '@aksel/api/types/flowcontrol-v1'
import { formatTime } from '@aksel/base/clock'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import type { MetricsRegistry } from '../metrics.ts'
import type { UserInfo } from '../authentication/user-info.ts'
import { calm, GUARD_CALM_MS, judgeGuard, type GuardCause, type GuardRules, type GuardState } from './guard.ts'

/** AKS' name for both objects. */
export const guardName = 'aks-managed-apiserver-guard'
/** Of the guard's flow schema: whether its clients are throttled, and why. */
export const guardCondition = 'Throttling'
/** With it, an object stays as its user made it. */
const skipLabel = 'aks-managed-skip-update-operation'
const WINDOW_MS = 1_000

export interface GuardParts {
  readonly scope: Scope
  readonly client: () => Client
  readonly metrics: MetricsRegistry
  /** Requests that hold seats now. */
  readonly running: () => Iterable<RunningRequest>
  /** Of the memory that the process may have, how much it has. */
  readonly heapShare: () => number
  readonly rules?: Partial<GuardRules>
}

export interface RunningRequest {
  readonly user: UserInfo
  readonly seats: number
  /** Undefined while it waits for its seats. */
  readonly startedMs: number | undefined
}

interface Cost {
  readonly groups: readonly string[]
  seatSeconds: number
  rejected: number
}

export class GuardLoop {
  readonly #parts: GuardParts
  readonly #rules: GuardRules
  #state: GuardState = calm
  readonly #costs = new Map<string, Cost>()
  #isAwake = false
  #windowStartMs = 0
  #acting: Promise<void> | undefined
  #inForce: readonly string[] = []

  constructor(parts: GuardParts) {
    this.#parts = parts
    this.#rules = { calmMs: GUARD_CALM_MS, judge: judgeGuard, ...parts.rules }
    parts.metrics.gauge(
      'aksel_apiserver_guard_throttled_clients',
      'Clients that the managed API server guard throttles now.',
      () => [[{}, this.#state.clients.length]],
    )
  }

  /** Throttled by a run before this one: let go in time. */
  adopt(schema: FlowSchema): void {
    const subjects = schema.spec?.rules?.flatMap((rule) => rule.subjects) ?? []
    const clients = subjects.flatMap(({ user }) => user?.name ?? [])
    this.#state = { ...calm, clients, calmSinceMs: this.#parts.scope.clock.monotonicMs() }
    this.#inForce = clients
    this.wake()
  }

  get throttled(): readonly string[] {
    return this.#state.clients
  }

  /** A request came: from now on the guard looks. */
  wake(): void {
    if (!this.#isAwake) this.#sleep(this.#parts.scope.clock.monotonicMs())
  }

  /** A request is over: what it cost counts for its client. */
  finished({ user, seats, startedMs }: RunningRequest, nowMs: number): void {
    if (startedMs === undefined) return
    const heldMs = nowMs - Math.max(startedMs, this.#windowStartMs)
    this.#costOf(user).seatSeconds += (seats * heldMs) / 1000
  }

  /** A request was turned away. */
  rejected(user: UserInfo): void {
    this.#costOf(user).rejected += 1
    this.wake()
  }

  #costOf({ name, groups }: UserInfo): Cost {
    let cost = this.#costs.get(name)
    if (cost === undefined) this.#costs.set(name, (cost = { groups, seatSeconds: 0, rejected: 0 }))
    return cost
  }

  #sleep(nowMs: number): void {
    const { clock, signal } = this.#parts.scope
    if (signal.aborted) return
    this.#isAwake = true
    this.#windowStartMs = nowMs
    const timer = clock.after(WINDOW_MS, () => {
      signal.removeEventListener('abort', stop)
      this.#look()
    })
    const stop = (): void => timer[Symbol.dispose]()
    signal.addEventListener('abort', stop, { once: true })
  }

  #look(): void {
    const { scope, running, heapShare } = this.#parts
    const nowMs = scope.clock.monotonicMs()
    const spentMs = nowMs - this.#windowStartMs
    // A list whose reader is slow costs as long as it lasts, not when it ends.
    for (const request of running()) this.finished(request, nowMs)
    const costs = [...this.#costs].map(([user, cost]) => ({ user, ...cost }))
    this.#state = this.#rules.judge(
      this.#state,
      { nowMs, seconds: spentMs / 1000, lagMs: Math.max(0, spentMs - WINDOW_MS), heapShare: heapShare(), costs },
      this.#rules.calmMs,
    )
    this.#costs.clear()
    this.#isAwake = false
    if (!deepEqual(this.#state.clients, this.#inForce)) this.#act()
    // Whoever is throttled may have gone: then nobody's request wakes this up.
    const isWatching = this.#state.clients.length > 0 || this.#inForce.length > 0 || costs.length > 0
    if (isWatching) this.#sleep(nowMs)
  }

  #act(): void {
    if (this.#acting !== undefined) return
    const { clients, cause } = this.#state
    this.#acting = (clients.length === 0 ? this.#withdraw() : this.#enforce(clients, cause))
      .then(() => void (this.#inForce = clients))
      .catch((error: unknown) => {
        if (!this.#parts.scope.signal.aborted)
          this.#parts.scope.log.error('the guard could not change its objects', { error })
      })
      .finally(() => (this.#acting = undefined))
  }

  async #enforce(clients: readonly string[], cause: GuardCause | undefined): Promise<void> {
    const { scope, client } = this.#parts
    const own = client()
    await put(own, priorityLevelConfigurations, guardLevel)
    const schema = await put(own, flowSchemas, guardSchema(clients))
    const names = clients.map((name) => `"${name}"`).join(', ')
    const message = `The API server is threatened by expensive requests: those of ${names} are throttled until they cost less`
    await this.#tell('True', cause ?? 'RequestsRejected', message)
    scope.log.warn('the guard throttles clients that threaten the API server', { clients, cause })
    await recordEvent(scope, own, {
      about: referenceTo(flowSchemas, schema),
      type: 'Warning',
      reason: 'ManagedAPIServerGuardActive',
      message: `${message}. See kubectl get flowschema ${guardName}`,
      source: 'managed-apiserver-guard',
    })
  }

  async #withdraw(): Promise<void> {
    const { scope, client } = this.#parts
    const own = client()
    const afterMs = this.#rules.calmMs
    const message = 'The API server has been calm for a while: nobody is throttled any more'
    for (const type of [flowSchemas, priorityLevelConfigurations] as const) {
      const found = await ignoreReason(
        'NotFound',
        own.get<FlowSchema | PriorityLevelConfiguration>(type, { name: guardName }),
      )
      if (found === undefined) continue
      if (found.metadata.labels?.[skipLabel] !== 'true')
        await ignoreReason('NotFound', own.delete(type, { name: guardName }))
      else if (type === flowSchemas)
        await this.#tell('False', 'Calm', `${message} by the guard; the object is its user's`)
    }
    scope.log.info('the guard withdrew', { afterMs })
    await recordEvent(scope, own, {
      about: { apiVersion: 'flowcontrol.apiserver.k8s.io/v1', kind: 'FlowSchema', name: guardName },
      type: 'Normal',
      reason: 'ManagedAPIServerGuardWithdrawn',
      message,
      source: 'managed-apiserver-guard',
    })
  }

  /** Of the schema, the condition that says whether its clients are throttled and why. */
  async #tell(status: 'True' | 'False', reason: string, message: string): Promise<void> {
    const { scope, client } = this.#parts
    const lastTransitionTime = formatTime(scope.clock.now())
    const body = {
      apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
      kind: 'FlowSchema',
      metadata: { name: guardName },
      status: { conditions: [{ type: guardCondition, status, reason, message, lastTransitionTime }] },
    }
    const patch = { kind: 'apply', body, fieldManager: guardName, force: true } as const
    await ignoreReason('NotFound', client().patch(flowSchemas, { name: guardName }, patch, { subresource: 'status' }))
  }
}

const guardLevel: PriorityLevelConfiguration = {
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'PriorityLevelConfiguration',
  metadata: { name: guardName },
  spec: {
    type: 'Limited',
    limited: {
      nominalConcurrencyShares: 1,
      lendablePercent: 0,
      borrowingLimitPercent: 0,
      limitResponse: { type: 'Queue', queuing: { queues: 16, handSize: 2, queueLengthLimit: 20 } },
    },
  },
}

/** Behind the schemas of the system, before those of everybody else. */
function guardSchema(clients: readonly string[]): FlowSchema {
  return {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    metadata: { name: guardName },
    spec: {
      matchingPrecedence: 950,
      priorityLevelConfiguration: { name: guardName },
      distinguisherMethod: { type: 'ByUser' },
      rules: [
        {
          subjects: clients.map((name) => ({ kind: 'User', user: { name } })),
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        },
      ],
    },
  }
}

/** As the guard wants it, unless its user keeps it otherwise. */
async function put<T extends FlowSchema | PriorityLevelConfiguration>(
  client: Client,
  type: ResourceType<T>,
  object: T,
): Promise<T> {
  const found = await ignoreReason('NotFound', client.get(type, { name: guardName }))
  if (found?.metadata.labels?.[skipLabel] === 'true') return found
  const patch = { kind: 'apply', body: object, fieldManager: guardName, force: true } as const
  return client.patch(type, { name: guardName }, patch)
}
