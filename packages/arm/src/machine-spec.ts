// What a machine of a pool is ordered as: size, place, labels and taints as AKS gives them, and how it joins.

import type { ControlPlaneStatus } from '@aksel/provider/cluster-engine'
import { networkPolicyEngines, type MachineSpec, type NetworkPolicyEngine } from '@aksel/provider/machine-provider'
import { digitsOf } from './plan.ts'
import { documentId } from './resource-id.ts'
import { localDnsOf } from './resource-providers/container-service/local-dns.ts'
import { kubeletOf } from './resource-providers/container-service/kubelet-config.ts'
import { versionsOf } from './upgrade-plan.ts'
import { isSandboxed, sandboxLabels } from './resource-providers/container-service/pod-sandboxing.ts'
import { findVmSize } from './resource-providers/container-service/vm-sizes.ts'
import type { ClusterRecord, MachineRecord, PoolRecord, Tags } from './records.ts'

export interface ClusterNetwork {
  readonly virtualNetworkId: string
  readonly virtualNetworkName: string
  readonly subnetId: string
  /** Ranges of a network that the service makes; absent in the user's own. */
  readonly made?: { readonly addressPrefix: string; readonly subnetPrefix: string }
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
    made: { addressPrefix: '10.224.0.0/12', subnetPrefix: '10.224.0.0/16' },
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
}): MachineSpec {
  const { cluster, pool, machine, controlPlane, subnetId } = parts
  const networkPolicy = policyEngineOf(cluster)
  const size = findVmSize(pool.properties.vmSize)
  if (size === undefined) throw new Error(`Pool "${pool.id}" has the unknown VM size "${pool.properties.vmSize}"`)
  const versions = versionsOf(machine, pool)
  const localDns = localDnsOf(pool.properties)
  const kubelet = kubeletOf(pool.properties['kubeletConfig'])
  return {
    name: machine.name,
    clusterId: machine.clusterId,
    vmSize: pool.properties.vmSize,
    vcpus: size.vcpus,
    memoryBytes: size.memoryBytes,
    ...(machine.zone === undefined ? {} : { zone: machine.zone }),
    nodeImage: versions.image,
    maxPods: pool.properties.maxPods,
    labels: { ...nodeLabels(cluster, pool, machine), ...machine.labels },
    taints: machine.taints.map(parseTaint),
    ...(kubelet === undefined ? {} : { kubelet }),
    ...(localDns === undefined ? {} : { localDns }),
    ...(isSandboxed(pool.properties) ? { sandboxing: true } : {}),
    subnetId: subnetId.toLowerCase(),
    boot: {
      kubernetesVersion: versions.kubernetes,
      nodeUrl: controlPlane.nodeUrl,
      tunnelSocket: controlPlane.tunnelSocket,
      clusterDns: cluster.properties.networkProfile.dnsServiceIP,
      clusterDomain: 'cluster.local',
      serviceCidr: cluster.properties.networkProfile.serviceCidr,
      podCidr: machine.podCidr,
      ...(networkPolicy === undefined ? {} : { networkPolicy }),
      ...(hasFlowLogs(cluster) ? { flowLogs: true } : {}),
    },
  }
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

const windowsLabels: Tags = { 'kubernetes.io/os': 'windows', 'beta.kubernetes.io/os': 'windows' }

function nodeLabels(cluster: ClusterRecord, pool: PoolRecord, machine: MachineRecord): Tags {
  const { properties } = pool
  const size = findVmSize(properties.vmSize)
  const spot = properties['scaleSetPriority'] === 'Spot'
  const ours = 'kubernetes.azure.com'
  return {
    'node.kubernetes.io/instance-type': properties.vmSize,
    'topology.kubernetes.io/region': cluster.location,
    'topology.kubernetes.io/zone': machine.zone === undefined ? '0' : `${cluster.location}-${machine.zone}`,
    agentpool: pool.name,
    [`${ours}/agentpool`]: pool.name,
    [`${ours}/cluster`]: cluster.properties.nodeResourceGroup.slice(0, 63).replace(/[^A-Za-z0-9]+$/, ''),
    [`${ours}/mode`]: properties.mode.toLowerCase(),
    [`${ours}/role`]: 'agent',
    [`${ours}/managedby`]: 'aks',
    [`${ours}/node-image-version`]: versionsOf(machine, pool).image,
    [`${ours}/nodepool-type`]: 'VirtualMachineScaleSets',
    [`${ours}/os-sku`]: properties.osSKU,
    ...(properties.osType === 'Windows' ? windowsLabels : {}),
    [`${ours}/storageprofile`]: 'managed',
    ...(size === undefined ? {} : { [`${ours}/sku-cpu`]: String(size.vcpus) }),
    ...(size === undefined ? {} : { [`${ours}/sku-memory`]: String(Math.round(size.memoryBytes / 1024 ** 2)) }),
    ...(spot ? { [`${ours}/scalesetpriority`]: 'spot' } : {}),
    ...(isSandboxed(properties) ? sandboxLabels : {}),
    ...(pool.simulated ? { 'aksel.dev/simulated': 'true' } : {}),
  }
}
