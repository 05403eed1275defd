// ResourceQuota: how much a namespace may use, and uses.

import { invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { ResourceQuota } from '../types/core-v1.ts'
import { qualifiedName } from '../validation/names.ts'
import { validateQuantity } from '../validation/resources.ts'
import { complain, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

type Quantities = Readonly<Record<string, string | number>>

const scopes = [
  'BestEffort',
  'CrossNamespacePodAffinity',
  'NotBestEffort',
  'NotTerminating',
  'PriorityClass',
  'Terminating',
  'VolumeAttributesClass',
]

function validateList(list: Quantities, path: string): readonly FieldError[] {
  return Object.entries(list).flatMap(([name, quantity]) => [
    ...complain(`${path}[${name}]`, name, qualifiedName(name)),
    ...validateQuantity(quantity, `${path}[${name}]`),
  ])
}

function validate({ spec }: ResourceQuota): readonly FieldError[] {
  const errors: FieldError[] = [...validateList(spec.hard ?? {}, 'spec.hard')]
  const given = spec.scopes ?? []
  for (const scope of given)
    if (!scopes.includes(scope)) errors.push(invalid('spec.scopes', given, 'unsupported scope'))
  for (const [one, other] of [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ] as const) {
    if (given.includes(one) && given.includes(other)) errors.push(invalid('spec.scopes', given, 'conflicting scopes'))
  }
  for (const [index, { scopeName, operator, values = [] }] of (spec.scopeSelector?.matchExpressions ?? []).entries()) {
    const at = `spec.scopeSelector.matchExpressions[${index}]`
    if (!scopes.includes(scopeName)) errors.push(invalid(`${at}.scopeName`, scopeName, 'unsupported scope'))
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0)
        errors.push(
          required(`${at}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"),
        )
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0)
        errors.push(
          invalid(
            `${at}.values`,
            values,
            "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
          ),
        )
    } else errors.push(notSupported(`${at}.operator`, operator, ['DoesNotExist', 'Exists', 'In', 'NotIn']))
  }
  return errors
}

function usageText({ status, spec }: ResourceQuota, isLimit: boolean): string {
  const hard: Quantities = status?.hard ?? spec?.hard ?? {}
  const names = Object.keys(hard).filter((name) => name.startsWith('limits') === isLimit)
  return names
    .sort()
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${hard[name]}`)
    .join(', ')
}

export const resourceQuotaRules: KindRules<ResourceQuota> = {
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  validateCreate: validate,
  validateUpdate: (next, old) => [
    ...validate(next),
    ...unchanged((next.spec?.scopes ?? []).toSorted(), (old.spec?.scopes ?? []).toSorted(), 'spec.scopes'),
  ],
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        if (old.spec === undefined) next.spec = {}
        else next.spec = structuredClone(old.spec) as typeof next.spec
      },
      validateUpdate: ({ status }) => [
        ...validateList(status?.hard ?? {}, 'status.hard'),
        ...validateList(status?.used ?? {}, 'status.used'),
      ],
    },
  },
  columns: [
    nameColumn,
    column('Request', 'What may be asked for, and is.'),
    column('Limit', 'What limits may add up to, and do.'),
    ageColumn,
  ],
  cells: (quota, nowMs) => [
    quota.metadata.name,
    usageText(quota, false),
    usageText(quota, true),
    ageOf(quota.metadata.creationTimestamp, nowMs),
  ],
}
