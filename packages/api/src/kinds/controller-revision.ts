// ControllerRevision: a frozen former template, to go back to.

import { required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { ControllerRevision } from '../types/apps-v1.ts'
import { nonNegative, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

function validate({ revision, data }: ControllerRevision): readonly FieldError[] {
  const missing = data === undefined || data === null
  return [...nonNegative(revision, 'revision'), ...(missing ? [required('data', 'data is mandatory')] : [])]
}

function ownerText({ metadata }: ControllerRevision): string {
  const owner = (metadata.ownerReferences ?? []).find(({ controller }) => controller === true)
  if (owner === undefined) return '<none>'
  const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : ''
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`
}

export const controllerRevisionRules: KindRules<ControllerRevision> = {
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  validateCreate: validate,
  validateUpdate: (next, old) => [...validate(next), ...unchanged(next.data, old.data, 'data')],
  columns: [
    nameColumn,
    column('Controller', 'The workload it belongs to.'),
    column('Revision', 'Its place in the history.'),
    ageColumn,
  ],
  cells: (revision, nowMs) => [
    revision.metadata.name,
    ownerText(revision),
    revision.revision,
    ageOf(revision.metadata.creationTimestamp, nowMs),
  ],
}
