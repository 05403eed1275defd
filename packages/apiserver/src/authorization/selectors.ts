// Selectors as authorizers see them: what a list, a watch or the deletion of a collection is narrowed down to. Conditions that
// cannot be read are left out, as they could only narrow it further.

import { forbidden, invalid, notSupported, required, type FieldError } from '@aksel/api/field-errors'
import type { FieldSelectorAttributes, LabelSelectorAttributes } from '@aksel/api/types/authorization-v1'
import { labelRequirementsOf } from '../registry/label-selector.ts'
import { parseFieldSelector } from '../registry/selectors.ts'

type SelectorAttributes = FieldSelectorAttributes | LabelSelectorAttributes

export interface SelectorRequirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values?: readonly string[]
}

export interface Selected {
  readonly fieldSelector?: readonly SelectorRequirement[]
  readonly labelSelector?: readonly SelectorRequirement[]
}

const narrowed: ReadonlySet<string> = new Set(['list', 'watch', 'deletecollection'])

/** Of a request's query. */
export function selectedBy(verb: string, query: URLSearchParams): Selected {
  if (!narrowed.has(verb)) return {}
  const [fields, labels] = [query.get('fieldSelector'), query.get('labelSelector')]
  return {
    ...part('fieldSelector', fields === null ? [] : readable(() => fieldRequirements(fields))),
    ...part('labelSelector', labels === null ? [] : readable(() => labelRequirements(labels))),
  }
}

/** Of a review, and what of it could not be read. */
export function selectedByReview(resource: {
  readonly fieldSelector?: FieldSelectorAttributes
  readonly labelSelector?: LabelSelectorAttributes
}): Selected & { readonly faults: readonly string[] } {
  const faults: string[] = []
  const read = (
    selector: SelectorAttributes | undefined,
    field: string,
    parse: (text: string) => readonly SelectorRequirement[],
  ): readonly SelectorRequirement[] => {
    if (selector === undefined) return []
    const { rawSelector = '', requirements = [] } = selector
    try {
      return rawSelector === '' ? (requirements as readonly SelectorRequirement[]) : parse(rawSelector)
    } catch (error) {
      faults.push(`spec.resourceAttributes.${field} ignored due to parse error: ${(error as Error).message}`)
      return []
    }
  }
  const { fieldSelector, labelSelector } = resource
  return {
    ...part('fieldSelector', read(fieldSelector, 'fieldSelector', fieldRequirements)),
    ...part('labelSelector', read(labelSelector, 'labelSelector', labelRequirements)),
    faults,
  }
}

/** In upstream's words. */
export function selectorFaults(selector: SelectorAttributes | undefined, field: string): readonly FieldError[] {
  if (selector === undefined) return []
  const { rawSelector = '', requirements = [] } = selector
  const own: FieldError[] = []
  if (rawSelector !== '' && requirements.length > 0)
    own.push(invalid(`${field}.rawSelector`, rawSelector, 'may not specified at the same time as requirements'))
  if (rawSelector === '' && requirements.length === 0)
    own.push(required(`${field}.requirements`, `when ${field} is specified, requirements or rawSelector is required`))
  return [...own, ...requirements.flatMap((one, at) => requirementFaults(one, `${field}.requirements[${at}]`))]
}

function requirementFaults(
  {
    key = '',
    operator = '',
    values = [],
  }: { readonly key?: string; readonly operator?: string; readonly values?: readonly string[] },
  field: string,
): readonly FieldError[] {
  const faults: FieldError[] = []
  if (key === '') faults.push(required(`${field}.key`, 'must be specified'))
  if (['In', 'NotIn'].includes(operator)) {
    if (values.length === 0)
      faults.push(required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
  } else if (['Exists', 'DoesNotExist'].includes(operator)) {
    if (values.length > 0)
      faults.push(forbidden(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
  } else faults.push(notSupported(`${field}.operator`, operator, ['DoesNotExist', 'Exists', 'In', 'NotIn']))
  return faults
}

function fieldRequirements(text: string): readonly SelectorRequirement[] {
  return parseFieldSelector(text).map(({ field, equal, value }) => ({
    key: field,
    operator: equal ? 'In' : 'NotIn',
    values: [value],
  }))
}

function labelRequirements(text: string): readonly SelectorRequirement[] {
  return labelRequirementsOf(text).flatMap(({ key, operator, values }): readonly SelectorRequirement[] => {
    switch (operator) {
      case '=':
      case '==':
      case 'in':
        return [{ key, operator: 'In', values }]
      case '!=':
      case 'notin':
        return [{ key, operator: 'NotIn', values }]
      case 'exists':
        return [{ key, operator: 'Exists' }]
      case '!':
        return [{ key, operator: 'DoesNotExist' }]
      case '<':
      case '>':
        return []
      default:
        return operator satisfies never
    }
  })
}

function readable<T>(read: () => readonly T[]): readonly T[] {
  try {
    return read()
  } catch {
    return []
  }
}

function part<Key extends string>(
  key: Key,
  requirements: readonly SelectorRequirement[],
): { readonly [K in Key]?: readonly SelectorRequirement[] } {
  return (requirements.length === 0 ? {} : { [key]: requirements }) as {
    readonly [K in Key]?: readonly SelectorRequirement[]
  }
}
