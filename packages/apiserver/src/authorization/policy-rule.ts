// One RBAC rule: does it allow this, and do some rules together cover another.

import type { PolicyRule } from '@aksel/api/types/rbac-v1'
import type { Attributes } from './attributes.ts'

export type { PolicyRule }

export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!matches(rule.verbs, attributes.verb)) return false
  if (!attributes.isResource) return (rule.nonResourceURLs ?? []).some((url) => urlMatches(url, attributes.path))
  const names = rule.resourceNames ?? []
  return (
    matches(rule.apiGroups ?? [], attributes.group) &&
    resourceMatches(rule.resources ?? [], attributes.resource, attributes.subresource) &&
    (names.length === 0 || names.includes(attributes.name))
  )
}

function matches(allowed: readonly string[], asked: string): boolean {
  return allowed.includes('*') || allowed.includes(asked)
}

function resourceMatches(allowed: readonly string[], resource: string, subresource: string): boolean {
  const asked = subresource === '' ? resource : `${resource}/${subresource}`
  return allowed.some((one) => one === '*' || one === asked || (subresource !== '' && one === `*/${subresource}`))
}

function urlMatches(pattern: string, path: string): boolean {
  if (pattern === '*' || pattern === path) return true
  return pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1))
}

/** The parts of `asked` that `owned` does not cover: empty when a holder of `owned` may hand out `asked`. */
export function uncovered(owned: readonly PolicyRule[], asked: readonly PolicyRule[]): readonly PolicyRule[] {
  return asked.flatMap(simpleRules).filter((simple) => !owned.some((rule) => covers(rule, simple)))
}

/** A rule as rules of one verb, one group, one resource and at most one name each. */
function simpleRules(rule: PolicyRule): readonly PolicyRule[] {
  const simple: PolicyRule[] = []
  for (const verb of rule.verbs) {
    for (const url of rule.nonResourceURLs ?? []) simple.push({ verbs: [verb], nonResourceURLs: [url] })
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const base = { verbs: [verb], apiGroups: [group], resources: [resource] }
        const names = rule.resourceNames ?? []
        if (names.length === 0) simple.push(base)
        else for (const name of names) simple.push({ ...base, resourceNames: [name] })
      }
    }
  }
  return simple
}

function covers(owner: PolicyRule, simple: PolicyRule): boolean {
  if (!matches(owner.verbs, simple.verbs[0]!)) return false
  const url = simple.nonResourceURLs?.[0]
  if (url !== undefined) return (owner.nonResourceURLs ?? []).some((one) => urlCovers(one, url))
  const [resource = '', subresource = ''] = simple.resources![0]!.split('/')
  const owned = owner.resources ?? []
  const coversResource =
    owned.includes('*') ||
    owned.includes(simple.resources![0]!) ||
    (subresource !== '' && owned.includes(`*/${subresource}`))
  const names = owner.resourceNames ?? []
  const name = simple.resourceNames?.[0]
  const coversName = names.length === 0 || (name !== undefined && names.includes(name))
  return resource !== '' && matches(owner.apiGroups ?? [], simple.apiGroups![0]!) && coversResource && coversName
}

function urlCovers(owned: string, asked: string): boolean {
  if (owned === '*' || owned === asked) return true
  return owned.endsWith('*') && asked.startsWith(owned.slice(0, -1))
}

/** As upstream shows a missing rule: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`. */
export function showRule(rule: PolicyRule): string {
  const list = (values: readonly string[]): string => `[${values.map((value) => JSON.stringify(value)).join(' ')}]`
  const parts: string[] = []
  if (rule.apiGroups?.length) parts.push(`APIGroups:${list(rule.apiGroups)}`)
  if (rule.resources?.length) parts.push(`Resources:${list(rule.resources)}`)
  if (rule.resourceNames?.length) parts.push(`ResourceNames:${list(rule.resourceNames)}`)
  if (rule.nonResourceURLs?.length) parts.push(`NonResourceURLs:${list(rule.nonResourceURLs)}`)
  parts.push(`Verbs:${list(rule.verbs)}`)
  return `{${parts.join(', ')}}`
}
