// The ConfigMap `cluster-autoscaler-status`: what the autoscaler sees and does, as upstream writes it down.

import { stringify } from 'yaml'
import { formatTime } from '@aksel/base/clock'

export interface GroupStatus {
  readonly name: string
  readonly minCount: number
  readonly maxCount: number
  readonly target: number
  readonly registered: number
  readonly ready: number
  readonly scaleUp: 'InProgress' | 'NoActivity' | 'Backoff'
  readonly candidates: number
}

export interface StatusFacts {
  readonly nowMs: number
  /** Of all nodes. */
  readonly registered: number
  readonly ready: number
  readonly healthy: boolean
  readonly groups: readonly GroupStatus[]
  /** When the last of each changed, milliseconds since 1970, by the path of the status. */
  readonly changedAt: (path: string, status: string) => number
}

/** YAML, as the key `status` holds it. */
export function statusText(facts: StatusFacts): string {
  const { groups, nowMs } = facts
  const entry = (path: string, status: string, more: object = {}): object => ({
    status,
    ...more,
    lastProbeTime: formatTime(nowMs),
    lastTransitionTime: formatTime(facts.changedAt(path, status)),
  })
  const counts = (registered: number, ready: number): object => ({
    nodeCounts: {
      registered: {
        total: registered,
        ready,
        notStarted: 0,
        unready: { total: registered - ready, resourceUnready: 0 },
      },
      longUnregistered: 0,
      unregistered: 0,
    },
  })
  const candidates = groups.reduce((sum, group) => sum + group.candidates, 0)
  const down = (count: number): string => (count > 0 ? 'CandidatesPresent' : 'NoCandidates')
  return stringify({
    time: new Date(nowMs).toISOString(),
    autoscalerStatus: 'Running',
    clusterWide: {
      health: entry('health', facts.healthy ? 'Healthy' : 'Unhealthy', counts(facts.registered, facts.ready)),
      scaleUp: entry('scaleUp', groups.some(({ scaleUp }) => scaleUp === 'InProgress') ? 'InProgress' : 'NoActivity'),
      scaleDown: entry('scaleDown', down(candidates), { candidates }),
    },
    nodeGroups: groups.map((group) => ({
      name: group.name,
      health: entry(`${group.name}/health`, 'Healthy', {
        ...counts(group.registered, group.ready),
        cloudProviderTarget: group.target,
        minSize: group.minCount,
        maxSize: group.maxCount,
      }),
      scaleUp: entry(`${group.name}/scaleUp`, group.scaleUp),
      scaleDown: entry(`${group.name}/scaleDown`, down(group.candidates), { candidates: group.candidates }),
    })),
  })
}
