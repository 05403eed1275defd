// Names of things in Azure: how a resource id is built, compared and turned into a key.

export const containerService = 'Microsoft.ContainerService'

export interface GroupRef {
  readonly subscriptionId: string
  readonly resourceGroup: string
}

export interface ClusterRef extends GroupRef {
  readonly cluster: string
}

export interface PoolRef extends ClusterRef {
  readonly pool: string
}

export function groupId(ref: GroupRef): string {
  return `/subscriptions/${ref.subscriptionId}/resourceGroups/${ref.resourceGroup}`
}

/** The service writes `resourcegroups` in lower case in the ids of clusters. */
export function clusterId(ref: ClusterRef): string {
  const group = `/subscriptions/${ref.subscriptionId}/resourcegroups/${ref.resourceGroup}`
  return `${group}/providers/${containerService}/managedClusters/${ref.cluster}`
}

export function poolId(ref: PoolRef): string {
  return `${clusterId(ref)}/agentPools/${ref.pool}`
}

export function documentId(ref: GroupRef, type: string, name: string): string {
  return `${groupId(ref)}/providers/${type}/${name}`
}

/** Ids compare without regard to case. */
export function sameId(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase()
}

/** `West US 2` and `westus2` are one location. */
export function normalLocation(location: string): string {
  return location.replaceAll(/\s/g, '').toLowerCase()
}

/** The group that an id lies in; undefined for an id above groups. */
export function groupOfId(id: string): GroupRef | undefined {
  const match = /^\/subscriptions\/([^/]+)\/resourcegroups\/([^/]+)/i.exec(id)
  return match === null ? undefined : { subscriptionId: match[1]!, resourceGroup: match[2]! }
}
