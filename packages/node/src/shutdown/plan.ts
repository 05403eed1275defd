// Who goes when, as a node shuts down: groups by priority, lowest first, each with its time. Pure.

import type { Pod } from '@aksel/api/types/core-v1'
import { durationMs } from '@aksel/base/duration'

/** Pods of this priority or more, up to the next group's, have so long. */
export interface ShutdownGroup {
  readonly priority: number
  readonly graceSeconds: number
}

export interface ShutdownSettings {
  readonly shutdownGracePeriod: string
  readonly shutdownGracePeriodCriticalPods: string
  readonly shutdownGracePeriodByPodPriority: readonly {
    readonly priority: number
    readonly shutdownGracePeriodSeconds: number
  }[]
}

const CRITICAL = 2_000_000_000

/** Lowest priority first. The two periods are short for two groups: the rest, and critical pods within the same time. */
export function shutdownGroups(settings: ShutdownSettings): readonly ShutdownGroup[] {
  const { shutdownGracePeriodByPodPriority: byPriority } = settings
  if (byPriority.length > 0) {
    return byPriority
      .map(({ priority, shutdownGracePeriodSeconds }) => ({ priority, graceSeconds: shutdownGracePeriodSeconds }))
      .toSorted((left, right) => left.priority - right.priority)
  }
  const total = durationMs('shutdownGracePeriod', settings.shutdownGracePeriod) / 1000
  const critical = durationMs('shutdownGracePeriodCriticalPods', settings.shutdownGracePeriodCriticalPods) / 1000
  if (total === 0) return []
  return [
    { priority: 0, graceSeconds: total - critical },
    { priority: CRITICAL, graceSeconds: critical },
  ]
}

export interface ShutdownStep<P> {
  /** For all of the group together. */
  readonly graceSeconds: number
  readonly pods: readonly { readonly pod: P; readonly graceSeconds: number }[]
}

/** A pod below the lowest group goes with it; nobody gets more than the pod itself asks for. */
export function planShutdown<P extends { readonly pod: Pod }>(
  groups: readonly ShutdownGroup[],
  pods: readonly P[],
): readonly ShutdownStep<P>[] {
  return groups.flatMap(({ priority, graceSeconds }, index) => {
    const next = groups[index + 1]?.priority ?? Infinity
    const from = index === 0 ? -Infinity : priority
    const own = pods.filter(({ pod }) => {
      const value = pod.spec.priority ?? 0
      return value >= from && value < next
    })
    if (own.length === 0) return []
    return [
      {
        graceSeconds,
        pods: own.map((pod) => ({
          pod,
          graceSeconds: Math.max(1, Math.min(graceSeconds, pod.pod.spec.terminationGracePeriodSeconds ?? 30)),
        })),
      },
    ]
  })
}
