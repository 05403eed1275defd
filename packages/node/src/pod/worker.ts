// Takes one pod through its life on this node: one pass at a time observes, judges, acts and reports. Passes run when
// something changed, never on a period.

import type { Pod, PodStatus } from '@aksel/api/types/core-v1'
import type { Timer } from '@aksel/base/clock'
import { childScope } from '@aksel/base/scope'
import type { Scope } from '@aksel/base/scope'
import type { PodObjects } from '../object-watches.ts'
import { MirrorWriter } from '../static-pods/mirror.ts'
import { volumeReason } from '../volumes/pod-volumes.ts'
import type { MountedVolume } from '../volumes/volume.ts'
import { wasAdmitted } from './admission.ts'
import { endPod, releasePod } from './end-pod.ts'
import { isStaticPod } from './critical.ts'
import { graceOf, isEnding, revisionOf } from './ending.ts'
import { refusedBy, type PodFailure } from './failure.ts'
import { isFinished, judgePod, type PodVerdict } from './judge.ts'
import { unlessGone } from './kill-pod.ts'
import { displayName, identityOf, podLogDirectory } from './names.ts'
import { PodActions } from './pod-actions.ts'
import { hostIpsOf, podFolders, tellPod, type PodHost } from './pod-host.ts'
import { PodProbes } from './pod-probes.ts'
import { PodVolumesState } from './pod-volumes-state.ts'
import { currentSandbox, emptyView, isRunning, observePod } from './runtime-view.ts'
import type { EndedStatuses, RuntimeView } from './runtime-view.ts'
import { isRelevant, isUntold, shown } from './news.ts'
import { PodResizes } from './pod-resizes.ts'
import { StatusWriter } from './status-writer.ts'
import { podStatus } from './status.ts'
import { readTerminationMessage } from './termination-message.ts'

const STEPS_MAX = 100
const RETRY_MS_FIRST = 1000
const RETRY_MS_MAX = 30_000
/** How soon to look again for an end that CRI does not show yet. */
const LATE_MS = 20
const MIRROR_RETRY_MS = 5000

export class PodWorker {
  readonly #scope: Scope
  readonly #host: PodHost
  readonly #onGone: () => void
  readonly #objects: PodObjects
  readonly #volumes: PodVolumesState
  readonly #probes: PodProbes
  readonly #actions: PodActions
  readonly #ended: EndedStatuses = new Map()
  readonly #messages = new Map<string, string>()
  readonly #writer: Pick<StatusWriter, 'write' | 'isOverruled'>
  readonly #resizes: PodResizes
  readonly #stop = new AbortController()
  /** Ends what a pass waits for when the pod is to end instead. */
  readonly #endNow = new AbortController()
  #pod: Pod
  #view: RuntimeView = emptyView
  readonly #observed = Promise.withResolvers<void>()
  #resting: ReadonlyMap<string, string> = new Map()
  #failure: PodFailure | undefined
  readonly #settled = Promise.withResolvers<void>()
  #removed = false
  #dirty = false
  #running: Promise<void> | undefined
  #timer: Timer | undefined
  #failures = 0
  #recheckAtMs = Infinity

