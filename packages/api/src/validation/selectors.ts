// Rules on label selectors, and what a selector picks.

import { forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type { LabelSelector } from '../types/meta-v1.ts'
import { validateLabels } from './metadata.ts'
import { labelValue, qualifiedName } from './names.ts'
import { complain } from './values.ts'

/** An absent selector is fine here; kinds that need one say so themselves. */
export function validateSelector(selector: LabelSelector | undefined, path: string): readonly FieldError[] {
  const errors: FieldError[] = [...validateLabels(selector?.matchLabels, `${path}.matchLabels`)]
  for (const [index, requirement] of (selector?.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`
    const values = requirement.values ?? []
    switch (requirement.operator) {
      case 'In':
      case 'NotIn':
        if (values.length === 0)
          errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
        break
      case 'Exists':
      case 'DoesNotExist':
        if (values.length > 0)
          errors.push(forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        break
      default:
        errors.push(invalid(`${at}.operator`, requirement.operator, 'not a valid selector operator'))
    }
    errors.push(...complain(`${at}.key`, requirement.key, qualifiedName(requirement.key)))
    for (const [place, value] of values.entries())
      errors.push(...complain(`${at}.values[${place}]`, value, labelValue(value)))
  }
  return errors
}

export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length === 0 && (selector?.matchExpressions ?? []).length === 0
}

/** An empty selector picks everything, an absent one nothing. */
export function selectorPicks(selector: LabelSelector | undefined, labels: Readonly<Record<string, string>>): boolean {
  if (selector === undefined) return false
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    if (operator === 'In') return value !== undefined && values.includes(value)
    if (operator === 'NotIn') return value === undefined || !values.includes(value)
    return operator === 'Exists' ? value !== undefined : value === undefined
  })
}

/** `a=b,c in (d,e)`, as upstream prints selectors; `<none>` for an empty one. */
export function selectorText(selector: LabelSelector | undefined): string {
  if (selector === undefined || isEmptySelector(selector)) return '<none>'
  const parts: (readonly [string, string])[] = []
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) parts.push([key, `${key}=${value}`])
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const listed = `(${values.toSorted().join(',')})`
    if (operator === 'In') parts.push([key, `${key} in ${listed}`])
    else if (operator === 'NotIn') parts.push([key, `${key} notin ${listed}`])
    else parts.push([key, operator === 'Exists' ? key : `!${key}`])
  }
  return parts
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, text]) => text)
    .join(',')
}
