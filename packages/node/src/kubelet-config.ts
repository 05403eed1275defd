// How a node looks after itself: the fields of upstream's KubeletConfiguration that take effect here, with what AKS sets
// where nobody says otherwise.

import { durationMs } from '@aksel/base/duration'
import { quantityUnits } from '@aksel/base/quantity'
import { parseThresholds } from './eviction/thresholds.ts'
import type { EvictionSettings, Threshold } from './eviction/thresholds.ts'
import type { MemoryReservation } from './memory-manager/memory-nodes.ts'
import { checkSysctlPatterns } from './pod/sysctls.ts'
import { shutdownGroups } from './shutdown/plan.ts'
import type { ShutdownGroup } from './shutdown/plan.ts'

/** As written: quantities and durations are texts. */
export interface KubeletConfig extends EvictionSettings {
  readonly evictionPressureTransitionPeriod: string
  /** Seconds. */
  readonly evictionMaxPodGracePeriod: number
  /** How often the node looks at itself; upstream has no field for it. */
  readonly evictionMonitoringPeriod: string
  readonly imageGCHighThresholdPercent: number
  readonly imageGCLowThresholdPercent: number
  readonly imageMinimumGCAge: string
  /** `0s`: images may stay unused for ever. */
  readonly imageMaximumGCAge: string
  readonly imageGCPeriod: string
  readonly serializeImagePulls: boolean
  /** 0: as many as there are. */
  readonly maxParallelImagePulls: number
  readonly containerLogMaxSize: string
  readonly containerLogMaxFiles: number
  readonly containerLogMonitorInterval: string
  /** -1: as many as the machine has. */
  readonly podPidsLimit: number
  readonly cpuManagerPolicy: 'none' | 'static'
  /** Whether containers are held to their limits of CPU, and in periods of what length. */
  readonly cpuCFSQuota: boolean
  readonly cpuCFSQuotaPeriod: string
  /** Names of kernel settings, or beginnings with a `*`. */
  readonly allowedUnsafeSysctls: readonly string[]
  readonly memoryManagerPolicy: 'None' | 'Static'
  /** By NUMA node: what pods do not get of it; empty: all of it from the lowest. */
  readonly reservedMemory: readonly MemoryReservation[]
  /** A folder of manifests; '' for none. */
  readonly staticPodPath: string
  readonly fileCheckFrequency: string
  readonly shutdownGracePeriod: string
  readonly shutdownGracePeriodCriticalPods: string
  readonly shutdownGracePeriodByPodPriority: readonly {
    readonly priority: number
    readonly shutdownGracePeriodSeconds: number
  }[]
}

export const aksKubeletConfig: KubeletConfig = {
  evictionHard: {
    'memory.available': '100Mi',
    'nodefs.available': '10%',
    'nodefs.inodesFree': '5%',
    'pid.available': '2000',
  },
  evictionSoft: {},
  evictionSoftGracePeriod: {},
  evictionMinimumReclaim: {},
  evictionPressureTransitionPeriod: '5m0s',
  evictionMaxPodGracePeriod: 0,
  evictionMonitoringPeriod: '10s',
  imageGCHighThresholdPercent: 85,
  imageGCLowThresholdPercent: 80,
  imageMinimumGCAge: '2m0s',
  imageMaximumGCAge: '0s',
  imageGCPeriod: '5m0s',
  serializeImagePulls: false,
  maxParallelImagePulls: 0,
  containerLogMaxSize: '50M',
  containerLogMaxFiles: 5,
  containerLogMonitorInterval: '10s',
  podPidsLimit: -1,
  cpuManagerPolicy: 'none',
  cpuCFSQuota: true,
  cpuCFSQuotaPeriod: '100ms',
  allowedUnsafeSysctls: [],
  memoryManagerPolicy: 'None',
  reservedMemory: [],
  staticPodPath: '',
  fileCheckFrequency: '20s',
  shutdownGracePeriod: '0s',
  shutdownGracePeriodCriticalPods: '0s',
  shutdownGracePeriodByPodPriority: [],
}

/** The same, read: times in milliseconds, sizes in bytes. */
export interface NodeSettings {
  /** As it is written: what takes effect, defaults included. */
  readonly config: KubeletConfig
  readonly thresholds: readonly Threshold[]
  readonly pressureTransitionMs: number
  readonly maxPodGraceSeconds: number
  readonly monitoringMs: number
  readonly images: {
    readonly highPercent: number
    readonly lowPercent: number
    readonly minAgeMs: number
    /** 0: no limit. */
    readonly maxAgeMs: number
    readonly periodMs: number
  }
  /** At once; undefined: any number. */
  readonly imagePullsMax: number | undefined
  readonly logs: { readonly maxBytes: number; readonly maxFiles: number; readonly periodMs: number }
  /** Undefined: no bound of its own. */
  readonly podPidsMax: number | undefined
  readonly cpuManagerPolicy: KubeletConfig['cpuManagerPolicy']
  /** 0: limits of CPU hold nobody. */
  readonly cpuPeriodUs: number
  readonly memoryManagerPolicy: KubeletConfig['memoryManagerPolicy']
  readonly staticPods: { readonly path: string; readonly periodMs: number } | undefined
  /** Lowest priority first; empty: pods are not told of a shutdown. */
  readonly shutdown: readonly ShutdownGroup[]
}

