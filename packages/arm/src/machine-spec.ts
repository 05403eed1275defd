// What a machine of a pool is ordered as: size, place, labels and taints as AKS gives them, and how it joins.

import type { ControlPlaneStatus } from '@aksel/provider/cluster-engine'
import {
  networkPolicyEngines,
  type BootData,
  type MachineSpec,
  type NetworkPolicyEngine,
  type PodNetwork,
} from '@aksel/provider/machine-provider'
import { digitsOf } from './plan.ts'
import { documentId, groupOfId } from './resource-id.ts'
import { namesInside } from './resource-providers/container-service/api-access.ts'
import {
  ipv6PodCidrOf,
  ipv6RangeOf,
  isDualStack,
  madeIpv6,
} from './resource-providers/container-service/address-families.ts'
import { podNetworkOf } from './resource-providers/container-service/network-model.ts'
import { localDnsOf } from './resource-providers/container-service/local-dns.ts'
import { kubeletOf } from './resource-providers/container-service/kubelet-config.ts'
import { versionsOf } from './upgrade-plan.ts'
import { isSandboxed } from './resource-providers/container-service/pod-sandboxing.ts'
import { simulatedDevices } from './resource-providers/container-service/gpus.ts'
import { isOfVirtualMachines, vmSizeOf } from './resource-providers/container-service/virtual-machines-pool.ts'
import { findVmSize } from './resource-providers/container-service/vm-sizes.ts'
import { nodeLabels } from './node-labels.ts'
import type { ClusterRecord, MachineRecord, PoolRecord } from './records.ts'

export interface ClusterNetwork {
  readonly virtualNetworkId: string
  readonly virtualNetworkName: string
  readonly subnetId: string
  /** Ranges of a network that the service makes; absent in the user's own. */
  readonly made?: {
    readonly addressPrefix: string
    readonly subnetPrefix: string
    /** Of clusters of both address families. */
    readonly ipv6?: { readonly addressPrefix: string; readonly subnetPrefix: string }
  }
}

export const virtualNetworkType = 'Microsoft.Network/virtualNetworks'

/** The cluster's network: the user's own, or the one that it gets where the user brings none. Ids in the caller's casing. */
export function networkOf(cluster: ClusterRecord, subscriptionId: string): ClusterNetwork {
  if (cluster.subnetId !== undefined) {
    const virtualNetworkId = networkOfSubnet(cluster.subnetId)
    return { virtualNetworkId, virtualNetworkName: virtualNetworkId.split('/').at(-1)!, subnetId: cluster.subnetId }
  }
  const virtualNetworkName = `aks-vnet-${digitsOf(cluster.uid)}`
  const group = { subscriptionId, resourceGroup: cluster.properties.nodeResourceGroup }
  const virtualNetworkId = documentId(group, virtualNetworkType, virtualNetworkName)
  return {
    virtualNetworkId,
    virtualNetworkName,
    subnetId: `${virtualNetworkId}/subnets/aks-subnet`,
    made: {
      addressPrefix: '10.224.0.0/12',
      subnetPrefix: '10.224.0.0/16',
      ...(isDualStack(cluster.properties.networkProfile) ? { ipv6: madeIpv6 } : {}),
    },
  }
}

/** The subnet of a pool's machines. */
export function subnetOf(cluster: ClusterRecord, pool: Pick<PoolRecord, 'properties'>): string {
  const own = pool.properties['vnetSubnetID']
  return typeof own === 'string' && own !== '' ? own : networkOf(cluster, cluster.id.split('/')[2]!).subnetId
}

/** The id of the network that a subnet lies in. */
export function networkOfSubnet(subnetId: string): string {
  return subnetId.replace(/\/subnets\/[^/]+$/i, '')
}

export function machineSpec(parts: {
  readonly cluster: ClusterRecord
  readonly pool: PoolRecord
  readonly machine: MachineRecord
  readonly controlPlane: ControlPlaneStatus
  readonly subnetId: string
  /** Ranges of the network, for pods that have addresses of it. */
  readonly networkPrefixes: readonly string[]
}): MachineSpec {
  const { cluster, pool, machine, controlPlane, subnetId, networkPrefixes } = parts
  const podNetwork = podNetworkOf(cluster, pool.properties, subnetId)
  const hasRange = podNetwork.kind !== 'subnet' || pool.simulated
  const { podCidr } = cluster.properties.networkProfile
  const networkPolicy = policyEngineOf(cluster)
  const vmSize = vmSizeOf(machine, pool)
  const size = findVmSize(vmSize)
  if (size === undefined) throw new Error(`Pool "${pool.id}" has the unknown VM size "${vmSize}"`)
  const versions = versionsOf(machine, pool)
  const localDns = localDnsOf(pool.properties)
  const names = namesInside(cluster)
  const kubelet = kubeletOf(pool.properties['kubeletConfig'])
  return {
    name: machine.name,
    clusterId: machine.clusterId,
    vmSize,
    vcpus: size.vcpus,
    memoryBytes: size.memoryBytes,
    ...osDiskOf(pool),
    ...(machine.zone === undefined ? {} : { zone: machine.zone }),
    cloud: { resourceId: scaleSetInstanceId(cluster, pool, machine), region: cluster.location },
    ...spotOf(pool),
    nodeImage: versions.image,
    maxPods: pool.properties.maxPods,
    labels: { ...nodeLabels({ cluster, pool, machine, subnetId }), ...machine.labels },
    taints: machine.taints.map(parseTaint),
    ...(kubelet === undefined ? {} : { kubelet }),
    ...simulatedDevices(pool.properties, size),
    ...(localDns === undefined ? {} : { localDns }),
    ...(isSandboxed(pool.properties) ? { sandboxing: true } : {}),
    subnetId: subnetId.toLowerCase(),
    ...(podNetwork.kind === 'overlay' ? {} : { podNetwork }),
    boot: {
      kubernetesVersion: versions.kubernetes,
      nodeUrl: controlPlane.nodeUrl,
      ...(names.length === 0 ? {} : { apiServerNames: names }),
      tunnelSocket: controlPlane.tunnelSocket,
      clusterDns: cluster.properties.networkProfile.dnsServiceIP,
      clusterDomain: 'cluster.local',
      serviceCidr: cluster.properties.networkProfile.serviceCidr,
      podCidr: hasRange ? machine.podCidr : '',
      nonMasqueradeCidrs: keptSources(podNetwork, { subnetId, networkPrefixes, podCidr }),
      ...ipv6Of(cluster, machine),
      ...(networkPolicy === undefined ? {} : { networkPolicy }),
      ...(hasFlowLogs(cluster) ? { flowLogs: true } : {}),
      ...(cluster.properties.networkProfile['podLinkLocalAccess'] === 'None' ? { isMetadataRestricted: true } : {}),
    },
  }
}

