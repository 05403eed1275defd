// What every pod worker of a node shares.

import { join } from 'node:path'
import { pods } from '@aksel/api/resources'
import type { Container, Pod, Service } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import type { ContainerRuntime, DnsConfig, LinuxResources } from '../cri/types.ts'
import type { ContainerDevices } from '../devices/container-devices.ts'
import type { DraManager } from '../dra/dra-manager.ts'
import type { ImageRoots } from '../images/image-root.ts'
import type { ImagePuller } from '../images/pull.ts'
import type { ObjectWatches } from '../object-watches.ts'
import type { ProbeMetrics } from '../probes/probe-metrics.ts'
import type { PodFolders } from '../volumes/pod-volumes.ts'
import type { VolumeHost } from '../volumes/volume.ts'
import type { Refusal } from './admission.ts'
import { fieldPathOf } from './names.ts'
import type { NodeCapacity } from './resources.ts'

export interface PodHost {
  readonly client: Client
  readonly runtime: ContainerRuntime
  /** Requests for sandboxes that the runtime has not answered. */
  readonly sandboxRequests: Set<Promise<unknown>>
  readonly images: ImagePuller
  readonly imageRoots: ImageRoots
  readonly volumes: VolumeHost
  readonly objects: ObjectWatches
  /** All services; waits for the first list. */
  services(signal: AbortSignal): Promise<readonly Service[]>
  /** All pods of the node. */
  pods(): readonly Pod[]
  /** Of CPUs and memory nodes, where the node's policies pin containers to some. */
  readonly managers?: ResourceManagers
  /** Memory ran out somewhere on the machine. */
  outOfMemory?(): void
  /** The runtime may have been away: what it forgot of what it had begun is to be looked for. */
  runtimeReturned?(): void
  /** What classes of service have together is to be counted again. */
  qosChanged?(): void
  /** What stands in the API under a static pod's name. */
  mirrorOf(pod: Pod): Pod | undefined
  /** Why the node does not take the pod; undefined where it does, and from then on the pod counts. */
  admit(pod: Pod): Promise<Refusal | undefined>
  readonly probeMetrics: ProbeMetrics
  readonly devices: ContainerDevices
  readonly dra: Pick<DraManager, 'holders' | 'prepare' | 'release'>
  /** Whether containerd has told of the end of this container or sandbox: CRI may know a moment later. */
  hasExited(id: string): boolean
  /** Who may talk to whom; absent where nothing restricts pods. */
  readonly guards?: PodGuards
  readonly nodeName: string
  readonly nodeAddress: string
  /** On nodes of both families. */
  readonly nodeIpv6Address?: string
  readonly clusterDns: string
  readonly clusterDomain: string
  readonly nodeDns: DnsConfig
  readonly capacity: NodeCapacity
  readonly cgroupRoot: string
  readonly podLogsDirectory: string
  /** `pods/<uid>` below it. */
  readonly rootDirectory: string
  /** A memory file system; `pods/<uid>` below it. */
  readonly memoryDirectory: string
}

/** The node's own addresses, the first of the cluster's first family. */
export function hostIpsOf({
  nodeAddress,
  nodeIpv6Address,
}: Pick<PodHost, 'nodeAddress' | 'nodeIpv6Address'>): readonly string[] {
  return [nodeAddress, ...(nodeIpv6Address === undefined ? [] : [nodeIpv6Address])]
}

export interface PodGuards {
  /** Resolves when everything that restricts the pod at these addresses is in force; no container starts before. */
  guard(pod: Pod, ips: readonly string[], signal: AbortSignal): Promise<void>
  /** The address belongs to the pod no more. */
  release(uid: string): void
}

export function podFolders(host: Pick<PodHost, 'rootDirectory' | 'memoryDirectory'>, uid: string): PodFolders {
  return { root: join(host.rootDirectory, 'pods', uid), memory: join(host.memoryDirectory, 'pods', uid) }
}

export interface ResourceManagers {
  pin(pod: Pod, container: Container): Pick<LinuxResources, 'cpusetCpus' | 'cpusetMems'>
  /** The pod is gone. */
  release(uid: string): void
  /** Amounts that Guaranteed pods cannot change while they run, with the policy that holds them. */
  readonly fixed: { readonly cpu?: string; readonly memory?: string }
  /** These are all pods of the node: others went while no agent ran. */
  keepOnly(uids: ReadonlySet<string>): void
}

export interface PodNews {
  readonly pod: Pod
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  /** The container it is about, if it is about one. */
  readonly container?: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** An event on the pod, as from the kubelet of this node. Does not wait. */
export function tellPod(scope: Scope, host: PodHost, { pod, container, ...news }: PodNews): void {
  const fieldPath = container === undefined ? undefined : fieldPathOf(pod, container)
  const about = referenceTo(pods, pod, fieldPath)
  void recordEvent(scope, host.client, { about, ...news, source: 'kubelet', host: host.nodeName })
}
