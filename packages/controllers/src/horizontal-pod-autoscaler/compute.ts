// One metric of an autoscaler: how many replicas it proposes, and how it stands.

import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from '@aksel/api/types/autoscaling-v2'
import type { Scale } from '@aksel/api/types/autoscaling-v1'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import { formatQuantity } from '@aksel/base/quantity'
import { formatSelector } from '@aksel/runtime/selectors'
import { isReady } from '../pod-facts.ts'
import { milliOf } from './metrics.ts'
import type { MetricsApi } from './metrics.ts'
import { groupPods } from './pods.ts'
import { replicasByAverage, replicasByShare, replicasByUtilization, replicasByValue } from './replicas.ts'
import type { ReplicaFacts, Tolerances } from './replicas.ts'

export interface MetricProposal {
  readonly replicas: number
  /** As the reason for a new size names it. */
  readonly name: string
  readonly status: MetricStatus
}

/** Reason of event and condition where a metric of this type fails. */
export const failureReasons: Readonly<Record<string, string>> = {
  Object: 'FailedGetObjectMetric',
  Pods: 'FailedGetPodsMetric',
  Resource: 'FailedGetResourceMetric',
  ContainerResource: 'FailedGetContainerResourceMetric',
  External: 'FailedGetExternalMetric',
}

export interface ComputeParts {
  readonly api: MetricsApi
  readonly autoscaler: HorizontalPodAutoscaler
  readonly scale: Scale
  /** Of the target, as a list request spells it. */
  readonly selector: string
  /** The target's pods. */
  readonly pods: readonly Pod[]
  readonly nowMs: number
}

const defaultTolerance = 0.1

/** Throws in upstream's words where the metric cannot be had. */
export async function computeMetric(parts: ComputeParts, metric: MetricSpec): Promise<MetricProposal> {
  switch (metric.type) {
    case 'Resource':
      return resourceMetric(parts, metric)
    case 'ContainerResource':
      return resourceMetric(parts, metric)
    case 'Pods':
      return podsMetric(parts, metric)
    case 'Object':
      return objectMetric(parts, metric)
    case 'External':
      return externalMetric(parts, metric)
    default:
      throw new Error(`unknown metric source type "${metric.type}"`)
  }
}

/** What stands before the error of a metric in the autoscaler's own. */
export function failurePrefix({ type, resource, containerResource, external }: MetricSpec): string {
  switch (type) {
    case 'Resource':
      return `failed to get ${resource?.name} resource metric value`
    case 'ContainerResource':
      return `failed to get ${containerResource?.name} container metric value`
    case 'Pods':
      return `failed to get pods metric value`
    case 'Object':
      return `failed to get object metric value`
    case 'External':
      return `failed to get ${external?.metric.name} external metric value`
    default:
      return `failed to get metric value of type ${type}`
  }
}

function tolerancesOf({ spec }: HorizontalPodAutoscaler): Tolerances {
  const of = (tolerance: string | number | undefined): number =>
    tolerance === undefined ? defaultTolerance : milliOf(tolerance) / 1000
  return { scaleUp: of(spec.behavior?.scaleUp?.tolerance), scaleDown: of(spec.behavior?.scaleDown?.tolerance) }
}

function milliText(milli: number): string {
  return formatQuantity({ nano: BigInt(Math.trunc(milli)) * 1_000_000n, format: 'DecimalSI' })
}

async function resourceMetric(parts: ComputeParts, metric: MetricSpec): Promise<MetricProposal> {
  const source = (metric.resource ?? metric.containerResource)!
  const container = metric.containerResource?.container
  const { name, target } = source
  const isShare = target.averageUtilization !== undefined
  const failed = isShare ? `failed to get ${name} utilization` : `failed to get ${name} usage`
  const proposal = await within(failed, async () => {
    const facts = await within(`unable to get metrics for resource ${name}`, async () => {
      const { metadata } = parts.autoscaler
      return parts.api.podResource(metadata.namespace!, parts.selector, name, container)
    }).then((metrics) => podFacts(parts, metrics, name))
    if (target.averageValue !== undefined) return replicasByAverage(facts, milliOf(target.averageValue))
    if (!isShare)
      throw new Error(
        'invalid resource metric source: neither an average utilization nor an average value target was set',
      )
    return replicasByUtilization(facts, requestsOf(parts.pods, name, container), target.averageUtilization)
  })
  const current = {
    ...(proposal.utilization === undefined ? {} : { averageUtilization: proposal.utilization }),
    averageValue: milliText(proposal.averageMilli),
  }
  const status: MetricStatus =
    container === undefined
      ? { type: 'Resource', resource: { name, current } }
      : { type: 'ContainerResource', containerResource: { name, container, current } }
  const named = `${name} resource`
  return { replicas: proposal.replicas, name: isShare ? `${named} utilization (percentage of request)` : named, status }
}

