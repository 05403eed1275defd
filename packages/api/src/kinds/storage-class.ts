// StorageClass: a sort of disk that claims can ask for.

import type { Draft } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import { duplicate, forbidden, invalid, required, tooLong, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { StorageClass } from '../types/storage-v1.ts'
import { byteLength } from '../validation/metadata.ts'
import { qualifiedName } from '../validation/names.ts'
import { complain, oneOf, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { nodeLabelWarning } from '../warnings/node-labels.ts'

const DEFAULT_ANNOTATIONS = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
]

export function isDefaultClass({ metadata }: Pick<StorageClass, 'metadata'>): boolean {
  return DEFAULT_ANNOTATIONS.some((name) => metadata.annotations?.[name] === 'true')
}

function setDefaults(storageClass: Draft<StorageClass>): void {
  storageClass.reclaimPolicy ??= 'Delete'
  storageClass.volumeBindingMode ??= 'Immediate'
}

const PARAMETERS_MAX = 512
const PARAMETERS_BYTES_MAX = 256 * 1024

/** The name of a driver or of a provisioner of the tree. */
export function validateProvisioner(name: string, path: string): readonly FieldError[] {
  return name === '' ? [required(path, '')] : complain(path, name, qualifiedName(name.toLowerCase()))
}

/** Parameters that only the driver understands. Upstream's limits; a class of attributes must have some. */
export function validateParameters(
  parameters: Readonly<Record<string, string>> | undefined,
  mayBeEmpty: boolean,
): readonly FieldError[] {
  const entries = Object.entries(parameters ?? {})
  const errors: FieldError[] = []
  if (entries.length > PARAMETERS_MAX) errors.push(tooLong('parameters', PARAMETERS_MAX))
  if (entries.some(([key]) => key === '')) errors.push(invalid('parameters', '', 'field can not be empty.'))
  const bytes = entries.reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0)
  if (bytes > PARAMETERS_BYTES_MAX) errors.push(tooLong('parameters', PARAMETERS_BYTES_MAX))
  if (!mayBeEmpty && entries.length === 0)
    errors.push(required('parameters', 'must contain at least one key/value pair'))
  return errors
}

function validate(storageClass: StorageClass): readonly FieldError[] {
  return [
    ...validateProvisioner(storageClass.provisioner, 'provisioner'),
    ...validateParameters(storageClass.parameters, true),
    ...oneOf(storageClass.reclaimPolicy, ['Delete', 'Retain'], 'reclaimPolicy'),
    ...oneOf(storageClass.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer'], 'volumeBindingMode'),
    ...validateTopologies(storageClass),
  ]
}

/** Each term selects by keys, and no two terms are the same. */
function validateTopologies({ allowedTopologies = [] }: StorageClass): readonly FieldError[] {
  const seen = new Set<string>()
  return allowedTopologies.flatMap((term, index) => {
    const at = `allowedTopologies[${index}].matchLabelExpressions`
    const errors: FieldError[] = []
    const keys = new Set<string>()
    const expressions = term.matchLabelExpressions ?? []
    for (const [place, { key, values }] of expressions.entries()) {
      const path = `${at}[${place}]`
      if (values.length === 0) errors.push(required(`${path}.values`))
      for (const [spot, value] of values.entries())
        if (values.indexOf(value) < spot) errors.push(duplicate(`${path}.values[${spot}]`, value))
      errors.push(...complain(`${path}.key`, key, qualifiedName(key)))
      if (keys.has(key)) errors.push(duplicate(`${path}.key`, key))
      keys.add(key)
    }
    const same = JSON.stringify(
      expressions.map(({ key, values }) => [key, values.toSorted()]).toSorted(([a], [b]) => (a! < b! ? -1 : 1)),
    )
    if (seen.has(same)) errors.push(duplicate(at, ''))
    seen.add(same)
    return errors
  })
}

function validateUpdate(next: StorageClass, old: StorageClass): readonly FieldError[] {
  const errors: FieldError[] = [...validate(next)]
  for (const field of ['parameters', 'provisioner', 'reclaimPolicy'] as const) {
    if (!deepEqual(next[field], old[field])) errors.push(forbidden(field, `updates to ${field} are forbidden.`))
  }
  return [...errors, ...unchanged(next.volumeBindingMode, old.volumeBindingMode, 'volumeBindingMode')]
}

export const storageClassRules: KindRules<StorageClass> = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  default: setDefaults,
  validateCreate: validate,
  warnings: ({ allowedTopologies = [] }) =>
    allowedTopologies.flatMap(({ matchLabelExpressions = [] }, index) =>
      matchLabelExpressions.flatMap(({ key }, place) => {
        const old = nodeLabelWarning(key)
        return old === undefined ? [] : [`allowedTopologies[${index}].matchLabelExpressions[${place}]: ${old}`]
      }),
    ),
  validateUpdate,
  columns: [
    nameColumn,
    column('Provisioner', 'Who makes its volumes'),
    column('ReclaimPolicy', 'What happens to a volume whose claim goes'),
    column('VolumeBindingMode', 'When volumes are made'),
    column('AllowVolumeExpansion', 'Whether claims may grow', 'boolean'),
    ageColumn,
  ],
  cells: (storageClass, nowMs) => [
    isDefaultClass(storageClass) ? `${storageClass.metadata.name} (default)` : storageClass.metadata.name,
    storageClass.provisioner,
    storageClass.reclaimPolicy ?? 'Delete',
    storageClass.volumeBindingMode ?? 'Immediate',
    storageClass.allowVolumeExpansion ?? false,
    ageOf(storageClass.metadata.creationTimestamp, nowMs),
  ],
}
