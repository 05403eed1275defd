// Acts on what the guard judges: the flow schema and the priority level that throttle its clients come and go, an event says so.
// It sleeps while nobody asks the server anything.

import { deepEqual } from '@aksel/api/deep-equal'
import type { ResourceType } from '@aksel/api/resource'
import { flowSchemas, priorityLevelConfigurations } from '@aksel/api/resources'
import type { FlowSchema, PriorityLevelConfiguration } from '@aksel/api/types/flowcontrol-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import type { MetricsRegistry } from '../metrics.ts'
import { calm, GUARD_CALM_MS, judgeGuard, type ClientCost, type GuardState } from './guard.ts'

/** AKS' name for both objects. */
export const guardName = 'aks-managed-apiserver-guard'
/** With it, an object stays as its user made it. */
const skipLabel = 'aks-managed-skip-update-operation'
const WINDOW_MS = 1_000

export interface GuardParts {
  readonly scope: Scope
  readonly client: () => Client
  readonly metrics: MetricsRegistry
}

export class GuardLoop {
  readonly #parts: GuardParts
  #state: GuardState = calm
  readonly #costs = new Map<string, { groups: readonly string[]; seatSeconds: number; requests: number }>()
  #rejected = 0
  #isAwake = false
  #acting: Promise<void> | undefined
  #inForce: readonly string[] = []

  constructor(parts: GuardParts) {
    this.#parts = parts
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
    const nowMs = this.#parts.scope.clock.monotonicMs()
    this.#state = { clients, threatened: 0, calmSinceMs: nowMs }
    this.#inForce = clients
    this.#sleep(nowMs)
  }

  get throttled(): readonly string[] {
    return this.#state.clients
  }

  /** A request is over, or was turned away: what it cost counts for its client. */
  note(cost: ClientCost, wasRejected: boolean): void {
    if (wasRejected) this.#rejected += 1
    const known = this.#costs.get(cost.user)
    if (known === undefined) this.#costs.set(cost.user, { ...cost })
    else {
      known.seatSeconds += cost.seatSeconds
      known.requests += cost.requests
    }
    if (!this.#isAwake) this.#sleep(this.#parts.scope.clock.monotonicMs())
  }

  #sleep(nowMs: number): void {
    const { clock, signal } = this.#parts.scope
    if (signal.aborted) return
    this.#isAwake = true
    const timer = clock.after(WINDOW_MS, () => {
      signal.removeEventListener('abort', stop)
      this.#look(Math.max(0, clock.monotonicMs() - nowMs - WINDOW_MS))
    })
    const stop = (): void => timer[Symbol.dispose]()
    signal.addEventListener('abort', stop, { once: true })
  }

  #look(lagMs: number): void {
    const { clock } = this.#parts.scope
    const nowMs = clock.monotonicMs()
    const costs = [...this.#costs].map(([user, cost]) => ({ user, ...cost }))
    this.#state = judgeGuard(this.#state, { nowMs, lagMs, rejected: this.#rejected, costs })
    this.#costs.clear()
    this.#rejected = 0
    this.#isAwake = false
    if (!deepEqual(this.#state.clients, this.#inForce)) this.#act()
    // Whoever is throttled may have gone: then nobody's request wakes this up.
    const isWatching = this.#state.clients.length > 0 || this.#inForce.length > 0 || costs.length > 0
    if (isWatching) this.#sleep(nowMs)
  }

  #act(): void {
    if (this.#acting !== undefined) return
    const clients = this.#state.clients
    this.#acting = (clients.length === 0 ? this.#withdraw() : this.#enforce(clients))
      .then(() => void (this.#inForce = clients))
      .catch((error: unknown) => {
        if (!this.#parts.scope.signal.aborted)
          this.#parts.scope.log.error('the guard could not change its objects', { error })
      })
      .finally(() => (this.#acting = undefined))
  }

  async #enforce(clients: readonly string[]): Promise<void> {
    const { scope, client } = this.#parts
    const own = client()
    await put(own, priorityLevelConfigurations, guardLevel)
    const schema = await put(own, flowSchemas, guardSchema(clients))
    const names = clients.map((name) => `"${name}"`).join(', ')
    scope.log.warn('the guard throttles clients that threaten the API server', { clients })
    await recordEvent(scope, own, {
      about: referenceTo(flowSchemas, schema),
      type: 'Warning',
      reason: 'ManagedAPIServerGuardActive',
      message: `The API server is threatened by expensive requests: those of ${names} are throttled until they cost less. See kubectl get flowschema ${guardName}`,
      source: 'managed-apiserver-guard',
    })
  }

  async #withdraw(): Promise<void> {
    const { scope, client } = this.#parts
    const own = client()
    for (const type of [flowSchemas, priorityLevelConfigurations] as const) {
      const found = await ignoreReason(
        'NotFound',
        own.get<FlowSchema | PriorityLevelConfiguration>(type, { name: guardName }),
      )
      if (found !== undefined && found.metadata.labels?.[skipLabel] !== 'true')
        await ignoreReason('NotFound', own.delete(type, { name: guardName }))
    }
    scope.log.info('the guard withdrew', { afterMs: GUARD_CALM_MS })
    await recordEvent(scope, own, {
      about: { apiVersion: 'flowcontrol.apiserver.k8s.io/v1', kind: 'FlowSchema', name: guardName },
      type: 'Normal',
      reason: 'ManagedAPIServerGuardWithdrawn',
      message: 'The API server has been calm for a while: nobody is throttled any more',
      source: 'managed-apiserver-guard',
    })
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
