// Which properties change something here. All others are kept, read back exactly, and named, so that nobody believes them done.

import { sandboxedRuntimes } from './pod-sandboxing.ts'
import { isObject } from '../body.ts'
import type { Json } from '../../records.ts'

/** `true`: every value is honoured; a list: these values are. */
export type Effects = Readonly<Record<string, true | readonly unknown[]>>

export const clusterEffects: Effects = {
  kubernetesVersion: true,
  dnsPrefix: true,
  nodeResourceGroup: true,
  'networkProfile.networkPlugin': ['azure'],
  'networkProfile.networkPluginMode': ['overlay'],
  'networkProfile.networkPolicy': ['none', 'azure', 'calico', 'cilium'],
  'networkProfile.networkDataplane': ['azure'],
  'networkProfile.podCidr': true,
  'networkProfile.podCidrs': true,
  'networkProfile.serviceCidr': true,
  'networkProfile.serviceCidrs': true,
  'networkProfile.dnsServiceIP': true,
  'networkProfile.ipFamilies': true,
  'networkProfile.loadBalancerSku': ['standard'],
  'networkProfile.outboundType': ['loadBalancer'],
}

export const poolEffects: Effects = {
  count: true,
  vmSize: true,
  mode: true,
  workloadRuntime: ['OCIContainer', ...sandboxedRuntimes],
  osType: ['Linux'],
  osSKU: ['Ubuntu', 'Ubuntu2204', 'Ubuntu2404'],
  maxPods: true,
  orchestratorVersion: true,
  nodeLabels: true,
  nodeTaints: true,
  availabilityZones: true,
  tags: true,
  name: true,
  nodeImageVersion: true,
  'upgradeSettings.drainTimeoutInMinutes': true,
  'kubeletConfig.cpuManagerPolicy': true,
  'kubeletConfig.imageGcHighThreshold': true,
  'kubeletConfig.imageGcLowThreshold': true,
  'kubeletConfig.containerLogMaxSizeMB': true,
  'kubeletConfig.containerLogMaxFiles': true,
  'kubeletConfig.podMaxPids': true,
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
    if (effect === true || effect?.some((honoured) => same(honoured, value)) || same(value, standard)) return []
    if (isNothing(value) && standard === undefined) return []
    const deeper = Object.keys(effects).some((known) => known.startsWith(`${path}.`)) || isObject(standard)
    if (!isObject(value) || !deeper) return [path]
    return recordedPaths(value, isObject(standard) ? standard : {}, effects, `${path}.`)
  })
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
