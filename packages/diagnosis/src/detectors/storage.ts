// Claims and volumes that do not come together, whoever waits for them.

import { describeCommand, type Found } from '../finding.ts'
import { refOf, type Picture } from '../picture.ts'
import { listed } from '../words.ts'
import { unboundCause } from './pending-volumes.ts'

const IS_DEFAULT = 'storageclass.kubernetes.io/is-default-class'

/** Claims that pods wait for are told with the pods. */
export function claims(picture: Picture): readonly Found[] {
  const awaited = new Set(
    picture.pods
      .filter(({ spec }) => (spec.nodeName ?? '') === '')
      .flatMap(({ metadata, spec }) =>
        (spec.volumes ?? []).flatMap(({ persistentVolumeClaim }) =>
          persistentVolumeClaim === undefined ? [] : [`${metadata.namespace}/${persistentVolumeClaim.claimName}`],
        ),
      ),
  )
  return picture.persistentVolumeClaims.flatMap((claim): readonly Found[] => {
    const subject = refOf('PersistentVolumeClaim', claim)
    if (awaited.has(`${subject.namespace}/${subject.name}`)) return []
    const broken = unboundCause(picture, claim)
    if (broken === undefined) return []
    return [
      {
        id: 'storage/claim-unbound',
        subject,
        symptom: `The claim is ${claim.status?.phase ?? 'Pending'}: it has no volume.`,
        ...broken,
        evidence: [
          {
            subject,
            line: `spec.storageClassName: ${claim.spec?.storageClassName ?? '(none)'}; phase ${claim.status?.phase ?? 'Pending'}`,
          },
        ],
        commands: [describeCommand(subject), 'kubectl get storageclass'],
        confidence: 'certain',
      },
    ]
  })
}

export function volumes(picture: Picture): readonly Found[] {
  const found = picture.persistentVolumes.flatMap((volume): readonly Found[] => {
    const subject = refOf('PersistentVolume', volume)
    const { phase, message } = volume.status ?? {}
    if (phase !== 'Released' && phase !== 'Failed') return []
    // Whoever said Retain wants to find it again.
    const isKept = phase === 'Released' && volume.spec?.persistentVolumeReclaimPolicy === 'Retain'
    return [
      {
        id: phase === 'Failed' ? 'storage/volume-failed' : 'storage/volume-released',
        subject,
        symptom: `The volume is ${phase}: nobody uses it and nobody can.`,
        cause: isKept
          ? 'Its claim is gone, and its reclaim policy is Retain.'
          : `It could not be taken back: ${message ?? ''}`,
        evidence: [
          {
            subject,
            line: `phase ${phase}, claimRef ${volume.spec?.claimRef?.namespace ?? ''}/${volume.spec?.claimRef?.name ?? ''}`,
          },
        ],
        fix: isKept
          ? 'Save its data and delete it, or take claimRef off so that another claim may have it.'
          : 'See the message; the disk may still be attached.',
        commands: [describeCommand(subject)],
        confidence: isKept ? 'possible' : 'certain',
      },
    ]
  })
  const defaults = picture.storageClasses.filter(({ metadata }) => metadata.annotations?.[IS_DEFAULT] === 'true')
  const [newest] = defaults.toSorted((left, right) =>
    (left.metadata.creationTimestamp ?? '') < (right.metadata.creationTimestamp ?? '') ? 1 : -1,
  )
  if (defaults.length < 2 || newest === undefined) return found
  const names = listed(defaults.map(({ metadata }) => metadata.name))
  const subject = refOf('StorageClass', newest)
  return [
    ...found,
    {
      id: 'storage/several-defaults',
      subject,
      symptom: `${defaults.length} storage classes say that they are the default.`,
      cause: `${names} are all marked; the newest is taken.`,
      evidence: [{ subject, line: `${IS_DEFAULT}: true` }],
      fix: 'Leave the mark on one of them.',
      commands: ['kubectl get storageclass'],
      confidence: 'certain',
    },
  ]
}
