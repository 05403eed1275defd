// `aksel up`: from nothing to a cluster whose nodes are Ready. Every step finds what is there already and leaves it.

import { apiServerArguments } from '../api-server-flags.ts'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, watch, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ArmError } from '@aksel/base/errors'
import { ArmClient, type ArmAnswer } from '../arm-client.ts'
import { CommandError } from '../command-error.ts'
import {
  connectionFile,
  currentFile,
  readJsonFile,
  runningServer,
  serverFile,
  serverLog,
  startTicksOf,
  type ConnectionFile,
  type CurrentFile,
  type ServerFile,
} from '../files.ts'
import type { CliOptions } from '../options.ts'
import { terminalProgress, type Progress } from '../progress.ts'
import { lateStart, startedServer } from '../server-start.ts'
import { ensureSystemPackages } from '../system-packages.ts'

export interface UpRequest {
  readonly simulated?: boolean
  readonly nodes?: number
  readonly store: string
  readonly foreground?: boolean
  readonly kubernetesVersion?: string
  readonly networkPolicy?: string
  readonly enableAcns?: boolean
  readonly strict?: boolean
  readonly throttling?: string
  readonly etcdCompactionInterval?: string
  readonly runtimeConfig?: string
  readonly featureGates?: string
  readonly output?: string
}

const RESOURCE_GROUP = 'aksel'
const CLUSTER = 'demo'
const LOCATION = 'westeurope'
const DEFAULT_NODES = 3

export async function up(options: CliOptions, request: UpRequest): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  const running = runningServer(options.dataDir)
  const support =
    running === undefined && request.simulated !== true
      ? ensureSystemPackages({ isRoot: options.isRoot, say })
      : { realNodes: true }
  const simulated = request.simulated === true || !support.realNodes || running?.simulated === true
  if (support.why !== undefined) say(`Nodes will be simulated: no container runs. Reason: ${support.why}.`)
  if (running !== undefined && request.simulated === true && !running.simulated) {
    throw new CommandError(
      'A server with real nodes runs already. Stop it with "./aksel down", or use another folder with --data.',
    )
  }
  const switches = request.runtimeConfig ?? request.featureGates ?? apiServerArguments(request)[0]
  if (running !== undefined && switches !== undefined) {
    throw new CommandError(
      'A server runs already: API versions, feature gates and the API server\'s files are chosen when it starts. Stop it with "./aksel down" first.',
    )
  }
  if (request.foreground === true) {
    if (running !== undefined)
      throw new CommandError(`The server runs already, as process ${running.pid}. Stop it with "./aksel down" first.`)
    await runInForeground(options, request, simulated)
    return
  }
  using progress = terminalProgress(process.stderr)
  const restarted = running?.ready !== true
  if (restarted) await startServer(options, { ...request, simulated }, progress)
  const result = await ensureDemo(options, { ...request, simulated, restarted }, progress)
  progress.done()
  process.stdout.write(request.output === 'json' ? `${JSON.stringify(result, undefined, 2)}\n` : summary(result))
}

interface UpResult {
  readonly resourceGroup: string
  readonly cluster: string
  readonly kubernetesVersion: string
  readonly nodes: number
  readonly simulated: boolean
  readonly kubeconfig: string
  readonly armUrl: string
  /** False when everything was there already. */
  readonly changed: boolean
}

function serverArgv(options: CliOptions, request: UpRequest & { readonly simulated: boolean }): readonly string[] {
  const program = join(options.repositoryRoot, 'apps', 'server', 'src', 'main.ts')
  const { etcdCompactionInterval, runtimeConfig, featureGates } = request
  const flags = ['--data', options.dataDir, '--store', request.store, ...(request.simulated ? ['--simulated'] : [])]
  if (etcdCompactionInterval !== undefined) flags.push('--etcd-compaction-interval', etcdCompactionInterval)
  if (request.strict === true) flags.push('--strict')
  if (request.throttling !== undefined) flags.push('--throttling', request.throttling)
  if (runtimeConfig !== undefined) flags.push('--runtime-config', runtimeConfig)
  if (featureGates !== undefined) flags.push('--feature-gates', featureGates)
  return ['--disable-warning=ExperimentalWarning', program, ...flags, ...apiServerArguments(request)]
}

