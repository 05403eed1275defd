// PodDisruptionBudget: how many pods of a set may be taken away at once.

import { draftOf, type Draft } from '@aksel/base/draft'
import { invalid, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { PodDisruptionBudget } from '../types/policy-v1.ts'
import { validateSelector } from '../validation/selectors.ts'
import { intOrPercent, nonNegative, notOver100Percent, oneOf } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

function validate({ spec }: PodDisruptionBudget): readonly FieldError[] {
  const errors: FieldError[] = []
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
    errors.push(invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set'))
  }
  for (const field of ['minAvailable', 'maxUnavailable'] as const) {
    errors.push(...intOrPercent(spec[field], `spec.${field}`), ...notOver100Percent(spec[field], `spec.${field}`))
  }
  errors.push(...validateSelector(spec.selector, 'spec.selector'))
  return [
    ...errors,
    ...oneOf(spec.unhealthyPodEvictionPolicy, ['AlwaysAllow', 'IfHealthyBudget'], 'spec.unhealthyPodEvictionPolicy'),
  ]
}

export const podDisruptionBudgetRules: KindRules<PodDisruptionBudget> = {
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  generationFields: ['spec'],
  validateCreate: validate,
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<PodDisruptionBudget>['spec']
      },
      validateUpdate: ({ status }) =>
        (['currentHealthy', 'desiredHealthy', 'expectedPods', 'disruptionsAllowed'] as const).flatMap((field) =>
          nonNegative(status?.[field], `status.${field}`),
        ),
    },
  },
  columns: [
    nameColumn,
    column('Min Available', 'Pods that must stay.'),
    column('Max Unavailable', 'Pods that may go.'),
    column('Allowed Disruptions', 'Pods that may go now.', 'integer'),
    ageColumn,
  ],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    String(spec?.minAvailable ?? 'N/A'),
    String(spec?.maxUnavailable ?? 'N/A'),
    status?.disruptionsAllowed ?? 0,
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}
