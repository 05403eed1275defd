// A managed cluster's properties: defaults as the service fills them in, and what may be.

import { judgeAutoscalerProfile } from './autoscaler-profile.ts'
import { judgeAccess, judgeZone } from './api-access.ts'
import { judgeApplicationRouting } from './application-routing.ts'
import { familyDefaults, judgeFamilies, standardFamilies } from './address-families.ts'
import { AksError, changeNotAllowed, invalidParameter, missingParameter, notAllowed } from '../../azure-errors.ts'
import { contains, overlaps, parseRange, readAddress, readRange, type Range } from '@aksel/base/ipv4'
import { objectAt, textAt } from '../body.ts'
import { readShape } from './shape.ts'
import { clusterShape } from './cluster-shape.ts'
import { resolveVersion, upgradesOf } from './kubernetes-versions.ts'
import { versionNotSupported } from './pool-properties.ts'
import type { ClusterProperties, ClusterRecord, Json, NetworkProfile } from '../../records.ts'

export const defaultPodCidr = '10.244.0.0/16'

/** Told by the service, never set by a caller. */
const readOnly = [
  'provisioningState',
  'powerState',
  'currentKubernetesVersion',
  'fqdn',
  'privateFQDN',
  'azurePortalFQDN',
  'resourceUID',
  'maxAgentPools',
  'identityProfile',
  'status',
  'aksel',
]

export interface ClusterNames {
  readonly cluster: string
  readonly resourceGroup: string
  readonly location: string
  /** Its machines are in a subnet of the user's: what overlaps that is judged with it. */
  readonly ownNetwork?: boolean
}

/** Properties as a caller gave them, of the right types, without pools and without what only the service says. */
export function readCluster(value: unknown): { readonly given: Json; readonly pools: readonly Json[] | undefined } {
  const read = readShape(value, clusterShape, 'ManagedCluster.properties') as Json
  const { agentPoolProfiles, ...rest } = read
  const given = Object.fromEntries(Object.entries(rest).filter(([name]) => !readOnly.includes(name)))
  return { given, pools: agentPoolProfiles as readonly Json[] | undefined }
}

