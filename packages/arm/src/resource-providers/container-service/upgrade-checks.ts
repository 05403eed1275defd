// The facts of an upgrade, read from the cluster: for whoever asks beforehand, and for the write that begins one.

import { nodes, podDisruptionBudgets } from '@aksel/api/resources'
import { AksError, notAllowed } from '../../azure-errors.ts'
import type { Hub } from '../../hub.ts'
import type { ClusterRecord, PoolRecord } from '../../records.ts'
import { defaultPodCidr } from './cluster-properties.ts'
import { machinesOf } from './cluster-store.ts'
import { forcedUpgrade } from './force-upgrade.ts'
import { engineId } from './pass.ts'
import { judgeUpgrade, type Issue } from './upgrade-insights.ts'

export interface UpgradeWish {
  /** As it would be after the write. */
  readonly cluster: ClusterRecord
  /** The version that runs now. */
  readonly from: string
  readonly pools: readonly PoolRecord[]
  readonly target: string
  readonly upgradedPools: readonly string[]
  readonly nowMs: number
}

export async function upgradeIssues(hub: Hub, wish: UpgradeWish): Promise<readonly Issue[]> {
  const { cluster } = wish
  const id = engineId(cluster)
  const { engine } = hub.suppliers
  if (engine.status(id)?.state !== 'Running') return []
  const client = engine.client(id)
  const [budgets, known, machines] = await Promise.all([
    client.list(podDisruptionBudgets, {}),
    client.list(nodes, {}),
    machinesOf(hub.store, cluster.id),
  ])
  return judgeUpgrade({
    cluster: { ...cluster, version: wish.from },
    pools: wish.pools,
    machines: machines.map(({ value }) => value),
    target: wish.target,
    upgradedPools: wish.upgradedPools,
    deprecatedUses: engine.deprecatedUses(id),
    budgets: budgets.items,
    nodes: known.items,
    podCidr: cluster.properties.networkProfile.podCidr ?? defaultPodCidr,
    forced: forcedUpgrade(cluster, wish.nowMs),
    nowMs: wish.nowMs,
  })
}

/** Throws Azure's error for the first issue that blocks. */
export async function judgeUpgradeWish(hub: Hub, wish: UpgradeWish): Promise<void> {
  const blocking = (await upgradeIssues(hub, wish)).find(({ severity }) => severity === 'Blocking')
  if (blocking === undefined) return
  throw refusalOf(blocking)
}

function refusalOf({ issueType, reason, message, impactedResource: target }: Issue): AksError {
  switch (issueType) {
    case 'ApiBreakingChange':
      return new AksError(400, 'ValidationError', message, { subcode: reason, target })
    case 'PDBConstraint':
      return new AksError(400, 'UnsatisfiablePDB', message, { target })
    case 'SubnetIpExhaustion':
      return new AksError(400, 'InsufficientPodCidr', message, { target })
    case 'QuotaExceeded':
      return new AksError(400, 'QuotaExceeded', message, { target })
    case 'ComponentVersionMismatch':
      return new AksError(400, 'NodePoolMcVersionIncompatible', message, { target })
    default:
      return notAllowed(message)
  }
}
