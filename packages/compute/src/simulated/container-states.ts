// Statuses of containers that never run: waiting, running, ended, as a kubelet would write them.

import type { ContainerStatus, Pod } from '@aksel/api/types/core-v1'

export type ContainerSpec = Pod['spec']['containers'][number]

export function waiting(
  container: ContainerSpec,
  reason: string,
  more: { readonly message?: string; readonly before?: ContainerStatus | undefined } = {},
): ContainerStatus {
  const { before, message } = more
  const last = before?.state?.terminated
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: before?.imageID ?? '',
    ready: false,
    started: false,
    restartCount: before?.restartCount ?? 0,
    state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
    lastState: last === undefined ? (before?.lastState ?? {}) : { terminated: last },
  }
}

export function running(
  pod: Pod,
  container: ContainerSpec,
  facts: { readonly time: string; readonly ready: boolean; readonly before?: ContainerStatus | undefined },
): ContainerStatus {
  const { before, time, ready } = facts
  const ended = before?.state?.terminated ?? before?.lastState?.terminated
  const restartCount = before === undefined || ended === undefined ? 0 : (before.restartCount ?? 0) + 1
  const resources = container.resources
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: `simulated://${container.image ?? ''}`,
    containerID: `simulated://${pod.metadata.uid}/${container.name}/${restartCount}`,
    ready,
    started: true,
    restartCount,
    state: { running: { startedAt: time } },
    lastState: ended === undefined ? {} : { terminated: ended },
    ...(resources?.requests === undefined ? {} : { allocatedResources: resources.requests }),
    ...(resources === undefined ? {} : { resources }),
  }
}

export function terminated(
  pod: Pod,
  container: ContainerSpec,
  facts: {
    readonly time: string
    readonly exitCode: number
    readonly reason: string
    readonly message?: string | undefined
    readonly before?: ContainerStatus | undefined
  },
): ContainerStatus {
  const { before, exitCode, reason, message, time } = facts
  const attempt = before?.restartCount ?? 0
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: `simulated://${container.image ?? ''}`,
    containerID: `simulated://${pod.metadata.uid}/${container.name}/${attempt}`,
    ready: false,
    started: false,
    restartCount: attempt,
    state: {
      terminated: {
        exitCode,
        reason,
        ...(message === undefined ? {} : { message }),
        startedAt: before?.state?.running?.startedAt ?? time,
        finishedAt: time,
        containerID: `simulated://${pod.metadata.uid}/${container.name}/${attempt}`,
      },
    },
    lastState: before?.lastState ?? {},
  }
}