export function judgeClusterName(name: string): void {
  if (!/^[a-zA-Z0-9](?:[-_a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/.test(name)) {
    throw invalidParameter(
      'resourceName',
      `Resource name '${name}' must be 1 to 63 characters long, contain only letters, numbers, underscores and hyphens, and start and end with a letter or number`,
    )
  }
  const reserved = /microsoft|windows/i.test(name) || /^(login|xbox)/i.test(name) || /^azure$/i.test(name)
  if (reserved) {
    throw new AksError(
      400,
      'ReservedResourceName',
      `The resource name '${name}' or a part of the name is a trademarked or reserved word.`,
    )
  }
}

/** `network`: what its profile says of address families decides on what else is filled in. */
export function clusterDefaults(names: ClusterNames, network: Json = {}): Json {
  return {
    nodeResourceGroup: `MC_${names.resourceGroup}_${names.cluster}_${names.location}`.slice(0, 80),
    nodeResourceGroupProfile: { restrictionLevel: 'Unrestricted' },
    servicePrincipalProfile: { clientId: 'msi' },
    enableRBAC: true,
    supportPlan: 'KubernetesOfficial',
    disableLocalAccounts: false,
    oidcIssuerProfile: { enabled: false },
    autoUpgradeProfile: { nodeOSUpgradeChannel: 'NodeImage' },
    securityProfile: {},
    storageProfile: {
      diskCSIDriver: { enabled: true },
      fileCSIDriver: { enabled: true },
      snapshotController: { enabled: true },
    },
    workloadAutoScalerProfile: {},
    metricsProfile: { costAnalysis: { enabled: false } },
    bootstrapProfile: { artifactSource: 'Direct' },
    networkProfile: networkDefaults(Object.hasOwn(network, 'ipFamilies') ? { ipFamilies: network['ipFamilies'] } : {}),
  }
}

/** The network as the service completes it. Azure without a mode is the older addressing by subnet. */
export function networkDefaults(given: Json): Json {
  const named = Object.hasOwn(given, 'networkPlugin')
  const plugin = textAt(given, 'networkPlugin') ?? 'azure'
  const overlaid = !named || textAt(given, 'networkPluginMode')?.toLowerCase() === 'overlay'
  const families = familyDefaults(given)
  const pods = ['kubenet', 'none'].includes(plugin.toLowerCase()) || overlaid ? families.rangesOf('podCidr') : undefined
  const { first: serviceCidr, all: serviceCidrs } = families.rangesOf('serviceCidr')
  const isDual = families.ipFamilies.length === 2
  return {
    networkPlugin: plugin,
    ...(overlaid ? { networkPluginMode: 'overlay' } : {}),
    networkPolicy: isCilium(given) ? 'cilium' : 'none',
    networkDataplane: 'azure',
    loadBalancerSku: 'standard',
    loadBalancerProfile: {
      managedOutboundIPs: { count: 1, ...(isDual ? { countIPv6: 1 } : {}) },
      backendPoolType: 'nodeIPConfiguration',
    },
    ...(pods === undefined ? {} : { podCidr: pods.first, podCidrs: pods.all }),
    serviceCidr,
    serviceCidrs,
    dnsServiceIP: '10.0.0.10',
    outboundType: 'loadBalancer',
    ipFamilies: families.ipFamilies,
  }
}

/** The dataplane brings its engine along. */
function isCilium(given: Json): boolean {
  return textAt(given, 'networkDataplane')?.toLowerCase() === 'cilium'
}

/** Properties after a write: given, else what stood there, else the default. Throws what Azure would refuse. */
export function nextCluster(given: Json, existing: ClusterRecord | undefined, names: ClusterNames): ClusterProperties {
  const asked = given['kubernetesVersion'] === '' ? without(given, 'kubernetesVersion') : given
  const network = standardFamilies(objectAt(asked, 'networkProfile'))
  const networkProfile = {
    ...(existing?.properties.networkProfile ?? networkDefaults(network)),
    ...network,
  }
  const base = existing?.properties ?? clusterDefaults(names)
  const next = { ...base, ...asked, networkProfile } as unknown as ClusterProperties
  const version = next.kubernetesVersion ?? resolveVersion('')!
  const complete: ClusterProperties = { ...next, kubernetesVersion: version }
  if (existing !== undefined) judgeChange(existing, complete)
  judgeCluster(complete, existing, names)
  return complete
}

function without(from: Json, name: string): Json {
  return Object.fromEntries(Object.entries(from).filter(([known]) => known !== name))
}

/** The full version after a write. A cluster keeps its patch while the alias stands; minors are not skipped, and nothing goes back. */
export function nextVersion(properties: ClusterProperties, existing: ClusterRecord | undefined): string {
  const asked = properties.kubernetesVersion
  if (existing !== undefined && (asked === existing.properties.kubernetesVersion || asked === existing.version)) {
    return existing.version
  }
  const version = resolveVersion(asked)
  if (version === undefined) throw versionNotSupported('K8sVersionNotSupported', asked)
  if (existing === undefined || version === existing.version) return version
  if (!upgradesOf(existing.version).includes(version)) {
    throw notAllowed(
      `Upgrading Kubernetes version ${existing.version} to ${version} is not allowed. Available upgrades: [${upgradesOf(existing.version).join(' ')}]. Please see https://aka.ms/aks-supported-k8s-ver for version details.`,
    )
  }
  return version
}

function judgeChange(existing: ClusterRecord, next: ClusterProperties): void {
  const before = existing.properties
  const same = (left: unknown, right: unknown): boolean =>
    JSON.stringify(left ?? null).toLowerCase() === JSON.stringify(right ?? null).toLowerCase()
  for (const name of ['dnsPrefix', 'fqdnSubdomain', 'nodeResourceGroup', 'enableRBAC'] as const) {
    if (!same(before[name], next[name])) throw changeNotAllowed(`properties.${name}`)
  }
  const network = [
    'networkPlugin',
    'networkPluginMode',
    'podCidr',
    'podCidrs',
    'serviceCidr',
    'serviceCidrs',
    'dnsServiceIP',
    'ipFamilies',
    'loadBalancerSku',
    'networkPolicy',
    // Nodes that run are not told.
    'advancedNetworking',
    'podLinkLocalAccess',
  ]
  for (const name of network) {
    if (!same(before.networkProfile[name], next.networkProfile[name]))
      throw changeNotAllowed(`properties.networkProfile.${name}`)
  }
}

function judgeCluster(
  properties: ClusterProperties,
  existing: ClusterRecord | undefined,
  { ownNetwork, location }: ClusterNames,
): void {
  judgeApplicationRouting(properties)
  judgeAutoscalerProfile(properties['autoScalerProfile'])
  judgeAccess(properties, existing?.properties)
  judgeZone({ next: properties, before: existing?.properties, location })
  if (existing === undefined) {
    // Whoever names a subdomain of a zone of their own gives no prefix.
    if (!(typeof properties['fqdnSubdomain'] === 'string' && !properties.dnsPrefix))
      judgeDnsPrefix(properties.dnsPrefix)
    judgeNetwork(properties, ownNetwork === true)
  }
  const keys = objectAt(objectAt(properties as Json, 'linuxProfile'), 'ssh')['publicKeys']
  if (Array.isArray(keys) && keys.length !== 1) {
    throw invalidParameter(
      'linuxProfile.ssh.publicKeys',
      `exactly one SSH public key must be given, not ${keys.length}`,
    )
  }
  const group = properties.nodeResourceGroup
  if (!/^[\p{L}\p{Nd}\-._()]{1,80}$/u.test(group) || group.endsWith('.')) {
    throw invalidParameter(
      'nodeResourceGroup',
      `'${group}' is not a valid resource group name of at most 80 characters`,
    )
  }
}

function judgeDnsPrefix(value: string | undefined): void {
  if (value === undefined || value === '') throw missingParameter('dnsPrefix')
  if (/^[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,52}[a-zA-Z0-9])?$/.test(value)) return
  throw invalidParameter(
    'dnsPrefix',
    `DNS prefix '${value}' is invalid. The DNS prefix must contain between 1 and 54 characters, only letters, numbers, and hyphens, and must start and end with a letter or a number`,
  )
}

function judgeNetwork(properties: ClusterProperties, ownNetwork: boolean): void {
  const network = properties.networkProfile
  const plugin = network.networkPlugin.toLowerCase()
  if (!['azure', 'kubenet', 'none'].includes(plugin)) {
    throw invalidParameter(
      'networkProfile.networkPlugin',
      `'${network.networkPlugin}' is not one of the allowed values: azure, kubenet, none`,
    )
  }
  judgePolicyEngine(plugin, network)
  const access = network['podLinkLocalAccess']
  if (access !== undefined && access !== 'IMDS' && access !== 'None')
    throw invalidParameter(
      'networkProfile.podLinkLocalAccess',
      `${JSON.stringify(access)} is not one of the allowed values: 'IMDS', 'None'`,
    )
  if (String(network['loadBalancerSku']).toLowerCase() === 'basic') {
    throw invalidParameter(
      'networkProfile.loadBalancerSku',
      'Creating clusters with the Basic load balancer is no longer supported, use Standard',
    )
  }
  const services = cidrOf('serviceCidr', network.serviceCidr)
  if (services.prefixLength < 12) {
    throw new AksError(400, 'ServiceCidrTooLarge', `Service CIDR ${network.serviceCidr} must be smaller than /12.`, {
      target: 'networkProfile.serviceCidr',
    })
  }
  judgeDnsService(network, services)
  const pods = cidrOf('podCidr', network.podCidr ?? defaultPodCidr)
  if (pods.prefixLength > 24)
    throw invalidParameter('networkProfile.podCidr', `pod CIDR ${network.podCidr} has no room for a /24 per node`)
  const kept = keptByAzure.find((range) => overlaps(parseRange(range), pods))
  if (kept !== undefined)
    throw invalidParameter('networkProfile.podCidr', `pod CIDR ${network.podCidr} overlaps ${kept}, which is reserved`)
  if (overlaps(services, pods)) {
    throw new AksError(
      400,
      'ServiceCidrOverlapPodCidr',
      `The specified service CIDR ${network.serviceCidr} is conflicted with the pod CIDR ${network.podCidr}.`,
    )
  }
  judgeFamilies(properties as Json, network)
  if (ownNetwork) return
  const subnet = parseRange('10.224.0.0/16')
  if (overlaps(services, subnet)) {
    throw new AksError(
      400,
      'ServiceCidrOverlapExistingSubnetsCidr',
      `The specified service CIDR ${network.serviceCidr} is conflicted with an existing subnet CIDR 10.224.0.0/16`,
      {
        target: 'networkProfile.serviceCIDR',
      },
    )
  }
  if (overlaps(pods, subnet))
    throw invalidParameter(
      'networkProfile.podCidr',
      `pod CIDR ${network.podCidr} overlaps the subnet CIDR 10.224.0.0/16`,
    )
}

/** Ranges that no pods may have since 2026. */
const keptByAzure = ['172.30.0.0/16', '172.31.0.0/16'] as const

function judgePolicyEngine(plugin: string, network: NetworkProfile): void {
  const engine = String(network['networkPolicy']).toLowerCase()
  const fault = (why: string): AksError => invalidParameter('networkProfile.networkPolicy', why)
  if (!['none', 'azure', 'calico', 'cilium'].includes(engine)) {
    throw fault(`'${String(network['networkPolicy'])}' is not one of the allowed values: none, azure, calico, cilium`)
  }
  if (engine === 'azure' && plugin !== 'azure')
    throw fault(`network policy azure is not supported with network plugin ${plugin}`)
  if (engine === 'cilium' && String(network['networkDataplane']).toLowerCase() !== 'cilium')
    throw fault('network policy cilium requires network dataplane cilium')
}

function judgeDnsService(network: NetworkProfile, services: Range): void {
  const address = readAddress(network.dnsServiceIP)
  if (address === undefined)
    throw invalidParameter('networkProfile.dnsServiceIP', `'${network.dnsServiceIP}' is not an IPv4 address`)
  if (!contains(services, address)) {
    throw new AksError(
      400,
      'DnsServiceIpOutOfServiceCidr',
      `The DNS service IP ${network.dnsServiceIP} is out of the service CIDR ${network.serviceCidr}.`,
      {
        target: 'networkProfile.dnsServiceIP',
      },
    )
  }
  if (address === services.first || address === services.first + 1) {
    throw invalidParameter(
      'networkProfile.dnsServiceIP',
      `${network.dnsServiceIP} is the network address or the first address of the service CIDR, which kubernetes.default uses`,
    )
  }
}

function cidrOf(name: string, text: string): Range {
  const range = readRange(text)
  if (range === undefined) throw invalidParameter(`networkProfile.${name}`, `'${text}' is not an IPv4 CIDR`)
  return range
}
