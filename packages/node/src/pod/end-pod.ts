// The last steps of a pod on its node. Each may run again after a crash at any point.

import { rm } from 'node:fs/promises'
import { pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { releasePodVolumes, removeEmptyDirs, removePodFolders } from '../volumes/pod-volumes.ts'
import { killPod, unlessGone } from './kill-pod.ts'
import { identityOf, podLogDirectory, podUidLabel } from './names.ts'
import type { PodIdentity } from './names.ts'
import { removePodCgroup } from './pod-cgroup.ts'
import { podFolders } from './pod-host.ts'
import type { PodHost } from './pod-host.ts'
import { isRunning } from './runtime-view.ts'
import type { RuntimeView } from './runtime-view.ts'

/** Stops what runs and gives back what is mounted; keeps dead containers, their logs and messages. Idempotent. */
export async function releasePod(
  scope: Scope,
  host: PodHost,
  { pod, view, ...more }: { readonly pod: Pod; readonly view: RuntimeView; readonly graceSeconds?: number | undefined },
): Promise<void> {
  const graceSeconds = more.graceSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30
  const alive = view.containers.some(isRunning) || view.sandboxes.some(({ ready }) => ready)
  if (alive) await killPod(scope, host, { pod, view, graceSeconds })
  const folders = podFolders(host, pod.metadata.uid ?? '')
  await host.dra.release(pod.metadata.uid ?? '')
  await releasePodVolumes(scope, host.volumes, folders)
  await removeEmptyDirs(folders)
}

export interface EndRequest {
  readonly pod: Pod
  readonly graceSeconds: number
  readonly view: RuntimeView
  /** The object is gone already. */
  readonly isRemoved: () => boolean
  /** Writes the final status. */
  readonly report: () => Promise<void>
}

/** Resolves when nothing of the pod is left on the node and its object is deleted. */
export async function endPod(scope: Scope, host: PodHost, request: EndRequest): Promise<void> {
  const { pod, view, graceSeconds } = request
  await killPod(scope, host, { pod, view, graceSeconds })
  await request.report()
  const identity = identityOf(pod)
  await host.dra.release(identity.uid)
  await removePodFolders(scope, host.volumes, podFolders(host, identity.uid))
  await removeFromRuntime(scope, host, identity)
  if (!request.isRemoved()) {
    // With the uid, so that a new pod of the same name is left alone.
    const options = { gracePeriodSeconds: 0, preconditions: { uid: identity.uid } }
    const deletion = host.client.delete(pods, { namespace: identity.namespace, name: identity.name }, options)
    await ignoreReason('NotFound', ignoreReason('Conflict', deletion))
  }
}

/** Containers, sandboxes, logs and cgroup of a pod that has ended. Idempotent; works without the pod's object. */
export async function removeFromRuntime(scope: Scope, host: PodHost, identity: PodIdentity): Promise<void> {
  const labels = { [podUidLabel]: identity.uid }
  for (const { id } of await host.runtime.listPodSandboxes(labels)) {
    await unlessGone(host.runtime.stopPodSandbox(id))
    await unlessGone(host.runtime.removePodSandbox(id))
  }
  for (const { id } of await host.runtime.listContainers(labels)) await unlessGone(host.runtime.removeContainer(id))
  await rm(podLogDirectory(host.podLogsDirectory, identity), { recursive: true, force: true })
  await removePodCgroup(scope, host.cgroupRoot, identity.uid)
}
