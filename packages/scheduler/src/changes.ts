// Which event of the scheduler a change of an object is.

import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import {
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  namespaces,
  persistentVolumeClaims,
  persistentVolumes,
  storageClasses,
} from '@aksel/api/resources'
import type { PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import type { ClusterEvent } from './events.ts'

const kinds: Readonly<Record<string, 'volume' | 'storage-class' | 'csi' | 'namespace'>> = {
  [persistentVolumes.plural]: 'volume',
  [storageClasses.plural]: 'storage-class',
  [csiNodes.plural]: 'csi',
  [csiDrivers.plural]: 'csi',
  [csiStorageCapacities.plural]: 'csi',
  [namespaces.plural]: 'namespace',
}

/** Undefined for what never lets a waiting pod fit: a service says only where it would rather be. */
export function kindOfChange(type: ResourceType, object: KubernetesObject): ClusterEvent | undefined {
  if (type.plural === persistentVolumeClaims.plural) return { kind: 'claim', claim: object as PersistentVolumeClaim }
  const kind = kinds[type.plural]
  return kind === undefined ? undefined : { kind }
}
