// What to do with a claim now: bind it, ask for a volume, or say why it waits. Upstream's decisions, facts in and verdict out.

import type { PersistentVolume, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import type { StorageClass } from '@aksel/api/types/storage-v1'
import { annotations, classOfClaim, findVolume, isReservedFor, mismatch } from './match.ts'

export interface ClaimFacts {
  readonly claim: PersistentVolumeClaim
  /** All there are. */
  readonly volumes: readonly PersistentVolume[]
  /** The claim's class, where it exists. */
  readonly storageClass: StorageClass | undefined
}

export interface ClaimEvent {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

export type ClaimVerdict =
  | { readonly kind: 'bind'; readonly volume: PersistentVolume }
  | { readonly kind: 'wait'; readonly event?: ClaimEvent }
  /** Ask the class's provisioner. */
  | { readonly kind: 'provision'; readonly provisioner: string; readonly event: ClaimEvent }
  | { readonly kind: 'lost'; readonly event: ClaimEvent }

export function judgeClaim(facts: ClaimFacts): ClaimVerdict {
  const { claim } = facts
  if (claim.metadata.annotations?.[annotations.bindCompleted] !== undefined) return judgeBound(facts)
  return (claim.spec.volumeName ?? '') === '' ? judgeUnbound(facts) : judgeNamed(facts)
}

function judgeUnbound({ claim, volumes, storageClass }: ClaimFacts): ClaimVerdict {
  const isDelayed =
    storageClass?.volumeBindingMode === 'WaitForFirstConsumer' &&
    claim.metadata.annotations?.[annotations.selectedNode] === undefined
  const volume = findVolume(claim, volumes, isDelayed)
  if (volume !== undefined) return { kind: 'bind', volume }
  if (isDelayed) {
    const message = 'waiting for first consumer to be created before binding'
    return { kind: 'wait', event: { type: 'Normal', reason: 'WaitForFirstConsumer', message } }
  }
  const className = classOfClaim(claim)
  if (className === '') {
    const message = 'no persistent volumes available for this claim and no storage class is set'
    return { kind: 'wait', event: { type: 'Normal', reason: 'FailedBinding', message } }
  }
  if (storageClass === undefined) {
    const message = `storageclass.storage.k8s.io "${className}" not found`
    return { kind: 'wait', event: { type: 'Warning', reason: 'ProvisioningFailed', message } }
  }
  return judgeProvision(storageClass)
}

function judgeProvision({ provisioner }: StorageClass): ClaimVerdict {
  if (provisioner === 'kubernetes.io/no-provisioner') {
    const message = 'no volume plugin matched name: kubernetes.io/no-provisioner'
    return { kind: 'wait', event: { type: 'Warning', reason: 'ProvisioningFailed', message } }
  }
  const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`
  return { kind: 'provision', provisioner, event: { type: 'Normal', reason: 'ExternalProvisioning', message } }
}

/** The claim names a volume: the user did, or a pass before this one did and was cut off. */
function judgeNamed({ claim, volumes }: ClaimFacts): ClaimVerdict {
  const volume = volumes.find(({ metadata }) => metadata.name === claim.spec.volumeName)
  if (volume === undefined) return { kind: 'wait' }
  if (volume.spec?.claimRef === undefined) {
    const why = mismatch(volume, claim)
    if (why === undefined) return { kind: 'bind', volume }
    const message = `Cannot bind to requested volume "${volume.metadata.name}": ${why}`
    return { kind: 'wait', event: { type: 'Warning', reason: 'VolumeMismatch', message } }
  }
  if (isReservedFor(volume, claim)) return { kind: 'bind', volume }
  const message = `volume "${volume.metadata.name}" already bound to a different claim.`
  return { kind: 'wait', event: { type: 'Warning', reason: 'FailedBinding', message } }
}

function judgeBound({ claim, volumes }: ClaimFacts): ClaimVerdict {
  const lost = (reason: string, message: string): ClaimVerdict => ({
    kind: 'lost',
    event: { type: 'Warning', reason, message },
  })
  if ((claim.spec.volumeName ?? '') === '') {
    return lost('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!')
  }
  const volume = volumes.find(({ metadata }) => metadata.name === claim.spec.volumeName)
  if (volume === undefined)
    return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!')
  if (volume.spec?.claimRef === undefined || volume.spec.claimRef.uid === claim.metadata.uid)
    return { kind: 'bind', volume }
  return lost('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly')
}
