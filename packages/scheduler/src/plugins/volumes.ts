// Volumes decide too: a bound volume may stand in one zone only, an unbound claim may wait for the pod's node.

import type { PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { Plugin, World } from '../plugin.ts'
import { matchesNode } from '../selectors.ts'
import type { NodeState } from '../snapshot.ts'

const wordsConflict = "node(s) didn't match PersistentVolume's node affinity"

/** The claims a pod uses, generic ephemeral volumes included, by `namespace/name`. */
export function claimKeysOf(pod: Pod): readonly string[] {
  return (pod.spec.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim !== undefined)
      return [`${pod.metadata.namespace}/${volume.persistentVolumeClaim.claimName}`]
    return volume.ephemeral === undefined ? [] : [`${pod.metadata.namespace}/${pod.metadata.name}-${volume.name}`]
  })
}

export function isBound(claim: PersistentVolumeClaim): boolean {
  return (
    (claim.spec.volumeName ?? '') !== '' && claim.metadata.annotations?.['pv.kubernetes.io/bind-completed'] === 'yes'
  )
}

/** The claims that a volume is made for only once the pod's node is known. */
export function claimsAwaitingNode(pod: Pod, world: World): readonly PersistentVolumeClaim[] {
  return claimKeysOf(pod).flatMap((key) => {
    const claim = world.claim(key)
    return claim !== undefined && !isBound(claim) && waitsForConsumer(claim, world) ? [claim] : []
  })
}

function waitsForConsumer(claim: PersistentVolumeClaim, world: World): boolean {
  const name = claim.spec.storageClassName
  return name !== undefined && world.storageClass(name)?.volumeBindingMode === 'WaitForFirstConsumer'
}

export const volumeBinding: Plugin = {
  name: 'VolumeBinding',
  weight: 0,
  wokenBy: ['volume', 'node'],
  prepare(pod, world) {
    const keys = claimKeysOf(pod)
    if (keys.length === 0) return undefined
    const claims: PersistentVolumeClaim[] = []
    for (const key of keys) {
      const claim = world.claim(key)
      const name = key.slice(key.indexOf('/') + 1)
      if (claim === undefined) return { blocked: `persistentvolumeclaim "${name}" not found` }
      if (claim.metadata.deletionTimestamp !== undefined)
        return { blocked: `persistentvolumeclaim "${name}" is being deleted` }
      if (claim.status?.phase === 'Lost')
        return {
          blocked: `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName}"`,
        }
      if (!isBound(claim) && !waitsForConsumer(claim, world))
        return { blocked: 'pod has unbound immediate PersistentVolumeClaims' }
      claims.push(claim)
    }
    return {
      filter: (state) => (claims.every((claim) => reachable(claim, state, world)) ? undefined : [wordsConflict]),
    }
  },
}

function reachable(claim: PersistentVolumeClaim, state: NodeState, world: World): boolean {
  if (!isBound(claim)) return allowedTopology(claim, state, world)
  const required = world.volume(claim.spec.volumeName!)?.spec.nodeAffinity?.required
  return required === undefined || matchesNode(required, state.node)
}

/** A class may say in which topologies its volumes can be made. */
function allowedTopology(claim: PersistentVolumeClaim, state: NodeState, world: World): boolean {
  const topologies = world.storageClass(claim.spec.storageClassName ?? '')?.allowedTopologies ?? []
  if (topologies.length === 0) return true
  const labels = state.node.metadata.labels ?? {}
  return topologies.some((term) =>
    (term.matchLabelExpressions ?? []).every(({ key, values }) => values.includes(labels[key] ?? '')),
  )
}

/** Zone labels of older volumes, which carry no node affinity. */
const zoneLabels = [
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
]

export const volumeZone: Plugin = {
  name: 'VolumeZone',
  weight: 0,
  wokenBy: ['volume', 'node'],
  prepare(pod, world) {
    const wanted: { readonly key: string; readonly values: readonly string[] }[] = []
    for (const key of claimKeysOf(pod)) {
      const claim = world.claim(key)
      const labels = claim === undefined ? {} : (world.volume(claim.spec.volumeName ?? '')?.metadata.labels ?? {})
      for (const label of zoneLabels)
        if (labels[label] !== undefined) wanted.push({ key: label, values: labels[label].split('__') })
    }
    if (wanted.length === 0) return undefined
    return {
      filter: ({ node }) =>
        wanted.every(({ key, values }) => values.includes(node.metadata.labels?.[key] ?? ''))
          ? undefined
          : ['node(s) had no available volume zone'],
    }
  },
}

export const volumeRestrictions: Plugin = {
  name: 'VolumeRestrictions',
  weight: 0,
  wokenBy: ['pod-gone', 'volume'],
  prepare(pod, world) {
    const single = claimKeysOf(pod).filter(
      (key) => world.claim(key)?.spec.accessModes?.includes('ReadWriteOncePod') === true,
    )
    if (single.length === 0) return undefined
    for (const state of world.nodes.values()) {
      for (const other of state.pods.values()) {
        if (claimKeysOf(other).some((key) => single.includes(key))) {
          return {
            filter: () => [
              'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode',
            ],
          }
        }
      }
    }
    return undefined
  },
}
