// Between the two versions of HorizontalPodAutoscaler. What v1 has no field for travels in annotations, as upstream does it.

import { draftOf, type Draft } from '@aksel/base/draft'
import type { KubernetesObject } from '../resource.ts'
import { stringifyJson } from '@aksel/base/json'

const annotations = {
  metrics: 'autoscaling.alpha.kubernetes.io/metrics',
  behavior: 'autoscaling.alpha.kubernetes.io/behavior',
  currentMetrics: 'autoscaling.alpha.kubernetes.io/current-metrics',
  conditions: 'autoscaling.alpha.kubernetes.io/conditions',
} as const

type Parts = Record<string, unknown>

interface CpuMetric {
  readonly type?: string
  readonly resource?: {
    readonly name?: string
    readonly target?: { readonly averageUtilization?: number }
    readonly current?: { readonly averageUtilization?: number }
  }
}

function isCpu(metric: CpuMetric, side: 'target' | 'current'): boolean {
  return (
    metric.type === 'Resource' &&
    metric.resource?.name === 'cpu' &&
    metric.resource[side]?.averageUtilization !== undefined
  )
}

export function toNewAutoscaler(object: KubernetesObject | Draft<KubernetesObject>): Draft<KubernetesObject> {
  const output = draftOf(object) as Draft<KubernetesObject> & { spec: Parts; status?: Parts }
  output.apiVersion = 'autoscaling/v2'
  const { targetCPUUtilizationPercentage: percent, ...spec } = output.spec
  const cpu =
    percent === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } } }]
  const metrics = [...cpu, ...((take(output, annotations.metrics) as unknown[] | undefined) ?? [])]
  const behavior = take(output, annotations.behavior)
  output.spec = {
    ...spec,
    ...(metrics.length === 0 ? {} : { metrics }),
    ...(behavior === undefined ? {} : { behavior }),
  }
  const { currentCPUUtilizationPercentage: current, ...status } = output.status ?? {}
  const now =
    current === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } }]
  const currentMetrics = [...now, ...((take(output, annotations.currentMetrics) as unknown[] | undefined) ?? [])]
  const conditions = take(output, annotations.conditions)
  output.status = {
    ...status,
    ...(currentMetrics.length === 0 ? {} : { currentMetrics }),
    ...(conditions === undefined ? {} : { conditions }),
  }
  return output
}

export function fromNewAutoscaler(stored: KubernetesObject): Draft<KubernetesObject> {
  const output = draftOf(stored) as Draft<KubernetesObject> & { spec: Parts; status?: Parts }
  output.apiVersion = 'autoscaling/v1'
  const { metrics = [], behavior, ...spec } = output.spec
  const wanted = (metrics as CpuMetric[]).find((metric) => isCpu(metric, 'target'))
  keep(
    output,
    annotations.metrics,
    (metrics as CpuMetric[]).filter((metric) => metric !== wanted),
  )
  keep(output, annotations.behavior, behavior)
  output.spec = {
    ...spec,
    ...(wanted === undefined ? {} : { targetCPUUtilizationPercentage: wanted.resource!.target!.averageUtilization }),
  }
  const { currentMetrics = [], conditions = [], ...status } = output.status ?? {}
  const now = (currentMetrics as CpuMetric[]).find((metric) => isCpu(metric, 'current'))
  keep(
    output,
    annotations.currentMetrics,
    (currentMetrics as CpuMetric[]).filter((metric) => metric !== now),
  )
  keep(output, annotations.conditions, conditions)
  output.status = {
    ...status,
    ...(now === undefined ? {} : { currentCPUUtilizationPercentage: now.resource!.current!.averageUtilization }),
  }
  return output
}

/** Reads an annotation and removes it; what is no JSON is left alone. */
function take(object: Draft<KubernetesObject>, key: string): unknown {
  const text = object.metadata.annotations?.[key]
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    delete object.metadata.annotations![key]
    return value
  } catch {
    return undefined
  }
}

function keep(object: Draft<KubernetesObject>, key: string, value: unknown): void {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return
  object.metadata.annotations = { ...object.metadata.annotations, [key]: stringifyJson(value) }
}
