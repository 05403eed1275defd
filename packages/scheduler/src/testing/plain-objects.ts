// Objects beside nodes and pods, from plain lists: what a test does not give is not there.

import type { PersistentVolume, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import type { CSINode, StorageClass } from '@aksel/api/types/storage-v1'
import type { LabelSelector } from '@aksel/api/types/meta-v1'
import type { Objects, World } from '../plugin.ts'
import { defaultProfile, type Profile } from '../profile.ts'
import { Refusals } from '../refusals.ts'
import { ClusterState } from '../state/cluster-state.ts'
import { VolumeUse } from '../state/volume-use.ts'

export interface PlainObjects {
  readonly namespaceLabels?: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly claims?: readonly PersistentVolumeClaim[]
  readonly volumes?: readonly PersistentVolume[]
  readonly classes?: readonly StorageClass[]
  readonly csiNodes?: readonly CSINode[]
  readonly defaultSelector?: LabelSelector
}

export function plainObjects(given: PlainObjects): Objects {
  return {
    namespaceLabels: (name) => given.namespaceLabels?.[name] ?? {},
    claim: (key) => given.claims?.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === key),
    volume: (name) => given.volumes?.find(({ metadata }) => metadata.name === name),
    freeVolumes: (of) =>
      (given.volumes ?? []).filter(({ spec }) => spec.claimRef === undefined && (spec.storageClassName ?? '') === of),
    storageClass: (name) => given.classes?.find(({ metadata }) => metadata.name === name),
    csiNode: (name) => given.csiNodes?.find(({ metadata }) => metadata.name === name),
    csiDriver: () => undefined,
    storageCapacities: () => [],
    defaultSelector: () => given.defaultSelector,
  }
}

export function plainWorld(given: PlainObjects = {}, profile: Profile = defaultProfile()): World {
  const objects = plainObjects(given)
  const state = new ClusterState(objects)
  return { state, objects, volumes: new VolumeUse(state, objects), refusals: new Refusals(), profile }
}
