// ResourceQuota: how much a namespace may use, and uses.

import { draftOf } from '@aksel/base/draft'
import { parseQuantity } from '@aksel/base/quantity'
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

/** What quotas can count besides the names with a domain: requests, limits and numbers of objects. */
const counted =
  /^(cpu|memory|ephemeral-storage|requests\.(cpu|memory|storage|ephemeral-storage)|limits\.(cpu|memory|ephemeral-storage)|pods|(resource)?quotas|resourcequotas|services|replicationcontrollers|secrets|persistentvolumeclaims|configmaps|services\.(nodeports|loadbalancers)|(requests\.|limits\.)?hugepages-.*)$/
const whole =
  /^(pods|resourcequotas|services|replicationcontrollers|secrets|configmaps|persistentvolumeclaims|services\.(nodeports|loadbalancers)|count\/.*)$/

function validateList(list: Quantities, path: string): readonly FieldError[] {
  return Object.entries(list).flatMap(([name, quantity]) => {
    const at = `${path}[${name}]`
    const errors: FieldError[] = [...complain(at, name, qualifiedName(name))]
    if (!name.includes('/') && !counted.test(name))
      errors.push(invalid(at, name, 'must be a standard resource for quota'))
    errors.push(...validateQuantity(quantity, at))
    const isWhole = parseQuantity(quantity).nano % 10n ** 9n === 0n
    return whole.test(name) && !isWhole ? [...errors, invalid(at, String(quantity), 'must be an integer')] : errors
  })
}

/** Scopes that pick pods fit no other objects, and those without requests fit no amounts. */
function fits(scope: string, name: string): boolean {
  if (!counted.test(name) || scope === 'PriorityClass') return true
  const ofPods = /^(pods|cpu|memory|ephemeral-storage|(requests|limits)\.(cpu|memory|ephemeral-storage))$/.test(name)
  if (scope === 'BestEffort') return name === 'pods'
  if (scope === 'VolumeAttributesClass') return /^(persistentvolumeclaims|requests\.storage)$/.test(name)
  return ofPods
}

function validate({ spec }: ResourceQuota): readonly FieldError[] {
  const errors: FieldError[] = [...validateList(spec.hard ?? {}, 'spec.hard')]
  const given = spec.scopes ?? []
  for (const scope of given) {
    if (!scopes.includes(scope)) errors.push(invalid('spec.scopes', given, 'unsupported scope'))
    else if (Object.keys(spec.hard ?? {}).some((name) => !fits(scope, name)))
      errors.push(invalid('spec', given, 'unsupported scope applied to resource'))
  }
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
        else next.spec = draftOf(old.spec) as typeof next.spec
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
