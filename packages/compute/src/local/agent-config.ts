// What the node agent of a machine is told: who it is, what it has, where its things are.

import { instanceOf, registrationTaints } from '@aksel/provider/cloud-instance'
import type { InstanceFacts } from '@aksel/provider/instance-metadata'
import type { LocalDnsConfig } from '@aksel/provider/local-dns'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import type { MachinePaths, MachinePlace } from './machine-files.ts'

/** The content of `agent.json`; apps/node parses it. */
export interface AgentConfig {
  readonly nodeName: string
  readonly kubeconfigPath: string
  readonly containerdSocket: string
  readonly podLogsDir: string
  /** The agent's own folder: pod volumes lie below it. */
  readonly rootDir: string
  readonly cgroupRoot: string
  readonly tunnelSocket: string
  /** `100.65.0.1:8132`, in the socket's place where the server is on another host. */
  readonly tunnelAddress?: string
  readonly bootstrapKubeconfigPath: string
  readonly pkiDir: string
  readonly clusterDns: string
  readonly clusterDomain: string
  /** Names beside the cluster's that its DNS answers itself; absent where there are none. */
  readonly hosts?: readonly { readonly address: string; readonly names: readonly string[] }[]
  readonly serviceCidr: string
  readonly nodeAddress: string
  /** Of machines of both address families. */
  readonly ipv6?: {
    readonly nodeAddress: string
    readonly podCidr: string
    readonly serviceCidr: string
    readonly nonMasqueradeCidrs: readonly string[]
  }
  readonly podCidr: string
  /** Single addresses that pods may have, where they have no range; their whole subnet where addresses come and go. */
  readonly podAddresses?: readonly string[]
  readonly nonMasqueradeCidrs?: readonly string[]
  /** Absent where nobody enforces NetworkPolicies. */
  readonly networkPolicy?: string
  /** Where flows are written; absent where they are not to be seen. */
  readonly flowLogPath?: string
  /** Absent where the machine has no LocalDNS. */
  readonly localDns?: LocalDnsConfig
  readonly labels: Readonly<Record<string, string>>
  readonly taints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  readonly maxPods: number
  readonly capacity: { readonly cpuMilli: number; readonly memoryBytes: number }
  readonly kubernetesVersion: string
  readonly nodeImage: string
  /** Absent where the cloud tells: the zone that services prefer. */
  readonly zone?: string
  /** What the machine tells of itself; absent where it is in no cloud. */
  readonly instance?: InstanceFacts
  readonly disksDir: string
  /** A folder of the host's file system that the machine's disk is an image on; absent where they are one. */
  readonly hostDir?: string
  /** Where containerd looks for the network plug-ins that the user brings; absent where the machine has one. */
  readonly networkPluginsDir?: string
  readonly ledgerDir: string
  readonly machineKey: string
  readonly simulated: false
  /** Fields of a KubeletConfiguration. */
  readonly kubelet: Readonly<Record<string, unknown>>
}

function instanceConfig(
  { cloud, spot, osDiskBytes, zone, vmSize, labels, boot }: MachineSpec,
  eventsFile: string,
): InstanceFacts | undefined {
  if (cloud === undefined) return undefined
  const isRestricted = boot.isMetadataRestricted === true
  const { agentpool } = labels
  return {
    ...cloud,
    ...(zone === undefined ? {} : { zone }),
    vmSize,
    ...spot,
    ...(osDiskBytes === undefined ? {} : { diskBytes: osDiskBytes }),
    tags: {
      'aks-managed-enable-imds-restriction': String(isRestricted),
      'aks-managed-orchestrator': `Kubernetes:${boot.kubernetesVersion}`,
      ...(agentpool === undefined ? {} : { 'aks-managed-poolName': agentpool }),
    },
    eventsFile,
    isRestricted,
  }
}

/**
 * Where machines share the host's disk, a part of it says nothing about a machine: pods go when the host itself is about to
 * run full. Everything else is as AKS sets it, and all of it where the machine has a disk of its own.
 */
