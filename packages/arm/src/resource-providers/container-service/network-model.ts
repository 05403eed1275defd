// How a pool's pods get their addresses: AKS's network models, read from the cluster's profile and the pool.

import type { PodNetwork } from '@aksel/provider/machine-provider'
import type { ClusterRecord, NetworkProfile, PoolProperties } from '../../records.ts'
import { textAt } from '../body.ts'

export const networkModels = ['overlay', 'kubenet', 'nodeSubnet', 'podSubnet', 'none'] as const
export type NetworkModel = (typeof networkModels)[number]

/** Pods a node may have where the pool does not say. */
export const maxPodsDefaults: Readonly<Record<NetworkModel, number>> = {
  overlay: 250,
  kubenet: 110,
  nodeSubnet: 30,
  podSubnet: 110,
  none: 250,
}

export function modelOf(network: NetworkProfile, pool?: Readonly<Record<string, unknown>>): NetworkModel {
  const plugin = network.networkPlugin.toLowerCase()
  if (plugin === 'kubenet' || plugin === 'none') return plugin
  if (textAt(network, 'networkPluginMode')?.toLowerCase() === 'overlay') return 'overlay'
  return pool !== undefined && (textAt(pool, 'podSubnetID') ?? '') !== '' ? 'podSubnet' : 'nodeSubnet'
}

/** Pods of these models have addresses of a subnet, and no range of their own. */
export function isFlat(model: NetworkModel): boolean {
  return model === 'nodeSubnet' || model === 'podSubnet'
}

const BLOCK = 16

/** Addresses of a subnet that each node takes for its pods as it begins. */
export function podAddressesPerNode(model: NetworkModel, pool: PoolProperties): number {
  if (!isFlat(model)) return 0
  if (model === 'nodeSubnet') return pool.maxPods
  // Static: whole /28 blocks, one address beyond maxPods. Dynamic: one batch; more as pods come.
  return isStaticBlock(pool) ? wholeBlocks(pool.maxPods + 1) : BLOCK
}

function wholeBlocks(addresses: number): number {
  return Math.ceil(addresses / BLOCK) * BLOCK
}

export function isStaticBlock(pool: PoolProperties): boolean {
  return textAt(pool, 'podIPAllocationMode')?.toLowerCase() === 'staticblock'
}

/** What the machine provider is told; `subnetId` is the subnet of the pool's machines. */
export function podNetworkOf(cluster: ClusterRecord, pool: PoolProperties, subnetId: string): PodNetwork {
  const model = modelOf(cluster.properties.networkProfile, pool)
  switch (model) {
    case 'overlay':
      return { kind: 'overlay' }
    case 'kubenet':
      return { kind: 'routeTable' }
    case 'none':
      return { kind: 'none' }
    case 'nodeSubnet':
    case 'podSubnet': {
      const subnet = model === 'nodeSubnet' ? subnetId : textAt(pool, 'podSubnetID')!
      return {
        kind: 'subnet',
        subnetId: subnet.toLowerCase(),
        count: podAddressesPerNode(model, pool),
        inBlocks: model === 'podSubnet' && isStaticBlock(pool),
        ...(model === 'podSubnet' && !isStaticBlock(pool) ? { growsTo: wholeBlocks(pool.maxPods) } : {}),
      }
    }
    default:
      return model satisfies never
  }
}