/**
 * Destinations that see pods' own addresses. Pods of a subnet of their own keep theirs everywhere: it is that subnet's NAT gateway,
 * routes and security rules that they leave by. (Azure's nodes translate what these ask of Azure's DNS and of the instance metadata;
 * here the node itself answers both.)
 */
function keptSources(
  podNetwork: PodNetwork,
  place: {
    readonly subnetId: string
    readonly networkPrefixes: readonly string[]
    readonly podCidr: string | undefined
  },
): readonly string[] {
  const { subnetId, networkPrefixes, podCidr } = place
  if (podNetwork.kind === 'subnet' && podNetwork.subnetId !== subnetId.toLowerCase()) return ['0.0.0.0/0']
  return podNetwork.kind === 'subnet' || podCidr === undefined ? networkPrefixes : [podCidr]
}

function ipv6Of({ properties: { networkProfile } }: ClusterRecord, machine: MachineRecord): Pick<BootData, 'ipv6'> {
  const podCidr = ipv6RangeOf(networkProfile, 'podCidrs')
  const serviceCidr = ipv6RangeOf(networkProfile, 'serviceCidrs')
  if (podCidr === undefined || serviceCidr === undefined) return {}
  const own = ipv6PodCidrOf(podCidr, networkProfile.podCidr!, machine.podCidr)
  return { ipv6: { podCidr: own, serviceCidr, nonMasqueradeCidrs: [podCidr] } }
}

/** In gibibytes, as Azure means it. */
function osDiskOf({ properties }: PoolRecord): Pick<MachineSpec, 'osDiskBytes'> {
  const size = properties['osDiskSizeGB']
  return typeof size === 'number' && size > 0 ? { osDiskBytes: size * 2 ** 30 } : {}
}

/** The scale set's resource in Azure (the machine's own where the pool has none), as AKS's nodes name it: the group in small letters, the instance by its number. */
export function scaleSetInstanceId(
  cluster: Pick<ClusterRecord, 'id' | 'uid' | 'properties'>,
  pool: Pick<PoolRecord, 'name' | 'properties'>,
  machine: Pick<MachineRecord, 'instance' | 'name'>,
): string {
  const { subscriptionId } = groupOfId(cluster.id)!
  const group = { subscriptionId, resourceGroup: cluster.properties.nodeResourceGroup.toLowerCase() }
  if (isOfVirtualMachines(pool.properties)) return documentId(group, virtualMachineType, machine.name)
  const scaleSet = `aks-${pool.name}-${digitsOf(cluster.uid)}-vmss`
  return `${documentId(group, scaleSetType, scaleSet)}/virtualMachines/${machine.instance}`
}

const virtualMachineType = 'Microsoft.Compute/virtualMachines'
const scaleSetType = 'Microsoft.Compute/virtualMachineScaleSets'

function spotOf({ properties }: PoolRecord): Pick<MachineSpec, 'spot'> {
  if (properties['scaleSetPriority'] !== 'Spot') return {}
  const isKept = properties['scaleSetEvictionPolicy'] === 'Deallocate'
  return { spot: { evictionPolicy: isKept ? 'Deallocate' : 'Delete' } }
}

/** Who enforces NetworkPolicies in this cluster; nobody where the profile says none. */
export function policyEngineOf(cluster: ClusterRecord): NetworkPolicyEngine | undefined {
  const named = String(cluster.properties.networkProfile['networkPolicy']).toLowerCase()
  return networkPolicyEngines.find((engine) => engine === named)
}

/** Advanced Container Networking Services: whole, or its observability alone. */
export function hasFlowLogs(cluster: ClusterRecord): boolean {
  const given = cluster.properties.networkProfile['advancedNetworking'] as
    | { readonly enabled?: boolean; readonly observability?: { readonly enabled?: boolean } }
    | undefined
  return given?.observability?.enabled ?? given?.enabled === true
}

/** `key=value:Effect` or `key:Effect`. */
export function parseTaint(text: string): { readonly key: string; readonly value?: string; readonly effect: string } {
  const colon = text.lastIndexOf(':')
  const [key, value] = text.slice(0, colon).split('=') as [string, string | undefined]
  const effect = text.slice(colon + 1)
  return value === undefined || value === '' ? { key, effect } : { key, value, effect }
}
