// Namespace: its deletion waits for the finalizers in its spec, which the namespace controller removes through /finalize.

import { draftOf } from '@aksel/base/draft'
import { required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { Namespace } from '../types/core-v1.ts'
import { labelName, qualifiedName } from '../validation/names.ts'
import { complain, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

const nameLabel = 'kubernetes.io/metadata.name'
const ownFinalizer = 'kubernetes'

function validateFinalizers(namespace: Namespace): readonly FieldError[] {
  return (namespace.spec?.finalizers ?? []).flatMap((finalizer, index) => {
    const path = `spec.finalizers[${index}]`
    const errors = [...complain(path, finalizer, qualifiedName(finalizer))]
    if (!finalizer.includes('/') && finalizer !== ownFinalizer) {
      errors.push(...complain(path, finalizer, ['name is neither a standard finalizer name nor is it fully qualified']))
    }
    return errors
  })
}

function validateStatus(namespace: Namespace): readonly FieldError[] {
  const phase = namespace.status?.phase
  const isMarked = namespace.metadata.deletionTimestamp !== undefined
  if (isMarked && phase !== 'Terminating')
    return complain('status.Phase', phase, ["may only be 'Terminating' if `deletionTimestamp` is not empty"])
  if (!isMarked && phase !== 'Active')
    return complain('status.Phase', phase, ["may only be 'Active' if `deletionTimestamp` is empty"])
  return []
}

export const namespaceRules: KindRules<Namespace> = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  nameRule: labelName,
  default(namespace) {
    if (namespace.metadata.name === '' || namespace.metadata.name === undefined) return
    namespace.metadata.labels ??= {}
    namespace.metadata.labels[nameLabel] ??= namespace.metadata.name
  },
  prepareForCreate(namespace) {
    const finalizers = (namespace.spec ?? {}).finalizers ?? []
    namespace.spec = { finalizers: finalizers.includes(ownFinalizer) ? finalizers : [...finalizers, ownFinalizer] }
    namespace.status = { phase: 'Active' }
  },
  prepareForUpdate(next, old) {
    next.spec = draftOf(old.spec) as typeof next.spec
    next.status = draftOf(old.status ?? {}) as NonNullable<typeof next.status>
  },
  validateCreate: (namespace) => [...validateNameLabel(namespace), ...validateFinalizers(namespace)],
  validateUpdate: (next) => validateNameLabel(next),
  ignoredFields: { finalize: ['status'] },
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as typeof next.spec
      },
      validateUpdate: (next) => validateStatus(next),
    },
    finalize: {
      prepareForUpdate(next, old) {
        next.status = draftOf(old.status ?? {}) as NonNullable<typeof next.status>
      },
      validateUpdate: (next) => validateFinalizers(next),
    },
  },
  deletion: {
    mark(namespace) {
      namespace.status = { ...namespace.status, phase: 'Terminating' }
    },
    isHeld: (namespace) => (namespace.spec?.finalizers ?? []).length > 0,
  },
  columns: [nameColumn, column('Status', 'Lifecycle phase of the namespace.'), ageColumn],
  cells: (namespace, nowMs) => [
    namespace.metadata.name,
    namespace.status?.phase ?? '',
    ageOf(namespace.metadata.creationTimestamp, nowMs),
  ],
  selectableFields: (namespace) => ({ 'status.phase': namespace.status?.phase ?? '', name: namespace.metadata.name }),
}

function validateNameLabel(namespace: Namespace): readonly FieldError[] {
  const label = namespace.metadata.labels?.[nameLabel]
  if (label === undefined) return [required(`metadata.labels[${nameLabel}]`)]
  return label === namespace.metadata.name
    ? []
    : unchanged(label, namespace.metadata.name, `metadata.labels[${nameLabel}]`)
}
