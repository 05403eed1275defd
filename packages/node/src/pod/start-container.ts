// Starts one container: image, environment, mounts, create, start, hook; each failure with the reason it is known by.

import { join } from 'node:path'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import { childScope } from '@aksel/base/scope'
import type { Scope } from '@aksel/base/scope'
import { GrpcError } from '../containerd/grpc.ts'
import type { PodSandboxConfig } from '../cri/types.ts'
import { ImageError } from '../images/pull.ts'
import type { PodObjects } from '../object-watches.ts'
import { mountImageVolumes } from '../volumes/image-volume.ts'
import type { MountedVolume } from '../volumes/volume.ts'
import { containerConfig } from './container-config.ts'
import { containerDevices, containerMounts } from './container-mounts.ts'
import { isStaticPod } from './critical.ts'
import { environmentOf } from './env.ts'
import { readEnvFiles } from './env-files.ts'
import { runHook } from './hooks.ts'
import { displayName, identityOf } from './names.ts'
import { hostIpsOf, podFolders, tellPod } from './pod-host.ts'
import type { PodHost } from './pod-host.ts'

export interface StartRequest {
  readonly pod: Pod
  readonly container: Container
  readonly attempt: number
  readonly sandboxId: string
  readonly sandbox: PodSandboxConfig
  readonly podIps: readonly string[]
  readonly volumes: ReadonlyMap<string, MountedVolume>
  readonly objects: PodObjects
  readonly signal: AbortSignal
  /** Of an ephemeral container: whose processes it is to see. */
  readonly targetId?: string
}

/** Why a container is not started; reason and message are those of its waiting state. */
export class StartError extends Error {
  readonly reason: string
  /** When to try again. */
  readonly retryAtMs: number

  constructor(reason: string, message: string, retryAtMs: number, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StartError'
    this.reason = reason
    this.retryAtMs = retryAtMs
  }
}

const RETRY_MS = 10_000

/** Resolves when the container runs and its hook is done. Rejects with a StartError. */
export async function startContainer(scope: Scope, host: PodHost, request: StartRequest): Promise<void> {
  const { pod, container } = request
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string): void =>
    tellPod(scope, host, { pod, type, reason, message, container: container.name })
  const fail = (reason: string, error: unknown): StartError => {
    // What the runtime says, without the name of the call.
    const message = error instanceof GrpcError ? error.details : (error as Error).message
    tell('Warning', 'Failed', `Error: ${message}`)
    return new StartError(reason, message, scope.clock.now() + RETRY_MS, error)
  }
  const config = await prepare(scope, host, request, tell).catch((error: unknown) => {
    if (error instanceof ImageError)
      throw new StartError(error.reason, error.message, error.retryAtMs ?? scope.clock.now() + RETRY_MS, error)
    if (request.signal.aborted) throw error
    throw fail('CreateContainerConfigError', error)
  })
  let id: string
  try {
    id = await host.runtime.createContainer(request.sandboxId, config, request.sandbox)
  } catch (error) {
    throw fail('CreateContainerError', error)
  }
  tell('Normal', 'Created', `Created container: ${container.name}`)
  try {
    await host.runtime.startContainer(id)
  } catch (error) {
    throw fail('RunContainerError', error)
  }
  tell('Normal', 'Started', `Started container ${container.name}`)
  await postStart(scope, host, request, id)
}

async function prepare(
  scope: Scope,
  host: PodHost,
  { pod, container, attempt, podIps, volumes, objects, signal, targetId }: StartRequest,
  tell: (type: 'Normal' | 'Warning', reason: string, message: string) => void,
): Promise<ReturnType<typeof containerConfig>> {
  const pullSecrets = (pod.spec.imagePullSecrets ?? []).flatMap(({ name }) => objects.secret(name ?? '') ?? [])
  const image = await host.images.ensure({ pod, container, pullSecrets, tell, signal })
  await host.imageRoots.check(image.id)
  await objects.synced(signal)
  const hostNetwork = pod.spec.hostNetwork === true
  const hostIps = hostIpsOf(host)
  const addresses = { podIps: hostNetwork ? hostIps : podIps, hostIps }
  const env = environmentOf(pod, container, {
    // A static pod does not wait for the API.
    services: isStaticPod(pod) ? [] : await host.services(signal),
    configMap: (name) => objects.configMap(name),
    secret: (name) => objects.secret(name),
    addresses,
    allocatable: host.volumes.allocatable,
    files: await readEnvFiles(container, (name) => volumes.get(name)?.hostPath),
  })
  const folders = podFolders(host, pod.metadata.uid ?? '')
  const images = await mountImageVolumes(scope, host, container, { pod, root: folders.root, pullSecrets, tell, signal })
  const mounts = await containerMounts(scope, pod, container, {
    folders,
    volumes: images.size === 0 ? volumes : new Map([...volumes, ...images]),
    env,
    podIps: addresses.podIps,
    clusterDomain: host.clusterDomain,
    attempt,
  })
  const target = targetId === undefined ? {} : { targetId }
  const config = containerConfig(pod, container, {
    attempt,
    imageRef: image.id,
    image,
    env,
    mounts,
    devices: containerDevices(container, volumes),
    capacity: host.capacity,
    ...(host.managers === undefined ? {} : { pinned: host.managers.pin(pod, container) }),
    ...target,
    seccompDirectory: join(host.rootDirectory, 'seccomp'),
  })
  return host.devices.give(pod, container, config)
}

/** A hook that fails takes its container down, and the restart policy decides what follows. */
async function postStart(scope: Scope, host: PodHost, request: StartRequest, containerId: string): Promise<void> {
  const { pod, container, podIps, signal } = request
  const handler = container.lifecycle?.postStart
  if (handler === undefined) return
  try {
    await runHook(childScope(scope, {}, signal), host.runtime, {
      handler,
      container,
      containerId,
      pod: displayName(identityOf(pod)),
      podIp: podIps[0] ?? host.nodeAddress,
      tell: (reason, message) => tellPod(scope, host, { pod, type: 'Warning', reason, message }),
      timeoutSeconds: 0,
    })
  } catch (error) {
    const message = (error as Error).message
    tellPod(scope, host, {
      pod,
      type: 'Warning',
      reason: 'FailedPostStartHook',
      message: 'PostStartHook failed',
      container: container.name,
    })
    await host.runtime.stopContainer(containerId, pod.spec.terminationGracePeriodSeconds ?? 30)
    throw new StartError('PostStartHookError', message, scope.clock.now(), error)
  }
}
