// Tools about networks and fleets: what lies around a cluster, flows as they pass, and what is not there yet.

import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'
import { reaches, wordsOf, type AccessLevel } from './access.ts'
import { clusterParameters, looking } from './parameters.ts'
import { failed, told, ToolError, type Runner } from './command-runner.ts'

const resourceTypes = ['all', 'vnet', 'subnet', 'nsg', 'route_table', 'load_balancer', 'private_endpoint'] as const
type ResourceKind = (typeof resourceTypes)[number]

interface Resource {
  readonly id: string
  readonly name: string
  readonly properties?: { readonly subnets?: readonly Subnet[] }
}
interface Subnet extends Resource {
  readonly properties: {
    readonly networkSecurityGroup?: { readonly id: string }
    readonly routeTable?: { readonly id: string }
  } & Resource['properties']
}

export function addNetworkResources(server: McpServer, run: Runner): void {
  server.registerTool(
    'aks_network_resources',
    {
      title: 'Network of a cluster',
      description:
        "The cluster's virtual networks, subnets, security groups, route tables and load balancers, as Resource Manager has them.",
      inputSchema: {
        resource_type: z.enum(resourceTypes),
        ...clusterParameters,
        filters: z.string().optional().describe('Part of a name: only resources whose name holds it'),
      },
      annotations: looking,
    },
    ({ resource_type: kind, filters, ...ids }) => told(() => networkOf(run, run.clusterId(ids), kind, filters)),
  )
}

async function networkOf(run: Runner, id: string, kind: ResourceKind, filter = ''): Promise<unknown> {
  const [, , subscription] = id.split('/')
  const get = async <T>(path: string): Promise<T> => (await run.arm.send<T>({ method: 'GET', path })).body
  const cluster = await get<{
    readonly properties: {
      readonly nodeResourceGroup: string
      readonly agentPoolProfiles: readonly { readonly vnetSubnetID?: string; readonly podSubnetID?: string }[]
    }
  }>(id)
  const { nodeResourceGroup, agentPoolProfiles } = cluster.properties
  const named = new Set(
    agentPoolProfiles.flatMap(({ vnetSubnetID = '', podSubnetID = '' }) => [
      vnetSubnetID.toLowerCase(),
      podSubnetID.toLowerCase(),
    ]),
  )
  const { value: all } = await get<{ readonly value: readonly Resource[] }>(
    `/subscriptions/${subscription}/providers/Microsoft.Network/virtualNetworks`,
  )
  const isOwn = (one: Resource): boolean =>
    named.has(one.id.toLowerCase()) ||
    (named.has('') && one.id.toLowerCase().includes(`/resourcegroups/${nodeResourceGroup.toLowerCase()}/`))
  const networks = all.filter((network) => isOwn(network) || (network.properties?.subnets ?? []).some(isOwn))
  const subnets = networks.flatMap(({ properties }) => properties?.subnets ?? []).filter(isOwn)
  const referenced = async (property: 'networkSecurityGroup' | 'routeTable'): Promise<readonly Resource[]> =>
    Promise.all(
      [...new Set(subnets.flatMap(({ properties }) => properties[property]?.id ?? []))].map((each) =>
        get<Resource>(each),
      ),
    )
  const answers: Readonly<Record<Exclude<ResourceKind, 'all'>, () => Promise<readonly unknown[]>>> = {
    vnet: () => Promise.resolve(networks),
    subnet: () => Promise.resolve(subnets),
    nsg: () => referenced('networkSecurityGroup'),
    route_table: () => referenced('routeTable'),
    load_balancer: async () => {
      const path = `/subscriptions/${subscription}/resourceGroups/${nodeResourceGroup}/providers/Microsoft.Network/loadBalancers`
      return (await get<{ readonly value: readonly Resource[] }>(path)).value
    },
    // Resource Manager has no such type here: nobody can have made one.
    private_endpoint: () => Promise.resolve([]),
  }
  const matching = (list: readonly unknown[]): readonly unknown[] =>
    list.filter((one) => (one as Resource).name.toLowerCase().includes(filter.toLowerCase()))
  if (kind !== 'all') return matching(await answers[kind]())
  const rows = await Promise.all(
    Object.entries(answers).map(async ([name, answer]) => [name, matching(await answer())] as const),
  )
  return Object.fromEntries(rows)
}

