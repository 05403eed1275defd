// Takes containers down as their pod asks: hook, signal, grace, kill; sidecars last, in the reverse of their order.

import type { Container, Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { isGrpcCode } from '../containerd/grpc.ts'
import { runHook } from './hooks.ts'
import { allContainers, displayName, identityOf, isSidecar } from './names.ts'
import { tellPod } from './pod-host.ts'
import type { PodHost } from './pod-host.ts'
import { isRunning } from './runtime-view.ts'
import type { ContainerRun, RuntimeView } from './runtime-view.ts'

/** A container whose hook used up its grace still gets a moment for its signal. */
const GRACE_SECONDS_MIN = 2

export interface KillRequest {
  readonly pod: Pod
  readonly run: ContainerRun
  /** Seconds from now to the kill, hook included. */
  readonly graceSeconds: number
  readonly message: string
  readonly podIp: string
  /** No hook is run. */
  readonly isAbrupt?: boolean
}

/** Resolves when the container is down. Idempotent. */
export async function killContainer(scope: Scope, host: PodHost, request: KillRequest): Promise<void> {
  const { pod, run, graceSeconds, message } = request
  tellPod(scope, host, { pod, type: 'Normal', reason: 'Killing', message, container: run.name })
  const beganMs = scope.clock.monotonicMs()
  const container = allContainers(pod).find(({ name }) => name === run.name)
  if (container !== undefined && graceSeconds > 0 && request.isAbrupt !== true)
    await preStop(scope, host, request, container)
  const spentSeconds = Math.floor((scope.clock.monotonicMs() - beganMs) / 1000)
  const rest = spentSeconds === 0 ? graceSeconds : Math.max(GRACE_SECONDS_MIN, graceSeconds - spentSeconds)
  await unlessGone(host.runtime.stopContainer(run.id, rest))
}

async function preStop(
  scope: Scope,
  host: PodHost,
  { pod, run, graceSeconds, podIp }: KillRequest,
  container: Container,
): Promise<void> {
  const handler = container.lifecycle?.preStop
  if (handler === undefined) return
  try {
    await runHook(scope, host.runtime, {
      handler,
      container,
      containerId: run.id,
      pod: displayName(identityOf(pod)),
      podIp,
      tell: (reason, message) => tellPod(scope, host, { pod, type: 'Warning', reason, message }),
      timeoutSeconds: graceSeconds,
    })
  } catch {
    tellPod(scope, host, {
      pod,
      type: 'Warning',
      reason: 'FailedPreStopHook',
      message: 'PreStopHook failed',
      container: container.name,
    })
  }
}

/** Every running container, then every sandbox. `graceSeconds` counts for the whole pod. */
export async function killPod(
  scope: Scope,
  host: PodHost,
  { pod, view, graceSeconds }: { readonly pod: Pod; readonly view: RuntimeView; readonly graceSeconds: number },
): Promise<void> {
  const untilMs = scope.clock.monotonicMs() + graceSeconds * 1000
  const podIp = pod.spec.hostNetwork === true ? host.nodeAddress : (view.sandboxes[0]?.ips[0] ?? host.nodeAddress)
  const kill = (run: ContainerRun, seconds: number): Promise<void> =>
    killContainer(scope, host, { pod, run, graceSeconds: seconds, message: `Stopping container ${run.name}`, podIp })
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name)
  const running = view.containers.filter(isRunning)
  await Promise.all(running.filter(({ name }) => !sidecars.includes(name)).map((run) => kill(run, graceSeconds)))
  for (const name of sidecars.toReversed()) {
    const rest = Math.max(0, Math.ceil((untilMs - scope.clock.monotonicMs()) / 1000))
    await Promise.all(running.filter((run) => run.name === name).map((run) => kill(run, rest)))
  }
  for (const { id } of view.sandboxes) await unlessGone(host.runtime.stopPodSandbox(id))
}

export async function unlessGone(call: Promise<void>): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!isGrpcCode(error, 'NotFound')) throw error
  }
}
