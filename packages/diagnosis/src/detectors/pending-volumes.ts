// Pending because of a volume: a claim that is not there, is not bound, or lies in a zone without a node.

import type { PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import { matchesNode } from '@aksel/runtime/node-selectors'
import type { Subject } from '../finding.ts'
import type { Picture } from '../picture.ts'
import { didYouMean } from '../words.ts'

export interface VolumeObstacle {
  readonly id: string
  readonly claim: Subject
  readonly cause: string
  readonly fix: string
}

/** Claims that are merely waiting for their first pod are not in the way. */
export function volumeObstaclesOf(picture: Picture, pod: Pod): readonly VolumeObstacle[] {
  if (picture.unread.has('persistentVolumeClaims')) return []
  const { namespace = '', name: podName } = pod.metadata
  const names = (pod.spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) =>
    persistentVolumeClaim !== undefined
      ? [persistentVolumeClaim.claimName]
      : ephemeral !== undefined
        ? [`${podName}-${name}`]
        : [],
  )
  return names.flatMap((name): readonly VolumeObstacle[] => {
    const claim: Subject = { kind: 'PersistentVolumeClaim', namespace, name }
    const found = picture.persistentVolumeClaims.find(
      ({ metadata }) => metadata.namespace === namespace && metadata.name === name,
    )
    if (found === undefined) {
      const known = picture.persistentVolumeClaims.filter(({ metadata }) => metadata.namespace === namespace)
      return [
        {
          id: 'claim-missing',
          claim,
          cause: `Its claim "${name}" does not exist.${didYouMean(
            name,
            known.map(({ metadata }) => metadata.name),
          )}`,
          fix: 'Create the claim, or correct its name in the pod.',
        },
      ]
    }
    const broken = unboundCause(picture, found)
    if (broken !== undefined) return [{ id: 'claim-unbound', claim, ...broken }]
    return zoneCause(picture, found).map((cause) => ({ id: 'volume-zone', claim, ...cause }))
  })
}

/** Why the claim will not be bound; undefined where it is or will be. */
export function unboundCause(
  { storageClasses, persistentVolumes, events, unread }: Picture,
  { metadata, spec, status }: PersistentVolumeClaim,
): { readonly cause: string; readonly fix: string } | undefined {
  if (status?.phase === 'Bound') return undefined
  if (status?.phase === 'Lost')
    return {
      cause: `The volume "${spec?.volumeName ?? ''}" that it was bound to is gone.`,
      fix: 'Restore the volume, or delete the claim and make a new one.',
    }
  if (unread.has('storageClasses')) return undefined
  const className = spec?.storageClassName
  const failed = events.find(
    ({ reason, involvedObject }) =>
      reason === 'ProvisioningFailed' &&
      involvedObject.name === metadata.name &&
      involvedObject.namespace === metadata.namespace,
  )
  if (className === undefined)
    return {
      cause: 'It names no storage class, and none is the default.',
      fix: 'Name a class in the claim, or mark one as default.',
    }
  if (className === '') {
    const isThere = persistentVolumes.some(
      ({ spec: volume, status: at }) => (volume?.storageClassName ?? '') === '' && at?.phase === 'Available',
    )
    return isThere
      ? undefined
      : {
          cause: 'It wants a volume without class, and no such volume is available.',
          fix: 'Create the volume, or name a class in the claim.',
        }
  }
  const found = storageClasses.find(({ metadata: own }) => own.name === className)
  if (found === undefined)
    return {
      cause: `Its storage class "${className}" does not exist.${didYouMean(
        className,
        storageClasses.map(({ metadata: own }) => own.name),
      )}`,
      fix: `Correct storageClassName: ${storageClasses.map(({ metadata: own }) => own.name).join(', ')}.`,
    }
  if (failed !== undefined)
    return {
      cause: `The volume could not be made: ${failed.message ?? ''}`,
      fix: 'See what the provisioner says; correct the claim or its class.',
    }
  if (found.provisioner === 'kubernetes.io/no-provisioner' && found.volumeBindingMode !== 'WaitForFirstConsumer')
    return {
      cause: `Nobody makes volumes of class "${className}", and none is available.`,
      fix: 'Create the volume by hand.',
    }
  return undefined
}

function zoneCause(
  { persistentVolumes, nodes }: Picture,
  { spec }: PersistentVolumeClaim,
): readonly { readonly cause: string; readonly fix: string }[] {
  const volume = persistentVolumes.find(({ metadata }) => metadata.name === spec?.volumeName)
  const required = volume?.spec?.nodeAffinity?.required
  if (volume === undefined || required === undefined) return []
  const usable = nodes.filter(({ spec: node }) => node?.unschedulable !== true)
  if (usable.some((node) => matchesNode(required, node))) return []
  const places = required.nodeSelectorTerms.flatMap(({ matchExpressions = [] }) =>
    matchExpressions.map(({ key, values = [] }) => `${key} ${values.join('|')}`),
  )
  return [
    {
      cause: `Its volume "${volume.metadata.name}" lies in ${[...new Set(places)].join(' or ')}, and no node that takes pods is there.`,
      fix: 'Bring a node of that zone back, or add one there: az aks nodepool add --zones.',
    },
  ]
}
