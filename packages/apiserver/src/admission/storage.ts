// Storage: a claim without a class gets the default one, and what is in use is protected from deletion by a finalizer.

import type { PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import type { StorageClass } from '@aksel/api/types/storage-v1'
import type { Draft } from '@aksel/base/draft'
import { compareQuantities, parseQuantity } from '@aksel/base/quantity'
import { forbiddenError } from '../refusals.ts'
import { concerns, type AdmissionPlugin } from './admission.ts'

const defaultAnnotations = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
] as const

export const defaultStorageClass: AdmissionPlugin = {
  name: 'DefaultStorageClass',
  handles: (request) => request.operation === 'CREATE' && concerns(request, '', 'persistentvolumeclaims'),
  async admit({ object }, { records, kinds }) {
    const claim = object as unknown as Draft<PersistentVolumeClaim>
    if (claim.spec === undefined || claim.spec.storageClassName !== undefined) return false
    if (claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] !== undefined) return false
    const row = kinds.find('storage.k8s.io', 'v1', 'storageclasses')
    if (row === undefined) return false
    const classes = (await records.list(row)).map((record) => record.object as StorageClass).filter(isDefault)
    // The newest wins, then the name: a class that replaces another is the one that is meant.
    const [chosen] = classes.toSorted(
      (a, b) =>
        (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '') ||
        a.metadata.name.localeCompare(b.metadata.name),
    )
    if (chosen === undefined) return false
    claim.spec.storageClassName = chosen.metadata.name
    return true
  },
}

function isDefault({ metadata }: StorageClass): boolean {
  return defaultAnnotations.some((name) => metadata.annotations?.[name] === 'true')
}

const finalizers: Readonly<Record<string, string>> = {
  '/persistentvolumeclaims': 'kubernetes.io/pvc-protection',
  '/persistentvolumes': 'kubernetes.io/pv-protection',
  'storage.k8s.io/volumeattributesclasses': 'kubernetes.io/vac-protection',
}

export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  handles: ({ operation, row, subresource }) =>
    operation === 'CREATE' && subresource === '' && finalizers[`${row.group}/${row.plural}`] !== undefined,
  admit({ object, row }) {
    const finalizer = finalizers[`${row.group}/${row.plural}`]!
    const metadata = object!.metadata
    if (metadata.finalizers?.includes(finalizer)) return false
    metadata.finalizers = [...(metadata.finalizers ?? []), finalizer]
    return true
  },
}

/** Only a bound claim of a class that allows it may grow. */
export const persistentVolumeClaimResize: AdmissionPlugin = {
  name: 'PersistentVolumeClaimResize',
  handles: (request) => request.operation === 'UPDATE' && concerns(request, '', 'persistentvolumeclaims'),
  async validate(request, { records, kinds }) {
    const claim = request.object as unknown as PersistentVolumeClaim
    const old = request.old as PersistentVolumeClaim
    const sizeOf = ({ spec }: PersistentVolumeClaim): string | number => spec?.resources?.requests?.['storage'] ?? 0
    if (compareQuantities(parseQuantity(sizeOf(claim)), parseQuantity(sizeOf(old))) <= 0) return
    const refuse = (text: string): Error => forbiddenError(request.row, claim.metadata.name, text)
    if (old.status?.phase !== 'Bound') throw refuse('Only bound persistent volume claims can be expanded')
    const name = claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? claim.spec?.storageClassName
    const record =
      name === undefined || name === ''
        ? undefined
        : await records.get(kinds.find('storage.k8s.io', 'v1', 'storageclasses')!, '', name)
    if ((record?.object as StorageClass | undefined)?.allowVolumeExpansion === true) return
    throw refuse(
      'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    )
  },
}
