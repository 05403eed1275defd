// Keeps one pod of a template on every node that it suits.

import { keyOf } from '@aksel/api/resource'
import { controllerRevisions, daemonSets, nodes, pods } from '@aksel/api/resources'
import type { ControllerRevision, DaemonSet } from '@aksel/api/types/apps-v1'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { isEmptySelector, matchesSelector } from '@aksel/runtime/selectors'
import { BackOff } from '../back-off.ts'
import { isSame } from '../canonical.ts'
import { Expectations } from '../expectations.ts'
import { claim, controllerOf, controllerUidIndex, controllerUidOf, orphansOf, ownerKey } from '../owners.ts'
import { writeStatus } from '../parts.ts'
import type { LoopParts } from '../parts.ts'
import { assertSelected, createPod, deletePod, isNamespaceTerminating, slowStart, tell } from '../pod-control.ts'
import type { PodOwner } from '../pod-control.ts'
import { forgetRevision, newestRevision, revisionsPast } from '../revision-history.ts'
import { isRolling, planNodes, planUpdate } from './plan.ts'
import type { DaemonFacts, DaemonPlan, Removal } from './plan.ts'
import { hashLabel, judgePlacement, podForNode, targetNodeOf } from './placement.ts'
import { judgeStatus } from './status.ts'

/** Creations and deletions in one pass. */
const burstMax = 250

