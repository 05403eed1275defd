// Runs pods until enough of them have succeeded, or too many have failed.

import { keyOf } from '@aksel/api/resource'
import { jobs, pods } from '@aksel/api/resources'
import type { Job, JobStatus } from '@aksel/api/types/batch-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { matchesSelector } from '@aksel/runtime/selectors'
import { Expectations, ReplacedRevisions } from '../expectations.ts'
import { claim, controllerOf, controllerUidIndex, controllerUidOf, orphansOf, ownerKey } from '../owners.ts'
import { writeStatus } from '../parts.ts'
import type { LoopParts } from '../parts.ts'
import { assertSelected, createPod, deletePod, isNamespaceTerminating, slowStart, tell } from '../pod-control.ts'
import type { PodOwner } from '../pod-control.ts'
import { completed, conditionOf, deadlineInMs, ensureCondition, isComplete, isFinished } from './judge.ts'
import { isSuspended, judgeEnding } from './judge.ts'
import type { Ending } from './judge.ts'
import { observe } from './observe.ts'
import type { Observation } from './observe.ts'
import { failuresAfter, planPods } from './plan.ts'
import type { Failures, JobPlan } from './plan.ts'
import { isTracked, newPod, trackingFinalizer } from './pods.ts'
import { account, settle } from './tracking.ts'

export const ownManager = 'kubernetes.io/job-controller'
const trackedIndex = 'job/tracked'

export function jobController(parts: LoopParts): Controller {
  const loop = new JobLoop(parts)
  const own: Source<Job> = { type: jobs, keysOf: (now, before) => [keyOf((now ?? before)!)] }
  const members: Source<Pod> = { type: pods, keysOf: (now, before) => loop.keysOfPod(now, before) }
  return { name: 'job', sources: [own, members], workers: 5, reconcile: (scope, key) => loop.reconcile(scope, key) }
}

/** Key of a pod that has the finalizer and no controller: nobody else will let go of it. */
const strayKey = (pod: Pod): string => `pod:${keyOf(pod)}`

interface Memory {
  failures: Failures
  /** Uids of pods whose finalizer this loop took away, and whose cache may not show it yet. */
  readonly released: Set<string>
}

