// Requests and limits as the kernel takes them: shares, quotas, bytes, and who dies first when memory runs out.

import type { Container, Pod } from '@aksel/api/types/core-v1'
import { quantityMilli, quantityUnits } from '@aksel/base/quantity'
import type { LinuxResources } from '../cri/types.ts'
import { isSidecar } from './names.ts'
import { limitOf, requestOf, unnamedMemoryOf } from './totals.ts'

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort'

const CPU_PERIOD_US = 100_000
const SHARES_MIN = 2
const SHARES_MAX = 262_144
const QUOTA_US_MIN = 1000

/** What the API server wrote, or else upstream's rule. */
export function qosOf(pod: Pod): QosClass {
  const stated = pod.status?.qosClass
  if (stated !== undefined) return stated as QosClass
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
  const amounts = containers.flatMap(({ resources }) => [resources?.requests ?? {}, resources?.limits ?? {}])
  if (amounts.every((list) => !('cpu' in list) && !('memory' in list))) return 'BestEffort'
  const guaranteed = containers.every(({ resources }) =>
    ['cpu', 'memory'].every((name) => {
      const limit = resources?.limits?.[name]
      const request = resources?.requests?.[name] ?? limit
      return limit !== undefined && quantityMilli(request!) === quantityMilli(limit)
    }),
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}

/** What the machine has. */
export interface NodeCapacity {
  readonly cpuMilli: number
  readonly memoryBytes: number
  /** Processes and threads that one pod may have; no bound where absent. */
  readonly podPidsMax?: number
  /** Length of the periods that limits of CPU are kept in; 0: they hold nobody. As upstream's where absent. */
  readonly cpuPeriodUs?: number
  /** Memory is bounded on the unified tree (version 2). */
  readonly isUnified?: boolean
}

export function linuxResources(pod: Pod, container: Container, node: NodeCapacity): LinuxResources {
  const { requests, limits } = container.resources ?? {}
  // A container without a limit of its own may have what its pod may have.
  const whole = pod.spec.resources?.limits
  const cpu = limits?.['cpu'] ?? whole?.['cpu']
  const memory = limits?.['memory'] ?? whole?.['memory']
  const cpuLimit = cpu === undefined ? 0 : quantityMilli(cpu)
  const cpuRequest = requests?.['cpu'] === undefined ? cpuLimit : quantityMilli(requests['cpu'])
  const memoryLimit = memory === undefined ? 0 : quantityUnits(memory)
  const { cpuPeriodUs: period = CPU_PERIOD_US } = node
  return {
    cpuShares: sharesOf(cpuRequest),
    ...(cpuLimit === 0 || period === 0
      ? {}
      : { cpuPeriod: period, cpuQuota: quotaOf(Math.min(cpuLimit, node.cpuMilli), period) }),
    ...(memoryLimit === 0 ? {} : { memoryLimitInBytes: memoryLimit }),
    oomScoreAdj: oomScoreAdj(pod, container, node.memoryBytes),
    // A container that runs out of memory goes as a whole: half of it left would be neither well nor restarted.
    ...(node.isUnified === true ? { unified: { 'memory.oom.group': '1' } } : {}),
  }
}

export function sharesOf(milliCpu: number): number {
  return Math.min(SHARES_MAX, Math.max(SHARES_MIN, Math.floor((milliCpu * 1024) / 1000)))
}

/** Version 1 cgroups refuse a quota above their parent's, the machine's; more than the machine has means nothing anyway. */
export function quotaOf(milliCpu: number, periodUs = CPU_PERIOD_US): number {
  return Math.max(QUOTA_US_MIN, Math.floor((milliCpu * periodUs) / 1000))
}

const OOM_GUARANTEED = -997
const OOM_BEST_EFFORT = 1000

const SYSTEM_NODE_CRITICAL_PRIORITY = 2_000_001_000

/** The more of the node's memory a container asked for, the later it is killed; a side-car no sooner than those it serves. */
export function oomScoreAdj(pod: Pod, container: Container, nodeMemoryBytes: number): number {
  if ((pod.spec.priority ?? 0) >= SYSTEM_NODE_CRITICAL_PRIORITY) return OOM_GUARANTEED
  const qos = qosOf(pod)
  if (qos === 'Guaranteed') return OOM_GUARANTEED
  if (qos === 'BestEffort') return OOM_BEST_EFFORT
  const unnamed = unnamedMemoryOf(pod)
  const scoreOf = ({ resources }: Container): number => {
    const stated = resources?.requests?.['memory'] ?? resources?.limits?.['memory']
    const request = (stated === undefined ? 0 : quantityUnits(stated)) + unnamed
    return 1000 - Math.floor((1000 * request) / nodeMemoryBytes)
  }
  const isBeside = (pod.spec.initContainers ?? []).some((one) => one.name === container.name && isSidecar(one))
  const own = scoreOf(container)
  const adjusted = isBeside ? Math.min(own, Math.max(...pod.spec.containers.map(scoreOf))) : own
  if (adjusted < 1000 + OOM_GUARANTEED) return 1000 + OOM_GUARANTEED
  return adjusted === OOM_BEST_EFFORT ? OOM_BEST_EFFORT - 1 : adjusted
}

export interface PodLimits {
  readonly cpuShares: number
  readonly cpuQuota?: number
  readonly memoryBytes?: number
  readonly pidsMax?: number
}

/** What the pod's own cgroup holds its containers to together: what the pod says, else the sum where every container has a limit. */
export function podLimits(pod: Pod, node: NodeCapacity): PodLimits {
  const [cpu, memoryBytes] = [limitOf(pod, 'cpu'), limitOf(pod, 'memory')]
  const { cpuPeriodUs: period = CPU_PERIOD_US } = node
  return {
    cpuShares: sharesOf(requestOf(pod, 'cpu')),
    ...(node.podPidsMax === undefined ? {} : { pidsMax: node.podPidsMax }),
    ...(cpu === undefined || period === 0 ? {} : { cpuQuota: wholeQuota(Math.min(node.cpuMilli, cpu), period) }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  }
}

/**
 * Of the usual period, and no smaller a share than the containers' own of theirs: in short periods the least quota that there is may be
 * more than was asked for, and version 1 refuses a container more than its pod.
 */
function wholeQuota(milliCpu: number, periodUs: number): number {
  return Math.ceil((quotaOf(milliCpu, periodUs) * CPU_PERIOD_US) / periodUs)
}

/** Version 2 counts from 1 to 10,000 what version 1 counts from 2 to 262,144. */
export function weightOf(shares: number): number {
  return Math.max(1, Math.floor(1 + ((shares - 2) * 9999) / 262_142))
}
