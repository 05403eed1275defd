// What the machines of a cluster tell: their scale sets, and the logs of the agent and of containerd on one of them.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'
import { told, ToolError, type Runner } from './command-runner.ts'
import { lastLines, readWindow } from './log-lines.ts'
import { clusterParameters, looking } from './parameters.ts'

interface ScaleSet {
  readonly id: string
  readonly name: string
  readonly tags?: Readonly<Record<string, string>>
}

const LINES_DEFAULT = 500
const LINES_MOST = 2_000

async function scaleSetsOf(run: Runner, id: string): Promise<readonly ScaleSet[]> {
  const [, , subscription] = id.split('/')
  const { body: cluster } = await run.arm.send<{ readonly properties: { readonly nodeResourceGroup: string } }>({
    method: 'GET',
    path: id,
  })
  const { body } = await run.arm.send<{ readonly value: readonly ScaleSet[] }>({
    method: 'GET',
    path: `/subscriptions/${subscription}/resourceGroups/${cluster.properties.nodeResourceGroup}/providers/Microsoft.Compute/virtualMachineScaleSets`,
  })
  return body.value
}

export function addVmssInfo(server: McpServer, run: Runner): void {
  server.registerTool(
    'get_aks_vmss_info',
    {
      title: 'Scale sets of a cluster',
      description: "The scale sets behind the cluster's pools, with their instances.",
      inputSchema: { ...clusterParameters, node_pool_name: z.string().optional().describe('All pools when absent') },
      annotations: looking,
    },
    ({ node_pool_name: pool, ...ids }) =>
      told(async () => {
        const all = await scaleSetsOf(run, run.clusterId(ids))
        const wanted = all.filter(({ name }) => pool === undefined || name.startsWith(`aks-${pool}-`))
        if (wanted.length === 0)
          throw new ToolError(
            `There is no scale set of pool "${pool ?? ''}": ${all.map(({ name }) => name).join(', ')}.`,
          )
        return Promise.all(
          wanted.map(async (set) => {
            const { body } = await run.arm.send<{ readonly value: readonly unknown[] }>({
              method: 'GET',
              path: `${set.id}/virtualMachines`,
            })
            return { ...set, instances: body.value }
          }),
        )
      }),
  )
}

export function addNodeLogs(server: McpServer, run: Runner, nowMs: () => number): void {
  server.registerTool(
    'collect_aks_node_logs',
    {
      title: 'Logs of a node',
      description:
        'Lines of the node agent (kubelet) or of containerd on one machine of a scale set. Kernel and syslog are those of the host, which machines share: they are not shown.',
      inputSchema: {
        aks_resource_id: clusterParameters.aks_resource_id,
        vmss_name: z.string().describe('From get_aks_vmss_info'),
        instance_id: z.string().describe('"0"'),
        log_type: z.enum(['kubelet', 'containerd', 'kernel', 'syslog']),
        lines: z.number().int().min(1).max(LINES_MOST).optional().describe(`${LINES_DEFAULT} when absent`),
        since: z.string().optional().describe('"30m", "2h", or a time in ISO 8601'),
        level: z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR']).optional(),
        filter: z.string().optional().describe('A text that lines must hold'),
      },
      annotations: looking,
    },
    ({
      vmss_name: set,
      instance_id: instance,
      log_type: type,
      lines = LINES_DEFAULT,
      since,
      level,
      filter = '',
      ...ids
    }) =>
      told(async () => {
        if (type === 'kernel' || type === 'syslog')
          throw new ToolError(
            `A machine here has no ${type} log of its own: it shares the host's kernel. Ask the host: dmesg, journalctl.`,
          )
        const id = run.clusterId(ids)
        if (!(await scaleSetsOf(run, id)).some(({ name }) => name === set))
          throw new ToolError(`There is no scale set "${set}" in this cluster.`)
        const machine = `${set}${Number(instance).toString(36).padStart(6, '0')}`
        const folder = await folderOf(run, machine)
        const text = await readFile(join(folder, type === 'kubelet' ? 'agent.log' : 'containerd.log'), 'utf8')
        // One reading of the clock: a day back from it is not more than a day back.
        const now = nowMs()
        const fromMs = sinceMs(since, now)
        if (type === 'containerd') return plainLines(text, { filter, lines, fromMs, level })
        const window = readWindow(
          { lines, filter, level: level ?? 'DEBUG', start_time: new Date(fromMs).toISOString() },
          now,
        )
        return lastLines(text, window, () => true)
          .map((line) => JSON.stringify(line))
          .join('\n')
      }),
  )
}

/** The folder of the machine of this name. Throws a ToolError: a simulated one keeps nothing. */
async function folderOf({ options: { dataDir } }: Runner, machine: string): Promise<string> {
  const root = join(dataDir, 'machines')
  for (const key of await readdir(root).catch(() => [])) {
    try {
      const record = JSON.parse(await readFile(join(root, key, 'machine.json'), 'utf8')) as {
        readonly spec?: { readonly name?: string }
      }
      if (record.spec?.name === machine) return join(root, key)
    } catch {
      // Half made or on its way out.
    }
  }
  throw new ToolError(`Machine "${machine}" keeps no logs on this host: it is simulated, or it is gone.`)
}

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 }
const DAY_MS = 86_400_000

/** A day back at most. */
function sinceMs(since: string | undefined, nowMs: number): number {
  if (since === undefined) return nowMs - DAY_MS
  const match = /^(\d+)([smh])$/.exec(since)
  const ms = match === null ? Date.parse(since) : nowMs - Number(match[1]) * unitMs[match[2]!]!
  if (Number.isNaN(ms)) throw new ToolError('since wants "30m", "2h" or a time in ISO 8601.')
  return Math.max(ms, nowMs - DAY_MS)
}

function plainLines(
  text: string,
  wanted: {
    readonly filter: string
    readonly lines: number
    readonly fromMs: number
    readonly level: string | undefined
  },
): string {
  return text
    .split('\n')
    .filter((line) => {
      const time = Date.parse(/time="([^"]+)"/.exec(line)?.[1] ?? '')
      const level = /level=(\w+)/.exec(line)?.[1]?.replace('warning', 'warn').toUpperCase()
      const isLow =
        wanted.level !== undefined && level !== undefined && order.indexOf(level) < order.indexOf(wanted.level)
      return line !== '' && line.includes(wanted.filter) && !(time < wanted.fromMs) && !isLow
    })
    .slice(-wanted.lines)
    .join('\n')
}

const order: readonly string[] = ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL']
