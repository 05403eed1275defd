// Deletes a pod for a reason that is not its owner's, and leaves that reason on it first.

import { pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { isSame } from './canonical.ts'
import { withCondition } from './parts.ts'

export interface Disruption {
  /** `DeletionByTaintManager`, `DeletionByPodGC`. */
  readonly reason: string
  readonly message: string
  /** Absent: what the pod asks for. 0 removes it without asking its node. */
  readonly gracePeriodSeconds?: number
  /** What to set the phase to, for a pod that nobody will report on any more. */
  readonly phase?: 'Failed'
}

export async function disrupt(scope: Scope, client: Client, pod: Pod, disruption: Disruption): Promise<void> {
  const { reason, message, gracePeriodSeconds, phase } = disruption
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason,
    message,
    lastTransitionTime: formatTime(scope.clock.now()),
  }
  const conditions = withCondition(pod.status?.conditions, condition)
  const status = { conditions, ...(phase === undefined ? {} : { phase }) }
  const { uid, resourceVersion } = pod.metadata
  try {
    if (!isSame({ ...pod.status, ...status }, pod.status)) {
      const body = { metadata: { uid, resourceVersion }, status }
      await client.patch(pods, pod.metadata, { kind: 'merge', body }, { subresource: 'status' })
    }
    const preconditions = { uid: uid! }
    await client.delete(pods, pod.metadata, {
      preconditions,
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    })
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
  }
}
