// The SKU Automatic: what it presets, what of that cannot be changed, and moving a cluster to it and away from it. What a preset
// does here is what its property does: docs/coverage/aks-properties.md. Pure.

import { AksError, invalidParameter, notAllowed } from '../../azure-errors.ts'
import type { ClusterRecord, Json, PoolRecord } from '../../records.ts'
import { isObject } from '../body.ts'

export interface Preset {
  /** `oidcIssuerProfile.enabled` */
  readonly path: string
  readonly value: unknown
  /** It cannot be changed while the cluster is Automatic. */
  readonly fixed: boolean
}

const fixed = (path: string, value: unknown): Preset => ({ path, value, fixed: true })
const standard = (path: string, value: unknown): Preset => ({ path, value, fixed: false })

/** As AKS has them; where an own network is brought, egress is left to its owner. */
export const automaticPresets: readonly Preset[] = [
  fixed('networkProfile.networkPlugin', 'azure'),
  fixed('networkProfile.networkPluginMode', 'overlay'),
  fixed('networkProfile.networkDataplane', 'cilium'),
  fixed('networkProfile.networkPolicy', 'cilium'),
  standard('networkProfile.outboundType', 'managedNATGateway'),
  fixed('apiServerAccessProfile.enableVnetIntegration', true),
  fixed('aadProfile.managed', true),
  fixed('aadProfile.enableAzureRBAC', true),
  fixed('oidcIssuerProfile.enabled', true),
  fixed('securityProfile.workloadIdentity.enabled', true),
  fixed('securityProfile.imageCleaner.enabled', true),
  standard('securityProfile.imageCleaner.intervalHours', 168),
  fixed('nodeResourceGroupProfile.restrictionLevel', 'ReadOnly'),
  fixed('nodeProvisioningProfile.mode', 'Auto'),
  fixed('autoUpgradeProfile.upgradeChannel', 'stable'),
  fixed('autoUpgradeProfile.nodeOSUpgradeChannel', 'NodeImage'),
  fixed('workloadAutoScalerProfile.keda.enabled', true),
  fixed('workloadAutoScalerProfile.verticalPodAutoscaler.enabled', true),
  standard('ingressProfile.webAppRouting.enabled', true),
]

/** On the nodes that the service runs its own things on. */
export const systemTaint = 'CriticalAddonsOnly=true:NoSchedule'

/** What a cluster begins with whose writer names no pool. */
export const automaticPools: readonly Json[] = [
  { name: 'systempool', mode: 'System', count: 3, nodeTaints: [systemTaint] },
]

export function isAutomatic({ sku }: Pick<ClusterRecord, 'sku'>): boolean {
  return sku['name'] === 'Automatic'
}

/** What a new cluster of the SKU has before its writer says anything. */
export function automaticDefaults(): Json {
  return automaticPresets.reduce<Json>((sum, { path, value }) => withValue(sum, path.split('.'), value), {})
}

/**
 * The properties of a cluster that moves to the SKU: presets take the place of what a Base cluster has by default. What cannot be
 * changed on a cluster that is there, its network, stays and is judged.
 */
export function movedToAutomatic(properties: Json): Json {
  return automaticPresets
    .filter(({ path }) => !path.startsWith('networkProfile.'))
    .reduce<Json>((sum, { path, value }) => withValue(sum, path.split('.'), value), properties)
}

/** Throws what Azure would refuse. `asked`: what the request says of the SKU. */
export function judgeAutomatic(properties: Json, asked: Json): void {
  if (asked['tier'] !== undefined && asked['tier'] !== 'Standard') {
    throw refused("Managed cluster 'Automatic' SKU should use Standard tier.", 'sku.tier')
  }
  for (const { path, value, fixed: isFixed } of automaticPresets) {
    if (!isFixed || same(valueAt(properties, path.split('.')), value)) continue
    throw refused(
      `Managed cluster 'Automatic' SKU should enable '${path.split('.')[0]}' feature with recommended values: '${path}' must be ${JSON.stringify(value)}.`,
      path,
    )
  }
  const keys = valueAt(properties, ['linuxProfile', 'ssh', 'publicKeys'])
  if (Array.isArray(keys) && keys.length > 0) {
    throw invalidParameter('linuxProfile.ssh.publicKeys', "user SSH keys cannot be used with the 'Automatic' SKU")
  }
}

export function judgeAutomaticPools(pools: readonly Pick<PoolRecord, 'name' | 'properties'>[]): void {
  for (const { name, properties } of pools) {
    if (properties.osType === 'Windows') {
      throw refused(
        `Managed cluster 'Automatic' SKU does not support Windows: agent pool '${name}'.`,
        'agentPoolProfile.osType',
      )
    }
    if (properties.mode === 'System' && !(properties.nodeTaints ?? []).includes(systemTaint)) {
      throw refused(
        `Managed cluster 'Automatic' SKU should set taint 'CriticalAddonsOnlyNoSchedule' for the system node pool '${name}'.`,
        'agentPoolProfile.nodeTaints',
      )
    }
    if (properties['enableAutoScaling'] === true) {
      throw refused(
        `Agent pool '${name}' cannot be scaled by the cluster autoscaler: node auto-provisioning is on.`,
        'agentPoolProfile.enableAutoScaling',
      )
    }
  }
}

/** It runs as long as it is there. Throws OperationNotAllowed. */
export function judgeStop(cluster: Pick<ClusterRecord, 'name' | 'sku'>): void {
  if (!isAutomatic(cluster)) return
  throw notAllowed(`The managed cluster '${cluster.name}' is of the SKU 'Automatic' and cannot be stopped.`)
}

function refused(message: string, target: string): AksError {
  return new AksError(400, 'BadRequest', message, { target })
}

function valueAt(from: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return from
  return isObject(from) ? valueAt(from[name], rest) : undefined
}

function withValue(into: Json, [name, ...rest]: readonly string[], value: unknown): Json {
  const inner = into[name!]
  return { ...into, [name!]: rest.length === 0 ? value : withValue(isObject(inner) ? inner : {}, rest, value) }
}

function same(left: unknown, right: unknown): boolean {
  return typeof left === 'string' && typeof right === 'string'
    ? left.toLowerCase() === right.toLowerCase()
    : left === right
}