type DurationField = {
  [K in keyof KubeletConfig]: K extends `${string}${'Period' | 'Interval' | 'Frequency' | 'GCAge'}` ? K : never
}[Exclude<keyof KubeletConfig, 'evictionSoftGracePeriod' | 'evictionMaxPodGracePeriod'>]

/** Throws an error that names the field. */
export function readKubeletConfig(given: Partial<KubeletConfig>): NodeSettings {
  const known = new Set(Object.keys(aksKubeletConfig))
  const unknown = Object.keys(given).find((name) => !known.has(name))
  if (unknown !== undefined) throw new Error(`kubelet configuration: unknown field "${unknown}"`)
  const config = { ...aksKubeletConfig, ...given }
  const duration = (name: DurationField): number => durationMs(name, config[name])
  judge(config)
  return {
    config,
    thresholds: parseThresholds(config),
    pressureTransitionMs: duration('evictionPressureTransitionPeriod'),
    maxPodGraceSeconds: config.evictionMaxPodGracePeriod,
    monitoringMs: duration('evictionMonitoringPeriod'),
    images: {
      highPercent: config.imageGCHighThresholdPercent,
      lowPercent: config.imageGCLowThresholdPercent,
      minAgeMs: duration('imageMinimumGCAge'),
      maxAgeMs: duration('imageMaximumGCAge'),
      periodMs: duration('imageGCPeriod'),
    },
    imagePullsMax: pullsMax(config),
    logs: {
      maxBytes: quantityUnits(config.containerLogMaxSize),
      maxFiles: config.containerLogMaxFiles,
      periodMs: duration('containerLogMonitorInterval'),
    },
    podPidsMax: config.podPidsLimit > 0 ? config.podPidsLimit : undefined,
    cpuManagerPolicy: config.cpuManagerPolicy,
    cpuPeriodUs: config.cpuCFSQuota ? duration('cpuCFSQuotaPeriod') * 1000 : 0,
    memoryManagerPolicy: config.memoryManagerPolicy,
    staticPods:
      config.staticPodPath === ''
        ? undefined
        : { path: config.staticPodPath, periodMs: duration('fileCheckFrequency') },
    shutdown: shutdownGroups(config),
  }
}

/** The sentences of upstream's validation. */
function judge(config: KubeletConfig): void {
  const { imageGCHighThresholdPercent: high, imageGCLowThresholdPercent: low } = config
  const refuse = (sentence: string): never => {
    throw new Error(`invalid configuration: ${sentence}`)
  }
  if (!isPercent(high))
    refuse(`imageGCHighThresholdPercent (--image-gc-high-threshold) ${high} must be between 0 and 100, inclusive`)
  if (!isPercent(low))
    refuse(`imageGCLowThresholdPercent (--image-gc-low-threshold) ${low} must be between 0 and 100, inclusive`)
  if (low >= high) {
    refuse(
      `imageGCLowThresholdPercent (--image-gc-low-threshold) ${low} must be less than imageGCHighThresholdPercent (--image-gc-high-threshold) ${high}`,
    )
  }
  checkSysctlPatterns(config.allowedUnsafeSysctls)
  const periodMs = durationMs('cpuCFSQuotaPeriod', config.cpuCFSQuotaPeriod)
  if (periodMs < 1 || periodMs > 1000)
    refuse(
      `cpuCFSQuotaPeriod (--cpu-cfs-quota-period) {${config.cpuCFSQuotaPeriod}} must be between 1ms and 1sec, inclusive`,
    )
  const { maxParallelImagePulls: pulls } = config
  if (pulls < 0 || !Number.isInteger(pulls)) refuse(`maxParallelImagePulls ${pulls} must be a positive number`)
  if (config.serializeImagePulls && pulls > 1)
    refuse(
      `maxParallelImagePulls cannot be larger than 1 unless SerializeImagePulls (--serialize-image-pulls) is set to false`,
    )
  if (config.containerLogMaxFiles <= 1) refuse('containerLogMaxFiles must be greater than 1')
  const hasPeriods = config.shutdownGracePeriod !== '0s' || config.shutdownGracePeriodCriticalPods !== '0s'
  if (hasPeriods && config.shutdownGracePeriodByPodPriority.length > 0) {
    refuse(
      'shutdownGracePeriodByPodPriority and shutdownGracePeriod or shutdownGracePeriodCriticalPods are mutually exclusive',
    )
  }
  if (config.shutdownGracePeriodCriticalPods !== '0s') {
    const [total, critical] = [config.shutdownGracePeriod, config.shutdownGracePeriodCriticalPods]
    if (durationMs('shutdownGracePeriodCriticalPods', critical) > durationMs('shutdownGracePeriod', total)) {
      refuse(`shutdownGracePeriodCriticalPods ${critical} must be <= shutdownGracePeriod ${total}`)
    }
  }
}

function pullsMax({ serializeImagePulls, maxParallelImagePulls }: KubeletConfig): number | undefined {
  if (serializeImagePulls) return 1
  return maxParallelImagePulls > 0 ? maxParallelImagePulls : undefined
}

function isPercent(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 100
}
