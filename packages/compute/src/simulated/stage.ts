// A stage that a simulated pod passes, the facts that decide it, and the status that shows it.

import type { ContainerStatus, Pod, PodStatus } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import type { NodeFaults } from './faults.ts'
import { conditionsOf } from './pod-conditions.ts'
import type { StageOptions } from './stage-options.ts'

export type Stage =
  | { readonly kind: 'status'; readonly status: PodStatus }
  /** The pod has been asked to go and its containers have "ended": the object may be removed. */
  | { readonly kind: 'remove' }
  /** Nothing until then, unless the pod or its node changes. */
  | { readonly kind: 'wait'; readonly afterMs: number }

export interface StageFacts {
  readonly nowMs: number
  readonly podAddress: () => string
  readonly nodeAddress: string
  readonly faults: NodeFaults
  /** What the node says of pods that say nothing themselves. */
  readonly options?: StageOptions
  /** The exact moment behind a time of whole seconds that this node wrote; the time itself where it is forgotten. */
  exactMs(time: string | undefined): number
}

export interface StatusParts {
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed'
  readonly containers: readonly ContainerStatus[]
  readonly init: readonly ContainerStatus[]
}

export function statusStage(
  pod: Pod,
  facts: StageFacts,
  { phase, containers, init }: StatusParts,
): { readonly kind: 'status'; readonly status: PodStatus } {
  const podIP = phase === 'Pending' ? undefined : pod.spec.hostNetwork === true ? facts.nodeAddress : facts.podAddress()
  return {
    kind: 'status',
    status: {
      phase,
      hostIP: facts.nodeAddress,
      hostIPs: [{ ip: facts.nodeAddress }],
      ...(podIP === undefined ? {} : { podIP, podIPs: [{ ip: podIP }] }),
      startTime: pod.status?.startTime ?? formatTime(facts.nowMs),
      conditions: conditionsOf(pod, { phase, containers, init, time: formatTime(facts.nowMs) }),
      containerStatuses: containers,
      ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    },
  }
}
