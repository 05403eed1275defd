// From metrics to a number of replicas: upstream's rules for utilization, averages, and pods whose metrics are missing.

import type { PodGroups, PodMetrics } from './pods.ts'

/** How far a ratio may be from 1 without a change: shares. */
export interface Tolerances {
  readonly scaleDown: number
  readonly scaleUp: number
}

export function isWithin({ scaleDown, scaleUp }: Tolerances, ratio: number): boolean {
  return 1 - scaleDown <= ratio && ratio <= 1 + scaleUp
}

export interface ReplicaFacts {
  readonly current: number
  readonly metrics: PodMetrics
  readonly groups: PodGroups
  readonly tolerances: Tolerances
}

export interface Proposal {
  readonly replicas: number
  /** Thousandths, per pod. */
  readonly averageMilli: number
  /** Percent of the requests; for targets that are a share of them. */
  readonly utilization?: number
}

type Usage = ReadonlyMap<string, number>

/** `target` is a percentage of `requests`, which are in thousandths by pod. Throws where nothing can be said. */
export function replicasByUtilization(facts: ReplicaFacts, requests: Usage, target: number): Proposal {
  const usage = trusted(facts)
  const first = utilizationOf(usage, requests, target)
  const fallback = (pod: string): number => ((requests.get(pod) ?? 0) * Math.max(100, target)) / 100
  const ratioOf = (filled: Usage): number => utilizationOf(filled, requests, target).ratio
  const replicas = replicasFrom(facts, usage, first.ratio, { fallback, ratioOf })
  return { replicas, averageMilli: first.averageMilli, utilization: first.utilization }
}

/** `targetMilli` is what one pod should use. Throws where nothing can be said. */
export function replicasByAverage(facts: ReplicaFacts, targetMilli: number): Proposal {
  const usage = trusted(facts)
  const first = averageOf(usage)
  const ratioOf = (filled: Usage): number => averageOf(filled) / targetMilli
  const replicas = replicasFrom(facts, usage, first / targetMilli, { fallback: () => targetMilli, ratioOf })
  return { replicas, averageMilli: first }
}

function trusted({ metrics, groups }: ReplicaFacts): Usage {
  const usage = new Map<string, number>()
  for (const [pod, { milli }] of metrics) {
    if (!groups.ignored.has(pod) && !groups.unready.has(pod)) usage.set(pod, milli)
  }
  if (usage.size === 0) throw new Error('did not receive metrics for targeted pods (pods might be unready)')
  return usage
}

function utilizationOf(
  usage: Usage,
  requests: Usage,
  target: number,
): { readonly ratio: number; readonly utilization: number; readonly averageMilli: number } {
  let [used, requested, count] = [0, 0, 0]
  for (const [pod, milli] of usage) {
    const request = requests.get(pod)
    // Pods of metrics that are gone by now.
    if (request === undefined) continue
    used += milli
    requested += request
    count += 1
  }
  if (requested === 0) throw new Error('no metrics returned matched known pods')
  const utilization = Math.trunc((used * 100) / requested)
  return { ratio: utilization / target, utilization, averageMilli: Math.trunc(used / count) }
}

function averageOf(usage: Usage): number {
  let total = 0
  for (const milli of usage.values()) total += milli
  return Math.trunc(total / usage.size)
}

interface Filling {
  /** What a missing pod is taken to use when there seem to be too many. */
  readonly fallback: (pod: string) => number
  readonly ratioOf: (usage: Usage) => number
}

function replicasFrom(
  { current, groups, tolerances }: ReplicaFacts,
  usage: Usage,
  ratio: number,
  { fallback, ratioOf }: Filling,
): number {
  const countsUnready = groups.unready.size > 0 && ratio > 1
  if (!countsUnready && groups.missing.size === 0)
    return isWithin(tolerances, ratio) ? current : Math.ceil(ratio * groups.readyCount)
  const filled = new Map(usage)
  if (ratio < 1) for (const pod of groups.missing) filled.set(pod, fallback(pod))
  else if (ratio > 1) for (const pod of groups.missing) filled.set(pod, 0)
  if (countsUnready) for (const pod of groups.unready) filled.set(pod, 0)
  const next = ratioOf(filled)
  // What is guessed must not turn the direction.
  if (isWithin(tolerances, next) || (ratio < 1 && next > 1) || (ratio > 1 && next < 1)) return current
  const replicas = Math.ceil(next * filled.size)
  if ((next < 1 && replicas > current) || (next > 1 && replicas < current)) return current
  return replicas
}

export interface WholeFacts {
  readonly current: number
  /** Pods that run and are ready. */
  readonly readyCount: number
  readonly tolerances: Tolerances
}

/** One value for all pods against one target for all. */
export function replicasByValue(
  { current, readyCount, tolerances }: WholeFacts,
  valueMilli: number,
  targetMilli: number,
): number {
  const ratio = valueMilli / targetMilli
  if (current === 0) return Math.ceil(ratio)
  return isWithin(tolerances, ratio) ? current : Math.ceil(ratio * readyCount)
}

/** One value for all pods against a share for each. */
export function replicasByShare(
  { current, tolerances }: Omit<WholeFacts, 'readyCount'>,
  valueMilli: number,
  targetMilli: number,
): Proposal {
  const isSteady = isWithin(tolerances, valueMilli / (targetMilli * current))
  const replicas = isSteady ? current : Math.ceil(valueMilli / targetMilli)
  return { replicas, averageMilli: current === 0 ? 0 : Math.ceil(valueMilli / current) }
}
