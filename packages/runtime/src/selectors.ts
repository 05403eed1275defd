// Label selectors as objects hold them, and as list requests spell them.

import type { LabelSelector, LabelSelectorRequirement } from '@aksel/api/types/meta-v1'

export type Labels = Readonly<Record<string, string>>

/** An empty selector matches everything; an absent one nothing. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  if (selector === undefined) return false
  return (
    matchesLabels(selector.matchLabels ?? {}, labels) &&
    (selector.matchExpressions ?? []).every((requirement) => matchesRequirement(requirement, labels ?? {}))
  )
}

/** True where every pair of `wanted` stands in `labels`. */
export function matchesLabels(wanted: Labels, labels: Labels | undefined): boolean {
  return Object.entries(wanted).every(([key, value]) => labels?.[key] === value)
}

export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length === 0 && (selector?.matchExpressions ?? []).length === 0
}

function matchesRequirement({ key, operator, values = [] }: LabelSelectorRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      // Validation refuses other operators; an object that got past it selects nothing.
      return false
  }
}

/** The text of a selector for a list request, in upstream's order: labels first, each sorted by key. */
export function formatSelector(selector: LabelSelector): string {
  const pairs = Object.entries(selector.matchLabels ?? {})
  const labels = pairs.toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([key, value]) => `${key}=${value}`)
  return [...labels, ...(selector.matchExpressions ?? []).map(formatRequirement)].join(',')
}

function formatRequirement({ key, operator, values = [] }: LabelSelectorRequirement): string {
  switch (operator) {
    case 'Exists':
      return key
    case 'DoesNotExist':
      return `!${key}`
    case 'In':
      return `${key} in (${values.join(',')})`
    case 'NotIn':
      return `${key} notin (${values.join(',')})`
    default:
      throw new Error(`Cannot write a selector: "${operator}" is not a valid label selector operator`)
  }
}

const setRequirement = /^\s*(\S+)\s+(in|notin)\s*\(([^)]*)\)\s*$/
const equalityRequirement = /^\s*([^\s!=]+)\s*(==|=|!=)\s*(\S*)\s*$/

/** Reads `a=b,c!=d,e in (f,g),h,!i`. Throws an Error for anything else. */
export function parseSelector(text: string): LabelSelector {
  const parts = text.split(/,(?![^(]*\))/).filter((part) => part.trim() !== '')
  return { matchExpressions: parts.map(parseRequirement) }
}

function parseRequirement(text: string): LabelSelectorRequirement {
  const set = setRequirement.exec(text)
  if (set !== null) {
    const values = set[3]!.split(',').map((value) => value.trim())
    return { key: set[1]!, operator: set[2] === 'in' ? 'In' : 'NotIn', values }
  }
  const equality = equalityRequirement.exec(text)
  if (equality !== null) {
    return { key: equality[1]!, operator: equality[2] === '!=' ? 'NotIn' : 'In', values: [equality[3]!] }
  }
  const name = /^\s*(!?)\s*([^\s!=]+)\s*$/.exec(text)
  if (name === null) throw new Error(`unable to parse requirement: "${text}"`)
  return { key: name[2]!, operator: name[1] === '!' ? 'DoesNotExist' : 'Exists' }
}
