// Does what the judge says for one pod, and keeps what a failure leaves behind: how long a container must wait, and why.

import type { Container, Pod } from '@aksel/api/types/core-v1'
import { runtimeClasses } from '@aksel/api/resources'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { GrpcError } from '../containerd/grpc.ts'
import type { PodObjects } from '../object-watches.ts'
import { dnsConfigOf } from './dns.ts'
import { checkSandboxSupport } from './host-support.ts'
import type { PodAction } from './judge.ts'
import { killContainer, unlessGone } from './kill-pod.ts'
import { makePodCgroup, podCgroup } from './pod-cgroup.ts'
import { tellPod } from './pod-host.ts'
import type { PodHost } from './pod-host.ts'
import type { PodVolumesState } from './pod-volumes-state.ts'
import { RestartDelays } from './restart-delays.ts'
import { currentSandbox, isRunning, latestRun } from './runtime-view.ts'
import type { ContainerRun, RuntimeView } from './runtime-view.ts'
import { sandboxConfig } from './sandbox-config.ts'
import { StartError, startContainer } from './start-container.ts'

/** Why a container that should start does not, and until when. */
export interface Hold {
  readonly reason: string
  readonly message: string
  readonly untilMs: number
}

export interface ActFacts {
  readonly pod: Pod
  readonly view: RuntimeView
  /** Ends waits when the pod is to end instead. */
  readonly signal: AbortSignal
}

type StopContainer = Extract<PodAction, { readonly kind: 'stop-container' }>

/** Dead runs of a container that are kept: the last one, whose logs `--previous` shows. */
const DEAD_RUNS_KEPT = 1

export class PodActions {
  readonly #scope: Scope
  readonly #host: PodHost
  readonly #objects: PodObjects
  readonly #volumes: PodVolumesState
  readonly #delays = new RestartDelays()
  readonly #holds = new Map<string, Hold>()
  /** Of containers whose runs were forgotten: the attempt of the last. */
  readonly #attempts = new Map<string, number>()

  constructor(scope: Scope, host: PodHost, parts: { readonly objects: PodObjects; readonly volumes: PodVolumesState }) {
    this.#scope = scope
    this.#host = host
    this.#objects = parts.objects
    this.#volumes = parts.volumes
  }

  get holds(): ReadonlyMap<string, Hold> {
    return this.#holds
  }

  /** Something that a failed start may have waited for has changed. */
  tryAgain(): void {
    this.#holds.clear()
  }

  restartDelayMs(container: string): number {
    return this.#delays.delayMs(container)
  }

  /** The time until which the action must wait; undefined where it is due. */
  heldUntilMs(action: PodAction): number | undefined {
    const hold = action.kind === 'start-container' ? this.#holds.get(action.container.name) : undefined
    return hold === undefined || hold.untilMs <= this.#scope.clock.now() ? undefined : hold.untilMs
  }

