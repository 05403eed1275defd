// `metrics.k8s.io`: nodes and pods, read and listed, as metrics-server answers.

import type { KubernetesObject } from '@aksel/api/resource'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import type { NodeMetrics, PodMetrics } from '@aksel/api/types/metrics-v1beta1'
import { formatTime } from '@aksel/base/clock'
import { encodeJson } from '@aksel/base/json'
import { formatQuantity } from '@aksel/base/quantity'
import type { ResourceCall } from '../call-context.ts'
import { bytesAnswer, jsonAnswer } from '../http/answer.ts'
import type { Answer } from '../http/message.ts'
import { notFoundError } from '../refusals.ts'
import { parseLabelSelector } from '../registry/label-selector.ts'
import { presentObject } from '../registry/present.ts'
import { meetsFields, parseFieldSelector } from '../registry/selectors.ts'
import { columnDefinitions, tableRow } from '../registry/table.ts'
import { presentationOf, type VerbTools } from '../registry/verbs.ts'
import type { ReviewHandler } from '../reviews/reviews.ts'
import type { ResourceUsage, Usage } from './usage.ts'

const apiVersion = 'metrics.k8s.io/v1beta1'

/** By `group/plural`. */
export function metricsHandlers(usage: ResourceUsage): Readonly<Record<string, ReviewHandler>> {
  return {
    'metrics.k8s.io/nodes': async (tools, context) => {
      const nodes = await measured<Node>(tools, context, 'nodes')
      const found = await usage.ofNodes(nodes, context.call.signal)
      const objects = nodes.flatMap(({ metadata }): readonly NodeMetrics[] => {
        const own = found.get(metadata.name)
        return own === undefined ? [] : [{ ...headOf(tools, 'NodeMetrics', metadata, own), usage: amounts(own) }]
      })
      return answered(tools, context, objects)
    },
    'metrics.k8s.io/pods': async (tools, context) => {
      const pods = await measured<Pod>(tools, context, 'pods')
      const found = await usage.ofPods(pods, context.call.signal)
      const objects = pods.flatMap(({ metadata }): readonly PodMetrics[] => {
        const own = [...(found.get(metadata.uid!) ?? [])]
        if (own.length === 0) return []
        const earliest = own.map(([, one]) => one).reduce((a, b) => (b.atMs < a.atMs ? b : a))
        const containers = own.map(([name, one]) => ({ name, usage: amounts(one) }))
        return [{ ...headOf(tools, 'PodMetrics', metadata, earliest), containers }]
      })
      return answered(tools, context, objects)
    },
  }
}

/** The nodes or pods that the request asks about. Throws NotFound for one that is not there. */
async function measured<T extends KubernetesObject>(
  { registry }: VerbTools,
  { info }: ResourceCall,
  plural: 'nodes' | 'pods',
): Promise<readonly T[]> {
  const row = registry.kinds.find('', 'v1', plural)!
  if (info.name !== '') {
    const record = await registry.records.get(row, info.namespace, info.name)
    if (record === undefined) throw notFoundError(row, info.name)
    return [record.object as unknown as T]
  }
  const labels = parseLabelSelector(info.query.get('labelSelector') ?? '')
  const fields = parseFieldSelector(info.query.get('fieldSelector') ?? '')
  return (await registry.records.list(row, info.namespace))
    .map(({ object }) => object)
    .filter(
      ({ metadata }) =>
        (labels === undefined || labels(metadata.labels)) &&
        meetsFields(fields, { 'metadata.name': metadata.name, 'metadata.namespace': metadata.namespace ?? '' }),
    ) as unknown as readonly T[]
}

function headOf(tools: VerbTools, kind: string, { name, namespace, labels }: KubernetesObject['metadata'], own: Usage) {
  return {
    kind,
    apiVersion,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      creationTimestamp: formatTime(tools.registry.scope.clock.now()),
      ...(labels === undefined ? {} : { labels }),
    },
    timestamp: formatTime(own.atMs),
    window: durationText(own.windowMs),
  }
}

function amounts({ cpuNanoCores, memoryBytes }: Usage): Readonly<Record<string, string>> {
  return {
    cpu: formatQuantity({ nano: BigInt(Math.round(cpuNanoCores)), format: 'DecimalSI' }),
    memory: formatQuantity({ nano: BigInt(Math.round(memoryBytes)) * 10n ** 9n, format: 'BinarySI' }),
  }
}

/** `15.02s`, `1m0s`, as Go writes them. */
function durationText(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  const seconds = `${(ms - minutes * 60_000) / 1000}s`
  return minutes === 0 ? seconds : `${minutes}m${seconds}`
}

function answered(tools: VerbTools, context: ResourceCall, metrics: readonly (NodeMetrics | PodMetrics)[]): Answer {
  const { row, info } = context
  const how = presentationOf(tools, context)
  const objects = metrics as unknown as readonly KubernetesObject[]
  if (info.name !== '') {
    const [object] = objects
    // The words of metrics-server: its kinds' names, and where the pod is.
    const shown = info.namespace === '' ? info.name : `${info.namespace}/${info.name}`
    if (object === undefined) throw notFoundError({ ...row, plural: row.kind.toLowerCase() }, shown)
    const body = presentObject(row, how, object, () => encodeJson(object))
    return bytesAnswer(200, how.negotiated.contentType, body)
  }
  if (how.negotiated.form === 'object')
    return jsonAnswer(200, { kind: row.listKind, apiVersion, metadata: {}, items: objects })
  const rows = objects.map((object) => tableRow(row, object, how.nowMs, how.includeObject))
  const head = { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: {}, columnDefinitions: columnDefinitions(row) }
  return bytesAnswer(200, how.negotiated.contentType, encodeJson({ ...head, rows }))
}
