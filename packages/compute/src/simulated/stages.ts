// What a simulated node makes of a pod: declared stages instead of containers. Pure: a pod in, the next status out.

import type { ContainerStatus, Pod, PodCondition, PodStatus } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'

export type Stage =
  | { readonly kind: 'status'; readonly status: PodStatus }
  /** The pod has been asked to go and its containers have "ended": the object may be removed. */
  | { readonly kind: 'remove' }

export interface StageFacts {
  readonly nowMs: number
  readonly podAddress: string
  readonly nodeAddress: string
}

/** The next stage, or undefined when the pod is where it should be. */
export function nextStage(pod: Pod, facts: StageFacts): Stage | undefined {
  if (pod.metadata.deletionTimestamp !== undefined) return { kind: 'remove' }
  if (pod.status?.phase === 'Running' || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed')
    return undefined
  const time = formatTime(facts.nowMs)
  return {
    kind: 'status',
    status: {
      phase: 'Running',
      hostIP: facts.nodeAddress,
      hostIPs: [{ ip: facts.nodeAddress }],
      podIP: pod.spec.hostNetwork === true ? facts.nodeAddress : facts.podAddress,
      podIPs: [{ ip: pod.spec.hostNetwork === true ? facts.nodeAddress : facts.podAddress }],
      startTime: time,
      conditions: conditionsOf(pod, time),
      containerStatuses: pod.spec.containers.map((container) => running(pod, container, time)),
      ...(pod.spec.initContainers === undefined
        ? {}
        : { initContainerStatuses: pod.spec.initContainers.map((container) => initStatus(pod, container, time)) }),
    },
  }
}

function conditionsOf(pod: Pod, time: string): readonly PodCondition[] {
  const gates = pod.spec.readinessGates ?? []
  const met = (type: string): boolean =>
    pod.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') === true
  const ready = gates.every((gate) => met(gate.conditionType)) ? 'True' : 'False'
  const kept = (pod.status?.conditions ?? []).filter(({ type }) => !ownConditions.includes(type))
  const own = ownConditions.map((type) => ({
    type,
    status: type === 'Ready' ? ready : 'True',
    lastTransitionTime: time,
  }))
  return [...own, ...kept]
}

const ownConditions: readonly string[] = [
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
]

type ContainerSpec = Pod['spec']['containers'][number]

function running(pod: Pod, container: ContainerSpec, time: string): ContainerStatus {
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: `simulated://${container.image ?? ''}`,
    containerID: `simulated://${pod.metadata.uid}/${container.name}`,
    ready: true,
    started: true,
    restartCount: 0,
    state: { running: { startedAt: time } },
    lastState: {},
  }
}

function initStatus(pod: Pod, container: ContainerSpec, time: string): ContainerStatus {
  if (container.restartPolicy === 'Always') return running(pod, container, time)
  const terminated = {
    exitCode: 0,
    reason: 'Completed',
    startedAt: time,
    finishedAt: time,
    containerID: `simulated://${pod.metadata.uid}/${container.name}`,
  }
  return { ...running(pod, container, time), started: false, state: { terminated } }
}
