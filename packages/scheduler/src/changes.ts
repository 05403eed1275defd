// Which event of the scheduler a change of an object is.

import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import {
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  deviceClasses,
  namespaces,
  persistentVolumeClaims,
  persistentVolumes,
  resourceClaims,
  resourceSlices,
  storageClasses,
} from '@aksel/api/resources'
import type { PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import type { ResourceClaim } from '@aksel/api/types/resource-v1'
import type { ClusterEvent } from './events.ts'

const kinds: Readonly<Record<string, 'volume' | 'storage-class' | 'csi' | 'namespace' | 'devices'>> = {
  [persistentVolumes.plural]: 'volume',
  [storageClasses.plural]: 'storage-class',
  [csiNodes.plural]: 'csi',
  [csiDrivers.plural]: 'csi',
  [csiStorageCapacities.plural]: 'csi',
  [namespaces.plural]: 'namespace',
  [resourceSlices.plural]: 'devices',
  [deviceClasses.plural]: 'devices',
  devicetaintrules: 'devices',
}

/** Undefined for what never lets a waiting pod fit: a service says only where it would rather be. */
export function kindOfChange(
  type: ResourceType,
  now: KubernetesObject | undefined,
  before: KubernetesObject | undefined,
): ClusterEvent | undefined {
  const object = (now ?? before)!
  if (type.plural === resourceClaims.plural) {
    const [is, was] = [now, before] as (ResourceClaim | undefined)[]
    const isFreed = was?.status?.allocation !== undefined && is?.status?.allocation === undefined
    return { kind: 'resource-claim', claim: object as ResourceClaim, isFreed }
  }
  if (type.plural === persistentVolumeClaims.plural) return { kind: 'claim', claim: object as PersistentVolumeClaim }
  const kind = kinds[type.plural]
  return kind === undefined ? undefined : { kind }
}