const hubbleFlags = new Set(['-n', '--namespace', '--pod', '--verdict', '--port', '--last'])
const SECONDS_MOST = 60

export function addFlows(server: McpServer, run: Runner, namespaces: readonly string[]): void {
  server.registerTool(
    'call_hubble',
    {
      title: 'Watch flows',
      description:
        'Watches what passes between pods and what is dropped, for some seconds: "observe --namespace shop --verdict DROPPED --last 20". Lines of Hubble as JSON.',
      inputSchema: {
        command: z.string().describe('observe, with --namespace, --pod, --verdict, --port, --last'),
        timeout: z.number().int().min(1).max(SECONDS_MOST).optional().describe('Seconds to watch; 5 when absent'),
      },
      annotations: looking,
    },
    ({ command, timeout = 5 }) => told(() => observed(run, command, { seconds: timeout, namespaces })),
  )
}

async function observed(
  run: Runner,
  command: string,
  { seconds, namespaces }: { readonly seconds: number; readonly namespaces: readonly string[] },
): Promise<string> {
  const words = wordsOf(command)
  const [verb, ...args] = words?.[0] === 'hubble' ? words.slice(1) : (words ?? [])
  if (verb !== 'observe') throw new ToolError('Only "observe" is offered.')
  const flags: string[] = []
  let last = 100
  let namespace: string | undefined
  for (let at = 0; at < args.length; at += 2) {
    const [flag = '', value] = [args[at], args[at + 1]]
    if (!hubbleFlags.has(flag) || value === undefined)
      throw new ToolError(`"${flag}" is not understood: ${[...hubbleFlags].join(', ')}, each with a value.`)
    if (flag === '-n' || flag === '--namespace') namespace = value
    if (flag === '--last') last = Number(value)
    else flags.push(flag, value)
  }
  if (namespaces.length > 0 && (namespace === undefined || !namespaces.includes(namespace)))
    throw new ToolError(`Only these namespaces may be looked at: ${namespaces.join(', ')}. Give --namespace.`)
  if (!Number.isInteger(last) || last < 1) throw new ToolError('--last wants a number.')
  const { code, text } = await run.aksel(['flows', '--follow', '--for', String(seconds), '-o', 'json', ...flags])
  if (code !== 0) throw new ToolError(text.trim())
  const lines = text.split('\n').filter((line) => line.startsWith('{'))
  return lines.length === 0 ? `No such flow was seen within ${seconds} s.` : lines.slice(-last).join('\n')
}

const fleetOperations = ['list', 'show', 'create', 'update', 'delete', 'start', 'stop', 'get-credentials'] as const
const fleetResources = ['fleet', 'member', 'updaterun', 'updatestrategy', 'clusterresourceplacement'] as const

function levelOf(operation: (typeof fleetOperations)[number]): AccessLevel {
  if (operation === 'get-credentials') return 'admin'
  return operation === 'list' || operation === 'show' ? 'readonly' : 'readwrite'
}

/** Fleets are not there yet: who asks is told so, and what would do instead, at the level that it would need. */
export function addFleet(server: McpServer, run: Runner, level: AccessLevel): void {
  server.registerTool(
    'az_fleet',
    {
      title: 'Fleets',
      description: 'Fleets of clusters. There are none on this server yet: every call says so.',
      inputSchema: {
        operation: z.enum(fleetOperations),
        resource: z.enum(fleetResources),
        args: z.string().optional().describe('"--name f --resource-group g"'),
      },
      annotations: looking,
    },
    async ({ operation, resource }) => {
      const needs = levelOf(operation)
      if (!reaches(level, needs))
        return failed(`az fleet ${operation} needs access level ${needs}; this server runs with ${level}.`)
      return told(async () => {
        const { subscriptionId } = run.arm.connection
        const path = `/subscriptions/${subscriptionId}/providers/Microsoft.ContainerService/fleets`
        if (operation === 'list' && resource === 'fleet') {
          // Asked all the same: the day that fleets are there, they are shown.
          const { body } = await run.arm
            .send<{ readonly value: readonly unknown[] }>({ method: 'GET', path })
            .catch(() => ({ body: { value: [] } }))
          if (body.value.length > 0) return body.value
        }
        throw new ToolError(
          `There are no fleets on this server yet: ${operation} of a ${resource} does nothing. Clusters are listed one by one with call_az "aks list", and upgraded with "aks upgrade".`,
        )
      })
    },
  )
}