class JobLoop {
  readonly #parts: LoopParts
  readonly #jobs: Cache<Job>
  readonly #pods: Cache<Pod>
  readonly #expectations: Expectations<Pod>
  readonly #replaced = new ReplacedRevisions()
  readonly #memory = new Map<string, Memory>()

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#jobs = parts.caches.of(jobs)
    this.#pods = parts.caches.of(pods)
    this.#pods.addIndex(controllerUidIndex, controllerUidOf)
    this.#pods.addIndex(trackedIndex, (pod) => (isTracked(pod) ? ownerKey(jobs, pod) : []))
    this.#expectations = new Expectations(this.#pods)
  }

  keysOfPod(now: Pod | undefined, before: Pod | undefined): readonly string[] {
    const owners = [...ownerKey(jobs, now), ...ownerKey(jobs, before)]
    if (now === undefined || controllerOf(now) !== undefined) return owners
    const { namespace, labels } = now.metadata
    const takers = this.#jobs.list(namespace).filter(({ spec }) => matchesSelector(spec.selector, labels))
    return [...owners, ...takers.map(keyOf), ...(isTracked(now) ? [strayKey(now)] : [])]
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    if (key.startsWith('pod:')) {
      const pod = this.#pods.get(key.slice('pod:'.length))
      if (pod !== undefined && controllerOf(pod) === undefined && isTracked(pod)) await this.#release(pod)
      return done
    }
    const job = this.#jobs.get(key)
    await this.#releaseLeftOvers(key, job)
    if (job === undefined || isFinished(job)) {
      this.#expectations.forget(key)
      this.#memory.delete(key)
      return done
    }
    const { managedBy } = job.spec
    // The cache will show the newer one, and that wakes this key.
    if ((managedBy !== undefined && managedBy !== ownManager) || this.#replaced.isStale(job)) return done
    return this.#sync(scope, key, job)
  }

  async #sync(scope: Scope, key: string, job: Job): Promise<Outcome> {
    const memory = this.#memoryOf(key)
    const holds = (pod: Pod): boolean => isTracked(pod) && !memory.released.has(pod.metadata.uid!)
    const waitMs = this.#expectations.waitMs(scope.clock, key)
    const members = await this.#claim(job)
    const nowMs = scope.clock.now()
    const started = startedStatus(job, nowMs)
    const seen = observe({ ...job, status: started }, members, holds)
    memory.failures = failuresAfter(memory.failures, seen)
    const current: Job = { ...job, status: started }
    const owner: PodOwner = { type: jobs, object: job, source: 'job-controller' }
    let ending = judgeEnding(current, seen, nowMs)
    let work: Work = { removed: [], created: 0, failure: undefined, waitMs: 0 }
    let status = started
    if (ending !== undefined) {
      work = await this.#apply(scope, key, owner, { remove: seen.active, create: [], waitMs: 0 })
      // Pods may be left, or not be seen yet.
      if (work.removed.length !== seen.active.length || waitMs > 0) ending = undefined
    } else if (waitMs === 0 && job.metadata.deletionTimestamp === undefined) {
      work = await this.#apply(scope, key, owner, planPods(current, seen, memory.failures, nowMs))
      if (isComplete(job, seen, activeAfter(seen, work))) ending = completed
      else status = this.#tellSuspension(scope, owner, started, job, nowMs)
    } else if (isComplete(job, seen, seen.active.length) && waitMs === 0) ending = completed
    const shown: Job = { ...job, status: withPodCounts(status, seen, work) }
    const isEnded = await this.#track(scope, owner, memory, shown, { read: job, seen, ending, holds, nowMs })
    if (work.failure !== undefined && !isNamespaceTerminating(work.failure)) throw work.failure as Error
    if (isEnded) return done
    const waits = [waitMs, work.waitMs, deadlineInMs(shown, nowMs) ?? 0].filter((ms) => ms > 0)
    return waits.length === 0 ? done : again(Math.min(...waits))
  }

  /** Writes the counts, lets go of the pods that are in them, and ends the job when all are gone. True when it ended. */
  async #track(scope: Scope, owner: PodOwner, memory: Memory, job: Job, pass: Pass): Promise<boolean> {
    const { read, seen, ending, holds, nowMs } = pass
    const counted = account(job, seen, ending, holds)
    const interim = ending === undefined ? counted.status : withInterim(counted.status, ending, nowMs)
    let stored = await this.#write(read, interim)
    await Promise.all(
      counted.release.map(async (pod) => {
        await this.#release(pod)
        memory.released.add(pod.metadata.uid!)
      }),
    )
    for (const uid of memory.released) {
      if (!seen.pods.some((pod) => pod.metadata.uid === uid)) memory.released.delete(uid)
    }
    const left = new Set(seen.pods.filter(holds).map(({ metadata }) => metadata.uid!))
    const settled = settle(stored.status ?? {}, (uid) => left.has(uid))
    const isOver = ending !== undefined && counted.isWhole && (settled.terminating ?? 0) === 0
    const { succeeded = [], failed = [] } = settled.uncountedTerminatedPods ?? {}
    const isEnded = isOver && succeeded.length + failed.length === 0
    stored = await this.#write(stored, isEnded ? withEnd(settled, ending!, nowMs) : settled)
    if (isEnded) this.#tellEnd(scope, owner, stored, ending!)
    return isEnded
  }

  async #write(job: Job, status: JobStatus): Promise<Job> {
    const written = await writeStatus(this.#parts.client, jobs, job, status)
    this.#replaced.note(job, written)
    return written
  }

  async #apply(scope: Scope, key: string, owner: PodOwner, plan: JobPlan): Promise<Work> {
    const { client } = this.#parts
    const removed: Pod[] = []
    const results = await Promise.allSettled(
      plan.remove.map(async (pod) => {
        await deletePod(scope, client, owner, pod)
        this.#expectations.deleted(scope.clock, key, pod)
        removed.push(pod)
      }),
    )
    const { successes, failure } = await slowStart(plan.create.length, async (index) => {
      const { index: completion, replaced } = plan.create[index]!
      const { spec } = owner.object as Job
      assertSelected(spec.selector, spec.template)
      const pod = await createPod(scope, client, owner, newPod(owner.object as Job, completion, replaced))
      this.#expectations.created(scope.clock, key, pod)
    })
    const refused = results.find((result) => result.status === 'rejected')?.reason as unknown
    return { removed, created: successes, failure: refused ?? failure, waitMs: plan.waitMs }
  }

  #tellSuspension(scope: Scope, owner: PodOwner, status: JobStatus, job: Job, nowMs: number): JobStatus {
    const suspended = isSuspended(job)
    const news = suspended
      ? { status: 'True', reason: 'JobSuspended', message: 'Job suspended' }
      : { status: 'False', reason: 'JobResumed', message: 'Job resumed' }
    const known = status.conditions ?? []
    const conditions = ensureCondition(known, { type: 'Suspended', ...news }, nowMs)
    if (conditions === known) return status
    tell(scope, this.#parts.client, owner, 'Normal', suspended ? 'Suspended' : 'Resumed', news.message)
    // The deadline of a job that goes on begins anew.
    return { ...status, conditions, ...(suspended ? {} : { startTime: formatTime(nowMs) }) }
  }

  #tellEnd(scope: Scope, owner: PodOwner, { spec, status }: Job, { kind, reason, message }: Ending): void {
    const { client } = this.#parts
    if (kind === 'failure') return tell(scope, client, owner, 'Warning', reason, message)
    if (spec.completions !== undefined && (status?.succeeded ?? 0) > spec.completions) {
      const what = `Too many succeeded pods running after completion count reached`
      tell(scope, client, owner, 'Warning', 'TooManySucceededPods', what)
    }
    tell(scope, client, owner, 'Normal', 'Completed', 'Job completed')
  }

  /** Pods of a job that is over, or of an earlier one of this name, are held by nobody. */
  async #releaseLeftOvers(key: string, job: Job | undefined): Promise<void> {
    const isOver = job === undefined || isFinished(job)
    const held = this.#pods.byIndex(trackedIndex, key)
    for (const pod of held) if (isOver || controllerOf(pod)?.uid !== job.metadata.uid) await this.#release(pod)
  }

  async #release(pod: Pod): Promise<void> {
    const { uid, finalizers = [] } = pod.metadata
    const index = finalizers.indexOf(trackingFinalizer)
    if (index < 0) return
    const path = `/metadata/finalizers/${index}`
    const body = [
      { op: 'test', path: '/metadata/uid', value: uid },
      { op: 'test', path, value: trackingFinalizer },
      { op: 'remove', path },
    ]
    try {
      await this.#parts.client.patch(pods, pod.metadata, { kind: 'json', body })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
    }
  }

  #memoryOf(key: string): Memory {
    const known = this.#memory.get(key)
    if (known !== undefined) return known
    const memory: Memory = { failures: { count: 0, lastMs: 0 }, released: new Set() }
    this.#memory.set(key, memory)
    return memory
  }

  #claim(job: Job): Promise<readonly Pod[]> {
    const { uid, namespace } = job.metadata
    return claim({
      client: this.#parts.client,
      type: pods,
      ownerType: jobs,
      owner: job,
      finalizer: trackingFinalizer,
      candidates: [
        ...this.#pods.byIndex(controllerUidIndex, uid!),
        ...this.#pods.byIndex(controllerUidIndex, orphansOf(namespace)),
      ],
      matches: ({ metadata }) => matchesSelector(job.spec.selector, metadata.labels),
    })
  }
}

