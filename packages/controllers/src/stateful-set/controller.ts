// Keeps pods with lasting names and claims running, one after the other.

import { keyOf } from '@aksel/api/resource'
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from '@aksel/api/resources'
import type { ControllerRevision, StatefulSet } from '@aksel/api/types/apps-v1'
import type { PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { isEmptySelector, matchesSelector } from '@aksel/runtime/selectors'
import { claim, controllerOf, controllerUidIndex, controllerUidOf, orphansOf, ownerKey } from '../owners.ts'
import { writeStatus } from '../parts.ts'
import type { LoopParts } from '../parts.ts'
import { assertSelected, isNamespaceTerminating } from '../pod-control.ts'
import { forgetRevision } from '../revision-history.ts'
import { applyStep, syncClaims } from './apply.ts'
import { isMember } from './identity.ts'
import { planPods, slotsOf } from './plan.ts'
import { revisionsToForget, syncRevisions } from './revisions.ts'
import { availabilityRecheckMs, judgeStatus } from './status.ts'

export function statefulSetController(parts: LoopParts): Controller {
  const loop = new StatefulSetLoop(parts)
  const own: Source<StatefulSet> = { type: statefulSets, keysOf: (now, before) => [keyOf((now ?? before)!)] }
  const members: Source<Pod> = { type: pods, keysOf: (now, before) => loop.keysOfPod(now, before) }
  // A new pod waits until the claim of its predecessor is gone.
  const claims: Source<PersistentVolumeClaim> = {
    type: persistentVolumeClaims,
    keysOf: (now, before) => (now === undefined ? loop.keysOfClaim(before!) : []),
  }
  const revisions: Source<ControllerRevision> = { type: controllerRevisions, keysOf: () => [] }
  return {
    name: 'stateful-set',
    sources: [own, members, claims, revisions],
    workers: 5,
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

class StatefulSetLoop {
  readonly #parts: LoopParts
  readonly #sets: Cache<StatefulSet>
  readonly #pods: Cache<Pod>
  readonly #claims: Cache<PersistentVolumeClaim>
  readonly #revisions: Cache<ControllerRevision>

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#sets = parts.caches.of(statefulSets)
    this.#pods = parts.caches.of(pods)
    this.#claims = parts.caches.of(persistentVolumeClaims)
    this.#revisions = parts.caches.of(controllerRevisions)
    this.#pods.addIndex(controllerUidIndex, controllerUidOf)
    this.#revisions.addIndex(controllerUidIndex, controllerUidOf)
  }

  keysOfPod(now: Pod | undefined, before: Pod | undefined): readonly string[] {
    const owners = [...ownerKey(statefulSets, now), ...ownerKey(statefulSets, before)]
    if (now === undefined || controllerOf(now) !== undefined) return owners
    const { namespace, labels } = now.metadata
    const takers = this.#sets.list(namespace).filter(({ spec }) => matchesSelector(spec.selector, labels))
    return [...owners, ...takers.map(keyOf)]
  }

  keysOfClaim({ metadata }: PersistentVolumeClaim): readonly string[] {
    return this.#sets
      .list(metadata.namespace)
      .filter(({ spec, metadata: { name } }) =>
        (spec.volumeClaimTemplates ?? []).some((template) =>
          metadata.name.startsWith(`${template.metadata.name}-${name}-`),
        ),
      )
      .map(keyOf)
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const set = this.#sets.get(key)
    if (set === undefined || isEmptySelector(set.spec.selector)) return done
    assertSelected(set.spec.selector, set.spec.template)
    const { client } = this.#parts
    const owned = await this.#claim(set)
    const history = await this.#history(set)
    const revisions = await syncRevisions(client, set, history)
    const { slots, nowMs } = { slots: slotsOf(set, owned), nowMs: scope.clock.now() }
    let failure: unknown
    try {
      await syncClaims({ scope, client, set, claims: this.#claims }, slots)
      const steps = planPods({ set, pods: owned, updateRevision: revisions.update.metadata.name, nowMs })
      for (const step of steps) await applyStep({ scope, client, set, claims: this.#claims }, step, revisions)
    } catch (error) {
      // The status is told even where a step failed.
      failure = error
    }
    await writeStatus(client, statefulSets, set, judgeStatus(set, owned, revisions, nowMs))
    if (failure !== undefined && !isNamespaceTerminating(failure)) throw failure as Error
    for (const old of revisionsToForget(set, history, revisions, owned)) await forgetRevision(client, old)
    const recheckMs = availabilityRecheckMs(set, owned, nowMs)
    return recheckMs === undefined ? done : again(recheckMs)
  }

  #claim(set: StatefulSet): Promise<readonly Pod[]> {
    const { uid, namespace } = set.metadata
    const own = this.#pods.byIndex(controllerUidIndex, uid!)
    const orphans = this.#pods.byIndex(controllerUidIndex, orphansOf(namespace))
    return claim({
      client: this.#parts.client,
      type: pods,
      ownerType: statefulSets,
      owner: set,
      candidates: [...own, ...orphans.filter((pod) => isMember(set, pod))],
      matches: (pod) => matchesSelector(set.spec.selector, pod.metadata.labels) && isMember(set, pod),
    })
  }

  #history(set: StatefulSet): Promise<readonly ControllerRevision[]> {
    const { uid, namespace } = set.metadata
    return claim({
      client: this.#parts.client,
      type: controllerRevisions,
      ownerType: statefulSets,
      owner: set,
      candidates: [
        ...this.#revisions.byIndex(controllerUidIndex, uid!),
        ...this.#revisions.byIndex(controllerUidIndex, orphansOf(namespace)),
      ],
      matches: ({ metadata }) => matchesSelector(set.spec.selector, metadata.labels),
    })
  }
}
