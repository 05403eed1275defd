// The node agent: registers the node, runs its pods, and says how both are. Everything it touches is handed in.

import { mkdir, readFile } from 'node:fs/promises'
import { hostname, release } from 'node:os'
import { join } from 'node:path'
import { services } from '@aksel/api/resources'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { run } from '@aksel/host/command'
import type { Ledger } from '@aksel/host/ledger'
import { mountsBelow } from '@aksel/host/mount-table'
import type { Cache } from '@aksel/runtime/controller'
import type { Pod, Service } from '@aksel/api/types/core-v1'
import { Informer } from '@aksel/runtime/informer'
import type { TunnelHandler } from '@aksel/runtime/tunnel'
import type { Snapshots } from './containerd/snapshots.ts'
import type { ContainerRuntime } from './cri/types.ts'
import { ImageRoots } from './images/image-root.ts'
import { ImagePuller } from './images/pull.ts'
import { endingLostTasks } from './cri/lost-tasks.ts'
import { PulledImages } from './images/pulled-images.ts'
import { kubeletConfigz } from './configz.ts'
import { readKubeletConfig } from './kubelet-config.ts'
import type { NodeSettings } from './kubelet-config.ts'
import { NodeAdmission } from './node-admission.ts'
import { nodeCare, tellOfNode } from './node-care.ts'
import type { NodeCare } from './node-care.ts'
import type { HostMemoryNode } from './memory-manager/memory-nodes.ts'
import { boundsMemoryUnified } from './cgroups/qos.ts'
import { qosWriter, startManagers } from './node-managers.ts'
import { nodeEndpoints } from './node-endpoints.ts'
import { NodeUsage } from './node-usage.ts'
import { watchOom } from './oom-watch.ts'
import { NodeRegistration } from './node/registration.ts'
import { aksReserved } from '@aksel/base/aks-reserved'
import type { MachineIds, NodeDescription } from './node/node-object.ts'
import { ObjectWatches } from './object-watches.ts'
import { readNodeDns } from './pod/dns.ts'
import { removeUnownedNetworks } from './garbage/sandbox-networks.ts'
import { repeated } from './garbage/repeated.ts'
import { judgeSupport, readHostSupport } from './pod/host-support.ts'
import { tellPod } from './pod/pod-host.ts'
import { judgeSysctls } from './pod/sysctls.ts'
import type { PodGuards, PodHost } from './pod/pod-host.ts'
import { podLookup } from './pod-streams.ts'
import { ProbeMetrics } from './probes/probe-metrics.ts'
import { startPlugins } from './plugins/node-plugins.ts'
import { NodePods, RecentExits } from './pods.ts'
import type { TaskEvents } from './pods.ts'
import type { PodWorker } from './pod/worker.ts'
import { NodeShutdown } from './shutdown/node-shutdown.ts'
import type { PodLookup } from './streams/pod-lookup.ts'
import type { DiskMounter } from './volumes/disk-mounter.ts'

export interface AgentOptions {
  readonly client: Client
  readonly runtime: ContainerRuntime
  readonly taskEvents: TaskEvents
  /** Ends a container's processes through containerd itself, past CRI. */
  readonly endTask: (containerId: string) => Promise<void>
  readonly ledger: Ledger
  readonly disks: DiskMounter
  readonly snapshots: Snapshots
  /** Services of all namespaces; a watch of the agent's own when absent. */
  readonly services?: Cache<Service>
  /** Awaited before the node registers: whoever sends traffic to a Ready node is to be served. */
  readonly networked?: Promise<void>
  /** Nothing restricts pods when absent. */
  readonly guards?: PodGuards
  readonly nodeName: string
  readonly nodeAddress: string
  /** On nodes of both families. */
  readonly nodeIpv6Address?: string
  readonly ipv6PodCidr?: string
  readonly labels: Readonly<Record<string, string>>
  readonly taints: NodeDescription['taints']
  readonly maxPods: number
  readonly capacity: { readonly cpuMilli: number; readonly memoryBytes: number; readonly ephemeralStorageBytes: number }
  /** NUMA nodes of the host; as its kernel says when absent. */
  readonly memoryNodes?: readonly HostMemoryNode[]
  /** As on AKS when absent. */
  readonly reserved?: { readonly cpuMilli: number; readonly memoryBytes: number }
  readonly kubernetesVersion: string
  /** `Ubuntu 22.04.5 LTS`: what `kubectl get nodes -o wide` shows. */
  readonly osImage: string
  /** Absent where the node's cloud tells it. */
  readonly providerId?: string
  readonly podCidr: string
  readonly clusterDns: string
  readonly clusterDomain: string
  /** Holds `pods/<uid>`; kept over restarts. */
  readonly rootDirectory: string
  /** On the host's file system, where the node's own is an image on it: the node is full when the host is. */
  readonly hostDirectory?: string
  readonly podLogsDirectory: string
  /** The machine's cgroup: `/aksel/<machine>`. */
  readonly cgroupRoot: string
  /** In the ledger: `machine/<machine>`. */
  readonly owner: string
  /** How the node looks after itself; as AKS sets it when absent. */
  readonly settings?: NodeSettings
  /** The node's own, the first that names a server pods can reach. */
  readonly resolvConfPaths?: readonly string[]
}

