// How tools reach what they tell of: commands of this program, the bundled kubectl and Helm on a cluster, and Resource Manager.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kubernetesTool } from '@aksel/host/kubernetes-tools'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { ArmClient } from '../arm-client.ts'
import { connectionFile, currentFile, readJsonFile, type ConnectionFile, type CurrentFile } from '../files.ts'
import type { CliOptions } from '../options.ts'
import type { Verdict } from './access.ts'
import { runProgram, type Ran } from './run-program.ts'

export const TIMEOUT_MAX_SECONDS = 600

/** What says which cluster is meant. */
export interface ClusterIds {
  readonly subscription_id?: string | undefined
  readonly resource_group?: string | undefined
  readonly cluster_name?: string | undefined
  readonly aks_resource_id?: string | undefined
}

export interface RunnerSettings {
  /** Of one command, seconds. */
  readonly timeoutSeconds: number
  /** Which cluster is meant where a call names none; the current one when absent. */
  readonly defaultClusterId?: string | undefined
}

export class Runner {
  readonly options: CliOptions
  readonly #settings: RunnerSettings
  #arm: ArmClient | undefined

  constructor(options: CliOptions, settings: RunnerSettings) {
    this.options = options
    this.#settings = settings
  }

  get arm(): ArmClient {
    const connection = readJsonFile<ConnectionFile>(connectionFile(this.options.dataDir))
    if (connection === undefined) throw new ToolError('No server runs here. Run "./aksel up" first.')
    this.#arm ??= new ArmClient(connection)
    return this.#arm
  }

  /** The id of the cluster that the call, or else the settings, mean. Throws a ToolError for what is no cluster's id. */
  clusterId({ subscription_id, resource_group, cluster_name, aks_resource_id }: ClusterIds): string {
    const given = aks_resource_id ?? (cluster_name === undefined ? this.#settings.defaultClusterId : undefined)
    if (given !== undefined) {
      if (
        /^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+\/providers\/Microsoft\.ContainerService\/managedClusters\/[\w-]+$/i.test(
          given,
        )
      )
        return given
      throw new ToolError(`"${given}" is no id of a managed cluster.`)
    }
    const current = readJsonFile<CurrentFile>(currentFile(this.options.dataDir))
    const group = resource_group ?? current?.resourceGroup
    const name = cluster_name ?? current?.cluster
    if (group === undefined || name === undefined)
      throw new ToolError('There is no current cluster: give resource_group and cluster_name.')
    const subscription = subscription_id ?? this.arm.connection.subscriptionId
    return `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.ContainerService/managedClusters/${name}`
  }

  aksel(args: readonly string[], timeoutSeconds = this.#settings.timeoutSeconds): Promise<Ran> {
    const { repositoryRoot, environment, dataDir } = this.options
    const timeoutMs = Math.min(timeoutSeconds, TIMEOUT_MAX_SECONDS) * 1000
    return runProgram(join(repositoryRoot, 'aksel'), args, {
      environment: { ...environment, AKSEL_DATA: dataDir },
      timeoutMs,
    })
  }

  async tool(tool: 'kubectl' | 'helm', args: readonly string[], id?: string): Promise<Ran> {
    const { repositoryRoot, environment, dataDir } = this.options
    const wanted = id ?? this.#settings.defaultClusterId
    const program = await kubernetesTool(repositoryRoot, tool)
    const timeoutMs = this.#settings.timeoutSeconds * 1000
    const run = (kubeconfig: string): Promise<Ran> =>
      runProgram(program, args, { environment: { ...environment, KUBECONFIG: kubeconfig }, timeoutMs })
    if (wanted === undefined) {
      const current = readJsonFile<CurrentFile>(currentFile(dataDir))
      if (current === undefined) throw new ToolError('There is no current cluster. Run "./aksel up" first.')
      return run(current.kubeconfig)
    }
    const folder = await mkdtemp(join(tmpdir(), 'aksel-mcp-'))
    try {
      const path = `${this.clusterId({ aks_resource_id: wanted })}/listClusterUserCredential`
      const { body } = await this.arm.send<{ readonly kubeconfigs: readonly { readonly value: string }[] }>({
        method: 'POST',
        path,
      })
      const file = join(folder, 'kubeconfig')
      await writeFile(file, Buffer.from(body.kubeconfigs[0]!.value, 'base64'), { mode: 0o600 })
      return await run(file)
    } finally {
      await rm(folder, { recursive: true })
    }
  }

  /** What `kubectl get … -o json` answers. Throws a ToolError with kubectl's words. */
  async objects<T>(args: readonly string[], id: string): Promise<T> {
    const { code, text: said } = await this.tool('kubectl', ['get', ...args, '-o', 'json'], id)
    if (code !== 0) throw new ToolError(said)
    return JSON.parse(said) as T
  }
}

/** What the caller should know and may mend: told as the tool's error. */
export class ToolError extends Error {}

/** A tool that answers a value, and refuses with words. */
export async function told(answer: () => Promise<unknown>): Promise<CallToolResult> {
  try {
    const value = await answer()
    return text(typeof value === 'string' ? value : JSON.stringify(value, null, 2))
  } catch (error) {
    return failed((error as Error).message)
  }
}

export async function judged(
  verdict: Verdict,
  run: (args: readonly string[]) => Promise<Ran>,
): Promise<CallToolResult> {
  if (!verdict.allowed) return failed(verdict.why)
  try {
    return shown(await run(verdict.args))
  } catch (error) {
    return failed((error as Error).message)
  }
}

export function shown({ code, text: said }: Ran): CallToolResult {
  return code === 0 ? text(said) : failed(said === '' ? `ended with exit code ${code}` : said)
}

export function text(said: string): CallToolResult {
  return { content: [{ type: 'text', text: said }] }
}

export function failed(said: string): CallToolResult {
  return { ...text(said), isError: true }
}
