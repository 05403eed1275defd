// What the small resources below a cluster have in common: how each is judged, kept and shown.

import type { Hub } from '../../hub.ts'
import type { ArmRequest } from '../../front-door/route.ts'
import type { ClusterChildCollection, ClusterChildRecord, ClusterRecord, Json } from '../../records.ts'
import { keys, type ResourceStore, type Stored } from '../../store-keyspace.ts'
import type { Pass } from './pass.ts'

/** What is known where one is written. */
export interface ChildWrite {
  readonly hub: Hub
  readonly request: ArmRequest
  readonly cluster: ClusterRecord
  readonly name: string
  /** The body's properties. */
  readonly given: Json
  readonly before: ClusterChildRecord | undefined
  /** Of the same cluster and collection, without this one. */
  readonly others: readonly ClusterChildRecord[]
}

export interface ChildWritten {
  readonly properties: Json
  /** Paths of what is kept and changes nothing here. */
  readonly recorded?: readonly string[]
}

export interface ChildKind {
  readonly collection: ClusterChildCollection
  /** It has a location and tags of its own. */
  readonly isTracked?: boolean
  /** Where there is no `Creating` for it. */
  readonly firstState?: string
  /** Its body tells an eTag. */
  readonly hasETag?: boolean
  /** Throws for a name that cannot be. */
  readonly judgeName: (name: string) => void
  /** What is kept of what was given; throws what Azure would refuse. */
  readonly read: (write: ChildWrite) => ChildWritten | Promise<ChildWritten>
  /** What the service tells beside. */
  readonly told?: (record: ClusterChildRecord, cluster: ClusterRecord) => Json
}

/** What stands inside the cluster for one. Both may be called again after any end; what they throw as an ArmError, no second try changes. */
export interface ChildObjects {
  readonly ensure: (pass: Pass, cluster: ClusterRecord, record: ClusterChildRecord) => Promise<void>
  readonly remove: (pass: Pass, cluster: ClusterRecord, record: ClusterChildRecord) => Promise<void>
}

export const childType = (collection: ClusterChildCollection): string =>
  `Microsoft.ContainerService/managedClusters/${collection}`

export const childId = (cluster: Pick<ClusterRecord, 'id'>, collection: ClusterChildCollection, name: string): string =>
  `${cluster.id}/${collection}/${name}`

export function childBody(kind: ChildKind, record: ClusterChildRecord, cluster: ClusterRecord): Json {
  const { location, tags, progress } = record
  return {
    id: record.id,
    name: record.name,
    type: childType(record.collection),
    ...(location === undefined ? {} : { location }),
    ...(tags === undefined ? {} : { tags }),
    ...(kind.hasETag === true ? { eTag: record.eTag } : {}),
    properties: {
      ...record.properties,
      ...kind.told?.(record, cluster),
      provisioningState: progress.provisioningState,
    },
    systemData: record.systemData,
  }
}

/** By name. */
export async function childrenOf(
  store: ResourceStore,
  clusterId: string,
  collection: ClusterChildCollection,
): Promise<readonly Stored<ClusterChildRecord>[]> {
  return store.list<ClusterChildRecord>(keys.below(`${clusterId}/${collection}`))
}
