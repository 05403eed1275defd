// LimitRange: bounds and defaults for what pods and claims of a namespace ask for.

import { compareQuantities, parseQuantity } from '@aksel/base/quantity'
import type { Draft } from '@aksel/base/draft'
import { duplicate, forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import type { LimitRange, LimitRangeItem } from '../types/core-v1.ts'
import { qualifiedName } from '../validation/names.ts'
import { complain } from '../validation/values.ts'

type Quantities = Readonly<Record<string, string | number>>

function setDefaults({ spec }: Draft<LimitRange>): void {
  for (const item of spec.limits ?? []) {
    if (item.type !== 'Container') continue
    item.default = { ...item.max, ...item.default }
    item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest }
    if (Object.keys(item.default).length === 0) delete item.default
    if (Object.keys(item.defaultRequest).length === 0) delete item.defaultRequest
  }
}

function validate({ spec }: LimitRange): readonly FieldError[] {
  const types = new Set<string>()
  return (spec.limits ?? []).flatMap((item, index) => {
    const path = `spec.limits[${index}]`
    const errors: FieldError[] = [
      ...complain(`${path}.type`, item.type, qualifiedName(item.type)),
      ...validateItem(item, path),
    ]
    if (types.has(item.type)) errors.push(duplicate(`${path}.type`, item.type))
    types.add(item.type)
    return errors
  })
}

function validateItem(item: LimitRangeItem, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const lists: Readonly<Record<'min' | 'max' | 'default' | 'defaultRequest', Quantities>> = {
    min: item.min ?? {},
    max: item.max ?? {},
    default: item.default ?? {},
    defaultRequest: item.defaultRequest ?? {},
  }
  if (item.type === 'Pod') {
    if (Object.keys(lists.default).length > 0)
      errors.push(forbidden(`${path}.default`, "may not be specified when `type` is 'Pod'"))
    if (Object.keys(lists.defaultRequest).length > 0)
      errors.push(forbidden(`${path}.defaultRequest`, "may not be specified when `type` is 'Pod'"))
  }
  if (
    item.type === 'PersistentVolumeClaim' &&
    lists.min['storage'] === undefined &&
    lists.max['storage'] === undefined
  ) {
    errors.push(
      required(`${path}.limits`, 'either minimum or maximum storage value is required, but neither was provided'),
    )
  }
  const order = [
    ['min', 'max'],
    ['min', 'defaultRequest'],
    ['defaultRequest', 'default'],
    ['defaultRequest', 'max'],
    ['min', 'default'],
    ['default', 'max'],
  ] as const
  for (const [low, high] of order) {
    for (const [name, quantity] of Object.entries(lists[low])) {
      const other = lists[high][name]
      if (other === undefined || compareQuantities(parseQuantity(quantity), parseQuantity(other)) <= 0) continue
      const [small, large] = [wordsOf[low], wordsOf[high]]
      errors.push(
        invalid(
          `${path}.${low}[${name}]`,
          String(quantity),
          `${small} value ${quantity} is greater than ${large} value ${other}`,
        ),
      )
    }
  }
  for (const [name, ratio] of Object.entries(item.maxLimitRequestRatio ?? {})) {
    if (compareQuantities(parseQuantity(ratio), parseQuantity('1')) < 0)
      errors.push(invalid(`${path}.maxLimitRequestRatio[${name}]`, String(ratio), `ratio ${ratio} is less than 1`))
  }
  return errors
}

const wordsOf = { min: 'min', max: 'max', default: 'default limit', defaultRequest: 'default request' } as const

export const limitRangeRules: KindRules<LimitRange> = {
  group: '',
  version: 'v1',
  kind: 'LimitRange',
  default: setDefaults,
  validateCreate: validate,
}