export interface RunningAgent {
  /** For logs, exec and port-forward. */
  readonly pods: PodLookup
  /** `/healthz`, `/pods`: what the tunnel is asked besides streams. */
  readonly endpoints: TunnelHandler
  /** Of the pod with this address; undefined for others', and for the node's own. */
  namespaceOf(address: string): string | undefined
  /** Resolves when the node stands in the API. */
  readonly registered: Promise<void>
  /** Resolves when what earlier agents left of pods that are gone is removed. */
  readonly cleaned: Promise<void>
  /** Ends the pods as the machine goes down. Resolves when they are down or their time is over; nothing else ends. */
  shutDown(): Promise<void>
  /** Resolves when the scope has aborted and all loops have ended. Containers stay. */
  readonly ended: Promise<void>
}

/** Where the node answers for itself. */
export const KUBELET_PORT = 10250

/** Begins; registration, pods and heartbeat go on until the scope aborts. */
export async function runAgent(scope: Scope, options: AgentOptions): Promise<RunningAgent> {
  const { client } = options
  const runtime = endingLostTasks(options.runtime, options.endTask)
  const description = await describe(options)
  const memoryDirectory = join(options.rootDirectory, 'memory')
  await ensureMounts(scope, options, memoryDirectory)
  const serviceCache = options.services ?? startServices(scope, client)
  const exits = new RecentExits()
  const settings = options.settings ?? readKubeletConfig({})
  const pulled = new PulledImages(join(options.rootDirectory, 'image_manager', 'pulled'))
  const resolvConfPaths = options.resolvConfPaths ?? ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']
  const late: { pods?: NodePods; care?: NodeCare } = {}
  const workers = (): readonly PodWorker[] => [...(late.pods?.workers.values() ?? [])]
  const living = (): readonly PodWorker[] => workers().filter(({ isOver }) => !isOver)
  const shutdown = new NodeShutdown(scope, settings.shutdown, {
    pods: living,
    announce: () => registration.announce(),
  })
  const kept = { ...description.reserved, memoryBytes: description.reserved.memoryBytes - evictionBytes(settings) }
  const amounts = { cgroupRoot: options.cgroupRoot, capacity: options.capacity, reserved: kept, workers }
  const qosChanged = qosWriter(scope, amounts)
  const { rootDirectory, memoryNodes } = options
  const managers = await startManagers(scope, {
    ...amounts,
    settings,
    runtime,
    rootDirectory,
    evictionBytes: evictionBytes(settings),
    ...(memoryNodes === undefined ? {} : { memoryNodes }),
  })
  const support = await readHostSupport()
  const { allowedUnsafeSysctls } = settings.config
  const admission = new NodeAdmission({
    client,
    nodeName: options.nodeName,
    allocatable: allocatableOf(description),
    maxPods: options.maxPods,
    ...(managers === undefined ? {} : { assign: (pod) => managers.assign(pod) }),
    refuses: (pod) =>
      shutdown.admit() ??
      late.care?.eviction.admit(pod) ??
      judgeSysctls(pod, allowedUnsafeSysctls) ??
      judgeSupport(pod, support),
    pods: () => living().map(({ pod }) => pod),
  })
  const plugins = await startPlugins(scope, {
    ...options,
    onDriver: () => late.pods?.wakeAll(),
    onDevices: () => registration.tell(),
    pods: () => living().map(({ pod }) => pod),
  })
  const sandboxRequests = new Set<Promise<unknown>>()
  const host: PodHost = {
    client,
    runtime,
    sandboxRequests,
    runtimeReturned: () => void cleaning.again(),
    outOfMemory: await watchOom(scope, options.cgroupRoot, (message) =>
      tellOfNode(scope, options, { type: 'Warning', reason: 'SystemOOM', message }),
    ),
    imageRoots: new ImageRoots(runtime, options.snapshots),
    images: new ImagePuller(scope, runtime, {
      onPulled: (id, image, auth) => pulled.add(id, image, auth),
      // Since 1.35 what one pod's secret brought is no other's to use.
      ...(minorOf(options) === '1.34' ? {} : { mayUse: (id, image, auth) => pulled.mayUse(id, image, auth) }),
      ...(settings.imagePullsMax === undefined ? {} : { pullsMax: settings.imagePullsMax }),
    }),
    volumes: {
      client,
      ledger: options.ledger,
      owner: options.owner,
      disks: options.disks,
      snapshots: options.snapshots,
      csi: plugins.csi,
      rootDirectory: options.rootDirectory,
      allocatable: allocatableOf(description),
      certificates: {
        client,
        nodeName: options.nodeName,
        minor: minorOf(options),
        tell: (pod, news) => tellPod(scope, host, { pod, type: 'Warning', ...news }),
      },
    },
    objects: new ObjectWatches(scope, client, { name: options.nodeName, minor: minorOf(options) }),
    services: async (signal) => {
      await serviceCache.synced(signal)
      return serviceCache.list()
    },
    pods: () => workers().map(({ pod }) => pod),
    ...(managers === undefined ? {} : { managers }),
    qosChanged,
    mirrorOf: (pod) => late.pods?.mirrorOf(pod),
    admit: async (pod) => (await admission.admit(pod)) ?? plugins.devices.manager.admit(pod),
    probeMetrics: new ProbeMetrics(),
    devices: plugins.devices,
    dra: plugins.dra,
    hasExited: (id) => exits.has(id),
    ...(options.guards === undefined ? {} : { guards: options.guards }),
    nodeName: options.nodeName,
    nodeAddress: options.nodeAddress,
    ...(options.nodeIpv6Address === undefined ? {} : { nodeIpv6Address: options.nodeIpv6Address }),
    clusterDns: options.clusterDns,
    clusterDomain: options.clusterDomain,
    nodeDns: await readNodeDns(resolvConfPaths),
    capacity: {
      ...options.capacity,
      isUnified: await boundsMemoryUnified(),
      cpuPeriodUs: settings.cpuPeriodUs,
      ...(settings.podPidsMax === undefined ? {} : { podPidsMax: settings.podPidsMax }),
    },
    cgroupRoot: options.cgroupRoot,
    podLogsDirectory: options.podLogsDirectory,
    rootDirectory: options.rootDirectory,
    memoryDirectory,
  }
  const registration = new NodeRegistration(scope, client, runtime, description, () => ({
    pressure: care.eviction.conditions,
    isShuttingDown: shutdown.isUnderWay,
    devices: plugins.devices.manager.amounts,
  }))
  const pods = new NodePods(scope, host, options.taskEvents, exits)
  const cleaning = repeated(scope, 'what the runtime had begun was not looked for', async () => {
    await removeUnownedNetworks(scope, { runtime, pending: sandboxRequests })
    await pods.synced()
    await pods.removeOrphans()
  })
  const { hostDirectory } = options
  const care = nodeCare(scope, {
    host,
    pods,
    settings,
    pulled,
    ...(hostDirectory === undefined ? {} : { hostDirectory }),
    changed: () => registration.tell(),
  })
  Object.assign(late, { pods, care })
  qosChanged()
  const registered = (options.networked ?? Promise.resolve()).then(() => registration.register())
  const loops = [
    registered.then(() => registration.keep()),
    registered.then(() => plugins.run()),
    pods.run(settings.staticPods),
    care.run(),
  ]
  registered.catch(() => {})
  return {
    pods: podLookup(host, pods),
    endpoints: nodeEndpoints(pods, new NodeUsage(scope, host, pods), {
      nodeName: options.nodeName,
      probes: host.probeMetrics,
      configz: () =>
        kubeletConfigz(settings.config, { ...options, port: KUBELET_PORT, resolvConfPath: resolvConfPaths[0]! }),
    }),
    namespaceOf: (address) => living().find(({ pod }) => hasAddress(pod, address))?.pod.metadata.namespace,
    registered,
    cleaned: pods.cleaned,
    shutDown: () => shutdown.begin(),
    ended: Promise.allSettled(loops).then((results) => throwUnlessAborted(scope, results)),
  }
}

