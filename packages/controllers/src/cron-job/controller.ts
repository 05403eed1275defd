// Starts jobs by the calendar, and keeps as many finished ones as are wanted.

import { keyOf } from '@aksel/api/resource'
import { cronJobs, jobs } from '@aksel/api/resources'
import type { CronJob, CronJobStatus, Job } from '@aksel/api/types/batch-v1'
import type { ObjectReference } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { referenceTo } from '@aksel/runtime/event-recorder'
import { ReplacedRevisions } from '../expectations.ts'
import { conditionOf, isFinished } from '../job/judge.ts'
import { controllerReference, controllerUidIndex, controllerUidOf, isControlledBy, ownerKey } from '../owners.ts'
import { writeStatus } from '../parts.ts'
import type { LoopParts } from '../parts.ts'
import { isNamespaceTerminating, tell } from '../pod-control.ts'
import { jobName, jobsToForget, mostRecent, untilNext, zonedTime } from './plan.ts'
import { parseSchedule } from './schedule.ts'
import type { Schedule } from './schedule.ts'

const timestampAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp'

export function cronJobController(parts: LoopParts): Controller {
  const cache = parts.caches.of(cronJobs)
  const children = parts.caches.of(jobs)
  children.addIndex(controllerUidIndex, controllerUidOf)
  const replaced = new ReplacedRevisions()
  const own: Source<CronJob> = { type: cronJobs, keysOf: (now, before) => [keyOf((now ?? before)!)] }
  const made: Source<Job> = {
    type: jobs,
    keysOf: (now, before) => [...ownerKey(cronJobs, now), ...ownerKey(cronJobs, before)],
  }
  return {
    name: 'cron-job',
    sources: [own, made],
    workers: 5,
    async reconcile(scope, key) {
      const cron = cache.get(key)
      // A newer one is on its way to the cache, and wakes this key.
      if (cron === undefined || replaced.isStale(cron)) return done
      return new CronPass(scope, parts.client, children, replaced, cron).run()
    },
  }
}

class CronPass {
  readonly #scope: Scope
  readonly #client: Client
  readonly #replaced: ReplacedRevisions
  readonly #cron: CronJob
  readonly #children: readonly Job[]
  #status: CronJobStatus

  constructor(scope: Scope, client: Client, jobsKnown: Cache<Job>, replaced: ReplacedRevisions, cron: CronJob) {
    this.#scope = scope
    this.#client = client
    this.#replaced = replaced
    this.#cron = cron
    this.#status = cron.status ?? {}
    this.#children = jobsKnown.byIndex(controllerUidIndex, cron.metadata.uid!)
  }

  async run(): Promise<Outcome> {
    let outcome: Outcome = done
    let failure: unknown
    try {
      await this.#look()
      if (this.#cron.metadata.deletionTimestamp === undefined) outcome = await this.#start()
    } catch (error) {
      // What was done is told even where the next step failed.
      failure = error
    }
    await this.#forgetOld()
    const { active: _, ...rest } = this.#status
    const status = this.#active.length === 0 ? rest : { ...rest, active: this.#active }
    this.#replaced.note(this.#cron, await writeStatus(this.#client, cronJobs, this.#cron, status))
    if (failure !== undefined) throw failure as Error
    return outcome
  }

  get #active(): readonly ObjectReference[] {
    return this.#status.active ?? []
  }

