// What a machine is, in the shape of Azure's instance document. Each field begins with an API version. Pure.

import { createHash } from 'node:crypto'

export interface InstanceFacts {
  /** `/subscriptions/…/virtualMachineScaleSets/aks-nodepool1-12345678-vmss/virtualMachines/0`, or a machine's own. */
  readonly resourceId: string
  readonly region: string
  /** `1`; absent where the machine lies in no zone. */
  readonly zone?: string
  readonly vmSize: string
  readonly nodeImage: string
  readonly computerName: string
  /** Of a spot machine. */
  readonly evictionPolicy?: 'Delete' | 'Deallocate'
  readonly tags: Readonly<Record<string, string>>
  readonly diskBytes: number
}

export interface InterfaceFacts {
  readonly address: string
  /** `10.224.0.0` and `16`. */
  readonly subnet: string
  readonly prefixLength: number
  /** `00:0d:3a:f8:06:ec` */
  readonly macAddress: string
}

type Value = string | readonly Value[] | { readonly [name: string]: Value }
export type InstanceDocument = { readonly [name: string]: Value }

type Field = readonly [name: string, since: string, value: Value]

export function instanceDocument(
  facts: InstanceFacts,
  interfaces: readonly InterfaceFacts[],
  version: string,
): InstanceDocument {
  const compute = Object.fromEntries(
    computeFields(facts, version).flatMap(([name, since, value]) => (since <= version ? [[name, value]] : [])),
  )
  return { compute, network: { interface: interfaces.map(interfaceOf) } }
}

function computeFields(facts: InstanceFacts, version: string): readonly Field[] {
  const { resourceId, nodeImage, tags, computerName } = facts
  const [, subscriptionId = '', resourceGroup = ''] =
    /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)/i.exec(resourceId) ?? []
  const [, scaleSet, instance] = /\/virtualMachineScaleSets\/([^/]+)\/virtualMachines\/([^/]+)$/i.exec(resourceId) ?? []
  const scaleSetId = scaleSet === undefined ? '' : resourceId.replace(/\/virtualMachines\/[^/]+$/i, '')
  const [, sku = nodeImage, imageVersion = ''] = /^[^-]+-(.+)-(\d{6}\.\d+\.\d+)$/.exec(nodeImage) ?? []
  const tagList = Object.entries(tags)
  return [
    ['azEnvironment', '2018-10-01', 'AzurePublicCloud'],
    ['additionalCapabilities', '2021-11-01', { hibernationEnabled: 'false' }],
    ['customData', '2019-02-01', ''],
    ['evictionPolicy', '2020-12-01', facts.evictionPolicy ?? ''],
    ['extendedLocation', '2021-03-01', { name: '', type: '' }],
    ['host', '2021-11-15', { id: '' }],
    ['hostGroup', '2021-11-15', { id: '' }],
    ['isHostCompatibilityLayerVm', '2020-06-01', 'false'],
    ['isVmInStandbyPool', '2023-11-15', 'false'],
    ['licenseType', '2020-09-01', ''],
    ['location', '2017-04-02', facts.region],
    ['name', '2017-04-02', scaleSet === undefined ? computerName : `${scaleSet}_${instance}`],
    ['offer', '2017-04-02', ''],
    ['osProfile', '2020-07-15', osProfileOf(computerName, version)],
    ['osType', '2017-04-02', 'Linux'],
    ['physicalZone', '2023-11-15', facts.zone === undefined ? '' : `${facts.region}-az${facts.zone}`],
    ['placementGroupId', '2017-08-01', ''],
    ['plan', '2018-04-02', { name: '', product: '', publisher: '' }],
    ['platformFaultDomain', '2017-04-02', '0'],
    ['platformSubFaultDomain', '2021-10-01', ''],
    ['platformUpdateDomain', '2017-04-02', '0'],
    ['priority', '2020-12-01', facts.evictionPolicy === undefined ? '' : 'Spot'],
    ['provider', '2018-10-01', 'Microsoft.Compute'],
    ['publicKeys', '2018-04-02', []],
    ['publisher', '2017-04-02', ''],
    ['resourceGroupName', '2017-08-01', resourceGroup],
    ['resourceId', '2019-03-11', resourceId],
    ['securityProfile', '2020-06-01', securityOf(version)],
    ['sku', '2017-04-02', sku],
    ['storageProfile', '2019-06-01', storageOf(facts, { subscriptionId, sku, imageVersion })],
    ['subscriptionId', '2017-08-01', subscriptionId],
    ['tags', '2017-08-01', tagList.map(([name, value]) => `${name}:${value}`).join(';')],
    ['tagsList', '2019-06-04', tagList.map(([name, value]) => ({ name, value }))],
    ['userData', '2021-01-01', ''],
    ['version', '2017-04-02', imageVersion],
    ['virtualMachineScaleSet', '2021-03-01', { id: scaleSetId }],
    ['vmId', '2017-04-02', vmIdOf(resourceId)],
    ['vmScaleSetName', '2017-12-01', scaleSet ?? ''],
    ['vmSize', '2017-04-02', facts.vmSize],
    ['zone', '2017-12-01', facts.zone ?? ''],
  ]
}

function osProfileOf(computerName: string, version: string): Value {
  const first = { adminUsername: 'azureuser', computerName }
  return version < '2020-10-01' ? first : { ...first, disablePasswordAuthentication: 'true' }
}

function securityOf(version: string): Value {
  return {
    ...(version < '2021-11-01' ? {} : { encryptionAtHost: 'false' }),
    secureBootEnabled: 'false',
    ...(version < '2021-12-13' ? {} : { securityType: '' }),
    virtualTpmEnabled: 'false',
  }
}

function storageOf(
  { computerName, diskBytes }: InstanceFacts,
  image: { readonly subscriptionId: string; readonly sku: string; readonly imageVersion: string },
): Value {
  const gallery = '/resourceGroups/AKS-Ubuntu/providers/Microsoft.Compute/galleries/AKSUbuntu/images'
  return {
    dataDisks: [],
    imageReference: {
      id: `/subscriptions/${image.subscriptionId}${gallery}/${image.sku}/versions/${image.imageVersion}`,
      offer: '',
      publisher: '',
      sku: '',
      version: '',
    },
    osDisk: {
      caching: 'ReadWrite',
      createOption: 'FromImage',
      diffDiskSettings: { option: '' },
      diskSizeGB: String(Math.round(diskBytes / 2 ** 30)),
      encryptionSettings: { enabled: 'false' },
      image: { uri: '' },
      managedDisk: { id: '', storageAccountType: 'Premium_LRS' },
      name: `${computerName}_OsDisk_1`,
      osType: 'Linux',
      vhd: { uri: '' },
      writeAcceleratorEnabled: 'false',
    },
    resourceDisk: { size: '0' },
  }
}

/** The same for a machine's whole life, and another machine's is another. */
function vmIdOf(resourceId: string): string {
  const hex = createHash('sha256').update(resourceId.toLowerCase()).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  )
}

function interfaceOf({ address, subnet, prefixLength, macAddress }: InterfaceFacts): Value {
  return {
    ipv4: {
      ipAddress: [{ privateIpAddress: address, publicIpAddress: '' }],
      subnet: [{ address: subnet, prefix: String(prefixLength) }],
    },
    ipv6: { ipAddress: [] },
    macAddress: macAddress.replaceAll(':', '').toUpperCase(),
  }
}
