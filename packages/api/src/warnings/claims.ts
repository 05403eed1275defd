// What a volume and a claim may say in the words of older versions.

import type { PersistentVolume, PersistentVolumeClaim } from '../types/core-v1.ts'
import { nodeTermWarnings } from './node-labels.ts'
import { isFractional } from './fractions.ts'

const oldClass = 'volume.beta.kubernetes.io/storage-class'
const classWords = 'deprecated since v1.8; use "storageClassName" attribute instead'

type ClaimSpec = PersistentVolumeClaim['spec']

export function claimSpecWarnings({ resources }: ClaimSpec, path: string): readonly string[] {
  const storage = resources?.requests?.['storage']
  if (storage === undefined || !isFractional(storage)) return []
  return [`${path}.resources.requests[storage]: fractional byte value "${storage}" is invalid, must be an integer`]
}

export function claimWarnings({ metadata, spec }: PersistentVolumeClaim): readonly string[] {
  const isOld = metadata.annotations?.[oldClass] !== undefined
  return [...(isOld ? [`metadata.annotations[${oldClass}]: ${classWords}`] : []), ...claimSpecWarnings(spec, 'spec')]
}

/** In the order in which upstream looks for them. */
const oldSources = [
  ['cephfs', 'cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['photonPersistentDisk', 'photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['scaleIO', 'scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['storageos', 'storageOS', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['rbd', 'rbd', 'deprecated in v1.28, non-functional in v1.31+'],
] as const

export function volumeWarnings({ metadata, spec }: PersistentVolume): readonly string[] {
  const warnings: string[] = []
  if (metadata.annotations?.[oldClass] !== undefined) warnings.push(`metadata.annotations[${oldClass}]: ${classWords}`)
  if (spec.persistentVolumeReclaimPolicy === 'Recycle') {
    warnings.push(
      'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
    )
  }
  for (const [index, term] of (spec.nodeAffinity?.required?.nodeSelectorTerms ?? []).entries())
    warnings.push(...nodeTermWarnings(term, `spec.nodeAffinity.required.nodeSelectorTerms[${index}]`))
  for (const [field, shown, words] of oldSources)
    if (spec[field] !== undefined) warnings.push(`spec.${shown}: ${words}`)
  return warnings
}
