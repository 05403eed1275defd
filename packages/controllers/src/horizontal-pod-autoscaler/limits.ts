// How fast and how soon an autoscaler may follow its metrics: stabilisation windows, policies, and the bounds of its spec.

import type { HPAScalingRules, HorizontalPodAutoscaler } from '@aksel/api/types/autoscaling-v2'

export interface Recommendation {
  readonly replicas: number
  readonly atMs: number
}

export interface ScaleChange {
  /** Positive: pods that came or went. */
  readonly replicas: number
  readonly atMs: number
}

/** What is remembered between two passes; lost with the process, as upstream's is. */
export interface ScaleHistory {
  recommendations: Recommendation[]
  ups: ScaleChange[]
  downs: ScaleChange[]
}

export interface News {
  readonly type: 'AbleToScale' | 'ScalingLimited' | 'ScalingActive'
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

export interface Limited {
  readonly replicas: number
  readonly news: readonly News[]
}

const downWindowMs = 5 * 60_000
const scaleUpFactor = 2
const scaleUpMinimum = 4

const messages = {
  ScaleUpLimit: 'the desired replica count is increasing faster than the maximum scale rate',
  ScaleDownLimit: 'the desired replica count is decreasing faster than the maximum scale rate',
  TooManyReplicas: 'the desired replica count is more than the maximum replica count',
  TooFewReplicas: 'the desired replica count is less than the minimum replica count',
  DesiredWithinRange: 'the desired count is within the acceptable range',
  ScaleUpStabilized: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
  ScaleDownStabilized:
    'recent recommendations were higher than current one, applying the highest recent recommendation',
  ReadyForNewScale: 'recommended size matches current size',
} as const

type Reason = keyof typeof messages

interface Bounded {
  readonly replicas: number
  readonly reason: Reason
}

/** The desired size after windows and limits; notes the recommendation in the history. */
export function limitReplicas(
  { spec }: HorizontalPodAutoscaler,
  history: ScaleHistory,
  { current, desired }: { readonly current: number; readonly desired: number },
  nowMs: number,
): Limited {
  const { behavior } = spec
  const bounds = { min: spec.minReplicas ?? 1, max: spec.maxReplicas }
  const stable =
    behavior === undefined
      ? stabilizePlainly(history, desired, nowMs)
      : stabilize(history, rulesOf(behavior), current, desired, nowMs)
  remember(history, desired, nowMs, behavior === undefined ? downWindowMs : longestWindowMs(rulesOf(behavior)))
  const bounded =
    behavior === undefined
      ? boundPlainly(current, stable.replicas, bounds)
      : boundByRate(history, rulesOf(behavior), current, stable.replicas, bounds, nowMs)
  const isStable = stable.replicas === desired
  const isFree = bounded.replicas === stable.replicas
  return {
    replicas: bounded.replicas,
    news: [
      newsOf('AbleToScale', 'True', isStable ? 'ReadyForNewScale' : stable.reason),
      newsOf('ScalingLimited', isFree ? 'False' : 'True', bounded.reason),
    ],
  }
}

function newsOf(type: News['type'], status: News['status'], reason: Reason): News {
  return { type, status, reason, message: messages[reason] }
}

interface Rules {
  readonly up: Required<Omit<HPAScalingRules, 'tolerance'>>
  readonly down: Required<Omit<HPAScalingRules, 'tolerance'>>
}

function rulesOf({ scaleUp = {}, scaleDown = {} }: NonNullable<HorizontalPodAutoscaler['spec']['behavior']>): Rules {
  const percent = { type: 'Percent', value: 100, periodSeconds: 15 }
  return {
    up: {
      stabilizationWindowSeconds: scaleUp.stabilizationWindowSeconds ?? 0,
      selectPolicy: scaleUp.selectPolicy ?? 'Max',
      policies: scaleUp.policies ?? [{ type: 'Pods', value: 4, periodSeconds: 15 }, percent],
    },
    down: {
      stabilizationWindowSeconds: scaleDown.stabilizationWindowSeconds ?? downWindowMs / 1000,
      selectPolicy: scaleDown.selectPolicy ?? 'Max',
      policies: scaleDown.policies ?? [percent],
    },
  }
}

function longestWindowMs({ up, down }: Rules): number {
  return Math.max(up.stabilizationWindowSeconds, down.stabilizationWindowSeconds) * 1000
}

function remember(history: ScaleHistory, replicas: number, nowMs: number, windowMs: number): void {
  history.recommendations = history.recommendations.filter(({ atMs }) => atMs >= nowMs - windowMs)
  history.recommendations.push({ replicas, atMs: nowMs })
}

function stabilizePlainly({ recommendations }: ScaleHistory, desired: number, nowMs: number): Bounded {
  const recent = recommendations.filter(({ atMs }) => atMs >= nowMs - downWindowMs)
  const replicas = Math.max(desired, ...recent.map((each) => each.replicas))
  return { replicas, reason: 'ScaleDownStabilized' }
}

function stabilize(
  { recommendations }: ScaleHistory,
  { up, down }: Rules,
  current: number,
  desired: number,
  nowMs: number,
): Bounded {
  const since = (seconds: number): readonly number[] =>
    recommendations.filter(({ atMs }) => atMs > nowMs - seconds * 1000).map(({ replicas }) => replicas)
  const lowest = Math.min(desired, ...since(up.stabilizationWindowSeconds))
  const highest = Math.max(desired, ...since(down.stabilizationWindowSeconds))
  const replicas = Math.min(Math.max(current, lowest), highest)
  return { replicas, reason: desired >= current ? 'ScaleUpStabilized' : 'ScaleDownStabilized' }
}

interface Bounds {
  readonly min: number
  readonly max: number
}

function boundPlainly(current: number, desired: number, { min, max }: Bounds): Bounded {
  const rate = Math.max(Math.trunc(scaleUpFactor * current), scaleUpMinimum)
  if (desired < min) return { replicas: min, reason: 'TooFewReplicas' }
  const limit = Math.min(max, rate)
  if (desired > limit) return { replicas: limit, reason: max > rate ? 'ScaleUpLimit' : 'TooManyReplicas' }
  return { replicas: desired, reason: 'DesiredWithinRange' }
}

function boundByRate(
  history: ScaleHistory,
  { up, down }: Rules,
  current: number,
  desired: number,
  { min, max }: Bounds,
  nowMs: number,
): Bounded {
  if (desired > current) {
    const rate = Math.max(current, rateLimit(history, up, current, 'up', nowMs))
    const limit = Math.min(max, rate)
    if (desired > limit) return { replicas: limit, reason: max > rate ? 'ScaleUpLimit' : 'TooManyReplicas' }
  } else if (desired < current) {
    const rate = Math.min(current, rateLimit(history, down, current, 'down', nowMs))
    const limit = Math.max(min, rate)
    if (desired < limit) return { replicas: limit, reason: min < rate ? 'ScaleDownLimit' : 'TooFewReplicas' }
  }
  return { replicas: desired, reason: 'DesiredWithinRange' }
}

function rateLimit(
  history: ScaleHistory,
  { selectPolicy, policies }: Rules['up'],
  current: number,
  direction: 'up' | 'down',
  nowMs: number,
): number {
  if (selectPolicy === 'Disabled') return current
  const limits = policies.map(({ type, value, periodSeconds }) => {
    const since = nowMs - periodSeconds * 1000
    const start = current - changesSince(history.ups, since) + changesSince(history.downs, since)
    if (type === 'Pods') return direction === 'up' ? start + value : start - value
    return direction === 'up' ? Math.ceil(start * (1 + value / 100)) : Math.trunc(start * (1 - value / 100))
  })
  // `Max` is the largest change: the highest number upwards, the lowest downwards.
  return (selectPolicy === 'Min') === (direction === 'up') ? Math.min(...limits) : Math.max(...limits)
}

function changesSince(changes: readonly ScaleChange[], sinceMs: number): number {
  return changes.filter(({ atMs }) => atMs > sinceMs).reduce((sum, { replicas }) => sum + replicas, 0)
}

/** Notes a change of size that was made, and forgets those past every policy's period. */
export function noteChange(
  { spec }: HorizontalPodAutoscaler,
  history: ScaleHistory,
  { from, to }: { readonly from: number; readonly to: number },
  nowMs: number,
): void {
  if (spec.behavior === undefined) return
  const { up, down } = rulesOf(spec.behavior)
  const longestS = Math.max(...[...up.policies, ...down.policies].map(({ periodSeconds }) => periodSeconds))
  const isRecent = ({ atMs }: ScaleChange): boolean => atMs > nowMs - longestS * 1000
  history.ups = history.ups.filter(isRecent)
  history.downs = history.downs.filter(isRecent)
  const change = { replicas: Math.abs(to - from), atMs: nowMs }
  if (to > from) history.ups.push(change)
  else history.downs.push(change)
}
