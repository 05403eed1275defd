// The Targets cell of an autoscaler: what it measures, now and as wished.

import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from '../types/autoscaling-v2.ts'

const shownMax = 2

export function targetsText({ spec, status }: HorizontalPodAutoscaler): string {
  const metrics = spec.metrics ?? []
  if (metrics.length === 0) return '<none>'
  const texts = metrics.map((metric, index) => metricText(metric, status?.currentMetrics?.[index]))
  const shown = texts.slice(0, shownMax).join(', ')
  return texts.length > shownMax ? `${shown} + ${texts.length - shownMax} more...` : shown
}

function metricText(metric: MetricSpec, status: MetricStatus | undefined): string {
  const unknown = '<unknown>'
  switch (metric.type) {
    case 'External':
      return averageOrValue(metric.external, status?.external)
    case 'Pods':
      return `${status?.pods?.current.averageValue ?? unknown}/${metric.pods?.target.averageValue ?? ''}`
    case 'Object':
      return averageOrValue(metric.object, status?.object)
    case 'Resource':
      return `${metric.resource?.name ?? ''}: ${resourceText(metric.resource, status?.resource)}`
    case 'ContainerResource':
      return `${metric.containerResource?.name ?? ''}: ${resourceText(metric.containerResource, status?.containerResource)}`
    default:
      return '<unknown type>'
  }
}

type Target = NonNullable<MetricSpec['external']>
type Current = NonNullable<MetricStatus['external']>

function averageOrValue(
  source: Pick<Target, 'target'> | undefined,
  current: Pick<Current, 'current'> | undefined,
): string {
  const average = source?.target.averageValue
  if (average !== undefined) return `${current?.current.averageValue ?? '<unknown>'}/${average} (avg)`
  return `${current?.current.value ?? '<unknown>'}/${source?.target.value ?? ''}`
}

function resourceText(
  source: Pick<Target, 'target'> | undefined,
  current: Pick<Current, 'current'> | undefined,
): string {
  const average = source?.target.averageValue
  if (average !== undefined) return `${current?.current.averageValue ?? '<unknown>'}/${average}`
  const now = current?.current.averageUtilization
  const wish = source?.target.averageUtilization
  return `${now === undefined ? '<unknown>' : `${now}%`}/${wish === undefined ? '<auto>' : `${wish}%`}`
}
