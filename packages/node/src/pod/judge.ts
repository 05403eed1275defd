// What to do next for a pod that should run: facts in, actions out. The order of steps and the reasons are upstream's
// (kuberuntime's computePodActions); nothing here waits or touches anything.

import type { Container, Pod } from '@aksel/api/types/core-v1'
import { containerHash, displayName, identityOf, isSidecar } from './names.ts'
import { hasFailedInit, mayRestart, restartAllCause } from './restarts.ts'
import { currentSandbox, isRunning, latestRun } from './runtime-view.ts'
import type { ContainerRun, RuntimeView } from './runtime-view.ts'

/** What probes say of a running container; a missing probe is a success. */
export interface ProbeVerdicts {
  readonly startup: 'success' | 'failure' | 'unknown'
  readonly liveness: 'success' | 'failure' | 'unknown'
}

export interface PodFacts {
  readonly pod: Pod
  readonly view: RuntimeView
  readonly nowMs: number
  /** How long after its last end a container must rest before it starts again. */
  readonly restartDelayMs: (container: string) => number
  readonly probes: (run: ContainerRun) => ProbeVerdicts
}

export type PodAction =
  | { readonly kind: 'create-sandbox'; readonly attempt: number }
  | { readonly kind: 'stop-sandbox'; readonly id: string }
  | { readonly kind: 'start-container'; readonly container: Container; readonly attempt: number }
  /** `message` is what the event says; the container's own grace period applies unless `graceSeconds` is given. */
  | {
      readonly kind: 'stop-container'
      readonly run: ContainerRun
      readonly message: string
      readonly graceSeconds?: number
      /** Its preStop hook is left out. */
      readonly isAbrupt?: boolean
    }
  /** All runs of these containers are forgotten: they start as if for the first time, but for their count. */
  | { readonly kind: 'forget-containers'; readonly runs: readonly ContainerRun[]; readonly cause: ContainerRun }

export interface PodVerdict {
  readonly actions: readonly PodAction[]
  /** Containers that rest after a failure, with what their status says. */
  readonly resting: ReadonlyMap<string, string>
  /** When to judge again without any change. */
  readonly recheckAtMs?: number
  /** Every container has ended for good. */
  readonly finished: boolean
}

type RestartPolicy = 'Always' | 'OnFailure' | 'Never'

export function judgePod(facts: PodFacts): PodVerdict {
  const { pod, view } = facts
  const sandbox = currentSandbox(view)
  const judged = new Judgement(facts)
  if (isFinished(pod, view)) return judged.finish()
  const usable = sandbox !== undefined && sandbox.ready && (pod.spec.hostNetwork === true || sandbox.ips.length > 0)
  if (!usable) return judged.newSandbox()
  for (const extra of view.sandboxes.slice(1)) {
    if (extra.ready) judged.actions.push({ kind: 'stop-sandbox', id: extra.id })
  }
  const cause = restartAllCause(pod, view)
  if (cause !== undefined) return judged.restartAll(cause)
  if (judged.initialize(sandbox.id)) judged.runContainers()
  return judged.verdict(false)
}

/** Whether nothing of the pod will run again: its containers have ended and may not restart, or its start failed for good. */
export function isFinished(pod: Pod, view: RuntimeView): boolean {
  if (restartAllCause(pod, view) !== undefined) return false
  const { containers } = pod.spec
  if (hasFailedInit(pod, view) && !containers.some(({ name }) => isRunning(latestRun(view, name)))) return true
  return containers.every((container) => {
    const run = latestRun(view, container.name)
    return hasEnded(run) && !mayRestart(pod, container, run)
  })
}

export function restartPolicyOf(pod: Pod): RestartPolicy {
  return (pod.spec.restartPolicy ?? 'Always') as RestartPolicy
}

function hasEnded(run: ContainerRun | undefined): run is ContainerRun {
  return run?.state === 'CONTAINER_EXITED'
}

class Judgement {
  readonly #facts: PodFacts
  readonly #policy: RestartPolicy
  readonly actions: PodAction[] = []
  readonly #resting = new Map<string, string>()
  #recheckAtMs: number | undefined

  constructor(facts: PodFacts) {
    this.#facts = facts
    this.#policy = restartPolicyOf(facts.pod)
  }