async function runInForeground(options: CliOptions, request: UpRequest, simulated: boolean): Promise<void> {
  const child = spawn(process.execPath, serverArgv(options, { ...request, simulated }), {
    stdio: 'inherit',
    env: options.environment,
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  const code = await new Promise<number>((resolve) => child.on('exit', (exitCode) => resolve(exitCode ?? 1)))
  if (code !== 0) throw new CommandError(`The server ended with exit code ${code}.`)
}

/** Starts the server apart from this terminal, unless one is on its way already, and waits until it says that it answers. */
async function startServer(
  options: CliOptions,
  request: UpRequest & { readonly simulated: boolean },
  progress: Progress,
): Promise<void> {
  progress.step('Starting the server')
  const log = serverLog(options.dataDir)
  const folder = dirname(log)
  const nowMs = (): number => performance.now()
  const say = (text: string): void => progress.step(text)
  const standing = runningServer(options.dataDir)
  if (standing !== undefined) {
    const own = (): ServerFile | undefined => {
      const found = runningServer(options.dataDir)
      return found?.pid === standing.pid ? found : undefined
    }
    const outcome = await startedServer({ look: () => stateOf(own()), change: () => folderChange(folder), nowMs, say })
    if (outcome === 'ready') return
    if (outcome === 'late') throw new CommandError(lateStart(standing.pid, log, lastLines(log)))
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const output = openSync(log, 'a', 0o600)
  const child = spawn(process.execPath, serverArgv(options, request), {
    detached: true,
    stdio: ['ignore', output, output],
    env: options.environment,
  })
  closeSync(output)
  claimServer(options, child, request.simulated)
  let hasEnded = false
  child.on('exit', () => (hasEnded = true))
  child.unref()
  const outcome = await startedServer({
    look: () => (runningServer(options.dataDir)?.ready === true ? 'ready' : hasEnded ? 'ended' : 'starting'),
    change: () => folderChange(folder, child),
    nowMs,
    say,
  })
  if (outcome === 'ended')
    throw new CommandError(`The server did not start. The end of its log (${log}):\n${lastLines(log)}`)
  if (outcome === 'late') throw new CommandError(lateStart(child.pid, log, lastLines(log)))
}

function stateOf(server: ServerFile | undefined): 'ready' | 'ended' | 'starting' {
  return server === undefined ? 'ended' : server.ready ? 'ready' : 'starting'
}

/** In the server's name, which says so itself a moment later: whoever runs `down` in between must know of it. */
function claimServer({ dataDir }: CliOptions, { pid }: ChildProcess, simulated: boolean): void {
  const startTicks = pid === undefined ? undefined : startTicksOf(pid)
  if (pid === undefined || startTicks === undefined) return
  const path = serverFile(dataDir)
  writeFileSync(`${path}.claim`, `${JSON.stringify({ pid, startTicks, ready: false, simulated })}\n`, { mode: 0o600 })
  renameSync(`${path}.claim`, path)
}

/** Resolves at the next change in the folder, when the child ends, or after half a second. */
async function folderChange(directory: string, child?: ChildProcess): Promise<void> {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), 500)
  const watcher = watch(directory, () => over.abort())
  const ended = child === undefined ? [] : [once(child, 'exit', { signal: over.signal })]
  try {
    await Promise.race([...ended, once(over.signal, 'abort')])
  } catch {
    // The folder changed or the time is up; the child goes on.
  } finally {
    clearTimeout(timer)
    watcher.close()
    over.abort()
  }
}

/** None of a server that runs in the foreground of another terminal. */
function lastLines(path: string): string {
  if (!existsSync(path)) return ''
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .slice(-8)
    .map((line) => `  ${line}`)
    .join('\n')
}

interface ManagedCluster {
  readonly properties: {
    readonly provisioningState: string
    readonly powerState?: { readonly code: string }
    readonly currentKubernetesVersion?: string
    readonly kubernetesVersion?: string
    readonly agentPoolProfiles: readonly { readonly name: string; readonly count: number }[]
  }
}

async function ensureDemo(
  options: CliOptions,
  request: UpRequest & { readonly simulated: boolean; readonly restarted: boolean },
  progress: Progress,
): Promise<UpResult> {
  const connection = readJsonFile<ConnectionFile>(connectionFile(options.dataDir))
  if (connection === undefined)
    throw new CommandError('The server runs but has not written how to reach it; look at its log.')
  const arm = new ArmClient(connection)
  const group = `/subscriptions/${connection.subscriptionId}/resourceGroups/${RESOURCE_GROUP}`
  const path = `${group}/providers/Microsoft.ContainerService/managedClusters/${CLUSTER}`
  const before = await find<ManagedCluster>(arm, path)
  let changed = false
  if (before === undefined) {
    await arm.send({ method: 'PUT', path: group, body: { location: LOCATION } })
    const started = await unlessUnderWay(arm.send({ method: 'PUT', path, body: demoCluster(request) }))
    if (started !== undefined) await follow(arm, started, progress)
    changed = true
  } else if (request.nodes !== undefined && before.properties.agentPoolProfiles[0]?.count !== request.nodes) {
    const pool = before.properties.agentPoolProfiles[0]!
    progress.step(`Scaling pool ${pool.name} to ${request.nodes}`)
    await follow(
      arm,
      await arm.send({
        method: 'PUT',
        path: `${path}/agentPools/${pool.name}`,
        body: { properties: { ...pool, count: request.nodes } },
      }),
      progress,
    )
    changed = true
  }
  await settled(arm, path, progress)
  const after = (await arm.send<ManagedCluster>({ method: 'GET', path })).body
  const kubeconfig = await writeCredentials(options, arm, path)
  if (request.restarted && before !== undefined && after.properties.powerState?.code !== 'Stopped') {
    const { nodesAnswer } = await import('./nodes-answer.ts')
    await nodesAnswer(kubeconfig, progress)
  }
  return {
    resourceGroup: RESOURCE_GROUP,
    cluster: CLUSTER,
    kubernetesVersion: after.properties.currentKubernetesVersion ?? after.properties.kubernetesVersion ?? '',
    nodes: after.properties.agentPoolProfiles.reduce((sum, pool) => sum + pool.count, 0),
    simulated: request.simulated,
    kubeconfig,
    armUrl: connection.armUrl,
    changed,
  }
}

function demoCluster(request: UpRequest & { readonly simulated: boolean }): unknown {
  const { networkPolicy, enableAcns } = request
  const networkProfile = {
    ...(networkPolicy === undefined ? {} : { networkPolicy }),
    ...(networkPolicy === 'cilium' ? { networkDataplane: 'cilium' } : {}),
    ...(enableAcns === true ? { advancedNetworking: { enabled: true } } : {}),
  }
  return {
    location: LOCATION,
    identity: { type: 'SystemAssigned' },
    ...(request.simulated ? { tags: { 'aksel.simulated': 'true' } } : {}),
    properties: {
      dnsPrefix: 'demo',
      ...(request.kubernetesVersion === undefined ? {} : { kubernetesVersion: request.kubernetesVersion }),
      ...(Object.keys(networkProfile).length === 0 ? {} : { networkProfile }),
      agentPoolProfiles: [
        {
          name: 'nodepool1',
          mode: 'System',
          count: request.nodes ?? DEFAULT_NODES,
          vmSize: 'Standard_D2s_v5',
          osType: 'Linux',
        },
      ],
    },
  }
}

/** Undefined where somebody else, who ran `up` at the same moment, is making it: that is waited for as well. */
async function unlessUnderWay<T>(sending: Promise<T>): Promise<T | undefined> {
  try {
    return await sending
  } catch (error) {
    if (error instanceof ArmError && error.code === 'OperationNotAllowed') return undefined
    throw error
  }
}

async function find<T>(arm: ArmClient, path: string): Promise<T | undefined> {
  try {
    return (await arm.send<T>({ method: 'GET', path })).body
  } catch (error) {
    if (error instanceof ArmError && error.status === 404) return undefined
    throw error
  }
}

async function follow(arm: ArmClient, started: ArmAnswer<unknown>, progress: Progress): Promise<void> {
  progress.step(`Creating cluster ${CLUSTER}`)
  await arm.wait(started, (state) =>
    state.properties?.step === undefined ? undefined : progress.step(state.properties.step),
  )
}

/** An earlier run may have been cut off while the cluster was being made; the server goes on with it by itself. */
async function settled(arm: ArmClient, path: string, progress: Progress): Promise<void> {
  for (;;) {
    const { properties } = (await arm.send<ManagedCluster>({ method: 'GET', path })).body
    if (properties.provisioningState === 'Succeeded') return
    if (properties.provisioningState === 'Failed')
      throw new CommandError(
        `Cluster "${CLUSTER}" is in state Failed. "./aksel az aks show -g ${RESOURCE_GROUP} -n ${CLUSTER}" tells more.`,
      )
    progress.step(`Waiting for cluster ${CLUSTER} (${properties.provisioningState})`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function writeCredentials(options: CliOptions, arm: ArmClient, path: string): Promise<string> {
  const { body } = await arm.send<{ kubeconfigs: readonly { value: string }[] }>({
    method: 'POST',
    path: `${path}/listClusterAdminCredential`,
  })
  const kubeconfig = join(options.dataDir, 'kubeconfig')
  writeFileSync(kubeconfig, Buffer.from(body.kubeconfigs[0]!.value, 'base64'), { mode: 0o600 })
  const current: CurrentFile = { resourceGroup: RESOURCE_GROUP, cluster: CLUSTER, kubeconfig }
  writeFileSync(currentFile(options.dataDir), `${JSON.stringify(current)}\n`, { mode: 0o600 })
  return kubeconfig
}

function summary(result: UpResult): string {
  const kind = result.simulated ? 'simulated nodes (no container runs)' : 'nodes'
  return `
Cluster "${result.cluster}" in resource group "${result.resourceGroup}" is ready: Kubernetes ${result.kubernetesVersion}, ${result.nodes} ${kind}.

  ./aksel kubectl get nodes,pods -A -o wide
  ./aksel kubectl apply -f examples/store/manifests
  ./aksel az aks nodepool scale -g ${result.resourceGroup} --cluster-name ${result.cluster} -n nodepool1 -c 4
  ./aksel status
  ./aksel down            (data is kept; --purge removes everything)

Kubeconfig for your own tools: ${result.kubeconfig}
Azure front door: ${result.armUrl}
`
}
