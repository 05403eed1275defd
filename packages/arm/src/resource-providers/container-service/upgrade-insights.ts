// What would stop an upgrade, told before it begins: versions, APIs that go away, budgets that cannot be met, addresses, quota,
// skew, nodes that are not well. Facts in, issues out; nothing here waits or writes.

import type { DeprecatedUse } from '@aksel/provider/cluster-engine'
import type { Node } from '@aksel/api/types/core-v1'
import type { PodDisruptionBudget } from '@aksel/api/types/policy-v1'
import { readRange } from '@aksel/base/ipv4'
import type { ClusterRecord, MachineRecord, PoolRecord } from '../../records.ts'
import { isBlueGreen, isSpot, maxSurge } from '../../upgrade-plan.ts'
import { minorOf, resolveVersion, upgradesOf } from './kubernetes-versions.ts'
import { isReady } from './nodes.ts'
import { isOfferedImage } from './node-images.ts'

/** Writes through an API are remembered this long. */
export const DEPRECATED_USE_MS = 12 * 3_600_000
const NODES_PER_POOL = 1000
const MINORS_BEHIND = 3

export const checkNames = [
  'UnsupportedKubernetesVersion',
  'ComponentVersionMismatch',
  'ApiBreakingChange',
  'PDBConstraint',
  'SubnetIpExhaustion',
  'QuotaExceeded',
  'NodeHealth',
  'NodeImageOOSLA',
] as const
export type CheckName = (typeof checkNames)[number]

export interface Issue {
  readonly issueType: CheckName
  readonly severity: 'Blocking' | 'Warning'
  /** Azure's error code. */
  readonly reason: string
  readonly message: string
  readonly impactedResource: string
  readonly recommendedActions: readonly string[]
}

export interface UpgradeFacts {
  readonly cluster: Pick<ClusterRecord, 'name' | 'version' | 'properties' | 'sku'>
  readonly pools: readonly PoolRecord[]
  readonly machines: readonly MachineRecord[]
  /** As it was asked for: `1.36` or `1.36.3`. */
  readonly target: string
  /** Pools that are upgraded with the control plane. */
  readonly upgradedPools: readonly string[]
  readonly deprecatedUses: readonly DeprecatedUse[]
  readonly budgets: readonly PodDisruptionBudget[]
  readonly nodes: readonly Node[]
  readonly podCidr: string
  /** An override holds: APIs and budgets are passed over. */
  readonly forced: boolean
  readonly nowMs: number
}

/** Every issue there is, in the order of the checks. */
export function judgeUpgrade(facts: UpgradeFacts): readonly Issue[] {
  return [
    ...versionIssues(facts),
    ...skewIssues(facts),
    ...apiIssues(facts),
    ...budgetIssues(facts),
    ...addressIssues(facts),
    ...quotaIssues(facts),
    ...nodeIssues(facts),
  ]
}

function versionIssues({ cluster, target }: UpgradeFacts): readonly Issue[] {
  const version = resolveVersion(target)
  const upgrades = upgradesOf(cluster.version)
  if (version !== undefined && (version === cluster.version || upgrades.includes(version))) return []
  return [
    {
      issueType: 'UnsupportedKubernetesVersion',
      severity: 'Blocking',
      reason: version === undefined ? 'K8sVersionNotSupported' : 'OperationNotAllowed',
      message: `Kubernetes version ${cluster.version} cannot be upgraded to ${target}. Available upgrades: [${upgrades.join(' ')}].`,
      impactedResource: cluster.name,
      recommendedActions: [`Upgrade one minor version at a time: to ${upgrades[0] ?? 'a version that is offered'}.`],
    },
  ]
}

function skewIssues({ target, pools, upgradedPools }: UpgradeFacts): readonly Issue[] {
  const minor = Number((resolveVersion(target) ?? target).split('.')[1])
  return pools
    .filter(
      ({ name, version }) => !upgradedPools.includes(name) && minor - Number(version.split('.')[1]) > MINORS_BEHIND,
    )
    .map(({ name, version }) => ({
      issueType: 'ComponentVersionMismatch',
      severity: 'Blocking',
      reason: 'NodePoolMcVersionIncompatible',
      message: `Node pool version ${version} and control plane version ${target} are incompatible: the pool would be more than ${MINORS_BEHIND} minor versions older.`,
      impactedResource: name,
      recommendedActions: [`Upgrade agent pool ${name} first.`],
    }))
}

function apiIssues({ cluster, target, deprecatedUses, forced, nowMs }: UpgradeFacts): readonly Issue[] {
  const goal = minorOf(resolveVersion(target) ?? target)
  if (goal === minorOf(cluster.version)) return []
  return deprecatedUses
    .filter(
      ({ removedIn, lastSeenMs }) =>
        minorNumber(removedIn) <= minorNumber(goal) && nowMs - lastSeenMs < DEPRECATED_USE_MS,
    )
    .map(({ group, version, resource, removedIn, lastSeenMs }) => ({
      issueType: 'ApiBreakingChange',
      severity: forced ? 'Warning' : 'Blocking',
      reason: 'UpgradeBlockedOnDeprecatedAPIUsage',
      message: `Control Plane upgrade is blocked due to recent usage of a Kubernetes API deprecated in the specified version: ${resource}.${version}.${group}, removed in ${removedIn}, last used at ${new Date(lastSeenMs).toISOString()}.`,
      impactedResource: `${group}/${version}/${resource}`,
      recommendedActions: [
        'Move its users to a version that stays, and wait until no write was seen for 12 hours.',
        'Or set upgradeSettings.overrideSettings with forceUpgrade and until.',
      ],
    }))
}