function hasAddress({ spec, status }: Pod, address: string): boolean {
  return spec.hostNetwork !== true && (status?.podIPs ?? []).some(({ ip }) => ip === address)
}

function minorOf({ kubernetesVersion }: AgentOptions): string {
  return kubernetesVersion.split('.', 2).join('.')
}

/** Pods may use what the node evicts at: eviction comes before the kernel. */
function evictionBytes({ thresholds }: NodeSettings): number {
  const memory = thresholds.find(({ signal, isHard }) => signal === 'memory.available' && isHard)?.below
  return memory?.kind === 'quantity' ? memory.units : 0
}

function throwUnlessAborted(scope: Scope, results: readonly PromiseSettledResult<void>[]): void {
  for (const result of results) {
    if (result.status === 'rejected' && !scope.signal.aborted) throw result.reason
  }
}

function startServices(scope: Scope, client: Client): Cache<Service> {
  const informer = new Informer(scope, client, services)
  void informer.run()
  return informer
}

async function describe(options: AgentOptions): Promise<NodeDescription> {
  const { capacity, maxPods } = options
  const reserved = options.reserved ?? aksReserved(Math.floor(capacity.cpuMilli / 1000), capacity.memoryBytes, maxPods)
  return {
    name: options.nodeName,
    address: options.nodeAddress,
    ...(options.nodeIpv6Address === undefined ? {} : { ipv6Address: options.nodeIpv6Address }),
    labels: options.labels,
    taints: options.taints,
    ...(options.providerId === undefined ? {} : { providerId: options.providerId }),
    podCidr: options.podCidr,
    ...(options.ipv6PodCidr === undefined ? {} : { ipv6PodCidr: options.ipv6PodCidr }),
    capacity: { ...capacity, maxPods },
    reserved: { ...reserved, ephemeralStorageBytes: Math.floor(capacity.ephemeralStorageBytes / 10) },
    kubernetesVersion: options.kubernetesVersion,
    osImage: options.osImage,
    machine: await machineIds(options.nodeName),
    kubeletPort: KUBELET_PORT,
  }
}

