// Takes away what pods leave behind while their objects stay: dead containers, and all of a pod that was evicted.

import type { Scope } from '@aksel/base/scope'
import { EVICTED } from '../eviction/messages.ts'
import { removeFromRuntime } from '../pod/end-pod.ts'
import { unlessGone } from '../pod/kill-pod.ts'
import { identityOf } from '../pod/names.ts'
import type { PodHost } from '../pod/pod-host.ts'
import { isRunning, latestRun } from '../pod/runtime-view.ts'
import type { PodWorker } from '../pod/worker.ts'

type Kept = Pick<PodWorker, 'pod' | 'view'>

/** Containers, sandboxes and logs of evicted pods: the node had no room for them. */
export async function removeEvicted(scope: Scope, host: PodHost, workers: Iterable<Kept>): Promise<void> {
  for (const { pod, view } of workers) {
    const { phase, reason } = pod.status ?? {}
    if (phase !== 'Failed' || reason !== EVICTED || view.containers.some(isRunning)) continue
    if (view.containers.length + view.sandboxes.length > 0) await removeFromRuntime(scope, host, identityOf(pod))
  }
}

/** Dead containers that only `kubectl logs` would miss. The last run of a pod that goes on stays: it counts restarts. */
export async function removeDeadContainers(host: PodHost, workers: Iterable<Kept>): Promise<void> {
  for (const { pod, view } of workers) {
    const isOver = ['Succeeded', 'Failed'].includes(pod.status?.phase ?? '')
    for (const run of view.containers) {
      if (run.state !== 'CONTAINER_EXITED') continue
      if (isOver || latestRun(view, run.name)?.id !== run.id) await unlessGone(host.runtime.removeContainer(run.id))
    }
  }
}
