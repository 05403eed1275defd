// Which properties change something here. All others are kept, read back exactly, and named, so that nobody believes them done.

import { AksError } from '../../azure-errors.ts'
import { sandboxedRuntimes } from './pod-sandboxing.ts'
import { isObject } from '../body.ts'
import type { Json } from '../../records.ts'

/** What a property's values do here. Values in none of the lists are recorded. */
export interface ValueEffects {
  readonly works?: readonly unknown[]
  readonly simulated?: readonly unknown[]
  readonly refused?: readonly unknown[]
}

/** `true`: every valid value is honoured; `simulated`: every value is, without the thing itself behind it; a list: these values are. */
export type Effect = true | 'simulated' | readonly unknown[] | ValueEffects
export type Effects = Readonly<Record<string, Effect>>

export const clusterEffects: Effects = {
  kubernetesVersion: true,
  dnsPrefix: true,
  fqdnSubdomain: true,
  nodeResourceGroup: true,
  'networkProfile.networkPlugin': ['azure', 'kubenet', 'none'],
  'networkProfile.networkPluginMode': ['overlay'],
  'networkProfile.networkPolicy': ['none', 'azure', 'calico', 'cilium'],
  'ingressProfile.webAppRouting.enabled': true,
  'ingressProfile.webAppRouting.gatewayAPIImplementations.appRoutingIstio.mode': true,
  'ingressProfile.gatewayAPI.installation': true,
  'networkProfile.advancedNetworking.enabled': true,
  'networkProfile.advancedNetworking.observability.enabled': true,
  'networkProfile.networkDataplane': ['azure'],
  'networkProfile.podCidr': true,
  'networkProfile.podLinkLocalAccess': true,
  'networkProfile.podCidrs': true,
  'networkProfile.serviceCidr': true,
  'networkProfile.serviceCidrs': true,
  'networkProfile.dnsServiceIP': true,
  'networkProfile.ipFamilies': { works: [['IPv4'], ['IPv4', 'IPv6']], refused: [['IPv6']] },
  'networkProfile.loadBalancerSku': { works: ['standard'], refused: ['basic'] },
  'networkProfile.loadBalancerProfile.managedOutboundIPs.count': true,
  'networkProfile.loadBalancerProfile.outboundIPs.publicIPs': true,
  'networkProfile.natGatewayProfile.managedOutboundIPProfile.count': true,
  'upgradeSettings.overrideSettings.forceUpgrade': true,
  'upgradeSettings.overrideSettings.until': true,
  disableLocalAccounts: true,
  'aadProfile.managed': true,
  'aadProfile.enableAzureRBAC': true,
  'aadProfile.adminGroupObjectIDs': true,
  'aadProfile.tenantID': true,
  'apiServerAccessProfile.disableRunCommand': true,
  'apiServerAccessProfile.authorizedIPRanges': true,
  'apiServerAccessProfile.enablePrivateCluster': true,
  'apiServerAccessProfile.enablePrivateClusterPublicFQDN': true,
  // Of a zone of one's own the names are answered, but no records are written into it.
  'apiServerAccessProfile.privateDNSZone': ['system', 'none'],
  enableRBAC: [true],
  'servicePrincipalProfile.clientId': ['msi'],
  'oidcIssuerProfile.enabled': true,
  'securityProfile.workloadIdentity.enabled': true,
  'nodeResourceGroupProfile.restrictionLevel': true,
  'autoUpgradeProfile.upgradeChannel': ['none', 'patch', 'stable', 'rapid', 'node-image'],
  'autoUpgradeProfile.nodeOSUpgradeChannel': ['None', 'NodeImage'],
  'autoScalerProfile.balance-similar-node-groups': true,
  'autoScalerProfile.ignore-daemonsets-utilization': true,
  'autoScalerProfile.expander': true,
  'autoScalerProfile.max-empty-bulk-delete': true,
  'autoScalerProfile.max-node-provision-time': true,
  'autoScalerProfile.max-total-unready-percentage': true,
  'autoScalerProfile.new-pod-scale-up-delay': true,
  'autoScalerProfile.ok-total-unready-count': true,
  'autoScalerProfile.scan-interval': true,
  'autoScalerProfile.scale-down-delay-after-add': true,
  'autoScalerProfile.scale-down-delay-after-delete': true,
  'autoScalerProfile.scale-down-delay-after-failure': true,
  'autoScalerProfile.scale-down-unneeded-time': true,
  'autoScalerProfile.scale-down-unready-time': true,
  'autoScalerProfile.scale-down-utilization-threshold': true,
  'autoScalerProfile.skip-nodes-with-local-storage': true,
  'autoScalerProfile.skip-nodes-with-system-pods': true,
  supportPlan: ['KubernetesOfficial'],
  status: true,
  'networkProfile.outboundType': [
    'loadBalancer',
    'managedNATGateway',
    'userAssignedNATGateway',
    'userDefinedRouting',
    'none',
  ],
}

