// `aksel status`: what runs where. A dead server is told as such, not as an error.

import {
  runningServer,
  connectionFile,
  currentFile,
  readJsonFile,
  type ConnectionFile,
  type CurrentFile,
} from '../files.ts'
import { ArmClient } from '../arm-client.ts'
import type { CliOptions } from '../options.ts'

interface ClusterStatus {
  readonly resourceGroup: string
  readonly name: string
  readonly kubernetesVersion: string
  readonly provisioningState: string
  readonly powerState: string
  readonly fqdn: string
  readonly pools: readonly {
    readonly name: string
    readonly count: number
    readonly vmSize: string
    readonly simulated: boolean
  }[]
}

interface StatusReport {
  readonly server: {
    readonly state: 'Running' | 'Starting' | 'Stopped'
    readonly pid?: number
    readonly version?: string
    readonly store?: string
    readonly startedAt?: string
  }
  readonly dataDir: string
  readonly simulated: boolean
  readonly armUrl?: string
  readonly kubeconfig?: string
  readonly clusters: readonly ClusterStatus[]
}

export async function status(options: CliOptions, request: { readonly json: boolean }): Promise<void> {
  const report = await collect(options)
  process.stdout.write(request.json ? `${JSON.stringify(report, undefined, 2)}\n` : text(report))
}

async function collect(options: CliOptions): Promise<StatusReport> {
  const { dataDir } = options
  const server = runningServer(dataDir)
  const kubeconfig = readJsonFile<CurrentFile>(currentFile(dataDir))?.kubeconfig
  const known = { dataDir, ...(kubeconfig === undefined ? {} : { kubeconfig }) }
  if (server === undefined) return { ...known, server: { state: 'Stopped' }, simulated: false, clusters: [] }
  const { pid, version, store, startedAt, ready, simulated } = server
  const running = {
    ...known,
    server: { state: ready ? 'Running' : 'Starting', pid, version, store, startedAt },
    simulated,
  } as const
  const connection = ready ? readJsonFile<ConnectionFile>(connectionFile(dataDir)) : undefined
  if (connection === undefined) return { ...running, clusters: [] }
  return { ...running, armUrl: connection.armUrl, clusters: await clustersOf(new ArmClient(connection)) }
}

interface ArmCluster {
  readonly id: string
  readonly name: string
  readonly tags?: Readonly<Record<string, string>>
  readonly properties: {
    readonly provisioningState: string
    readonly currentKubernetesVersion: string
    readonly fqdn?: string
    readonly powerState?: { readonly code: string }
    readonly agentPoolProfiles: readonly {
      readonly name: string
      readonly count: number
      readonly vmSize: string
      readonly tags?: Readonly<Record<string, string>>
    }[]
  }
}

const SIMULATED_TAG = 'aksel.simulated'

async function clustersOf(arm: ArmClient): Promise<readonly ClusterStatus[]> {
  const path = `/subscriptions/${arm.connection.subscriptionId}/providers/Microsoft.ContainerService/managedClusters`
  const { body } = await arm.send<{ value: readonly ArmCluster[] }>({ method: 'GET', path })
  return body.value.map(({ id, name, tags, properties }) => ({
    resourceGroup: /\/resourceGroups\/([^/]+)/i.exec(id)?.[1] ?? '',
    name,
    kubernetesVersion: properties.currentKubernetesVersion,
    provisioningState: properties.provisioningState,
    powerState: properties.powerState?.code ?? 'Running',
    fqdn: properties.fqdn ?? '',
    pools: properties.agentPoolProfiles.map((pool) => ({
      name: pool.name,
      count: pool.count,
      vmSize: pool.vmSize,
      simulated: (pool.tags?.[SIMULATED_TAG] ?? tags?.[SIMULATED_TAG]) === 'true',
    })),
  }))
}

function text(report: StatusReport): string {
  const { server } = report
  const lines = [
    `Server    ${server.state}${server.pid === undefined ? '' : ` (process ${server.pid}, version ${server.version}, store ${server.store}, since ${server.startedAt})`}`,
  ]
  lines.push(`Data      ${report.dataDir}`)
  if (report.armUrl !== undefined) lines.push(`Azure     ${report.armUrl}`)
  if (report.kubeconfig !== undefined) lines.push(`Kube      ${report.kubeconfig}`)
  if (server.state === 'Stopped') lines.push('', 'Nothing runs. Start with "./aksel up".')
  for (const cluster of report.clusters) {
    lines.push(
      '',
      `Cluster   ${cluster.resourceGroup}/${cluster.name}: ${cluster.provisioningState}, ${cluster.powerState}, Kubernetes ${cluster.kubernetesVersion}`,
    )
    for (const pool of cluster.pools) {
      lines.push(
        `  pool    ${pool.name}: ${pool.count} × ${pool.vmSize}${pool.simulated ? ', simulated: no container runs' : ''}`,
      )
    }
  }
  return `${lines.join('\n')}\n`
}