  /** `onGone` is called when nothing of the pod is left on the node. */
  constructor(scope: Scope, host: PodHost, pod: Pod, onGone: () => void) {
    this.#scope = childScope(scope, { pod: displayName(identityOf(pod)) }, this.#stop.signal)
    this.#host = host
    this.#pod = pod
    this.#onGone = onGone
    this.#writer = isStaticPod(pod)
      ? new MirrorWriter(scope, host, () => this.#wakeAt(scope.clock.now() + MIRROR_RETRY_MS))
      : new StatusWriter(host.client)
    this.#resizes = new PodResizes(this.#scope, host)
    this.#volumes = new PodVolumesState(host)
    this.#probes = new PodProbes(this.#scope, host, () => this.wake())
    this.#objects = host.objects.forPod(pod, () => {
      this.#volumes.invalidate()
      this.#actions.tryAgain()
      this.wake()
    })
    this.#actions = new PodActions(this.#scope, host, { objects: this.#objects, volumes: this.#volumes })
    if (isEnding(pod)) this.#endNow.abort(new Error('the pod is being deleted'))
  }

  get pod(): Pod {
    return this.#pod
  }

  /** Resolves when the runtime has been looked at once: before, a restarted agent knows of no container. */
  get observed(): Promise<void> {
    return this.#observed.promise
  }

  get view(): RuntimeView {
    return this.#view
  }

  /** By the name that the pod gives them. */
  get volumes(): ReadonlyMap<string, MountedVolume> {
    return this.#volumes.mounted
  }

  /** A resize that the node has no room for now. */
  get waitsForRoom(): boolean {
    return this.#resizes.state.refused?.reason === 'Deferred'
  }

  /** Why a container does not run, where it does not. */
  waitingReason(container: string): string | undefined {
    return this.#waiting().get(container)?.reason
  }

  /** It has come to its end, or is on its way there. */
  get isOver(): boolean {
    const phase = this.#pod.status?.phase
    return this.#failure !== undefined || phase === 'Succeeded' || phase === 'Failed' || this.#removed
  }

  /** Ends the pod and keeps its object. Resolves when its containers are down and its status says why. */
  fail(failure: PodFailure): Promise<void> {
    this.#failure ??= failure
    this.#endNow.abort(new Error(failure.message))
    this.wake()
    return this.#settled.promise
  }

  /** The object has changed. A shorter grace takes effect at once. */
  update(pod: Pod): void {
    const before = this.#pod
    this.#pod = pod
    // The downward API shows them in files.
    if (shown(before) !== shown(pod)) this.#volumes.invalidate()
    if (!isEnding(pod)) return void (isRelevant(before, pod, this.#writer) && this.wake())
    const [was, now] = [graceOf(before), graceOf(pod)]
    if (!isEnding(before)) {
      this.#endNow.abort(new Error('the pod is being deleted'))
      this.wake()
    } else if (now < was) this.#hurry(now)
  }

  /** The object is gone from the API. */
  remove(): void {
    this.#removed = true
    this.#endNow.abort(new Error('the pod is gone'))
    this.#hurry(1)
    this.wake()
  }

  wake(): void {
    this.#dirty = true
    this.#running ??= this.#drain()
  }

  /** Ends passes; containers stay as they are. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the agent ends'))
    this.#letGo()
    await this.#running
  }

  async #drain(): Promise<void> {
    while (this.#dirty && !this.#stop.signal.aborted) {
      this.#dirty = false
      this.#timer?.[Symbol.dispose]()
      this.#recheckAtMs = Infinity
      try {
        await this.#pass()
        this.#failures = 0
      } catch (error) {
        if (this.#stop.signal.aborted) break
        this.#onFailure(error as Error)
      }
      this.#schedule()
    }
    this.#running = undefined
  }

  #onFailure(error: Error): void {
    // A pass that was cut short to end the pod has not failed.
    if (this.#endNow.signal.aborted && error === this.#endNow.signal.reason) {
      this.#dirty = true
      return
    }
    const reason = volumeReason(error)
    if (reason !== undefined)
      tellPod(this.#scope, this.#host, { pod: this.#pod, type: 'Warning', reason, message: error.message })
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** this.#failures)
    this.#failures += 1
    this.#scope.log.warn('a pass over a pod failed', { error, waitMs })
    this.#wakeAt(this.#scope.clock.now() + waitMs)
  }

  #wakeAt(atMs: number | undefined): void {
    if (atMs !== undefined) this.#recheckAtMs = Math.min(this.#recheckAtMs, atMs)
  }

  #schedule(): void {
    if (this.#recheckAtMs === Infinity || this.#stop.signal.aborted) return
    const delayMs = Math.max(10, this.#recheckAtMs - this.#scope.clock.now())
    this.#timer = this.#scope.clock.after(delayMs, () => this.wake())
  }

  async #pass(): Promise<void> {
    if (this.#removed || isEnding(this.#pod)) return this.#end()
    await this.#observe()
    this.#checkDeadline()
    await this.#checkAdmission()
    const phase = this.#pod.status?.phase
    if (phase === 'Succeeded' || phase === 'Failed' || this.#failure !== undefined) return this.#settle()
    await this.#run()
    if (isFinished(this.#pod, this.#view)) await this.#settle()
    else await this.#report()
  }

  /** Acts until there is nothing to do but wait. */
  async #run(): Promise<void> {
    const { signal } = this.#endNow
    if (!isFinished(this.#pod, this.#view)) await this.#prepare(signal)
    for (let step = 0; step < STEPS_MAX; step += 1) {
      signal.throwIfAborted()
      this.#probes.follow(this.#pod, this.#view)
      const verdict = this.#judge()
      const due = verdict.actions.filter((action) => {
        const untilMs = this.#actions.heldUntilMs(action)
        this.#wakeAt(untilMs)
        return untilMs === undefined
      })
      if (due.length === 0 && !(await this.#resize(signal))) return
      // An end is told before the next start hides it; the end of the pod only when its disks are given back.
      const isHidden =
        !isFinished(this.#pod, this.#view) && this.#view.containers.some((run) => isUntold(this.#pod, run))
      if (isHidden) await this.#report()
      for (const action of due) await this.#actions.act(action, { pod: this.#pod, view: this.#view, signal })
      await this.#observe()
    }
    throw new Error('the pod does not come to rest')
  }

  /** True where a container was stopped to come back with other bounds. */
  async #resize(signal: AbortSignal): Promise<boolean> {
    const restarts = await this.#resizes.bring(this.#pod, this.#view)
    this.#wakeAt(this.#resizes.retryAtMs)
    for (const { run } of restarts) {
      const action = { kind: 'stop-container', run, message: `Container ${run.name} resize requires restart` } as const
      await this.#actions.act(action, { pod: this.#pod, view: this.#view, signal })
    }
    return restarts.length > 0
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    // People should see that the node has taken the pod, while its volumes come.
    if (this.#pod.status?.startTime === undefined) await this.#report()
    await this.#volumes.bring(this.#scope, this.#pod, {
      objects: this.#objects,
      podIps: () => currentSandbox(this.#view)?.ips ?? [],
      signal,
    })
    this.#wakeAt(this.#volumes.refreshAtMs)
  }

  #judge(): PodVerdict {
    const nowMs = this.#scope.clock.now()
    const verdict = judgePod({
      pod: this.#pod,
      view: this.#view,
      nowMs,
      restartDelayMs: (name) => this.#actions.restartDelayMs(name),
      probes: (run) => this.#probes.verdicts(run),
    })
    for (const name of verdict.resting.keys()) {
      if (this.#resting.has(name)) continue
      const message = `Back-off restarting failed container ${name} in pod ${displayName(identityOf(this.#pod))}`
      tellPod(this.#scope, this.#host, { pod: this.#pod, type: 'Warning', reason: 'BackOff', message, container: name })
    }
    this.#resting = verdict.resting
    this.#wakeAt(verdict.recheckAtMs)
    return verdict
  }

  async #observe(): Promise<void> {
    this.#view = await observePod(this.#host.runtime, this.#pod.metadata.uid ?? '', this.#ended)
    this.#observed.resolve()
    const { sandboxes, containers } = this.#view
    const late = containers.some((run) => isRunning(run) && this.#host.hasExited(run.id))
    if (late || sandboxes.some(({ ready, id }) => ready && this.#host.hasExited(id)))
      this.#wakeAt(this.#scope.clock.now() + LATE_MS)
    const uid = this.#pod.metadata.uid ?? ''
    const logDirectory = podLogDirectory(this.#host.podLogsDirectory, identityOf(this.#pod))
    for (const run of this.#view.containers) {
      if (run.state !== 'CONTAINER_EXITED' || this.#messages.has(run.id)) continue
      this.#messages.set(run.id, await readTerminationMessage(run, podFolders(this.#host, uid), logDirectory))
    }
  }

  #checkDeadline(): void {
    const seconds = this.#pod.spec.activeDeadlineSeconds
    const startTime = this.#pod.status?.startTime
    if (seconds === undefined || startTime === undefined || this.#failure !== undefined) return
    const deadlineMs = Date.parse(startTime) + seconds * 1000
    if (this.#scope.clock.now() < deadlineMs) return this.#wakeAt(deadlineMs)
    const message = 'Pod was active on the node longer than the specified deadline'
    this.#failure = { reason: 'DeadlineExceeded', message }
    tellPod(this.#scope, this.#host, { pod: this.#pod, type: 'Normal', reason: 'DeadlineExceeded', message })
  }

  /** Once, before anything of the pod is made here. */
  async #checkAdmission(): Promise<void> {
    if (wasAdmitted(this.#pod) || this.#view.sandboxes.length > 0 || this.#failure !== undefined) return
    const refusal = await this.#host.admit(this.#pod)
    if (refusal === undefined) return
    this.#failure = refusedBy(refusal)
    tellPod(this.#scope, this.#host, { pod: this.#pod, type: 'Warning', ...refusal })
  }

  #waiting(): ReadonlyMap<string, { readonly reason: string; readonly message: string }> {
    const waiting = new Map<string, { readonly reason: string; readonly message: string }>()
    for (const [name, message] of this.#resting) waiting.set(name, { reason: 'CrashLoopBackOff', message })
    for (const [name, { reason, message }] of this.#actions.holds) waiting.set(name, { reason, message })
    return waiting
  }

  async #report(ended = false): Promise<void> {
    if (this.#removed) return
    const written = await this.#writer.write(this.#pod, (pod) => this.#status(pod, ended))
    if (written === undefined) this.#removed = true
    // An update that came in meanwhile may be newer than our own.
    else if (revisionOf(written) >= revisionOf(this.#pod)) this.#pod = written
  }

  #status(pod: Pod, ended: boolean): PodStatus {
    return podStatus({
      pod,
      view: this.#view,
      nowMs: this.#scope.clock.now(),
      hostIps: hostIpsOf(this.#host),
      probes: (run) => this.#probes.status(run),
      waiting: this.#waiting(),
      inForce: (run) => this.#resizes.inForce(pod, run),
      wholeInForce: this.#resizes.wholeInForce(pod),
      resize: this.#resizes.state,
      terminationMessage: (run) => this.#messages.get(run.id) ?? '',
      ended,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    })
  }

  /** The pod is over and its object stays: nothing runs, nothing is mounted, logs and dead containers are kept. */
  async #settle(): Promise<void> {
    this.#probes.stopRestarting()
    const { graceSeconds } = this.#failure ?? {}
    await releasePod(this.#scope, this.#host, { pod: this.#pod, view: this.#view, graceSeconds })
    await this.#observe()
    this.#probes[Symbol.dispose]()
    this.#resting = new Map()
    this.#actions.tryAgain()
    await this.#report()
    this.#settled.resolve()
  }

  /** The pod is to go: containers down, status final, folders and cgroup removed, then the object. */
  async #end(): Promise<void> {
    this.#probes.stopRestarting()
    await this.#observe()
    await endPod(this.#scope, this.#host, {
      pod: this.#pod,
      graceSeconds: this.#removed ? Math.max(1, graceOf(this.#pod)) : graceOf(this.#pod),
      view: this.#view,
      isRemoved: () => this.#removed,
      report: async () => {
        await this.#observe()
        this.#probes.follow(this.#pod, this.#view)
        await this.#report(true)
      },
    })
    this.#letGo()
    this.#stop.abort(new Error('the pod is gone'))
    this.#settled.resolve()
    this.#onGone()
  }

  #letGo(): void {
    this.#timer?.[Symbol.dispose]()
    this.#probes[Symbol.dispose]()
    this.#objects[Symbol.dispose]()
    this.#host.images.forget(this.#pod.metadata.uid ?? '')
  }

  /** A stop that waits for a long grace is overtaken by one with a shorter. */
  #hurry(graceSeconds: number): void {
    for (const run of this.#view.containers.filter(isRunning)) {
      unlessGone(this.#host.runtime.stopContainer(run.id, graceSeconds)).catch((error: unknown) =>
        this.#scope.log.warn('a container was not stopped sooner', { error, container: run.name }),
      )
    }
  }
}
