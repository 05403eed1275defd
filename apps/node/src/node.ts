// Wires the parts of a node: each gets its collaborators here and knows none of the others.

import { mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatTime, sleep, systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { childScope } from '@aksel/base/scope'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { openFileLedger } from '@aksel/host/file-ledger'
import type { Ledger } from '@aksel/host/ledger'
import type { CustomNews } from '@aksel/network/dns/custom-servers'
import { runDns } from '@aksel/network/dns/dns-server'
import { parseSearch } from '@aksel/network/dns/upstream'
import { FlowLog } from '@aksel/network/flows/flow-log'
import { InteractiveNft } from '@aksel/network/nft/interactive'
import { NetworkPolicies } from '@aksel/network/policy/network-policies'
import { runServiceProxy } from '@aksel/network/service-proxy/service-proxy'
import { runAgent } from '@aksel/node/agent'
import type { RunningAgent } from '@aksel/node/agent'
import { createSnapshots } from '@aksel/node/containerd/snapshots'
import type { Snapshots } from '@aksel/node/containerd/snapshots'
import { createTasks } from '@aksel/node/containerd/tasks'
import type { Tasks } from '@aksel/node/containerd/tasks'
import { createCriClient } from '@aksel/node/cri/cri-client'
import type { ContainerRuntime } from '@aksel/node/cri/types'
import { keepNetworkPlugins } from '@aksel/node/plugins/network-plugins'
import { presentPods } from '@aksel/node/pod/present-pods'
import { createAttachUrls } from '@aksel/node/streams/attach'
import { serveInstanceMetadata } from '@aksel/node/instance-metadata/server'
import { createStreamsHandler } from '@aksel/node/streams/handler'
import { createCaches } from '@aksel/runtime/caches'
import type { Caches } from '@aksel/runtime/controller'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import { Informer } from '@aksel/runtime/informer'
import { configMaps, services } from '@aksel/api/resources'
import { dialTunnel, type TunnelHandler } from '@aksel/runtime/tunnel'
import { nodeDisks } from '@aksel/storage/node-disks'
import { METADATA_ADDRESS, METADATA_PORT } from '@aksel/provider/instance-metadata'
import { localDnsAddresses } from '@aksel/provider/local-dns'
import { openIdentity, type NodeIdentity } from './credentials.ts'
import { jsonLog } from './json-log.ts'
import { askIdentities } from './machine-identities.ts'
import { unlessPartitioned } from './partition-tunnel.ts'
import type { NodeOptions } from './options.ts'
import { serveKubelet } from './kubelet-server.ts'
import { withFlows } from './flow-stream.ts'

export interface NodeSignals {
  /** The agent is to end; containers go on. */
  readonly signal: AbortSignal
  /** The machine is to stop: pods are ended, then a file says so. */
  readonly powerOff: AbortSignal
}

/** Resolves when the signal has aborted and everything has come to rest; rejects when a part gave up. */
export async function runNode(options: NodeOptions, { signal, powerOff }: NodeSignals): Promise<void> {
  const scope: Scope = {
    clock: systemClock(),
    random: systemRandom(),
    log: jsonLog(options.logLevel, options.nodeName),
    signal,
  }
  await using identity = await openIdentity(scope, options)
  const { client } = identity
  await using ledger = await openFileLedger(scope, { directory: options.ledgerDir })
  await using caches = createCaches(scope, client)
  const execDirectory = join(options.rootDir, 'exec')
  await mkdir(execDirectory, { recursive: true })
  await rm(join(options.rootDir, SHUT_DOWN_FILE), { force: true })
  using runtime = await createCriClient(scope, { socketPath: options.containerdSocket })
  using tasks = await createTasks(scope, { socketPath: options.containerdSocket, directory: execDirectory })
  using snapshots = await createSnapshots(scope, { socketPath: options.containerdSocket })
  using nft = new InteractiveNft()
  const policies = networkPolicies(options, caches, nft, runtime)
  const networked = Promise.withResolvers<void>()
  const proxying = proxy(scope, options, caches, nft, networked.resolve)
  proxying.catch(networked.reject)
  const agent = await startAgent(scope, {
    options,
    client,
    ledger,
    caches,
    runtime,
    tasks,
    snapshots,
    policies,
    networked: networked.promise,
  })
  const flows = flowLog(options, caches, client, policies)
  const endpoints = flows === undefined ? agent.endpoints : withFlows(flows, agent.endpoints)
  using attach = await createAttachUrls(scope, { socketPath: options.containerdSocket })
  const handler = createStreamsHandler({ pods: agent.pods, tasks, attach, other: endpoints })
  await using _tunnel = startTunnel(scope, options, identity, handler)
  powerOff.addEventListener('abort', () => void shutDown(scope, options, agent), { once: true })
  const guarding = policies?.run(childScope(scope, { part: 'network-policy' }))
  await Promise.all([
    agent.ended,
    proxying,
    dns(scope, { options, caches, client, agent }),
    guarding,
    identity.run(childScope(scope, { part: 'certificates' })),
    flows?.run(childScope(scope, { part: 'flow-log' })),
    metadata(scope, options, identity),
    networkPlugins(scope, options),
    serveKubelet(childScope(scope, { part: 'kubelet-server' }), options, identity, { agent, handler }),
  ])
  scope.log.info('the agent has ended; containers go on')
}

/** Whoever stops the machine waits for this file in the agent's folder. */
const SHUT_DOWN_FILE = 'shut-down'

async function shutDown(scope: Scope, options: NodeOptions, agent: RunningAgent): Promise<void> {
  await agent.shutDown()
  await writeFile(join(options.rootDir, SHUT_DOWN_FILE), formatTime(scope.clock.now()))
}

async function startAgent(
  scope: Scope,
  parts: {
    readonly options: NodeOptions
    readonly client: Client
    readonly ledger: Ledger
    readonly caches: Caches
    readonly runtime: Awaited<ReturnType<typeof createCriClient>>
    readonly tasks: Tasks
    readonly snapshots: Snapshots
    readonly policies: NetworkPolicies | undefined
    readonly networked: Promise<void>
  },
): Promise<RunningAgent> {
  const { options, client, ledger, caches, runtime, tasks, snapshots, policies, networked } = parts
  return runAgent(scope, {
    client,
    runtime,
    taskEvents: (ended) => tasks.events(ended, ['exit', 'oom']),
    endTask: (id) => tasks.end(id),
    ledger,
    disks: nodeDisks({ directory: options.disksDir, stagingDirectory: join(options.rootDir, 'staging'), ledger }),
    snapshots,
    services: caches.of(services),
    networked,
    ...(policies === undefined ? {} : { guards: policies }),
    nodeName: options.nodeName,
    nodeAddress: options.nodeAddress,
    ...(options.ipv6 === undefined
      ? {}
      : { nodeIpv6Address: options.ipv6.nodeAddress, ipv6PodCidr: options.ipv6.podCidr }),
    labels: options.labels,
    taints: options.taints,
    maxPods: options.maxPods,
    capacity: {
      ...options.capacity,
      ephemeralStorageBytes: options.capacity.ephemeralStorageBytes ?? (await diskBytesOf(options.rootDir)),
    },
    ...(options.reserved === undefined ? {} : { reserved: options.reserved }),
    kubernetesVersion: options.kubernetesVersion,
    osImage: await hostSystem(),
    ...(options.providerId === undefined ? {} : { providerId: options.providerId }),
    podCidr: options.podCidr,
    ...(await podDns(options)),
    clusterDomain: options.clusterDomain,
    rootDirectory: options.rootDir,
    ...(options.hostDir === undefined ? {} : { hostDirectory: options.hostDir }),
    podLogsDirectory: options.podLogsDir,
    cgroupRoot: options.cgroupRoot,
    owner: `machine/${options.machineKey}`,
    settings: options.settings,
  })
}

function startTunnel(
  scope: Scope,
  options: NodeOptions,
  identity: NodeIdentity,
  handler: TunnelHandler,
): AsyncDisposable {
  const own = childScope(scope, { part: 'tunnel' })
  const dial = { socketPath: options.tunnelSocket, tls: identity.tls, handler }
  return unlessPartitioned(own, join(options.rootDir, 'partitioned'), () => dialTunnel(own, dial))
}

/** Absent where the cluster has no Advanced Container Networking Services. */
function flowLog(
  options: NodeOptions,
  caches: Caches,
  client: Client,
  policies: NetworkPolicies | undefined,
): FlowLog | undefined {
  const { flowLogPath: logPath } = options
  if (logPath === undefined) return undefined
  return new FlowLog({
    ...options,
    podCidr: options.podSource,
    caches,
    client,
    logPath,
    ...(policies === undefined ? {} : { policies }),
  })
}

function networkPolicies(
  { networkPolicy: engine, nodeName, clusterDns, ipv6 }: NodeOptions,
  caches: Caches,
  nft: InteractiveNft,
  runtime: ContainerRuntime,
): NetworkPolicies | undefined {
  if (engine === undefined) return undefined
  const present = (): ReturnType<typeof presentPods> => presentPods(runtime)
  return new NetworkPolicies({ caches, engine, nodeName, clusterDns, nft, present, ipv6: ipv6 !== undefined })
}

function proxy(
  scope: Scope,
  options: NodeOptions,
  caches: Caches,
  nft: InteractiveNft,
  onSynced: () => void,
): Promise<void> {
  const { ipv6 } = options
  const zone = options.zone ?? options.labels['topology.kubernetes.io/zone']
  return runServiceProxy(childScope(scope, { part: 'service-proxy' }), {
    caches,
    nft,
    node: { name: options.nodeName, ...(zone === undefined ? {} : { zone }) },
    nodeAddresses: [options.nodeAddress, ...(ipv6 === undefined ? [] : [ipv6.nodeAddress])],
    ...(ipv6 === undefined ? {} : { ipv6 }),
    servedHere: [options.clusterDns],
    podCidr: options.podSource,
    nonMasqueradeCidrs: options.nonMasqueradeCidrs,
    servesHealth: true,
    onSynced,
  })
}

/** Of users who bring their own; nothing where the node has one. */
async function networkPlugins(scope: Scope, options: NodeOptions): Promise<void> {
  const { networkPluginsDir: wrappersDirectory, rootDir: rootDirectory } = options
  if (wrappersDirectory === undefined) return
  await keepNetworkPlugins(childScope(scope, { part: 'network-plugins' }), { rootDirectory, wrappersDirectory })
}

const METADATA_RETRY_MS = 5_000

/** Absent where the machine is in no cloud. */
async function metadata(scope: Scope, options: NodeOptions, identity: NodeIdentity): Promise<void> {
  const { instance, nodeAddress, nodeName: computerName, nodeImage } = options
  if (instance === undefined) return
  const socket = options.sockets.get(`${METADATA_ADDRESS}:${METADATA_PORT}`)
  const diskBytes = instance.diskBytes ?? (await diskBytesOf(options.rootDir))
  const own = childScope(scope, { part: 'instance-metadata' })
  while (!scope.signal.aborted) {
    try {
      await serveInstanceMetadata(own, {
        ...instance,
        instance: { ...instance, computerName, nodeImage, diskBytes },
        nodeAddress,
        identities: askIdentities(identity),
        ...(socket === undefined ? {} : { fd: socket.tcp }),
      })
    } catch (error) {
      // Pods go on without it.
      own.log.error('the instance metadata is not served', { error })
      await sleep(scope.clock, METADATA_RETRY_MS, scope.signal).catch(() => {})
    }
  }
}

async function dns(
  scope: Scope,
  parts: {
    readonly options: NodeOptions
    readonly caches: Caches
    readonly client: Client
    readonly agent: RunningAgent
  },
): Promise<void> {
  const { options, caches, client, agent } = parts
  const { clusterDns: address, clusterDomain, nodeName } = options
  const own = childScope(scope, { part: 'dns' })
  const sockets = options.sockets.get(`${address}:53`)
  const resolvConf = await readFile('/etc/resolv.conf', 'utf8').catch(() => '')
  const only = { namespace: 'kube-system', fieldSelector: 'metadata.name=coredns-custom' }
  const custom = new Informer(own, client, configMaps, only)
  const watching = custom.run()
  const tell = ({ configMap, ...news }: CustomNews): void =>
    void recordEvent(own, client, {
      ...news,
      about: referenceTo(configMaps, configMap),
      source: 'coredns',
      host: nodeName,
    })
  await runDns(own, {
    caches,
    clusterDomain,
    address,
    hosts: options.hosts,
    custom: { configMaps: custom, tell },
    namespaceOf: (client) => agent.namespaceOf(client),
    nodeSearches: parseSearch(resolvConf),
    ...(sockets === undefined ? {} : { sockets }),
  })
  await watching
}

/** Whom pods ask: with LocalDNS its two listeners, in a resolv.conf of the node's own for those that use it. */
async function podDns(
  options: NodeOptions,
): Promise<{ readonly clusterDns: string; readonly resolvConfPaths?: readonly string[] }> {
  if (options.localDns === undefined) return { clusterDns: options.clusterDns }
  const own = await readFile('/etc/resolv.conf', 'utf8').catch(() => '')
  const others = own.split('\n').filter((line) => !/^\s*nameserver\b/.test(line))
  const path = join(options.rootDir, 'resolv.conf')
  await writeFile(path, `nameserver ${localDnsAddresses.vnetDns}\n${others.join('\n')}`)
  return { clusterDns: localDnsAddresses.kubeDns, resolvConfPaths: [path] }
}

async function diskBytesOf(path: string): Promise<number> {
  const { blocks, bsize } = await statfs(path)
  return blocks * bsize
}

/** The system that really runs here: a machine shares the host's kernel and files, whatever its node image is called. */
async function hostSystem(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? 'Linux'
}
