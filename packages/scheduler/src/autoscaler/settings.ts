// The autoscaler's profile as AKS has it, strings all, turned into numbers with AKS's defaults.

export const expanders = ['random', 'most-pods', 'least-waste', 'priority'] as const
export type Expander = (typeof expanders)[number]

export interface AutoscalerSettings {
  readonly balanceSimilarGroups: boolean
  readonly expander: Expander
  readonly ignoreDaemonSets: boolean
  readonly emptyBulkDeleteMax: number
  readonly gracefulTerminationMaxMs: number
  readonly nodeProvisionMaxMs: number
  /** Percent. */
  readonly totalUnreadyMax: number
  readonly okTotalUnready: number
  readonly newPodDelayMs: number
  readonly scanIntervalMs: number
  readonly delayAfterAddMs: number
  readonly delayAfterDeleteMs: number
  readonly delayAfterFailureMs: number
  readonly unneededMs: number
  readonly unreadyMs: number
  readonly utilizationThreshold: number
  readonly skipLocalStorage: boolean
  readonly skipSystemPods: boolean
}

type Profile = Readonly<Record<string, unknown>>

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** `1h30m`, `10s`; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * unitMs[unit!]!,
    0,
  )
}

/** What is not there, or empty, has AKS's default. */
export function readSettings(profile: Profile): AutoscalerSettings {
  const text = (name: string): string | undefined => {
    const value = profile[name]
    if (typeof value === 'boolean' || typeof value === 'number') return String(value)
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const time = (name: string, otherwise: number): number => durationMs(text(name) ?? '') ?? otherwise
  const number = (name: string, otherwise: number): number => Number(text(name) ?? otherwise)
  const flag = (name: string, otherwise: boolean): boolean => (text(name) ?? String(otherwise)).toLowerCase() === 'true'
  const minute = 60_000
  const scanIntervalMs = Math.max(1_000, time('scan-interval', 10_000))
  return {
    balanceSimilarGroups: flag('balance-similar-node-groups', false),
    expander: expanders.find((each) => each === text('expander')) ?? 'random',
    ignoreDaemonSets: flag('ignore-daemonsets-utilization', false),
    emptyBulkDeleteMax: number('max-empty-bulk-delete', 10),
    gracefulTerminationMaxMs: number('max-graceful-termination-sec', 600) * 1_000,
    nodeProvisionMaxMs: time('max-node-provision-time', 15 * minute),
    totalUnreadyMax: number('max-total-unready-percentage', 45),
    okTotalUnready: number('ok-total-unready-count', 3),
    newPodDelayMs: time('new-pod-scale-up-delay', 0),
    scanIntervalMs,
    delayAfterAddMs: time('scale-down-delay-after-add', 10 * minute),
    delayAfterDeleteMs: time('scale-down-delay-after-delete', scanIntervalMs),
    delayAfterFailureMs: time('scale-down-delay-after-failure', 3 * minute),
    unneededMs: time('scale-down-unneeded-time', 10 * minute),
    unreadyMs: time('scale-down-unready-time', 20 * minute),
    utilizationThreshold: number('scale-down-utilization-threshold', 0.5),
    skipLocalStorage: flag('skip-nodes-with-local-storage', true),
    skipSystemPods: flag('skip-nodes-with-system-pods', true),
  }
}
