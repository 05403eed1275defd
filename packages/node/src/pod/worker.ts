// Takes one pod through its life on this node: one pass at a time observes, judges, acts and reports. Passes run when
// something changed, never on a period.

import type { Container, Pod, PodStatus } from '@aksel/api/types/core-v1'
import type { Timer } from '@aksel/base/clock'
import { childScope } from '@aksel/base/scope'
import type { Scope } from '@aksel/base/scope'
import type { PodObjects } from '../object-watches.ts'
import { VolumeError } from '../volumes/pod-volumes.ts'
import { dnsConfigOf } from './dns.ts'
import { endPod, releasePod } from './end-pod.ts'
import { isFinished, judgePod } from './judge.ts'
import type { PodAction, PodVerdict } from './judge.ts'
import { killContainer, unlessGone } from './kill-pod.ts'
import { displayName, identityOf, podLogDirectory } from './names.ts'
import { makePodCgroup, podCgroup } from './pod-cgroup.ts'
import { podFolders, tellPod } from './pod-host.ts'
import type { PodHost } from './pod-host.ts'
import { PodProbes } from './pod-probes.ts'
import { PodVolumesState } from './pod-volumes-state.ts'
import { RestartDelays } from './restart-delays.ts'
import { currentSandbox, emptyView, isRunning, latestRun, observePod } from './runtime-view.ts'
import type { ContainerRun, EndedStatuses, RuntimeView } from './runtime-view.ts'
import { sandboxConfig } from './sandbox-config.ts'
import { StartError, startContainer } from './start-container.ts'
import { StatusWriter } from './status-writer.ts'
import { podStatus } from './status.ts'
import { readTerminationMessage } from './termination-message.ts'

interface Hold {
  readonly reason: string
  readonly message: string
  readonly untilMs: number
}

const STEPS_MAX = 100
const RETRY_MS_FIRST = 1000
const RETRY_MS_MAX = 30_000
/** How soon to look again for an end that CRI does not show yet. */
const LATE_MS = 20
/** Dead runs of a container that are kept: the last one, whose logs `--previous` shows. */
const DEAD_RUNS_KEPT = 1