/** Several machines share the host, so their ids are made of the host's and their name. */
async function machineIds(name: string): Promise<MachineIds> {
  const { createHash } = await import('node:crypto')
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim()
  const host = (await readFile('/etc/machine-id', 'utf8').catch(() => hostname())).trim()
  const hex = createHash('sha256').update(`${host}/${name}`).digest('hex')
  const systemUuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  )
  return { machineId: hex.slice(0, 32), systemUuid, bootId, kernelVersion: release() }
}

function allocatableOf({ capacity, reserved }: NodeDescription): Readonly<Record<string, number | string>> {
  return {
    cpu: `${capacity.cpuMilli - reserved.cpuMilli}m`,
    memory: capacity.memoryBytes - reserved.memoryBytes,
    'ephemeral-storage': capacity.ephemeralStorageBytes - reserved.ephemeralStorageBytes,
  }
}

async function ensureMounts(scope: Scope, options: AgentOptions, memoryDirectory: string): Promise<void> {
  const { ledger, owner, rootDirectory } = options
  await mkdir(memoryDirectory, { recursive: true, mode: 0o750 })
  const known = ledger.entries(owner).some(({ object }) => object.kind === 'mounts' && object.path === rootDirectory)
  // All that is mounted for pods lies below this folder.
  if (!known) await ledger.record(owner, { kind: 'mounts', path: rootDirectory })
  const below = await mountsBelow(rootDirectory)
  if (below.length === 0) {
    // Storage drivers mount for pods from within their own: what they mount must be seen here. A peer group of its own,
    // because in that of the host's root every mount would be there twice.
    await run(scope, ['mount', '--bind', rootDirectory, rootDirectory])
    await run(scope, ['mount', '--make-private', rootDirectory])
    await run(scope, ['mount', '--make-shared', rootDirectory])
  }
  if (below.includes(memoryDirectory)) return
  // Secrets and tokens never touch the disk: one memory file system for all pods of the node.
  await run(scope, ['mount', '-t', 'tmpfs', '-o', 'mode=0750', 'tmpfs', memoryDirectory])
}
