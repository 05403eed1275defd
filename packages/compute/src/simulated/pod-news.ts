// What a kubelet would tell on a pod's events when something goes wrong with it. The good news (pulled, created, started) is
// not told: of tens of thousands of pods nobody reads it, and each would be a write. Pure.

import type { ContainerStatus, Pod, PodStatus } from '@aksel/api/types/core-v1'

export interface PodNews {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  /** Of the container, as events name it. */
  readonly fieldPath?: string
}

/** What changed for the worse from the pod's status to the next one. */
export function newsOf(pod: Pod, next: PodStatus): readonly PodNews[] {
  if (next.reason === 'Evicted' && pod.status?.reason !== 'Evicted')
    return [{ type: 'Warning', reason: 'Evicted', message: next.message ?? '' }]
  if (next.reason === 'DeadlineExceeded' && pod.status?.reason !== 'DeadlineExceeded')
    return [{ type: 'Normal', reason: 'DeadlineExceeded', message: next.message ?? '' }]
  const before = new Map(pod.status?.containerStatuses?.map((status) => [status.name, status]))
  return (next.containerStatuses ?? []).flatMap((status) => {
    const known = before.get(status.name)?.state?.waiting?.reason
    const reason = status.state?.waiting?.reason
    return reason === undefined || reason === known ? [] : newsOfWait(pod, status, reason)
  })
}

function newsOfWait(pod: Pod, { name, state }: ContainerStatus, reason: string): readonly PodNews[] {
  const fieldPath = `spec.containers{${name}}`
  const message = state?.waiting?.message ?? ''
  switch (reason) {
    case 'ErrImagePull':
      return [
        { type: 'Warning', reason: 'Failed', message: capital(message), fieldPath },
        { type: 'Warning', reason: 'Failed', message: `Error: ${reason}`, fieldPath },
      ]
    case 'ImagePullBackOff':
      return [
        { type: 'Normal', reason: 'BackOff', message, fieldPath },
        { type: 'Warning', reason: 'Failed', message: `Error: ${reason}`, fieldPath },
      ]
    case 'CrashLoopBackOff': {
      const { name: podName, namespace, uid } = pod.metadata
      const text = `Back-off restarting failed container ${name} in pod ${podName}_${namespace}(${uid})`
      return [{ type: 'Warning', reason: 'BackOff', message: text, fieldPath }]
    }
    case 'CreateContainerConfigError':
      return [{ type: 'Warning', reason: 'Failed', message: `Error: ${message}`, fieldPath }]
    default:
      return []
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