  verdict(finished: boolean): PodVerdict {
    const recheck = this.#recheckAtMs === undefined ? {} : { recheckAtMs: this.#recheckAtMs }
    return { actions: this.actions, resting: this.#resting, finished, ...recheck }
  }

  /** Stops what is left: sidecars in the reverse of their order, then the sandbox. */
  finish(): PodVerdict {
    const { pod, view } = this.#facts
    for (const container of (pod.spec.initContainers ?? []).toReversed()) {
      const run = latestRun(view, container.name)
      if (isRunning(run)) this.#stop(run, `Stopping container ${run.name}`)
    }
    for (const { ready, id } of view.sandboxes) if (ready) this.actions.push({ kind: 'stop-sandbox', id })
    return this.verdict(true)
  }

  newSandbox(): PodVerdict {
    const { view } = this.#facts
    const old = currentSandbox(view)
    // A pod that may not restart is not given a second chance by the loss of its sandbox.
    if (old !== undefined && this.#policy === 'Never' && view.containers.length > 0) return this.finish()
    for (const run of view.containers) {
      if (isRunning(run)) this.#stop(run, 'Pod sandbox changed, it will be killed and re-created.')
    }
    for (const { ready, id } of view.sandboxes) if (ready) this.actions.push({ kind: 'stop-sandbox', id })
    this.actions.push({ kind: 'create-sandbox', attempt: old === undefined ? 0 : old.attempt + 1 })
    return this.verdict(false)
  }

  /** Stops what runs at once, then rests as the container whose end was the cause would, and begins anew in the same sandbox. */
  restartAll(cause: ContainerRun): PodVerdict {
    const { pod, view } = this.#facts
    const names = new Set([...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(({ name }) => name))
    const runs = view.containers.filter(({ name }) => names.has(name))
    for (const run of runs.filter(isRunning)) {
      const message = `Stopping container ${run.name}: container ${cause.name} ended, and all containers restart`
      this.actions.push({ kind: 'stop-container', run, message, isAbrupt: true })
    }
    if (this.actions.length === 0 && !this.#rests(cause.name, cause))
      this.actions.push({ kind: 'forget-containers', runs, cause })
    return this.verdict(false)
  }

  /** True when the init containers have done their work in this sandbox; otherwise the next of them is on its way. */
  initialize(sandboxId: string): boolean {
    const { pod, view } = this.#facts
    const mainsBegan = pod.spec.containers.some(({ name }) => latestRun(view, name)?.sandboxId === sandboxId)
    for (const container of pod.spec.initContainers ?? []) {
      const latest = latestRun(view, container.name)
      const run = latest?.sandboxId === sandboxId ? latest : undefined
      if (isSidecar(container)) {
        // Once the containers have begun, a sidecar that restarts holds nobody up.
        if (!this.#keepRunning(container, run) && !mainsBegan) return false
        continue
      }
      if (mainsBegan || (hasEnded(run) && run.exitCode === 0)) continue
      if (run === undefined || !isRunning(run)) this.#start(container, run, latest)
      return false
    }
    return true
  }

  runContainers(): void {
    for (const container of this.#facts.pod.spec.containers) {
      this.#keepRunning(container, latestRun(this.#facts.view, container.name))
    }
    // Each is run once and never again.
    for (const container of this.#facts.pod.spec.ephemeralContainers ?? []) {
      const run = latestRun(this.#facts.view, container.name)
      if (run === undefined) this.#start(container, undefined, undefined)
    }
  }

  /** Starts, restarts or stops one container as its state and probes ask; true when it runs and has started up. */
  #keepRunning(container: Container, run: ContainerRun | undefined): boolean {
    if (run === undefined) {
      this.#start(container, undefined, latestRun(this.#facts.view, container.name))
      return false
    }
    if (!isRunning(run)) {
      if (mayRestart(this.#facts.pod, container, run)) this.#start(container, run, run)
      return false
    }
    const { startup, liveness } = this.#facts.probes(run)
    if (run.hash !== '' && run.hash !== containerHash(container)) {
      this.#stop(run, `Container ${run.name} definition changed, will be restarted`)
    } else if (liveness === 'failure') {
      this.#stop(
        run,
        `Container ${run.name} failed liveness probe, will be restarted`,
        graceOf(container.livenessProbe),
      )
    } else if (startup === 'failure') {
      this.#stop(run, `Container ${run.name} failed startup probe, will be restarted`, graceOf(container.startupProbe))
    }
    return startup === 'success'
  }

  #start(container: Container, run: ContainerRun | undefined, latest: ContainerRun | undefined): void {
    if (run !== undefined && this.#rests(container.name, run)) return
    this.actions.push({ kind: 'start-container', container, attempt: latest === undefined ? 0 : latest.attempt + 1 })
  }

  /** True while the container must rest after this end. */
  #rests(container: string, { finishedAtMs }: ContainerRun): boolean {
    const { pod, nowMs, restartDelayMs } = this.#facts
    if (finishedAtMs === 0) return false
    const delayMs = restartDelayMs(container)
    const startAtMs = finishedAtMs + delayMs
    if (nowMs >= startAtMs) return false
    const name = displayName(identityOf(pod))
    this.#resting.set(
      container,
      `back-off ${formatDelay(delayMs)} restarting failed container=${container} pod=${name}`,
    )
    this.#recheckAtMs = Math.min(this.#recheckAtMs ?? Infinity, startAtMs)
    return true
  }

  #stop(run: ContainerRun, message: string, graceSeconds?: number): void {
    this.actions.push({ kind: 'stop-container', run, message, ...(graceSeconds === undefined ? {} : { graceSeconds }) })
  }
}

function graceOf(probe: { readonly terminationGracePeriodSeconds?: number } | undefined): number | undefined {
  return probe?.terminationGracePeriodSeconds
}

/** As Go writes durations: `10s`, `1m20s`, `5m0s`. */
export function formatDelay(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`
}