function podFacts(
  { pods, scale, autoscaler, nowMs }: ComputeParts,
  metrics: ReplicaFacts['metrics'],
  resource?: string,
): ReplicaFacts {
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count')
  const groups = groupPods(pods, metrics, resource, nowMs)
  return { current: scale.spec.replicas ?? 0, metrics, groups, tolerances: tolerancesOf(autoscaler) }
}

/** Thousandths by pod; of one container where one is named. Throws where a container asks for none. */
function requestsOf(
  pods: readonly Pod[],
  resource: string,
  container: string | undefined,
): ReadonlyMap<string, number> {
  const result = new Map<string, number>()
  for (const { metadata, spec } of pods) {
    const whole = container === undefined ? spec.resources?.requests?.[resource] : undefined
    const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
    const counted = [...sidecars, ...(spec.containers ?? [])].filter(
      ({ name }) => container === undefined || name === container,
    )
    const sum = counted.reduce(
      (total, each) => total + requestOf(each, resource, metadata.name, whole !== undefined),
      0,
    )
    result.set(metadata.name, whole === undefined ? sum : milliOf(whole))
  }
  return result
}

function requestOf({ name, resources }: Container, resource: string, pod: string, isCovered: boolean): number {
  const amount = resources?.requests?.[resource]
  if (amount === undefined && !isCovered)
    throw new Error(`missing request for ${resource} in container ${name} of Pod ${pod}`)
  return amount === undefined ? 0 : milliOf(amount)
}

async function podsMetric(parts: ComputeParts, { pods: source }: MetricSpec): Promise<MetricProposal> {
  const { metric, target } = source!
  const proposal = await within(`unable to get metric ${metric.name}`, async () => {
    const metrics = await parts.api.podMetric(parts.autoscaler.metadata.namespace!, parts.selector, metric)
    return replicasByAverage(podFacts(parts, metrics), milliOf(target.averageValue ?? '0'))
  })
  const current = { averageValue: milliText(proposal.averageMilli) }
  return {
    replicas: proposal.replicas,
    name: `pods metric ${metric.name}`,
    status: { type: 'Pods', pods: { metric, current } },
  }
}

async function objectMetric(parts: ComputeParts, { object: source }: MetricSpec): Promise<MetricProposal> {
  const { metric, target, describedObject } = source!
  const { namespace } = parts.autoscaler.metadata
  const value = await within(`unable to get metric ${metric.name}`, () =>
    parts.api.objectMetric(namespace!, describedObject, metric),
  )
  const { replicas, current } = wholeProposal(parts, target, value)
  return {
    replicas,
    name: `${describedObject.kind} metric ${metric.name}`,
    status: { type: 'Object', object: { metric, describedObject, current } },
  }
}

async function externalMetric(parts: ComputeParts, { external: source }: MetricSpec): Promise<MetricProposal> {
  const { metric, target } = source!
  const { namespace } = parts.autoscaler.metadata
  const selector = metric.selector === undefined ? '' : formatSelector(metric.selector)
  const value = await within(`unable to get external metric ${namespace}/${metric.name}/${selector}`, () =>
    parts.api.externalMetric(namespace!, metric),
  )
  const { replicas, current } = wholeProposal(parts, target, value)
  return {
    replicas,
    name: `external metric ${metric.name}(${selector})`,
    status: { type: 'External', external: { metric, current } },
  }
}

type Target = NonNullable<MetricSpec['external']>['target']
type Current = NonNullable<MetricStatus['external']>['current']

function wholeProposal(
  { scale, pods, autoscaler }: ComputeParts,
  target: Target,
  valueMilli: number,
): { readonly replicas: number; readonly current: Current } {
  const tolerances = tolerancesOf(autoscaler)
  if (target.averageValue !== undefined) {
    const facts = { current: scale.status?.replicas ?? 0, tolerances }
    const { replicas, averageMilli } = replicasByShare(facts, valueMilli, milliOf(target.averageValue))
    return { replicas, current: { averageValue: milliText(averageMilli) } }
  }
  if (target.value === undefined)
    throw new Error('invalid metric source: neither a value target nor an average value target was set')
  const readyCount = pods.filter((pod) => pod.status?.phase === 'Running' && isReady(pod)).length
  const facts = { current: scale.spec.replicas ?? 0, readyCount, tolerances }
  return {
    replicas: replicasByValue(facts, valueMilli, milliOf(target.value)),
    current: { value: milliText(valueMilli) },
  }
}

async function within<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new Error(`${prefix}: ${(error as Error).message}`, { cause: error })
  }
}