export class PodWorker {
  readonly #scope: Scope
  readonly #host: PodHost
  readonly #onGone: () => void
  readonly #objects: PodObjects
  readonly #volumes: PodVolumesState
  readonly #probes: PodProbes
  readonly #delays = new RestartDelays()
  readonly #ended: EndedStatuses = new Map()
  readonly #messages = new Map<string, string>()
  readonly #holds = new Map<string, Hold>()
  readonly #writer: StatusWriter
  readonly #stop = new AbortController()
  /** Ends what a pass waits for when the pod is to end instead. */
  readonly #endNow = new AbortController()
  #pod: Pod
  #view: RuntimeView = emptyView
  #resting: ReadonlyMap<string, string> = new Map()
  #failure: { readonly reason: string; readonly message: string } | undefined
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
    this.#writer = new StatusWriter(host.client)
    this.#volumes = new PodVolumesState(host)
    this.#probes = new PodProbes(this.#scope, host, () => this.wake())
    this.#objects = host.objects.forPod(pod, () => {
      this.#volumes.invalidate()
      this.#holds.clear()
      this.wake()
    })
    if (isEnding(pod)) this.#endNow.abort(new Error('the pod is being deleted'))
  }

  get pod(): Pod {
    return this.#pod
  }

  get view(): RuntimeView {
    return this.#view
  }

  /** Why a container does not run, where it does not. */
  waitingReason(container: string): string | undefined {
    return this.#waiting().get(container)?.reason
  }

  /** The object has changed. A shorter grace takes effect at once. */
  update(pod: Pod): void {
    const before = this.#pod
    this.#pod = pod
    if (!isEnding(pod)) return void (isRelevant(before, pod) && this.wake())
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
    if (error instanceof VolumeError) {
      tellPod(this.#scope, this.#host, { pod: this.#pod, type: 'Warning', reason: 'FailedMount', message: error.message })
    }
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
      const due = verdict.actions.filter((action) => !this.#isHeld(action))
      if (due.length === 0) return
      for (const action of due) await this.#act(action, signal)
      await this.#observe()
    }
    throw new Error('the pod does not come to rest')
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
      restartDelayMs: (name) => this.#delays.delayMs(name),
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

  #isHeld(action: PodAction): boolean {
    if (action.kind !== 'start-container') return false
    const hold = this.#holds.get(action.container.name)
    if (hold === undefined || hold.untilMs <= this.#scope.clock.now()) return false
    this.#wakeAt(hold.untilMs)
    return true
  }

  async #act(action: PodAction, signal: AbortSignal): Promise<void> {
    switch (action.kind) {
      case 'create-sandbox':
        return this.#createSandbox(action.attempt)
      case 'stop-sandbox':
        return unlessGone(this.#host.runtime.stopPodSandbox(action.id))
      case 'stop-container':
        return this.#stopContainer(action.run, action.message, action.graceSeconds)
      case 'start-container':
        return this.#startContainer(action.container, action.attempt, signal)
      default:
        return action satisfies never
    }
  }

  async #createSandbox(attempt: number): Promise<void> {
    await makePodCgroup(this.#host.cgroupRoot, this.#pod, this.#host.capacity)
    if (attempt > 0) {
      const message = 'Pod sandbox changed, it will be killed and re-created.'
      tellPod(this.#scope, this.#host, { pod: this.#pod, type: 'Normal', reason: 'SandboxChanged', message })
    }
    try {
      await this.#host.runtime.runPodSandbox(this.#sandboxConfig(attempt), runtimeHandlerOf(this.#pod))
    } catch (error) {
      const message = `Failed to create pod sandbox: ${(error as Error).message}`
      tellPod(this.#scope, this.#host, { pod: this.#pod, type: 'Warning', reason: 'FailedCreatePodSandBox', message })
      throw error
    }
  }

  #sandboxConfig(attempt: number): ReturnType<typeof sandboxConfig> {
    const { clusterDns, clusterDomain, nodeDns, podLogsDirectory, cgroupRoot } = this.#host
    return sandboxConfig(this.#pod, {
      attempt,
      podLogsRoot: podLogsDirectory,
      cgroupParent: podCgroup(cgroupRoot, this.#pod),
      dns: dnsConfigOf(this.#pod, { clusterDns, clusterDomain, node: nodeDns }),
      clusterDomain,
    })
  }

  async #startContainer(container: Container, attempt: number, signal: AbortSignal): Promise<void> {
    const sandbox = currentSandbox(this.#view)
    if (sandbox === undefined) return
    if (attempt > 0 && latestRun(this.#view, container.name) !== undefined) {
      this.#delays.restarted(container.name, this.#scope.clock.now())
    }
    try {
      await startContainer(this.#scope, this.#host, {
        pod: this.#pod,
        container,
        attempt,
        sandboxId: sandbox.id,
        sandbox: this.#sandboxConfig(sandbox.attempt),
        podIps: sandbox.ips,
        volumes: this.#volumes.mounted,
        objects: this.#objects,
        signal,
      })
      this.#holds.delete(container.name)
    } catch (error) {
      if (!(error instanceof StartError)) throw error
      this.#holds.set(container.name, { reason: error.reason, message: error.message, untilMs: error.retryAtMs })
    }
    await this.#forgetOldRuns(container.name)
  }

  async #stopContainer(run: ContainerRun, message: string, graceSeconds: number | undefined): Promise<void> {
    const grace = graceSeconds ?? this.#pod.spec.terminationGracePeriodSeconds ?? 30
    const podIp = currentSandbox(this.#view)?.ips[0] ?? this.#host.nodeAddress
    await killContainer(this.#scope, this.#host, { pod: this.#pod, run, graceSeconds: grace, message, podIp })
  }

  async #forgetOldRuns(name: string): Promise<void> {
    const dead = this.#view.containers.filter((run) => run.name === name && !isRunning(run))
    for (const { id } of dead.slice(DEAD_RUNS_KEPT)) await unlessGone(this.#host.runtime.removeContainer(id))
  }

  async #observe(): Promise<void> {
    this.#view = await observePod(this.#host.runtime, this.#pod.metadata.uid ?? '', this.#ended)
    const { sandboxes, containers } = this.#view
    const late = containers.some((run) => isRunning(run) && this.#host.hasExited(run.id))
    if (late || sandboxes.some(({ ready, id }) => ready && this.#host.hasExited(id))) this.#wakeAt(this.#scope.clock.now() + LATE_MS)
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

  #waiting(): ReadonlyMap<string, { readonly reason: string; readonly message: string }> {
    const waiting = new Map<string, { readonly reason: string; readonly message: string }>()
    for (const [name, message] of this.#resting) waiting.set(name, { reason: 'CrashLoopBackOff', message })
    for (const [name, { reason, message }] of this.#holds) waiting.set(name, { reason, message })
    return waiting
  }

  async #report(ended = false): Promise<void> {
    if (this.#removed) return
    const written = await this.#writer.write(this.#pod, (pod) => this.#status(pod, ended))
    if (written === undefined) this.#removed = true
    // An update that came in meanwhile is newer than our own.
    else if (!isEnding(this.#pod) || isEnding(written)) this.#pod = written
  }

  #status(pod: Pod, ended: boolean): PodStatus {
    return podStatus({
      pod,
      view: this.#view,
      nowMs: this.#scope.clock.now(),
      hostIp: this.#host.nodeAddress,
      probes: (run) => this.#probes.status(run),
      waiting: this.#waiting(),
      terminationMessage: (run) => this.#messages.get(run.id) ?? '',
      ended,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    })
  }

  /** The pod is over and its object stays: nothing runs, nothing is mounted, logs and dead containers are kept. */
  async #settle(): Promise<void> {
    this.#probes.stopRestarting()
    await releasePod(this.#scope, this.#host, { pod: this.#pod, view: this.#view })
    await this.#observe()
    this.#probes[Symbol.dispose]()
    this.#resting = new Map()
    this.#holds.clear()
    await this.#report()
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

function isEnding(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined
}

/** Seconds; a pod that is deleted without a grace still gets one for its signal. */
function graceOf(pod: Pod): number {
  const { deletionGracePeriodSeconds } = pod.metadata
  return Math.max(1, deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30)
}

function runtimeHandlerOf(pod: Pod): string {
  const name = pod.spec.runtimeClassName
  return name === undefined || name === 'runc' ? '' : name
}

/** Our own status writes come back as updates; only what others change is news. */
function isRelevant(before: Pod, now: Pod): boolean {
  const part = ({ metadata, spec, status }: Pod): string => {
    const conditions = (status?.conditions ?? []).filter(({ type }) => !ownConditions.has(type))
    return JSON.stringify([metadata.labels, metadata.annotations, metadata.finalizers, spec, conditions])
  }
  return part(before) !== part(now)
}

const ownConditions = new Set(['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady'])
