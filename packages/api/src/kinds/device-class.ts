// DeviceClass: a sort of device that claims can ask for, as an administrator defined it.

import { invalid, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { DeviceClass } from '../types/resource-v1.ts'
import { configMax, validateSelectors } from '../validation/device-claim.ts'
import { validateConfiguration } from '../validation/device-names.ts'
import { validateList } from '../validation/lists.ts'
import { qualifiedName } from '../validation/names.ts'
import { isExtendedResource } from '../validation/resources.ts'
import { ageColumn, nameColumn } from './columns.ts'

function validate({ spec }: DeviceClass): readonly FieldError[] {
  const { selectors, config, extendedResourceName: name } = spec
  const errors: FieldError[] = [
    ...validateSelectors(selectors, 'spec.selectors'),
    ...validateList(config, 'spec.config', { max: configMax, item: validateConfiguration }),
  ]
  if (name !== undefined && (!isExtendedResource(name) || qualifiedName(`requests.${name}`).length > 0))
    errors.push(invalid('spec.extendedResourceName', name, 'must be a valid extended resource name'))
  return errors
}

export const deviceClassRules: KindRules<DeviceClass> = {
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'DeviceClass',
  generationFields: ['spec'],
  validateCreate: validate,
  validateUpdate: validate,
  columns: [nameColumn, ageColumn],
  cells: ({ metadata }, nowMs) => [metadata.name, ageOf(metadata.creationTimestamp, nowMs)],
}
