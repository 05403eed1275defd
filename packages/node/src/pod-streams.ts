// What logs, exec and port-forward ask of pods, answered from the workers.

import { join } from 'node:path'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import { sandboxHandler } from '@aksel/host/sandboxing/sandbox-runtime'
import { isStaticPod } from './pod/critical.ts'
import { containerLogPath, identityOf, podLogDirectory } from './pod/names.ts'
import type { PodHost } from './pod/pod-host.ts'
import { isRunning } from './pod/runtime-view.ts'
import type { PodWorker } from './pod/worker.ts'
import type { NodePods } from './pods.ts'
import type { PodLookup, StreamContainer, StreamPod } from './streams/pod-lookup.ts'

export function podLookup(host: Pick<PodHost, 'podLogsDirectory'>, nodePods: NodePods): PodLookup {
  return {
    async find(namespace, name, uid) {
      await nodePods.synced()
      const worker = nodePods.workerOf(namespace, name)
      if (worker === undefined) return undefined
      // The API knows a static pod by its mirror.
      const known = isStaticPod(worker.pod) ? nodePods.mirrorOf(worker.pod) : worker.pod
      if (uid !== undefined && known?.metadata.uid !== uid) return undefined
      await worker.observed
      return streamPod(host, worker)
    },
  }
}

function streamPod(host: Pick<PodHost, 'podLogsDirectory'>, worker: PodWorker): StreamPod {
  const { pod, view } = worker
  const { spec } = pod
  const sandbox = view.sandboxes.find(({ ready }) => ready)
  const guestAddress = sandbox?.ips[0]
  const containers = [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
  return {
    ...identityOf(pod),
    sandboxId: sandbox?.id,
    ...(sandbox?.handler === sandboxHandler && guestAddress !== undefined ? { guestAddress } : {}),
    containers: containers.map((container) => streamContainer(host, worker, pod, container)),
  }
}

function streamContainer(
  host: Pick<PodHost, 'podLogsDirectory'>,
  worker: PodWorker,
  pod: Pod,
  container: Pick<Container, 'name' | 'stdin' | 'tty'>,
): StreamContainer {
  const [run, before] = worker.view.containers.filter(({ name }) => name === container.name)
  const directory = podLogDirectory(host.podLogsDirectory, identityOf(pod))
  const logOf = (attempt: number | undefined): string | undefined =>
    attempt === undefined ? undefined : join(directory, containerLogPath(container.name, attempt))
  const reason = worker.waitingReason(container.name)
  const state = run === undefined ? 'waiting' : isRunning(run) ? 'running' : 'terminated'
  return {
    name: container.name,
    state,
    ...(state === 'waiting' ? { waitingReason: reason ?? 'ContainerCreating' } : {}),
    containerId: run?.id,
    logPath: logOf(run?.attempt),
    previousLogPath: logOf(before?.attempt),
    stdin: container.stdin === true,
    tty: container.tty === true,
  }
}