interface Pass {
  /** The job as it is stored. */
  readonly read: Job
  readonly seen: Observation
  readonly ending: Ending | undefined
  readonly holds: (pod: Pod) => boolean
  readonly nowMs: number
}

interface Work {
  readonly removed: readonly Pod[]
  readonly created: number
  readonly failure: unknown
  readonly waitMs: number
}

function activeAfter({ active }: Observation, { removed, created }: Work): number {
  return active.length - removed.length + created
}

function startedStatus({ spec, status = {} }: Job, nowMs: number): JobStatus {
  const isFirst = status.startTime === undefined && spec.suspend !== true
  return isFirst ? { ...status, startTime: formatTime(nowMs) } : status
}

function withPodCounts(status: JobStatus, seen: Observation, work: Work): JobStatus {
  const { active: _, ...rest } = status
  const active = activeAfter(seen, work)
  const wasReady = work.removed.filter((pod) => (pod.status?.conditions ?? []).some(isReadyTrue)).length
  return {
    ...rest,
    ...(active === 0 ? {} : { active }),
    ready: seen.ready - wasReady,
    terminating: seen.terminating.length + work.removed.length,
  }
}

function isReadyTrue({ type, status }: { readonly type: string; readonly status: string }): boolean {
  return type === 'Ready' && status === 'True'
}

/** Told before the pods are let go of: after a restart the verdict stands. */
function withInterim(status: JobStatus, { kind, reason, message }: Ending, nowMs: number): JobStatus {
  const type = kind === 'success' ? 'SuccessCriteriaMet' : 'FailureTarget'
  if (conditionOf({ status } as Job, type) !== undefined) return status
  const conditions = ensureCondition(status.conditions ?? [], { type, status: 'True', reason, message }, nowMs)
  return { ...status, conditions }
}

function withEnd(status: JobStatus, { kind, reason, message }: Ending, nowMs: number): JobStatus {
  const type = kind === 'success' ? 'Complete' : 'Failed'
  const conditions = ensureCondition(status.conditions ?? [], { type, status: 'True', reason, message }, nowMs)
  return { ...status, conditions, ...(kind === 'success' ? { completionTime: formatTime(nowMs) } : {}) }
}