export function daemonSetController(parts: LoopParts): Controller {
  const loop = new DaemonSetLoop(parts)
  const own: Source<DaemonSet> = { type: daemonSets, keysOf: (now, before) => [keyOf((now ?? before)!)] }
  const members: Source<Pod> = { type: pods, keysOf: (now, before) => loop.keysOfPod(now, before) }
  const places: Source<Node> = { type: nodes, keysOf: (now, before) => loop.keysOfNode(now, before) }
  const revisions: Source<ControllerRevision> = { type: controllerRevisions, keysOf: () => [] }
  return {
    name: 'daemon-set',
    sources: [own, members, places, revisions],
    workers: 2,
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

class DaemonSetLoop {
  readonly #parts: LoopParts
  readonly #sets: Cache<DaemonSet>
  readonly #pods: Cache<Pod>
  readonly #nodes: Cache<Node>
  readonly #revisions: Cache<ControllerRevision>
  readonly #expectations: Expectations<Pod>
  /** Of pods that fail again and again, by set and node. */
  readonly #failures = new BackOff({ baseMs: 1000, maxMs: 15 * 60_000 })

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#sets = parts.caches.of(daemonSets)
    this.#pods = parts.caches.of(pods)
    this.#nodes = parts.caches.of(nodes)
    this.#revisions = parts.caches.of(controllerRevisions)
    this.#pods.addIndex(controllerUidIndex, controllerUidOf)
    this.#revisions.addIndex(controllerUidIndex, controllerUidOf)
    this.#expectations = new Expectations(this.#pods)
  }

  keysOfPod(now: Pod | undefined, before: Pod | undefined): readonly string[] {
    const owners = [...ownerKey(daemonSets, now), ...ownerKey(daemonSets, before)]
    if (now === undefined || controllerOf(now) !== undefined) return owners
    const { namespace, labels } = now.metadata
    const takers = this.#sets.list(namespace).filter(({ spec }) => matchesSelector(spec.selector, labels))
    return [...owners, ...takers.map(keyOf)]
  }

  /** Only sets to which the node means something else than before: heartbeats wake nobody. */
  keysOfNode(now: Node | undefined, before: Node | undefined): readonly string[] {
    if (now === undefined || before === undefined) return this.#sets.list().map(keyOf)
    const isSamePlace =
      isSame(now.spec?.taints, before.spec?.taints) && isSame(now.metadata.labels, before.metadata.labels)
    if (isSamePlace) return []
    return this.#sets
      .list()
      .filter((set) => !isSame(judgePlacement(set, now), judgePlacement(set, before)))
      .map(keyOf)
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const set = this.#sets.get(key)
    if (set === undefined) {
      this.#expectations.forget(key)
      return done
    }
    const owner: PodOwner = { type: daemonSets, object: set, source: 'daemonset-controller' }
    const { client } = this.#parts
    if (isEmptySelector(set.spec.selector)) {
      const message = 'This daemon set is selecting all pods. A non-empty selector is required.'
      tell(scope, client, owner, 'Warning', 'SelectingAll', message)
      return done
    }
    if (set.metadata.deletionTimestamp !== undefined) return done
    const history = await this.#history(set)
    const { collisionCount } = set.status ?? {}
    const versioned = { type: daemonSets, object: set, template: set.spec.template, hashLabel, collisionCount }
    const newest = await newestRevision(client, versioned, history)
    const hash = newest.revision.metadata.labels?.[hashLabel] ?? ''
    const facts: DaemonFacts = {
      set,
      nodes: this.#nodes.list(),
      pods: await this.#claim(set),
      hash,
      nowMs: scope.clock.now(),
    }
    const waitMs = this.#expectations.waitMs(scope.clock, key)
    const worked = waitMs > 0 ? { waitMs, failure: undefined } : await this.#work(scope, owner, key, facts)
    const { status, recheckMs } = judgeStatus(facts, newest.collisionCount)
    await writeStatus(client, daemonSets, set, status)
    if (worked.failure !== undefined && !isNamespaceTerminating(worked.failure)) throw worked.failure as Error
    const old = history.filter(({ metadata }) => metadata.name !== newest.revision.metadata.name)
    for (const revision of this.#toForget(set, old, facts.pods)) await forgetRevision(client, revision)
    const waits = [worked.waitMs, recheckMs ?? 0].filter((ms) => ms > 0)
    return waits.length === 0 ? done : again(Math.min(...waits))
  }

  /** First a pod for every node, then, when that left nothing to wait for, the update. */
  async #work(
    scope: Scope,
    owner: PodOwner,
    key: string,
    facts: DaemonFacts,
  ): Promise<{ readonly waitMs: number; readonly failure: unknown }> {
    const first = this.#heldBack(scope, facts.set, planNodes(facts))
    const failure = await this.#apply(scope, owner, key, facts, first.plan)
    const isBusy = this.#expectations.waitMs(scope.clock, key) > 0
    if (failure !== undefined || isBusy || !isRolling(facts.set)) return { waitMs: first.waitMs, failure }
    return { waitMs: first.waitMs, failure: await this.#apply(scope, owner, key, facts, planUpdate(facts)) }
  }

  /** Leaves failed pods alone for a while when their node fails them over and over. */
  #heldBack(scope: Scope, set: DaemonSet, plan: DaemonPlan): { readonly plan: DaemonPlan; readonly waitMs: number } {
    const waits: number[] = []
    const remove = plan.remove.filter(({ pod, why }) => {
      if (why !== 'failed') return true
      const waitMs = this.#failures.waitMs(scope.clock, `${set.metadata.uid}/${targetNodeOf(pod)}`)
      if (waitMs > 0) waits.push(waitMs)
      return waitMs === 0
    })
    return { plan: { ...plan, remove }, waitMs: waits.length === 0 ? 0 : Math.min(...waits) }
  }

  async #apply(scope: Scope, owner: PodOwner, key: string, facts: DaemonFacts, plan: DaemonPlan): Promise<unknown> {
    const { client } = this.#parts
    const { set, hash } = facts
    const create = plan.create.slice(0, burstMax)
    const made = await slowStart(create.length, async (index) => {
      assertSelected(set.spec.selector, set.spec.template)
      const pod = await createPod(scope, client, owner, podForNode(set, create[index]!, hash))
      this.#expectations.created(scope.clock, key, pod)
    })
    const removed = await Promise.allSettled(
      plan.remove.slice(0, burstMax).map(async (removal) => {
        tellRemoval(scope, this.#parts, owner, removal)
        await deletePod(scope, client, owner, removal.pod)
        this.#expectations.deleted(scope.clock, key, removal.pod)
      }),
    )
    return made.failure ?? removed.find((result) => result.status === 'rejected')?.reason
  }

  #toForget(
    set: DaemonSet,
    old: readonly ControllerRevision[],
    members: readonly Pod[],
  ): readonly ControllerRevision[] {
    const live = new Set(members.map(({ metadata }) => metadata.labels?.[hashLabel]))
    const isLive = ({ metadata }: ControllerRevision): boolean => live.has(metadata.labels?.[hashLabel])
    return revisionsPast(set.spec.revisionHistoryLimit ?? 10, old, isLive)
  }

  #claim(set: DaemonSet): Promise<readonly Pod[]> {
    const { uid, namespace } = set.metadata
    return claim({
      client: this.#parts.client,
      type: pods,
      ownerType: daemonSets,
      owner: set,
      candidates: [
        ...this.#pods.byIndex(controllerUidIndex, uid!),
        ...this.#pods.byIndex(controllerUidIndex, orphansOf(namespace)),
      ],
      matches: ({ metadata }) => matchesSelector(set.spec.selector, metadata.labels),
    })
  }

  #history(set: DaemonSet): Promise<readonly ControllerRevision[]> {
    const { uid, namespace } = set.metadata
    return claim({
      client: this.#parts.client,
      type: controllerRevisions,
      ownerType: daemonSets,
      owner: set,
      candidates: [
        ...this.#revisions.byIndex(controllerUidIndex, uid!),
        ...this.#revisions.byIndex(controllerUidIndex, orphansOf(namespace)),
      ],
      matches: ({ metadata }) => matchesSelector(set.spec.selector, metadata.labels),
    })
  }
}

function tellRemoval(scope: Scope, { client }: LoopParts, owner: PodOwner, { pod, why }: Removal): void {
  const { namespace, name } = pod.metadata
  const what = `daemon pod ${namespace}/${name} on node ${targetNodeOf(pod) ?? ''}`
  if (why === 'failed')
    tell(scope, client, owner, 'Warning', 'FailedDaemonPod', `Found failed ${what}, will try to kill it`)
  if (why === 'succeeded')
    tell(scope, client, owner, 'Normal', 'SucceededDaemonPod', `Found succeeded ${what}, will try to delete it`)
}