function minorNumber(minor: string): number {
  return Number(minor.split('.')[1])
}

function budgetIssues({ budgets, upgradedPools, forced }: UpgradeFacts): readonly Issue[] {
  if (upgradedPools.length === 0) return []
  return budgets.flatMap((budget) => {
    const { expectedPods = 0, disruptionsAllowed = 0, desiredHealthy = 0 } = budget.status ?? {}
    if (expectedPods === 0 || disruptionsAllowed > 0) return []
    const never = desiredHealthy >= expectedPods
    const name = `${budget.metadata.namespace ?? 'default'}/${budget.metadata.name}`
    return [
      {
        issueType: 'PDBConstraint' as const,
        severity: never && !forced ? ('Blocking' as const) : ('Warning' as const),
        reason: 'UnsatisfiablePDB',
        message: never
          ? `PodDisruptionBudget ${name} allows no disruption: it wants ${desiredHealthy} healthy pods of ${expectedPods}, so no node with one of them can be drained.`
          : `PodDisruptionBudget ${name} allows no disruption now: fewer than the ${desiredHealthy} healthy pods that it wants can be spared.`,
        impactedResource: name,
        recommendedActions: ['Add a replica, or allow one pod to be away: maxUnavailable: 1.'],
      },
    ]
  })
}

/** Nodes that a pool has beyond its count while it is upgraded. */
function extraNodes(pool: PoolRecord): number {
  if (isSpot(pool.properties) || pool.power === 'Stopped') return 0
  return isBlueGreen(pool) ? pool.properties.count : Math.min(maxSurge(pool.properties), NODES_PER_POOL)
}

/** Pools go one after the other: the greatest surge has to fit. */
function addressIssues({ pools, upgradedPools, machines, podCidr }: UpgradeFacts): readonly Issue[] {
  const range = readRange(podCidr)
  const free = range === undefined ? 0 : 2 ** (24 - range.prefixLength) - machines.length
  return pools
    .filter((pool) => upgradedPools.includes(pool.name) && extraNodes(pool) > free)
    .map((pool) => ({
      issueType: 'SubnetIpExhaustion',
      severity: 'Blocking',
      reason: 'InsufficientPodCidr',
      message: `The pod CIDR ${podCidr} has room for ${free} more node(s), and the upgrade of agent pool '${pool.name}' needs ${extraNodes(pool)}: each node takes a /24.`,
      impactedResource: pool.name,
      recommendedActions: ['Lower maxSurge, or use maxUnavailable instead.'],
    }))
}

function quotaIssues({ pools, upgradedPools }: UpgradeFacts): readonly Issue[] {
  return pools
    .filter((pool) => upgradedPools.includes(pool.name) && pool.properties.count + extraNodes(pool) > NODES_PER_POOL)
    .map((pool) => ({
      issueType: 'QuotaExceeded',
      severity: 'Blocking',
      reason: 'QuotaExceeded',
      message: `Agent pool '${pool.name}' has ${pool.properties.count} nodes and would get ${extraNodes(pool)} more during its upgrade: more than ${NODES_PER_POOL}.`,
      impactedResource: pool.name,
      recommendedActions: ['Lower maxSurge, or the count of the pool.'],
    }))
}

function nodeIssues({ nodes, pools, upgradedPools, nowMs }: UpgradeFacts): readonly Issue[] {
  const sick = nodes.filter((node) => !isReady(node)).map(({ metadata }) => metadata.name)
  const health: readonly Issue[] = sick.map((name) => ({
    issueType: 'NodeHealth',
    severity: 'Warning',
    reason: 'NodeNotReady',
    message: `Node ${name} is not Ready: its pods may be lost when it is upgraded.`,
    impactedResource: name,
    recommendedActions: ['Repair or delete the machine before the upgrade.'],
  }))
  const stale: readonly Issue[] = pools
    .filter((pool) => !upgradedPools.includes(pool.name))
    .filter((pool) => !isOfferedImage(pool.nodeImageVersion, pool.properties.osSKU, pool.version, nowMs))
    .map((pool) => ({
      issueType: 'NodeImageOOSLA',
      severity: 'Warning',
      reason: 'NodeImageOutOfSupport',
      message: `Agent pool '${pool.name}' runs node image ${pool.nodeImageVersion}, which is older than 90 days.`,
      impactedResource: pool.name,
      recommendedActions: [`Upgrade the node image of agent pool ${pool.name}.`],
    }))
  return [...health, ...stale]
}