  async act(action: PodAction, facts: ActFacts): Promise<void> {
    switch (action.kind) {
      case 'create-sandbox':
        return this.#createSandbox(facts.pod, action.attempt)
      case 'stop-sandbox':
        return unlessGone(this.#host.runtime.stopPodSandbox(action.id))
      case 'stop-container':
        return this.#stopContainer(facts, action)
      case 'forget-containers':
        return this.#forgetContainers(action.runs, action.cause)
      case 'start-container':
        return this.#startContainer(facts, action.container, action.attempt)
      default:
        return action satisfies never
    }
  }

  async #createSandbox(pod: Pod, attempt: number): Promise<void> {
    const tell = (type: 'Normal' | 'Warning', reason: string, message: string): void =>
      tellPod(this.#scope, this.#host, { pod, type, reason, message })
    await makePodCgroup(this.#host.cgroupRoot, pod, this.#host.capacity)
    this.#host.qosChanged?.()
    if (attempt > 0) tell('Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.')
    try {
      await this.#host.dra.prepare(pod)
    } catch (error) {
      const message = `prepare dynamic resources: ${(error as Error).message}`
      tell('Warning', 'FailedPrepareDynamicResources', `Failed to prepare dynamic resources: ${message}`)
      throw error
    }
    try {
      const handler = await this.#runtimeHandler(pod)
      checkSandboxSupport(pod, handler)
      const request = this.#host.runtime.runPodSandbox(this.#sandboxConfig(pod, attempt), handler)
      this.#host.sandboxRequests.add(request)
      await request.finally(() => this.#host.sandboxRequests.delete(request))
    } catch (error) {
      tell('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${saidBy(error)}`)
      throw error
    }
  }

  /** What the pod's RuntimeClass names; '' is the runtime's default. Rejects with upstream's words where there is no such class. */
  async #runtimeHandler(pod: Pod): Promise<string> {
    const name = pod.spec.runtimeClassName
    if (name === undefined || name === '') return ''
    const found = await ignoreReason('NotFound', this.#host.client.get(runtimeClasses, { name }))
    if (found === undefined) throw new Error(`failed to get sandbox runtime: RuntimeClass "${name}" not found`)
    return found.handler
  }

  #sandboxConfig(pod: Pod, attempt: number): ReturnType<typeof sandboxConfig> {
    const { clusterDns, clusterDomain, nodeDns, podLogsDirectory, cgroupRoot } = this.#host
    return sandboxConfig(pod, {
      attempt,
      podLogsRoot: podLogsDirectory,
      cgroupParent: podCgroup(cgroupRoot, pod),
      dns: dnsConfigOf(pod, { clusterDns, clusterDomain, node: nodeDns }),
      clusterDomain,
    })
  }

  async #startContainer({ pod, view, signal }: ActFacts, container: Container, judged: number): Promise<void> {
    const sandbox = currentSandbox(view)
    if (sandbox === undefined) return
    const forgotten = this.#attempts.get(container.name)
    const attempt = forgotten === undefined ? judged : Math.max(judged, forgotten + 1)
    if (latestRun(view, container.name) !== undefined) this.#delays.restarted(container.name, this.#scope.clock.now())
    if (pod.spec.hostNetwork !== true && sandbox.ips.length > 0)
      await this.#host.guards?.guard(pod, sandbox.ips, signal)
    const targetName = pod.spec.ephemeralContainers?.find(({ name }) => name === container.name)?.targetContainerName
    const target = targetName === undefined ? undefined : latestRun(view, targetName)?.id
    try {
      await startContainer(this.#scope, this.#host, {
        pod,
        container,
        attempt,
        sandboxId: sandbox.id,
        sandbox: this.#sandboxConfig(pod, sandbox.attempt),
        podIps: sandbox.ips,
        volumes: this.#volumes.mounted,
        objects: this.#objects,
        signal,
        ...(target === undefined ? {} : { targetId: target }),
      })
      this.#holds.delete(container.name)
      this.#attempts.delete(container.name)
    } catch (error) {
      if (!(error instanceof StartError)) throw error
      this.#holds.set(container.name, { reason: error.reason, message: error.message, untilMs: error.retryAtMs })
    }
    await this.#forgetOldRuns(view, container.name)
    await this.#forgetOldSandboxes(view)
  }

  async #stopContainer({ pod, view }: ActFacts, action: StopContainer): Promise<void> {
    const { run, message, isAbrupt = false } = action
    const graceSeconds = action.graceSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30
    const podIp = currentSandbox(view)?.ips[0] ?? this.#host.nodeAddress
    await killContainer(this.#scope, this.#host, { pod, run, graceSeconds, message, podIp, isAbrupt })
  }

  /** How often each had started is kept: the count goes on. */
  async #forgetContainers(runs: readonly ContainerRun[], cause: ContainerRun): Promise<void> {
    this.#delays.restarted(cause.name, this.#scope.clock.now())
    for (const { name, attempt } of runs) this.#attempts.set(name, Math.max(attempt, this.#attempts.get(name) ?? 0))
    for (const { id } of runs) await unlessGone(this.#host.runtime.removeContainer(id))
  }

  async #forgetOldRuns(view: RuntimeView, name: string): Promise<void> {
    const dead = view.containers.filter((run) => run.name === name && !isRunning(run))
    for (const { id } of dead.slice(DEAD_RUNS_KEPT)) await unlessGone(this.#host.runtime.removeContainer(id))
  }

  /** Removing a sandbox removes its containers, so those that still hold a last run are kept. */
  async #forgetOldSandboxes(view: RuntimeView): Promise<void> {
    for (const { id, ready } of view.sandboxes.slice(1)) {
      const kept = view.containers.some((run) => run.sandboxId === id && latestRun(view, run.name)?.id === run.id)
      if (!ready && !kept) await unlessGone(this.#host.runtime.removePodSandbox(id))
    }
  }
}

/** As upstream's clients print an answer of the runtime. */
function saidBy(error: unknown): string {
  if (!(error instanceof GrpcError)) return (error as Error).message
  return `rpc error: code = ${error.code} desc = ${error.details}`
}
