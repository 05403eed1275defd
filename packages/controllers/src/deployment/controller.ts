// Rolls a deployment's pods over from replica set to replica set.

import { keyOf } from '@aksel/api/resource'
import { deployments, pods, replicaSets } from '@aksel/api/resources'
import type { Deployment, ReplicaSet } from '@aksel/api/types/apps-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { isEmptySelector, matchesSelector } from '@aksel/runtime/selectors'
import { Expectations, ReplacedRevisions } from '../expectations.ts'
import { claim, controllerOf, controllerUidIndex, controllerUidOf, orphansOf, ownerKey } from '../owners.ts'
import type { LoopParts } from '../parts.ts'
import { isNamespaceTerminating } from '../pod-control.ts'
import { isTerminal } from '../pod-facts.ts'
import { DeploymentPass } from './apply.ts'
import { planNewSet, planOldSets } from './plan-rollout.ts'
import { isActiveSet, isScalingEvent, planScale } from './plan-scale.ts'
import type { Resize } from './plan-scale.ts'
import { findNewSet, nextRevision, setsToForget } from './revisions.ts'
import { countStatus, isComplete, judgePause, judgeRollout, progressRecheckMs } from './status.ts'

export function deploymentController(parts: LoopParts): Controller {
  const loop = new DeploymentLoop(parts)
  const own: Source<Deployment> = { type: deployments, keysOf: (now, before) => [keyOf((now ?? before)!)] }
  const sets: Source<ReplicaSet> = { type: replicaSets, keysOf: (now, before) => loop.keysOfSet(now, before) }
  const ends: Source<Pod> = { type: pods, keysOf: (now, before) => loop.keysOfPod(now, before) }
  return {
    name: 'deployment',
    sources: [own, sets, ends],
    workers: 5,
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

/** The sets of one pass: the one of the current template, where it exists, and the others. */
interface Sets {
  newSet: ReplicaSet | undefined
  oldSets: readonly ReplicaSet[]
}

class DeploymentLoop {
  readonly #parts: LoopParts
  readonly #deployments: Cache<Deployment>
  readonly #sets: Cache<ReplicaSet>
  readonly #pods: Cache<Pod>
  readonly #replaced = new ReplacedRevisions()
  readonly #expectations: Expectations<ReplicaSet>

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#deployments = parts.caches.of(deployments)
    this.#sets = parts.caches.of(replicaSets)
    this.#sets.addIndex(controllerUidIndex, controllerUidOf)
    this.#expectations = new Expectations(this.#sets)
    this.#pods = parts.caches.of(pods)
    this.#pods.addIndex(controllerUidIndex, controllerUidOf)
  }

  keysOfSet(now: ReplicaSet | undefined, before: ReplicaSet | undefined): readonly string[] {
    if (now === undefined) this.#replaced.forget(before!)
    const owners = [...ownerKey(deployments, now), ...ownerKey(deployments, before)]
    if (now === undefined || controllerOf(now) !== undefined) return owners
    const { namespace, labels } = now.metadata
    const takers = this.#deployments.list(namespace).filter(({ spec }) => matchesSelector(spec.selector, labels))
    return [...owners, ...takers.map(keyOf)]
  }

  /** Recreate waits for old pods to be gone: the end of one wakes it. */
  keysOfPod(now: Pod | undefined, before: Pod | undefined): readonly string[] {
    if (now !== undefined || before === undefined) return []
    const [setKey] = ownerKey(replicaSets, before)
    const set = setKey === undefined ? undefined : this.#sets.get(setKey)
    const [key] = ownerKey(deployments, set)
    return key !== undefined && this.#deployments.get(key)?.spec.strategy?.type === 'Recreate' ? [key] : []
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const deployment = this.#deployments.get(key)
    if (deployment === undefined) {
      this.#expectations.forget(key)
      return done
    }
    const pass = new DeploymentPass(scope, this.#parts.client, this.#replaced, deployment)
    if (isEmptySelector(deployment.spec.selector)) {
      pass.tell('Warning', 'SelectingAll', 'This deployment is selecting all pods. A non-empty selector is required.')
      const observedGeneration = deployment.metadata.generation ?? 0
      await pass.setStatus({ ...deployment.status, observedGeneration })
      return done
    }
    const owned = await this.#claim(deployment)
    // Our own writes are not all in the cache yet; their arrival wakes this key again.
    if (owned.some((set) => this.#replaced.isStale(set))) return done
    // A set that the cache does not show yet would be left out of the sum that maxSurge bounds.
    const waitMs = this.#expectations.waitMs(scope.clock, key)
    if (waitMs > 0) return again(waitMs)
    try {
      await this.#sync(scope, pass, owned)
    } catch (error) {
      if (isNamespaceTerminating(error)) return done
      throw error
    } finally {
      for (const set of pass.made) this.#expectations.created(scope.clock, key, set)
    }
    const recheckMs = progressRecheckMs(pass.deployment, pass.deployment.status ?? {}, scope.clock.now())
    return recheckMs === undefined ? done : again(recheckMs)
  }

  #claim(deployment: Deployment): Promise<readonly ReplicaSet[]> {
    const { uid, namespace } = deployment.metadata
    return claim({
      client: this.#parts.client,
      type: replicaSets,
      ownerType: deployments,
      owner: deployment,
      candidates: [
        ...this.#sets.byIndex(controllerUidIndex, uid!),
        ...this.#sets.byIndex(controllerUidIndex, orphansOf(namespace)),
      ],
      matches: ({ metadata }) => matchesSelector(deployment.spec.selector, metadata.labels),
    })
  }

  async #sync(scope: Scope, pass: DeploymentPass, owned: readonly ReplicaSet[]): Promise<void> {
    const { deployment } = pass
    const sets = split(deployment, owned)
    if (deployment.metadata.deletionTimestamp !== undefined) return this.#tellCounts(scope, pass, sets)
    const pause = judgePause(deployment)
    if (pause !== undefined) await pass.setCondition(pause)
    if (deployment.spec.paused === true || isScalingEvent(deployment, owned)) {
      await this.#refresh(pass, sets)
      await this.#resizeAll(pass, sets, planScale(deployment, sets.newSet, sets.oldSets))
      if (deployment.spec.paused === true) await this.#forgetOld(pass, sets)
      return this.#tellCounts(scope, pass, sets)
    }
    if (deployment.spec.strategy?.type === 'Recreate') await this.#recreate(pass, sets)
    else await this.#roll(pass, sets)
    await pass.setStatus(judgeRollout(pass.deployment, all(sets), sets.newSet, scope.clock.now()))
  }

  async #tellCounts(scope: Scope, pass: DeploymentPass, sets: Sets): Promise<void> {
    await pass.setStatus(countStatus(pass.deployment, all(sets), sets.newSet, scope.clock.now()))
  }

  async #refresh(pass: DeploymentPass, sets: Sets): Promise<void> {
    if (sets.newSet !== undefined) sets.newSet = await pass.refreshNewSet(sets.newSet, nextRevision(sets.oldSets))
  }

  async #ensureNew(pass: DeploymentPass, sets: Sets): Promise<ReplicaSet> {
    await this.#refresh(pass, sets)
    sets.newSet ??= await pass.createNewSet(sets.oldSets, nextRevision(sets.oldSets))
    return sets.newSet
  }

  async #roll(pass: DeploymentPass, sets: Sets): Promise<void> {
    const newSet = await this.#ensureNew(pass, sets)
    const grow = planNewSet(pass.deployment, newSet, sets.oldSets)
    if (grow !== undefined) return this.#resizeAll(pass, sets, [grow])
    const shrink = planOldSets(pass.deployment, newSet, sets.oldSets)
    if (shrink.length > 0) return this.#resizeAll(pass, sets, shrink)
    if (isComplete(pass.deployment, pass.deployment.status)) await this.#forgetOld(pass, sets)
  }

  async #recreate(pass: DeploymentPass, sets: Sets): Promise<void> {
    await this.#refresh(pass, sets)
    const active = sets.oldSets.filter(isActiveSet)
    if (active.length > 0)
      return this.#resizeAll(
        pass,
        sets,
        active.map((set) => ({ set, replicas: 0 })),
      )
    if (sets.oldSets.some((set) => this.#hasPods(set))) return
    const newSet = await this.#ensureNew(pass, sets)
    await this.#resizeAll(pass, sets, [{ set: newSet, replicas: pass.deployment.spec.replicas ?? 1 }])
    if (isComplete(pass.deployment, pass.deployment.status)) await this.#forgetOld(pass, sets)
  }

  /** Pods that still run count, those on their way out too. */
  #hasPods(set: ReplicaSet): boolean {
    if ((set.status?.replicas ?? 0) > 0) return true
    return this.#pods.byIndex(controllerUidIndex, set.metadata.uid!).some((pod) => !isTerminal(pod))
  }

  async #resizeAll(pass: DeploymentPass, sets: Sets, resizes: readonly Resize[]): Promise<void> {
    for (const resize of resizes) {
      const resized = await pass.resize(resize)
      if (resize.set === sets.newSet) sets.newSet = resized
      else sets.oldSets = sets.oldSets.map((set) => (set === resize.set ? resized : set))
    }
  }

  async #forgetOld(pass: DeploymentPass, { oldSets }: Sets): Promise<void> {
    for (const set of setsToForget(pass.deployment, oldSets)) await pass.forget(set)
  }
}

function split(deployment: Deployment, owned: readonly ReplicaSet[]): Sets {
  const newSet = findNewSet(deployment, owned)
  return { newSet, oldSets: owned.filter((set) => set !== newSet) }
}

function all({ newSet, oldSets }: Sets): readonly ReplicaSet[] {
  return newSet === undefined ? oldSets : [...oldSets, newSet]
}
