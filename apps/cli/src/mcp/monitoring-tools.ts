// What a cluster's operator watches: metrics of now, health, and the logs of the control plane.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'
import { serverLog } from '../files.ts'
import { quantityMilli, quantityUnits } from '@aksel/base/quantity'
import { told, ToolError, type Runner } from './command-runner.ts'
import { lastLines, readWindow, textOf, type LogWindow } from './log-lines.ts'
import { clusterParameters, looking } from './parameters.ts'

const operations = ['metrics', 'resource_health', 'app_insights', 'diagnostics', 'control_plane_logs'] as const
const queries = ['list', 'list-definitions', 'list-namespaces'] as const

const NAMESPACE = 'Microsoft.ContainerService/managedClusters'

interface Items<T> {
  readonly items: readonly T[]
}
interface NodeBody {
  readonly metadata: { readonly name: string }
  readonly status: {
    readonly allocatable: Readonly<Record<string, string>>
    readonly conditions: readonly { readonly type: string; readonly status: string }[]
  }
}
interface PodBody {
  readonly status: {
    readonly phase: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}
interface UsageBody {
  readonly metadata: { readonly name: string }
  readonly usage: { readonly cpu: string; readonly memory: string }
}

interface Metric {
  readonly unit: string
  readonly description: string
  /** Of now: name of the dimension's value, value. */
  read(run: Runner, id: string): Promise<readonly (readonly [string, number])[]>
}

const usages = (run: Runner, id: string): Promise<Items<UsageBody>> => run.objects(['nodes.v1beta1.metrics.k8s.io'], id)
const nodesOf = (run: Runner, id: string): Promise<Items<NodeBody>> => run.objects(['nodes'], id)

/** Azure's platform metrics of a cluster that can be told from the cluster itself. */
const metrics: Readonly<Record<string, Metric>> = {
  node_cpu_usage_millicores: {
    unit: 'MilliCores',
    description: 'CPU that each node uses',
    read: async (run, id) =>
      (await usages(run, id)).items.map(({ metadata, usage }) => [metadata.name, quantityMilli(usage.cpu)]),
  },
  node_cpu_usage_percentage: {
    unit: 'Percent',
    description: 'CPU that each node uses, of what it may give',
    read: (run, id) => shares(run, id, 'cpu', quantityMilli),
  },
  node_memory_working_set_bytes: {
    unit: 'Bytes',
    description: 'Memory that each node uses',
    read: async (run, id) =>
      (await usages(run, id)).items.map(({ metadata, usage }) => [metadata.name, quantityUnits(usage.memory)]),
  },
  node_memory_working_set_percentage: {
    unit: 'Percent',
    description: 'Memory that each node uses, of what it may give',
    read: (run, id) => shares(run, id, 'memory', quantityUnits),
  },
  kube_node_status_condition: {
    unit: 'Count',
    description: 'Nodes by condition and status',
    read: async (run, id) =>
      counted(
        (await nodesOf(run, id)).items.flatMap(({ status }) =>
          status.conditions.map(({ type, status: is }) => `${type}=${is}`),
        ),
      ),
  },
  kube_pod_status_phase: {
    unit: 'Count',
    description: 'Pods by phase',
    read: async (run, id) =>
      counted((await run.objects<Items<PodBody>>(['pods', '-A'], id)).items.map(({ status }) => status.phase)),
  },
  kube_pod_status_ready: {
    unit: 'Count',
    description: 'Pods that are ready',
    read: async (run, id) => {
      const { items } = await run.objects<Items<PodBody>>(['pods', '-A'], id)
      const ready = items.filter(({ status }) =>
        status.conditions?.some((each) => each.type === 'Ready' && each.status === 'True'),
      )
      return [['ready', ready.length]]
    },
  },
}

async function shares(
  run: Runner,
  id: string,
  resource: 'cpu' | 'memory',
  amount: (quantity: string) => number,
): Promise<readonly (readonly [string, number])[]> {
  const [{ items: used }, { items: nodes }] = await Promise.all([usages(run, id), nodesOf(run, id)])
  const all = new Map(nodes.map(({ metadata, status }) => [metadata.name, amount(status.allocatable[resource] ?? '0')]))
  return used.map(({ metadata, usage }) => {
    const whole = all.get(metadata.name) ?? 0
    return [metadata.name, whole === 0 ? 0 : Math.round((amount(usage[resource]) / whole) * 1000) / 10]
  })
}

function counted(words: readonly string[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts]
}

export function addMonitoring(
  server: McpServer,
  run: Runner,
  { namespaces, nowMs }: { readonly namespaces: readonly string[]; readonly nowMs: () => number },
): void {
  server.registerTool(
    'aks_monitoring',
    {
      title: 'Monitor a cluster',
      description: `Metrics of now (${Object.keys(metrics).join(', ')}), resource health, and logs of the control plane (${Object.keys(logCategories).join(', ')}).`,
      inputSchema: {
        operation: z.enum(operations),
        query_type: z.enum(queries).optional().describe('Of metrics: list when absent'),
        parameters: z
          .string()
          .optional()
          .describe(
            'JSON: {"metric": "node_cpu_usage_millicores"}; {"log_category": "kube-audit", "max_records": 100, "start_time": "…", "end_time": "…", "log_level": "warn", "filter": "text"}',
          ),
        ...clusterParameters,
      },
      annotations: looking,
    },
    ({ operation, query_type: query = 'list', parameters, ...ids }) =>
      told(async () => {
        const id = run.clusterId(ids)
        const given = parsed(parameters)
        switch (operation) {
          case 'metrics':
            return metricsOf(run, id, query, given, nowMs())
          case 'resource_health':
            return healthOf(run, id)
          case 'control_plane_logs':
            if (namespaces.length > 0)
              throw new ToolError(
                `Logs of the control plane tell of all namespaces, and only these may be looked at: ${namespaces.join(', ')}.`,
              )
            return controlPlaneLogs(run, id, given, nowMs())
          case 'diagnostics':
            // Nothing is sent anywhere: the settings that say where to do not exist.
            return {
              value: [],
              note: 'Logs of the control plane are read with control_plane_logs; no setting sends them elsewhere.',
            }
          case 'app_insights':
            throw new ToolError(
              'There is no Application Insights on this server: traces of applications are not collected.',
            )
          default:
            return operation satisfies never
        }
      }),
  )
}

function parsed(parameters: string | undefined): Readonly<Record<string, unknown>> {
  if (parameters === undefined || parameters.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(parameters)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Told below.
  }
  throw new ToolError('"parameters" must be a JSON object.')
}

async function metricsOf(
  run: Runner,
  id: string,
  query: (typeof queries)[number],
  given: Readonly<Record<string, unknown>>,
  nowMs: number,
): Promise<unknown> {
  if (query === 'list-namespaces') return { value: [{ name: NAMESPACE, classification: 'Platform' }] }
  if (query === 'list-definitions')
    return {
      value: Object.entries(metrics).map(([name, { unit, description }]) => ({
        name,
        namespace: NAMESPACE,
        unit,
        description,
      })),
    }
  const wanted = typeof given['metric'] === 'string' ? given['metric'].split(',') : Object.keys(metrics)
  const value = await Promise.all(
    wanted.map(async (name) => {
      const metric = Object.hasOwn(metrics, name) ? metrics[name] : undefined
      if (metric === undefined) throw new ToolError(`There is no metric "${name}": ${Object.keys(metrics).join(', ')}.`)
      const series = await metric.read(run, id)
      return { name, unit: metric.unit, timeseries: series.map(([dimension, each]) => ({ dimension, value: each })) }
    }),
  )
  return { timestamp: new Date(nowMs).toISOString(), note: 'Values of now: no history is kept.', value }
}

async function healthOf(run: Runner, id: string): Promise<unknown> {
  const { body } = await run.arm.send<{
    readonly properties: {
      readonly provisioningState: string
      readonly powerState?: { readonly code: string }
      readonly status?: { readonly provisioningError?: { readonly message: string } }
    }
  }>({ method: 'GET', path: id })
  const { provisioningState, powerState, status } = body.properties
  const isStopped = powerState?.code === 'Stopped'
  const guard = isStopped
    ? { code: 0, text: '' }
    : await run.tool(
        'kubectl',
        ['get', 'flowschema', 'aks-managed-apiserver-guard', '-o', 'name', '--ignore-not-found'],
        id,
      )
  const isThrottled = guard.code === 0 && guard.text.trim() !== ''
  const isUnreachable = guard.code !== 0
  const availabilityState =
    isStopped || isUnreachable
      ? 'Unavailable'
      : isThrottled || provisioningState === 'Failed'
        ? 'Degraded'
        : 'Available'
  const summary = isStopped
    ? 'The cluster is stopped.'
    : isUnreachable
      ? `The API server does not answer: ${guard.text.trim()}`
      : isThrottled
        ? 'The managed API server guard throttles clients that cost too much.'
        : (status?.provisioningError?.message ?? 'There are no known problems.')
  return {
    id: `${id}/providers/Microsoft.ResourceHealth/availabilityStatuses/current`,
    availabilityState,
    provisioningState,
    summary,
  }
}

interface Line {
  readonly [field: string]: unknown
}

/** Which lines of which file are a category. */
const logCategories: Readonly<Record<string, { readonly file: 'server' | 'audit'; isOf(line: Line): boolean }>> = {
  'kube-apiserver': { file: 'server', isOf: (line) => line['component'] === 'apiserver' },
  'kube-audit': { file: 'audit', isOf: () => true },
  'kube-audit-admin': {
    file: 'audit',
    isOf: ({ verb }) => verb !== 'get' && verb !== 'list' && verb !== 'watch',
  },
  'kube-controller-manager': {
    file: 'server',
    isOf: ({ controller }) => typeof controller === 'string' && !isOfCloud(controller),
  },
  'kube-scheduler': { file: 'server', isOf: (line) => JSON.stringify(line).includes('scheduler') },
  'cloud-controller-manager': {
    file: 'server',
    isOf: ({ controller }) => typeof controller === 'string' && isOfCloud(controller),
  },
}

function isOfCloud(controller: string): boolean {
  return /^(?:cloud-node|service-load-balancer|service-lb|route|node-repair)/.test(controller)
}

async function controlPlaneLogs(
  run: Runner,
  id: string,
  given: Readonly<Record<string, unknown>>,
  nowMs: number,
): Promise<unknown> {
  const name = textOf(given['log_category']) ?? ''
  const category = Object.hasOwn(logCategories, name) ? logCategories[name] : undefined
  if (category === undefined)
    throw new ToolError(
      `There is no log "${name}" here: ${Object.keys(logCategories).join(', ')}. Others of Azure's (cluster-autoscaler, guard, csi-*, fleet-*) have no component of their own.`,
    )
  const window: LogWindow = readWindow(given, nowMs)
  const { dataDir } = run.options
  const path = category.file === 'server' ? serverLog(dataDir) : join(dataDir, 'server', 'audit.jsonl')
  const cluster = id.split('/').at(-1)!.toLowerCase()
  const text = await readFile(path, 'utf8').catch(() => '')
  const records = lastLines(text, window, (line) => {
    // Lines of other clusters are theirs.
    const of = line['cluster']
    const isElsewhere = typeof of === 'string' && of.toLowerCase().split('/').at(-1) !== cluster
    return !isElsewhere && category.isOf(line)
  })
  return { category: name, count: records.length, records }
}
