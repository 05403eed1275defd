// Which volumes the unbound claims of a pod would get on one node: free ones that fit, the smallest first, or new ones.

import type { Node, PersistentVolume, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import type { CSIStorageCapacity, StorageClass } from '@aksel/api/types/storage-v1'
import { matchesSelector } from '@aksel/runtime/selectors'
import type { Objects } from './plugin.ts'
import { amountOf } from './pod-resources.ts'
import { matchesNode } from '@aksel/runtime/node-selectors'
import { bytesAsked, bytesOf, classOf, isProvisioned, SELECTED_NODE } from './volumes.ts'

export type VolumePlan =
  | {
      readonly kind: 'possible'
      readonly bind: readonly { readonly claim: PersistentVolumeClaim; readonly volume: PersistentVolume }[]
      readonly provision: readonly PersistentVolumeClaim[]
    }
  | { readonly kind: 'impossible'; readonly why: 'no-volume' | 'no-space' }

/** Claims that wait for their first consumer; every one of them must find something. */
export function volumePlan(objects: Objects, claims: readonly PersistentVolumeClaim[], node: Node): VolumePlan {
  const bind: { claim: PersistentVolumeClaim; volume: PersistentVolume }[] = []
  const provision: PersistentVolumeClaim[] = []
  const taken = new Set<string>()
  for (const claim of claims.toSorted((left, right) => bytesAsked(left) - bytesAsked(right))) {
    const selected = claim.metadata.annotations?.[SELECTED_NODE]
    if (selected !== undefined && selected !== node.metadata.name) return { kind: 'impossible', why: 'no-volume' }
    const volume = selected === undefined ? smallestFit(objects, claim, node, taken) : undefined
    if (volume !== undefined) {
      taken.add(volume.metadata.name)
      bind.push({ claim, volume })
      continue
    }
    const why = whyNotProvisioned(objects, claim, node)
    if (why !== undefined) return { kind: 'impossible', why }
    provision.push(claim)
  }
  return { kind: 'possible', bind, provision }
}

function smallestFit(
  objects: Objects,
  claim: PersistentVolumeClaim,
  node: Node,
  taken: ReadonlySet<string>,
): PersistentVolume | undefined {
  let best: PersistentVolume | undefined
  const asked = bytesAsked(claim)
  for (const volume of objects.freeVolumes(classOf(claim))) {
    if (taken.has(volume.metadata.name) || !serves(volume, claim, asked)) continue
    const required = volume.spec.nodeAffinity?.required
    if (required !== undefined && !matchesNode(required, node)) continue
    if (best === undefined || bytesOf(volume) < bytesOf(best)) best = volume
  }
  return best
}

function serves(volume: PersistentVolume, claim: PersistentVolumeClaim, asked: number): boolean {
  const { spec, metadata } = volume
  if (metadata.deletionTimestamp !== undefined || bytesOf(volume) < asked) return false
  if ((spec.volumeMode ?? 'Filesystem') !== (claim.spec.volumeMode ?? 'Filesystem')) return false
  if ((spec.volumeAttributesClassName ?? '') !== (claim.spec.volumeAttributesClassName ?? '')) return false
  if (!(claim.spec.accessModes ?? []).every((mode) => spec.accessModes?.includes(mode) === true)) return false
  return claim.spec.selector === undefined || matchesSelector(claim.spec.selector, metadata.labels)
}

function whyNotProvisioned(
  objects: Objects,
  claim: PersistentVolumeClaim,
  node: Node,
): 'no-volume' | 'no-space' | undefined {
  const storageClass = objects.storageClass(classOf(claim))
  if (storageClass === undefined || !isProvisioned(claim, objects)) return 'no-volume'
  if (!isAllowed(storageClass, node)) return 'no-volume'
  if (objects.csiDriver(storageClass.provisioner)?.spec.storageCapacity !== true) return undefined
  const asked = bytesAsked(claim)
  const hasRoom = objects
    .storageCapacities(storageClass.metadata.name)
    .some((capacity) => reaches(capacity, node) && roomOf(capacity) >= asked)
  return hasRoom ? undefined : 'no-space'
}

/** A class may say in which topologies its volumes can be made. */
function isAllowed({ allowedTopologies = [] }: StorageClass, node: Node): boolean {
  if (allowedTopologies.length === 0) return true
  const labels = node.metadata.labels ?? {}
  return allowedTopologies.some((term) =>
    (term.matchLabelExpressions ?? []).every(({ key, values }) => (values ?? []).includes(labels[key] ?? '')),
  )
}

function reaches({ nodeTopology }: CSIStorageCapacity, node: Node): boolean {
  return matchesSelector(nodeTopology, node.metadata.labels)
}

/** The largest single volume where the driver tells it. */
function roomOf({ capacity, maximumVolumeSize }: CSIStorageCapacity): number {
  const room = maximumVolumeSize ?? capacity
  return room === undefined ? 0 : amountOf('storage', room)
}
