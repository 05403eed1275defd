// The three metrics APIs, as an autoscaler asks them: usage of pods, values of objects, values from outside.

import type { ResourceType } from '@aksel/api/resource'
import type { CrossVersionObjectReference, MetricIdentifier } from '@aksel/api/types/autoscaling-v2'
import type { PodMetricsList } from '@aksel/api/types/metrics-v1beta1'
import { parseQuantity } from '@aksel/base/quantity'
import type { Client } from '@aksel/client/client'
import { formatSelector } from '@aksel/runtime/selectors'
import { getJson, resourceOf } from '../discovery.ts'
import type { PodMetric, PodMetrics } from './pods.ts'

const defaultWindowMs = 60_000

interface MetricItem {
  readonly describedObject?: { readonly name?: string }
  readonly timestamp?: string
  readonly windowSeconds?: number
  readonly value: string
}

export class MetricsApi {
  readonly #client: Client
  readonly #kinds = new Map<string, ResourceType>()

  constructor(client: Client) {
    this.#client = client
  }

  /** Usage by pod; of one container where one is named. Throws in upstream's words. */
  async podResource(
    namespace: string,
    selector: string,
    resource: string,
    container: string | undefined,
  ): Promise<PodMetrics> {
    const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}`
    const { items } = (await this.#ask(path, 'unable to fetch metrics from resource metrics API')) as PodMetricsList
    if (items.length === 0) throw new Error('no metrics returned from resource metrics API')
    const result = new Map<string, PodMetric>()
    for (const { metadata, containers, timestamp, window } of items) {
      const counted = container === undefined ? containers : containers.filter(({ name }) => name === container)
      const amounts = counted.map(({ usage }) => usage?.[resource])
      // A pod with a container that says nothing says nothing.
      if (amounts.length === 0 || amounts.some((amount) => amount === undefined)) continue
      const milli = amounts.reduce<number>((sum, amount) => sum + milliOf(amount!), 0)
      result.set(metadata.name, { milli, atMs: Date.parse(timestamp), windowMs: durationMs(window) })
    }
    if (result.size === 0 && container !== undefined)
      throw new Error(`container ${container} not present in metrics for pods`)
    return result
  }

  async podMetric(namespace: string, selector: string, metric: MetricIdentifier): Promise<PodMetrics> {
    const path = `${customPath}/namespaces/${namespace}/pods/*/${encodeURIComponent(metric.name)}`
    const query = `?labelSelector=${encodeURIComponent(selector)}${metricSelector(metric)}`
    const { items } = (await this.#ask(path + query, 'unable to fetch metrics from custom metrics API')) as {
      readonly items: readonly MetricItem[]
    }
    if (items.length === 0) throw new Error('no metrics returned from custom metrics API')
    const result = new Map<string, PodMetric>()
    for (const { describedObject, timestamp, windowSeconds, value } of items) {
      const windowMs = windowSeconds === undefined ? defaultWindowMs : windowSeconds * 1000
      result.set(describedObject?.name ?? '', { milli: milliOf(value), atMs: Date.parse(timestamp ?? ''), windowMs })
    }
    return result
  }

  /** Thousandths. */
  async objectMetric(
    namespace: string,
    object: CrossVersionObjectReference,
    metric: MetricIdentifier,
  ): Promise<number> {
    const name = encodeURIComponent(metric.name)
    const query = `?${metricSelector(metric).slice(1)}`
    const type = await this.#kindOf(object)
    const plural = type.group === '' ? type.plural : `${type.plural}.${type.group}`
    const isNamespace = object.kind === 'Namespace' && type.group === ''
    const place = type.namespaced ? `/namespaces/${namespace}/${plural}/${object.name}` : `/${plural}/${object.name}`
    const path = isNamespace ? `/namespaces/${object.name}/metrics/${name}` : `${place}/${name}`
    const { items } = (await this.#ask(
      customPath + path + query,
      'unable to fetch metrics from custom metrics API',
    )) as {
      readonly items: readonly MetricItem[]
    }
    if (items.length === 0) throw new Error('no metrics returned from custom metrics API')
    return milliOf(items[0]!.value)
  }

  /** All series that match in sum, thousandths. */
  async externalMetric(namespace: string, metric: MetricIdentifier): Promise<number> {
    const selector = metric.selector === undefined ? '' : formatSelector(metric.selector)
    const query = selector === '' ? '' : `?labelSelector=${encodeURIComponent(selector)}`
    const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${encodeURIComponent(metric.name)}${query}`
    const { items } = (await this.#ask(path, 'unable to fetch metrics from external metrics API')) as {
      readonly items: readonly MetricItem[]
    }
    if (items.length === 0) throw new Error('no metrics returned from external metrics API')
    return items.reduce((sum, { value }) => sum + milliOf(value), 0)
  }

  async #kindOf({ apiVersion = 'v1', kind }: CrossVersionObjectReference): Promise<ResourceType> {
    const key = `${apiVersion}/${kind}`
    const type = this.#kinds.get(key) ?? (await resourceOf(this.#client, apiVersion, kind))
    if (type === undefined) throw new Error(`unable to map ${kind}: no matches for kind "${kind}"`)
    this.#kinds.set(key, type)
    return type
  }

  async #ask(path: string, failure: string): Promise<unknown> {
    try {
      return await getJson(this.#client, path)
    } catch (error) {
      throw new Error(`${failure}: ${(error as Error).message}`, { cause: error })
    }
  }
}

const customPath = '/apis/custom.metrics.k8s.io/v1beta2'

function metricSelector({ selector }: MetricIdentifier): string {
  return selector === undefined ? '' : `&metricLabelSelector=${encodeURIComponent(formatSelector(selector))}`
}

/** Thousandths, rounded up. */
export function milliOf(value: string | number): number {
  const { nano } = parseQuantity(value)
  return Number(nano > 0n ? (nano + 999_999n) / 1_000_000n : nano / 1_000_000n)
}

/** `30s`, `1m0s`. */
function durationMs(text: string | undefined): number {
  let totalMs = 0
  for (const [, number, unit] of (text ?? '').matchAll(/([\d.]+)(ms|h|m|s)/g))
    totalMs += Number(number) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit as 'ms' | 's' | 'm' | 'h']
  return totalMs === 0 ? defaultWindowMs : totalMs
}