const onSharedDisk = {
  evictionHard: {
    'memory.available': '100Mi',
    'nodefs.available': '1Gi',
    'nodefs.inodesFree': '1%',
    'pid.available': '2000',
  },
}

/** Rules of the node name its pods' addresses: a list that changes is too much for them. */
function podAddressesOf(
  { podNetwork }: MachineSpec,
  { podAddresses, podSubnetPrefix }: MachinePlace,
): Pick<AgentConfig, 'podAddresses'> {
  if (podAddresses === undefined) return {}
  const isDynamic = podNetwork?.kind === 'subnet' && podNetwork.growsTo !== undefined
  return { podAddresses: isDynamic && podSubnetPrefix !== undefined ? [podSubnetPrefix] : podAddresses }
}

export function agentConfig(request: {
  readonly paths: MachinePaths
  readonly spec: MachineSpec
  readonly attachment: MachinePlace
  readonly disksDirectory: string
}): AgentConfig {
  const { paths, spec, attachment } = request
  const zone = instanceOf(spec, 'Running')?.zone
  const instance = instanceConfig(spec, paths.events)
  return {
    nodeName: spec.name,
    kubeconfigPath: paths.kubeconfig,
    containerdSocket: paths.containerdSocket,
    podLogsDir: paths.podLogs,
    rootDir: paths.agentRoot,
    cgroupRoot: paths.cgroup,
    tunnelSocket: spec.boot.tunnelSocket,
    ...(spec.boot.tunnelAddress === undefined ? {} : { tunnelAddress: spec.boot.tunnelAddress }),
    bootstrapKubeconfigPath: paths.bootstrapKubeconfig,
    pkiDir: paths.pki,
    clusterDns: spec.boot.clusterDns,
    clusterDomain: spec.boot.clusterDomain,
    ...hostsOf(spec),
    serviceCidr: spec.boot.serviceCidr,
    nodeAddress: attachment.address,
    ...ipv6Of(spec, attachment),
    podCidr: spec.boot.podCidr,
    ...podAddressesOf(spec, attachment),
    ...(spec.boot.nonMasqueradeCidrs === undefined ? {} : { nonMasqueradeCidrs: spec.boot.nonMasqueradeCidrs }),
    ...(spec.boot.networkPolicy === undefined ? {} : { networkPolicy: spec.boot.networkPolicy }),
    ...(spec.boot.flowLogs === true ? { flowLogPath: `${paths.root}/acns/hubble/events.log` } : {}),
    ...(spec.localDns === undefined ? {} : { localDns: spec.localDns }),
    labels: spec.labels,
    taints: registrationTaints(spec),
    ...(zone === undefined ? {} : { zone }),
    maxPods: spec.maxPods,
    capacity: { cpuMilli: spec.vcpus * 1000, memoryBytes: spec.memoryBytes },
    kubernetesVersion: spec.boot.kubernetesVersion,
    nodeImage: spec.nodeImage,
    ...(instance === undefined ? {} : { instance }),
    disksDir: request.disksDirectory,
    ...(paths.hasDisk ? { hostDir: paths.root } : {}),
    ...(spec.podNetwork?.kind === 'none' ? { networkPluginsDir: paths.cniWrappers } : {}),
    ledgerDir: paths.agentLedger,
    machineKey: paths.key,
    simulated: false,
    kubelet: { ...(paths.hasDisk ? {} : onSharedDisk), staticPodPath: paths.manifests, ...spec.kubelet },
  }
}

function ipv6Of({ boot: { ipv6 } }: MachineSpec, { ipv6Address }: MachinePlace): Pick<AgentConfig, 'ipv6'> {
  return ipv6 === undefined || ipv6Address === undefined ? {} : { ipv6: { nodeAddress: ipv6Address, ...ipv6 } }
}

function hostsOf({ boot: { apiServerNames: names, nodeUrl } }: MachineSpec): Pick<AgentConfig, 'hosts'> {
  return names === undefined ? {} : { hosts: [{ address: new URL(nodeUrl).hostname, names }] }
}
