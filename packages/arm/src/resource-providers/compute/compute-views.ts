// Sizes and scale sets as Azure's compute provider shows them: views of what is kept of clusters.

import type { ClusterRecord, Json, MachineRecord, PoolRecord } from '../../records.ts'
import { documentId, groupOfId } from '../../resource-id.ts'
import { isOfVirtualMachines } from '../container-service/virtual-machines-pool.ts'
import type { VmSize } from '../container-service/vm-sizes.ts'
import { scaleSetInstanceId } from '../../machine-spec.ts'
import type { MachineIdentity } from './machine-identities.ts'

const GIB = 1024 ** 3
const MIB = 1024 ** 2

/** One entry of `Microsoft.Compute/skus`. */
export function skuBody({ name, vcpus, memoryBytes, gpus }: VmSize, location: string): Json {
  const capabilities = [
    ['vCPUs', vcpus],
    ['vCPUsAvailable', vcpus],
    ['MemoryGB', memoryBytes / GIB],
    ['MaxResourceVolumeMB', 0],
    ['EphemeralOSDiskSupported', 'False'],
    ['PremiumIO', 'True'],
    ['CpuArchitectureType', /p(d|l|ld)?s_v\d$/i.test(name) ? 'Arm64' : 'x64'],
    ...(gpus === undefined ? [] : [['GPUs', gpus]]),
  ]
  return {
    resourceType: 'virtualMachines',
    name,
    tier: 'Standard',
    size: name.replace(/^Standard_/, ''),
    family: familyOf(name),
    locations: [location],
    locationInfo: [{ location, zones: ['1', '2', '3'], zoneDetails: [] }],
    capabilities: capabilities.map(([key, value]) => ({ name: key, value: String(value) })),
    restrictions: [],
  }
}

/** One entry of `locations/{location}/vmSizes`. */
export function sizeBody({ name, vcpus, memoryBytes }: VmSize): Json {
  return {
    name,
    numberOfCores: vcpus,
    memoryInMB: memoryBytes / MIB,
    osDiskSizeInMB: 1_047_552,
    resourceDiskSizeInMB: 0,
    maxDataDiskCount: Math.min(64, vcpus * 2),
  }
}

/** `Standard_D4s_v5` → `standardDSv5Family`. */
function familyOf(name: string): string {
  const [, letters, rest, version] = /^Standard_([A-Z]+)\d+([a-z-]*\d*[a-z]*)?(?:_.*?)?(v\d+)?$/i.exec(name) ?? []
  return `standard${letters ?? ''}${(rest ?? '').toUpperCase()}${version ?? ''}Family`
}

export interface ScaleSet {
  readonly cluster: ClusterRecord
  readonly pool: PoolRecord
  readonly machines: readonly MachineRecord[]
  readonly identities: readonly MachineIdentity[]
}

/** Undefined for pools whose machines stand by themselves. */
export function scaleSetName({ cluster, pool }: Pick<ScaleSet, 'cluster' | 'pool'>): string | undefined {
  if (isOfVirtualMachines(pool.properties)) return undefined
  const first = scaleSetInstanceId(cluster, pool, { instance: 0, name: '' })
  return /\/virtualMachineScaleSets\/([^/]+)\//.exec(first)?.[1]
}

export function scaleSetBody(set: ScaleSet): Json {
  const { cluster, pool, machines, identities } = set
  const name = scaleSetName(set)!
  return {
    id: scaleSetId(cluster, name),
    name,
    type: 'Microsoft.Compute/virtualMachineScaleSets',
    location: cluster.location,
    sku: { name: pool.properties.vmSize, tier: 'Standard', capacity: machines.length },
    ...(pool.properties.availabilityZones === undefined ? {} : { zones: pool.properties.availabilityZones }),
    ...(identities.length === 0 ? {} : { identity: identityBody(identities) }),
    tags: { ...pool.tags, 'aks-managed-poolName': pool.name, 'aks-managed-orchestrator': `Kubernetes:${pool.version}` },
    properties: {
      provisioningState: pool.progress.provisioningState === 'Failed' ? 'Failed' : 'Succeeded',
      orchestrationMode: 'Uniform',
      singlePlacementGroup: false,
      overprovision: false,
      upgradePolicy: { mode: 'Manual' },
      uniqueId: `${cluster.uid}-${pool.name}`,
      virtualMachineProfile: {
        osProfile: { computerNamePrefix: name },
        storageProfile: { osDisk: { osType: pool.properties.osType, createOption: 'FromImage' } },
        priority: pool.properties['scaleSetPriority'] ?? 'Regular',
      },
    },
  }
}

function identityBody(identities: readonly MachineIdentity[]): Json {
  const all = identities.map(({ resourceId, clientId, objectId }) => [resourceId, { principalId: objectId, clientId }])
  return { type: 'UserAssigned', userAssignedIdentities: Object.fromEntries(all) }
}

export function instanceBody(set: ScaleSet, machine: MachineRecord): Json {
  const { cluster, pool } = set
  const name = scaleSetName(set)!
  return {
    id: `${scaleSetId(cluster, name)}/virtualMachines/${machine.instance}`,
    name: `${name}_${machine.instance}`,
    instanceId: String(machine.instance),
    type: 'Microsoft.Compute/virtualMachineScaleSets/virtualMachines',
    location: cluster.location,
    sku: { name: pool.properties.vmSize, tier: 'Standard' },
    ...(machine.zone === undefined ? {} : { zones: [machine.zone.replace(/^.*-/, '')] }),
    properties: {
      provisioningState: 'Succeeded',
      latestModelApplied: machine.versions === undefined || machine.versions.image === pool.nodeImageVersion,
      osProfile: { computerName: machine.name },
      storageProfile: { osDisk: { osType: pool.properties.osType, createOption: 'FromImage' } },
    },
  }
}

function scaleSetId(cluster: ClusterRecord, name: string): string {
  const { subscriptionId } = groupOfId(cluster.id)!
  const group = { subscriptionId, resourceGroup: cluster.properties.nodeResourceGroup }
  return documentId(group, 'Microsoft.Compute/virtualMachineScaleSets', name)
}
