// Label and field selectors as they stand in queries, read into predicates; complaints in upstream's words.

import { ApiError } from '@aksel/base/errors'

export type Labels = Readonly<Record<string, string>>

interface Requirement {
  readonly key: string
  readonly operator: 'in' | 'notin' | 'exists' | 'absent' | 'gt' | 'lt'
  readonly values: readonly string[]
}

const setShape = /^([^\s=!,()<>]+)\s+(in|notin)\s*\(([^()]*)\)$/
const equalShape = /^([^\s=!,()<>]+)\s*(==|=|!=|>|<)\s*([^\s=!,()<>]*)$/
const existsShape = /^(!?)\s*([^\s=!,()<>]+)$/
const keyShape = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const valueShape = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

/** Reads `app=web,tier in (a,b),!old`; undefined for no condition at all. Throws BadRequest. */
export function parseLabelSelector(text: string): ((labels: Labels | undefined) => boolean) | undefined {
  if (text.trim() === '') return undefined
  const requirements = splitOutsideBrackets(text).map((part) => requirementOf(part.trim(), text))
  return (labels = {}) => requirements.every((requirement) => meets(requirement, labels))
}

function requirementOf(part: string, whole: string): Requirement {
  const set = setShape.exec(part)
  if (set !== null) {
    const values = set[3]!.split(',').map((value) => value.trim())
    return checked({ key: set[1]!, operator: set[2] as 'in' | 'notin', values }, whole)
  }
  const equal = equalShape.exec(part)
  if (equal !== null) {
    const operator = equal[2] === '!=' ? 'notin' : equal[2] === '>' ? 'gt' : equal[2] === '<' ? 'lt' : 'in'
    return checked({ key: equal[1]!, operator, values: [equal[3]!] }, whole)
  }
  const exists = existsShape.exec(part)
  if (exists === null) throw unparsable(whole, part)
  return checked({ key: exists[2]!, operator: exists[1] === '!' ? 'absent' : 'exists', values: [] }, whole)
}

function checked(requirement: Requirement, whole: string): Requirement {
  if (!keyShape.test(requirement.key)) throw unparsable(whole, requirement.key)
  if (requirement.operator === 'gt' || requirement.operator === 'lt') {
    if (!/^-?\d+$/.test(requirement.values[0]!)) throw unparsable(whole, requirement.values[0]!)
    return requirement
  }
  const bad = requirement.values.find((value) => !valueShape.test(value))
  if (bad !== undefined) throw unparsable(whole, bad)
  return requirement
}

function unparsable(whole: string, found: string): ApiError {
  return new ApiError(
    'BadRequest',
    `unable to parse requirement: found '${found}' in "${whole}", expected: a label key, an operator and values as in 'key=value', 'key in (a,b)', '!key'`,
  )
}

function meets({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'in':
      return value !== undefined && values.includes(value)
    case 'notin':
      return value === undefined || !values.includes(value)
    case 'exists':
      return value !== undefined
    case 'absent':
      return value === undefined
    case 'gt':
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) > Number(values[0])
    case 'lt':
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) < Number(values[0])
    default:
      return operator satisfies never
  }
}

function splitOutsideBrackets(text: string): readonly string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '(') depth += 1
    else if (text[at] === ')') depth -= 1
    else if (text[at] === ',' && depth === 0) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

export interface FieldTerm {
  readonly field: string
  readonly equal: boolean
  readonly value: string
}

/** Reads `spec.nodeName=a,status.phase!=Running`. Values may escape `\`, `,` and `=` with a backslash. Throws BadRequest. */
export function parseFieldSelector(text: string): readonly FieldTerm[] {
  if (text.trim() === '') return []
  return text.split(/(?<!\\),/).map((part) => {
    const match = /^([^=!]+?)(==|=|!=)(.*)$/.exec(part)
    if (match === null) {
      throw new ApiError('BadRequest', `invalid selector: '${text}'; can't understand '${part}'`)
    }
    return { field: match[1]!.trim(), equal: match[2] !== '!=', value: match[3]!.replaceAll(/\\([\\,=])/g, '$1') }
  })
}

export function meetsFields(terms: readonly FieldTerm[], fields: Readonly<Record<string, string>>): boolean {
  return terms.every(({ field, equal, value }) => ((fields[field] ?? '') === value) === equal)
}
