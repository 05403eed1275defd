// What an upgrade channel asks for: the next Kubernetes version of a cluster, or newer node images. Pure.

import { isObject, textAt } from '../body.ts'
import type { ClusterRecord, PoolRecord } from '../../records.ts'
import { minorOf, offeredVersions, upgradesOf } from './kubernetes-versions.ts'
import { nodeImageOf } from './node-images.ts'

export const upgradeChannels = ['rapid', 'stable', 'patch', 'node-image', 'none'] as const
export const nodeOsChannels = ['None', 'Unmanaged', 'NodeImage', 'SecurityPatch'] as const

type Cluster = Pick<ClusterRecord, 'version' | 'properties'>

function channelsOf({ properties }: Cluster): { readonly upgrade: string; readonly nodeOs: string } {
  const profile = isObject(properties['autoUpgradeProfile']) ? properties['autoUpgradeProfile'] : {}
  const upgrade = (textAt(profile, 'upgradeChannel') ?? 'none').toLowerCase()
  // The older channel says the same as the newer one of nodes.
  const nodeOs =
    upgrade === 'node-image' ? 'nodeimage' : (textAt(profile, 'nodeOSUpgradeChannel') ?? 'None').toLowerCase()
  return { upgrade, nodeOs }
}

/** The version that cluster and pools go to next, a minor at a time; undefined where they have what the channel wants. */
export function nextVersion(cluster: Cluster, pools: readonly Pick<PoolRecord, 'version'>[]): string | undefined {
  const { upgrade } = channelsOf(cluster)
  const goal = goalOf(cluster.version, upgrade)
  if (goal === undefined) return undefined
  const possible = upgradesOf(cluster.version).filter((version) => compare(version, goal) <= 0)
  const next = possible.toSorted(compare).at(0)
  if (next !== undefined) return next
  // The control plane is there already: pools that stayed behind follow it.
  return pools.some(({ version }) => compare(version, cluster.version) < 0) ? cluster.version : undefined
}

function goalOf(version: string, channel: string): string | undefined {
  const offered = offeredVersions
    .filter(({ isPreview }) => !isPreview)
    .map((each) => each.version)
    .toSorted(compare)
  if (channel === 'rapid') return offered.at(-1)
  const newest = minorOf(offered.at(-1)!)
  if (channel === 'stable') return offered.findLast((each) => minorOf(each) !== newest)
  return channel === 'patch' ? offered.findLast((each) => minorOf(each) === minorOf(version)) : undefined
}

/** Pools whose nodes run an older image than there is, where the channel wants the newest. */
export function stalePools<Pool extends Pick<PoolRecord, 'version' | 'nodeImageVersion' | 'properties' | 'power'>>(
  cluster: Cluster,
  pools: readonly Pool[],
  nowMs: number,
): readonly Pool[] {
  if (channelsOf(cluster).nodeOs !== 'nodeimage') return []
  return pools.filter(
    (pool) =>
      pool.power !== 'Stopped' && nodeImageOf(pool.properties.osSKU, pool.version, nowMs) !== pool.nodeImageVersion,
  )
}

function compare(left: string, right: string): number {
  const [a, b] = [left, right].map((text) => text.split('.').map(Number)) as [number[], number[]]
  const at = a.findIndex((part, index) => part !== b[index])
  return at < 0 ? 0 : a[at]! - b[at]!
}
