// The probers of one pod: one per running container, gone with it.

import type { Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { check } from '../probes/check.ts'
import { ContainerProber } from '../probes/prober.ts'
import type { ProbeVerdicts } from './judge.ts'
import { allContainers, identityOf } from './names.ts'
import { tellPod } from './pod-host.ts'
import type { PodHost } from './pod-host.ts'
import { isRunning } from './runtime-view.ts'
import type { ContainerRun, RuntimeView } from './runtime-view.ts'

export class PodProbes implements Disposable {
  readonly #scope: Scope
  readonly #host: PodHost
  readonly #onChange: () => void
  readonly #probers = new Map<string, ContainerProber>()
  #restarts = true

  constructor(scope: Scope, host: PodHost, onChange: () => void) {
    this.#scope = scope
    this.#host = host
    this.#onChange = onChange
  }

  /** Starts probers for containers that run now and ends those of containers that do not. */
  follow(pod: Pod, view: RuntimeView): void {
    const running = new Map(view.containers.filter(isRunning).map((run) => [run.id, run]))
    for (const [id, prober] of this.#probers) {
      if (running.has(id)) continue
      prober[Symbol.dispose]()
      this.#probers.delete(id)
    }
    for (const run of running.values()) if (!this.#probers.has(run.id)) this.#begin(pod, view, run)
  }

  verdicts(run: ContainerRun): ProbeVerdicts {
    return this.#probers.get(run.id)?.verdicts ?? { startup: 'unknown', liveness: 'unknown' }
  }

  status(run: ContainerRun): { readonly started: boolean; readonly ready: boolean } {
    const prober = this.#probers.get(run.id)
    const started = prober?.verdicts.startup === 'success'
    return { started, ready: started && prober?.ready === true }
  }

  /** The pod ends: nothing is restarted any more. */
  stopRestarting(): void {
    this.#restarts = false
    for (const prober of this.#probers.values()) prober.stopRestarting()
  }

  [Symbol.dispose](): void {
    for (const prober of this.#probers.values()) prober[Symbol.dispose]()
    this.#probers.clear()
  }

  #begin(pod: Pod, view: RuntimeView, run: ContainerRun): void {
    const container = allContainers(pod).find(({ name }) => name === run.name)
    if (container === undefined) return
    const ip = view.sandboxes.find(({ id }) => id === run.sandboxId)?.ips[0]
    const podIp = pod.spec.hostNetwork === true ? this.#host.nodeAddress : (ip ?? this.#host.nodeAddress)
    const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])]
    const known = statuses.find(({ containerID }) => containerID === `containerd://${run.id}`)
    const tell = (reason: string, message: string): void =>
      tellPod(this.#scope, this.#host, { pod, type: 'Warning', reason, message, container: run.name })
    const { name: podName, namespace, uid: podUid } = identityOf(pod)
    const probed = { namespace, pod: podName, podUid, container: run.name }
    const prober = new ContainerProber(this.#scope, {
      container,
      ...(known === undefined ? {} : { known: { started: known.started === true, ready: known.ready } }),
      startedAtMs: run.startedAtMs,
      check: (handler, timeoutMs) =>
        check(this.#scope, this.#host.runtime, { handler, container, containerId: run.id, podIp, timeoutMs }),
      onChange: this.#onChange,
      onResult: (result) => this.#host.probeMetrics.record(probed, result),
      onFailure: (kind, output) => tell('Unhealthy', `${titled(kind)} probe failed: ${output}`),
      onWarning: (kind, output) => tell('ProbeWarning', `${titled(kind)} probe warning: ${output}`),
    })
    if (!this.#restarts) prober.stopRestarting()
    this.#probers.set(run.id, prober)
  }
}

function titled(kind: string): string {
  return `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`
}
