// The labels that AKS gives a node as it registers; size, region and zone come from its cloud.

import { gpuLabels } from './resource-providers/container-service/gpus.ts'
import { isOfVirtualMachines, vmSizeOf } from './resource-providers/container-service/virtual-machines-pool.ts'
import { findVmSize } from './resource-providers/container-service/vm-sizes.ts'
import { isSandboxed, sandboxLabels } from './resource-providers/container-service/pod-sandboxing.ts'
import type { ClusterRecord, MachineRecord, PoolRecord, Tags } from './records.ts'
import { versionsOf } from './upgrade-plan.ts'

const ours = 'kubernetes.azure.com'
const windowsLabels: Tags = { 'kubernetes.io/os': 'windows', 'beta.kubernetes.io/os': 'windows' }

export function nodeLabels(parts: {
  readonly cluster: ClusterRecord
  readonly pool: PoolRecord
  readonly machine: MachineRecord
  readonly subnetId: string
}): Tags {
  const { cluster, pool, machine, subnetId } = parts
  const { properties } = pool
  const isSpot = properties['scaleSetPriority'] === 'Spot'
  return {
    agentpool: pool.name,
    [`${ours}/agentpool`]: pool.name,
    [`${ours}/cluster`]: labelValue(cluster.properties.nodeResourceGroup),
    [`${ours}/mode`]: properties.mode.toLowerCase(),
    [`${ours}/role`]: 'agent',
    [`${ours}/managedby`]: 'aks',
    [`${ours}/node-image-version`]: versionsOf(machine, pool).image,
    [`${ours}/nodepool-type`]: isOfVirtualMachines(properties) ? 'VirtualMachines' : 'VirtualMachineScaleSets',
    [`${ours}/priority`]: isSpot ? 'spot' : 'regular',
    ...systemLabels(pool, versionsOf(machine, pool).kubernetes),
    ...diskLabels(properties, vmSizeOf(machine, pool)),
    ...sizeLabels(vmSizeOf(machine, pool)),
    ...gpuLabels(vmSizeOf(machine, pool)),
    ...networkLabels(subnetId),
    ...(properties['enableFIPS'] === true ? { [`${ours}/fips_enabled`]: 'true' } : {}),
    ...(isSpot ? { [`${ours}/scalesetpriority`]: 'spot' } : {}),
    ...(isSandboxed(properties) ? sandboxLabels : {}),
    ...(pool.simulated ? { 'aksel.dev/simulated': 'true' } : {}),
  }
}

/** `os-sku` and `os-sku-requested` as the pool has it; `os-sku-effective` with the version that it comes to. */
function systemLabels({ properties }: PoolRecord, kubernetesVersion: string): Tags {
  const { osSKU, osType } = properties
  return {
    [`${ours}/os-sku`]: osSKU,
    [`${ours}/os-sku-requested`]: osSKU,
    [`${ours}/os-sku-effective`]: effectiveSku(osSKU, kubernetesVersion),
    ...(osType === 'Windows' ? windowsLabels : {}),
  }
}

/** Ubuntu means 22.04 up to Kubernetes 1.34 and 24.04 from 1.35. */
export function effectiveSku(osSku: string, kubernetesVersion: string): string {
  if (osSku === 'Ubuntu') return Number(kubernetesVersion.split('.')[1]) >= 35 ? 'Ubuntu2404' : 'Ubuntu2204'
  return osSku === 'AzureLinux' ? 'AzureLinux3' : osSku
}

/** Sizes whose name has an s carry premium disks: `Standard_D2s_v5`, `Standard_DS2_v2`. */
function diskLabels(properties: PoolRecord['properties'], vmSize: string): Tags {
  const storageprofile = properties['osDiskType'] === 'Ephemeral' ? 'ephemeral' : 'managed'
  const storagetier = /^Standard_([A-Z]S\d|[A-Z]+\d+[a-z]*s)/.test(vmSize) ? 'Premium_LRS' : 'Standard_LRS'
  return {
    storageprofile,
    storagetier,
    [`${ours}/storageprofile`]: storageprofile,
    [`${ours}/storagetier`]: storagetier,
  }
}

function sizeLabels(vmSize: string): Tags {
  const size = findVmSize(vmSize)
  if (size === undefined) return {}
  return {
    [`${ours}/sku-cpu`]: String(size.vcpus),
    [`${ours}/sku-memory`]: String(Math.round(size.memoryBytes / 1024 ** 2)),
  }
}

/** `/subscriptions/…/virtualNetworks/aks-vnet-12345678/subnets/aks-subnet` */
function networkLabels(subnetId: string): Tags {
  const [, network, subnet] = /\/virtualNetworks\/([^/]+)\/subnets\/([^/]+)$/i.exec(subnetId) ?? []
  if (network === undefined || subnet === undefined) return {}
  return { [`${ours}/network-name`]: labelValue(network), [`${ours}/network-subnet`]: labelValue(subnet) }
}

/** Values of labels have 63 characters and end in a letter or a digit. */
function labelValue(text: string): string {
  return text.slice(0, 63).replace(/[^A-Za-z0-9]+$/, '')
}