export const poolEffects: Effects = {
  count: true,
  vmSize: true,
  mode: true,
  workloadRuntime: ['OCIContainer', ...sandboxedRuntimes],
  osType: { works: ['Linux'], simulated: ['Windows'] },
  type: { works: ['VirtualMachineScaleSets', 'VirtualMachines'], refused: ['AvailabilitySet'] },
  'virtualMachinesProfile.scale.manual': true,
  virtualMachineNodesStatus: true,
  scaleSetPriority: true,
  scaleSetEvictionPolicy: true,
  spotMaxPrice: true,
  'gpuProfile.driver': 'simulated',
  scaleDownMode: ['Delete'],
  enableAutoScaling: true,
  minCount: true,
  maxCount: true,
  status: true,
  osSKU: { works: ['Ubuntu', 'Ubuntu2204', 'Ubuntu2404'], simulated: ['Windows2022', 'Windows2025'] },
  maxPods: true,
  vnetSubnetID: true,
  podSubnetID: true,
  podIPAllocationMode: true,
  orchestratorVersion: true,
  nodeLabels: true,
  nodeTaints: true,
  availabilityZones: true,
  tags: true,
  name: true,
  nodeImageVersion: true,
  'upgradeSettings.maxSurge': true,
  'upgradeSettings.maxUnavailable': true,
  'upgradeSettings.drainTimeoutInMinutes': true,
  'upgradeSettings.nodeSoakDurationInMinutes': true,
  'upgradeSettings.undrainableNodeBehavior': true,
  'powerState.code': true,
  'creationData.sourceResourceId': true,
  upgradeStrategy: true,
  'upgradeSettingsBlueGreen.drainBatchSize': true,
  'upgradeSettingsBlueGreen.drainTimeoutInMinutes': true,
  'upgradeSettingsBlueGreen.batchSoakDurationInMinutes': true,
  'upgradeSettingsBlueGreen.finalSoakDurationInMinutes': true,
  'kubeletConfig.cpuManagerPolicy': true,
  'kubeletConfig.imageGcHighThreshold': true,
  'kubeletConfig.imageGcLowThreshold': true,
  'kubeletConfig.containerLogMaxSizeMB': true,
  'kubeletConfig.containerLogMaxFiles': true,
  'kubeletConfig.podMaxPids': true,
  'kubeletConfig.cpuCfsQuota': true,
  'kubeletConfig.cpuCfsQuotaPeriod': true,
  'kubeletConfig.allowedUnsafeSysctls': true,
  'localDNSProfile.mode': true,
  'localDNSProfile.vnetDNSOverrides': true,
  'localDNSProfile.kubeDNSOverrides': true,
}

export const recordedOfCluster = (given: Json, defaults: Json): readonly string[] =>
  recordedPaths(given, defaults, clusterEffects)

export const recordedOfPool = (given: Json, defaults: Json): readonly string[] =>
  recordedPaths(given, defaults, poolEffects)

/** Paths of what was asked for, differs from the default, and changes nothing. */
function recordedPaths(given: Json, defaults: Json, effects: Effects, prefix = ''): readonly string[] {
  return Object.entries(given).flatMap(([name, value]) => {
    const path = `${prefix}${name}`
    const effect = effects[path]
    const standard = defaults[name]
    if (effect !== undefined && honours(effect, value)) return []
    if (same(value, standard)) return []
    if (isNothing(value) && standard === undefined) return []
    const deeper = Object.keys(effects).some((known) => known.startsWith(`${path}.`)) || isObject(standard)
    if (!isObject(value) || !deeper) return [path]
    return recordedPaths(value, isObject(standard) ? standard : {}, effects, `${path}.`)
  })
}

function honours(effect: Effect, value: unknown): boolean {
  if (effect === true || effect === 'simulated') return true
  const { works = [], simulated = [] } = valueEffects(effect)
  return [...works, ...simulated].some((honoured) => same(honoured, value))
}

export function valueEffects(effect: readonly unknown[] | ValueEffects): ValueEffects {
  return Array.isArray(effect) ? { works: effect as readonly unknown[] } : (effect as ValueEffects)
}

/** A caller, or the whole server, may ask that nothing be kept that changes nothing. */
export function judgeStrict(strict: boolean, recorded: readonly string[]): void {
  if (!strict || recorded.length === 0) return
  throw new AksError(
    400,
    'PropertyWithoutEffect',
    `Strict checking is on, and these properties would be recorded without effect: ${recorded.join(', ')}.`,
    { target: recorded[0]! },
  )
}

/** Values that ask for nothing. */
function isNothing(value: unknown): boolean {
  if (value === undefined || value === false || value === '' || value === 0) return true
  if (Array.isArray(value)) return value.length === 0
  return isObject(value) && Object.values(value).every(isNothing)
}

function same(left: unknown, right: unknown): boolean {
  if (typeof left === 'string' && typeof right === 'string') return left.toLowerCase() === right.toLowerCase()
  return left === right || (left !== undefined && JSON.stringify(left) === JSON.stringify(right))
}
