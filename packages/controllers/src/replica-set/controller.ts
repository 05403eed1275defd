// Keeps as many pods running as a replica set, or a replication controller, asks for.

import { keyOf } from '@aksel/api/resource'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { pods, replicaSets, replicationControllers } from '@aksel/api/resources'
import type { ReplicaSet } from '@aksel/api/types/apps-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { matchesSelector } from '@aksel/runtime/selectors'
import { Expectations } from '../expectations.ts'
import { claim, controllerOf, controllerUidIndex, controllerUidOf, orphansOf, ownerKey } from '../owners.ts'
import { writeStatus } from '../parts.ts'
import type { LoopParts } from '../parts.ts'
import {
  assertSelected,
  createPod,
  deletePod,
  isNamespaceTerminating,
  podFromTemplate,
  slowStart,
} from '../pod-control.ts'
import type { PodOwner } from '../pod-control.ts'
import { isActive } from '../pod-facts.ts'
import { planReplicas } from './plan.ts'
import { judgeStatus } from './status.ts'
import type { ReplicaFailure } from './status.ts'

/** What both kinds have. */
interface Replicated extends KubernetesObject {
  readonly status?: ReplicaSet['status']
}

/** A kind that keeps replicas, seen as a replica set. */
interface ReplicaKind<T extends KubernetesObject> {
  readonly type: ResourceType<T>
  readonly name: string
  /** Of its events. */
  readonly source: string
  readonly view: (object: T) => ReplicaSet
}

export function replicaSetController(parts: LoopParts): Controller {
  return replicaController(parts, {
    type: replicaSets,
    name: 'replica-set',
    source: 'replicaset-controller',
    view: (set) => set,
  })
}

/** The elder kind: its selector is of equalities alone. */
export function replicationController(parts: LoopParts): Controller {
  return replicaController(parts, {
    type: replicationControllers,
    name: 'replication',
    source: 'replication-controller',
    view: (controller) => {
      const { selector = {}, ...spec } = controller.spec ?? {}
      return { ...controller, spec: { ...spec, selector: { matchLabels: selector } } } as ReplicaSet
    },
  })
}

function replicaController<T extends KubernetesObject>(parts: LoopParts, kind: ReplicaKind<T>): Controller {
  const loop = new ReplicaLoop(parts, kind)
  const setSource: Source<T> = { type: kind.type, keysOf: (now, before) => [keyOf((now ?? before)!)] }
  const podSource: Source<Pod> = { type: pods, keysOf: (now, before) => loop.keysOfPod(now, before) }
  return {
    name: kind.name,
    sources: [setSource, podSource] as unknown as readonly Source[],
    workers: 5,
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

class ReplicaLoop<T extends KubernetesObject> {
  readonly #parts: LoopParts
  readonly #kind: ReplicaKind<T>
  readonly #sets: Cache<T>
  readonly #pods: Cache<Pod>
  readonly #expectations: Expectations<Pod>

  constructor(parts: LoopParts, kind: ReplicaKind<T>) {
    this.#parts = parts
    this.#kind = kind
    this.#sets = parts.caches.of(kind.type)
    this.#sets.addIndex(controllerUidIndex, controllerUidOf)
    this.#pods = parts.caches.of(pods)
    this.#pods.addIndex(controllerUidIndex, controllerUidOf)
    this.#expectations = new Expectations(this.#pods)
  }

  keysOfPod(now: Pod | undefined, before: Pod | undefined): readonly string[] {
    const owners = [...ownerKey(this.#kind.type, now), ...ownerKey(this.#kind.type, before)]
    if (now === undefined || controllerOf(now) !== undefined) return owners
    const { namespace, labels } = now.metadata
    const takers = this.#sets
      .list(namespace)
      .filter((set) => matchesSelector(this.#kind.view(set).spec.selector, labels))
    return [...owners, ...takers.map(keyOf)]
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const stored = this.#sets.get(key)
    if (stored === undefined) {
      this.#expectations.forget(key)
      return done
    }
    const set = this.#kind.view(stored)
    const nowMs = scope.clock.now()
    const waitMs = this.#expectations.waitMs(scope.clock, key)
    const owned = (await this.#claim(set)).filter(isActive)
    const mayChange = waitMs === 0 && set.metadata.deletionTimestamp === undefined
    const problem = mayChange ? await this.#manage(scope, key, set, owned) : undefined
    const { status, recheckMs } = judgeStatus(set, owned, problem?.shown, nowMs)
    await writeStatus<Replicated>(this.#parts.client, this.#kind.type, stored, status)
    if (problem !== undefined && !isNamespaceTerminating(problem.error)) throw problem.error
    const waits = [waitMs, recheckMs ?? 0].filter((ms) => ms > 0)
    return waits.length === 0 ? done : again(Math.min(...waits))
  }

  #claim(set: ReplicaSet): Promise<readonly Pod[]> {
    const { uid, namespace } = set.metadata
    const own = this.#pods.byIndex(controllerUidIndex, uid!)
    const orphans = this.#pods.byIndex(controllerUidIndex, orphansOf(namespace)).filter(isActive)
    return claim({
      client: this.#parts.client,
      type: pods,
      ownerType: this.#kind.type as ResourceType<KubernetesObject>,
      owner: set,
      candidates: [...own, ...orphans],
      matches: ({ metadata }) => matchesSelector(set.spec.selector, metadata.labels),
    })
  }

  /** Makes or takes away pods. Returns what went wrong, told on the status before it is thrown. */
  async #manage(
    scope: Scope,
    key: string,
    set: ReplicaSet,
    active: readonly Pod[],
  ): Promise<{ readonly error: unknown; readonly shown: ReplicaFailure } | undefined> {
    const { client } = this.#parts
    const owner: PodOwner = { type: this.#kind.type, object: set, source: this.#kind.source }
    const plan = planReplicas(set, active, this.#related(set), scope.clock.now())
    if (plan.create > 0) {
      const { failure } = await slowStart(plan.create, async () => {
        assertSelected(set.spec.selector, set.spec.template)
        const pod = await createPod(scope, client, owner, podFromTemplate(owner, set.spec.template))
        this.#expectations.created(scope.clock, key, pod)
      })
      return failure === undefined ? undefined : shownAs('FailedCreate', failure)
    }
    const results = await Promise.allSettled(
      plan.remove.map(async (pod) => {
        await deletePod(scope, client, owner, pod)
        this.#expectations.deleted(scope.clock, key, pod)
      }),
    )
    const failed = results.find((result) => result.status === 'rejected')
    return failed === undefined ? undefined : shownAs('FailedDelete', failed.reason)
  }

  /** Active pods of every replica set that has the same controller. */
  #related(set: ReplicaSet): readonly Pod[] {
    const owner = controllerOf(set)
    const sets = owner === undefined ? [set] : this.#sets.byIndex(controllerUidIndex, owner.uid)
    return sets.flatMap(({ metadata }) => this.#pods.byIndex(controllerUidIndex, metadata.uid!)).filter(isActive)
  }
}

function shownAs(reason: ReplicaFailure['reason'], error: unknown): { error: unknown; shown: ReplicaFailure } {
  return { error, shown: { reason, message: (error as Error).message } }
}