  #drop(uid: string | undefined): void {
    this.#status = { ...this.#status, active: this.#active.filter((each) => each.uid !== uid) }
  }

  /** Takes the ended and the missing off the list of active jobs. */
  async #look(): Promise<void> {
    for (const job of this.#children) {
      const { uid, name } = job.metadata
      const isListed = this.#active.some((each) => each.uid === uid)
      const end = ['Complete', 'Failed'].find((type) => conditionOf(job, type) !== undefined)
      if (!isListed && end === undefined)
        this.#tell('Warning', 'UnexpectedJob', `Saw a job that the controller did not create or forgot: ${name}`)
      if (isListed && end !== undefined) {
        this.#drop(uid)
        this.#tell('Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${end}`)
      }
      const { completionTime } = job.status ?? {}
      const isNews = (completionTime ?? '') > (this.#status.lastSuccessfulTime ?? '')
      if (end === 'Complete' && isNews) this.#status = { ...this.#status, lastSuccessfulTime: completionTime! }
    }
    for (const { uid, name } of this.#active) {
      if (this.#children.some(({ metadata }) => metadata.uid === uid)) continue
      // The cache may be behind: the server knows.
      const found = await ignoreReason('NotFound', this.#client.get(jobs, this.#refOf(name ?? '')))
      if (found?.metadata.uid === uid) continue
      this.#tell('Normal', 'MissingJob', `Active job went missing: ${name}`)
      this.#drop(uid)
    }
  }

  async #start(): Promise<Outcome> {
    const { spec } = this.#cron
    if (spec.suspend === true) return done
    const schedule = this.#schedule()
    const nowMs = this.#scope.clock.now()
    if (schedule === undefined) return done
    let dueMs: number | undefined
    try {
      const recent = mostRecent(this.#cron, schedule, nowMs, true)
      dueMs = recent.dueMs
      if (recent.missed === 'many') {
        const advice = 'Set or decrease .spec.startingDeadlineSeconds or check clock skew'
        this.#tell('Warning', 'TooManyMissedTimes', `too many missed start times. ${advice}`)
      }
    } catch (error) {
      this.#tell('Warning', 'InvalidSchedule', `invalid schedule: ${spec.schedule} : ${(error as Error).message}`)
      return done
    }
    if (dueMs !== undefined && this.#mayRun(dueMs, nowMs)) await this.#run(dueMs)
    const waitMs = untilNext({ ...this.#cron, status: this.#status }, schedule, this.#scope.clock.now())
    return waitMs === 0 ? done : again(waitMs)
  }

  #schedule(): Schedule | undefined {
    const { schedule, timeZone } = this.#cron.spec
    try {
      if (timeZone !== undefined) void new Intl.DateTimeFormat('en-US', { timeZone })
    } catch {
      this.#tell('Warning', 'UnknownTimeZone', `invalid timeZone: "${timeZone}": unknown time zone ${timeZone}`)
      return undefined
    }
    // Objects from before it was refused may still name their zone in the schedule.
    const zoned = /^(?:CRON_)?TZ=(\S+)\s+(.*)$/.exec(schedule)
    try {
      return parseSchedule(zoned?.[2] ?? schedule, timeZone ?? zoned?.[1])
    } catch (error) {
      const what = `unparseable schedule: "${schedule}" : ${(error as Error).message}`
      this.#tell('Warning', 'UnparseableSchedule', what)
      return undefined
    }
  }

  #mayRun(dueMs: number, nowMs: number): boolean {
    const { spec } = this.#cron
    if (spec.startingDeadlineSeconds !== undefined && dueMs + spec.startingDeadlineSeconds * 1000 < nowMs) {
      this.#tell('Warning', 'MissSchedule', `Missed scheduled time to start a job: ${rfc1123(dueMs)}`)
      return false
    }
    const name = jobName(this.#cron, dueMs)
    const isDone = Date.parse(this.#status.lastScheduleTime ?? '') === dueMs
    if (isDone || this.#active.some((each) => each.name === name)) return false
    if (spec.concurrencyPolicy !== 'Forbid' || this.#active.length === 0) return true
    const why = 'prior execution is running and concurrency policy is Forbid'
    this.#tell('Normal', 'JobAlreadyActive', `Not starting job because ${why}`)
    return false
  }

  async #run(dueMs: number): Promise<void> {
    if (this.#cron.spec.concurrencyPolicy === 'Replace') {
      for (const { name } of this.#active) await this.#remove({ name: name ?? '' })
      this.#status = { ...this.#status, active: [] }
    }
    const job = await this.#create(dueMs)
    if (job === undefined) return
    const active = isFinished(job) ? this.#active : [...this.#active, referenceTo(jobs, job)]
    this.#status = { ...this.#status, active, lastScheduleTime: formatTime(dueMs) }
  }

  async #create(dueMs: number): Promise<Job | undefined> {
    const wanted = jobFor(this.#cron, dueMs)
    try {
      const job = await this.#client.create(jobs, wanted)
      this.#tell('Normal', 'SuccessfulCreate', `Created job ${job.metadata.name}`)
      return job
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined
      if (isReason(error, 'AlreadyExists')) {
        // Ours from a pass that was killed before its status was written.
        const known = await this.#client.get(jobs, wanted.metadata)
        if (isControlledBy(known, this.#cron)) return known
      }
      this.#tell('Warning', 'FailedCreate', `Error creating job: ${(error as Error).message}`)
      throw error
    }
  }

  async #forgetOld(): Promise<void> {
    const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = this.#cron.spec
    const having = (type: string): readonly Job[] =>
      this.#children.filter(
        (job) => conditionOf(job, type) !== undefined && job.metadata.deletionTimestamp === undefined,
      )
    const old = [
      ...jobsToForget(having('Complete'), successfulJobsHistoryLimit),
      ...jobsToForget(having('Failed'), failedJobsHistoryLimit),
    ]
    for (const { metadata } of old) await this.#remove(metadata)
  }

  async #remove({ name }: { readonly name: string }): Promise<void> {
    try {
      await this.#client.delete(jobs, this.#refOf(name), { propagationPolicy: 'Background' })
    } catch (error) {
      if (isReason(error, 'NotFound')) return
      this.#tell('Warning', 'FailedDelete', `Deleted job: ${(error as Error).message}`)
      throw error
    }
    this.#tell('Normal', 'SuccessfulDelete', `Deleted job ${name}`)
  }

  #refOf(name: string): { readonly namespace: string; readonly name: string } {
    return { namespace: this.#cron.metadata.namespace!, name }
  }

  #tell(level: 'Normal' | 'Warning', reason: string, message: string): void {
    const owner = { type: cronJobs, object: this.#cron, source: 'cronjob-controller' }
    tell(this.#scope, this.#client, owner, level, reason, message)
  }
}

function jobFor(cron: CronJob, dueMs: number): Job {
  const { metadata, spec } = cron.spec.jobTemplate
  const time = zonedTime(dueMs, cron.spec.timeZone)
  return {
    metadata: {
      name: jobName(cron, dueMs),
      namespace: cron.metadata.namespace!,
      ...(metadata?.labels === undefined ? {} : { labels: metadata.labels }),
      annotations: { ...metadata?.annotations, [timestampAnnotation]: time },
      ownerReferences: [controllerReference(cronJobs, cron)],
    },
    spec: spec ?? { template: {} },
  }
}

/** `Thu, 01 Jan 2026 00:00:00 +0000` */
function rfc1123(ms: number): string {
  return new Date(ms).toUTCString().replace('GMT', '+0000')
}
