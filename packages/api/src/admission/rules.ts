// What webhooks and policies share: which requests concern them, and the expressions that narrow that down.

import { admissionEnvironment, compileAdmission } from '@aksel/cel/admission'
import { boolType } from '@aksel/cel/types'
import { duplicate, forbidden, invalid, notSupported, required, tooMany, type FieldError } from '../field-errors.ts'
import type { Draft } from '@aksel/base/draft'
import type {
  MatchCondition,
  MatchResources,
  NamedRuleWithOperations,
  ParamKind,
  ParamRef,
  RuleWithOperations,
} from '../types/admissionregistration-v1.ts'
import { dnsLabel1035, dnsSubdomain, pathSegment, qualifiedName } from '../validation/names.ts'
import { validateSelector } from '../validation/selectors.ts'
import { complain, oneOf, requiredOneOf } from '../validation/values.ts'

export const failurePolicies = ['Fail', 'Ignore'] as const
export const matchPolicies = ['Equivalent', 'Exact'] as const
export const reinvocationPolicies = ['IfNeeded', 'Never'] as const
const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']
const scopes = ['*', 'Cluster', 'Namespaced']
const matchConditionsMax = 64

export function validateRule(rule: RuleWithOperations, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const given = rule.operations ?? []
  if (given.length === 0) errors.push(required(`${path}.operations`))
  if (given.length > 1 && given.includes('*')) {
    errors.push(invalid(`${path}.operations`, given, "if '*' is present, must not specify other operations"))
  }
  for (const [index, operation] of given.entries()) {
    if (!operations.includes(operation)) {
      errors.push(notSupported(`${path}.operations[${index}]`, operation, operations))
    }
  }
  errors.push(...validateWords(rule.apiGroups, `${path}.apiGroups`, 'API groups', true))
  errors.push(...validateWords(rule.apiVersions, `${path}.apiVersions`, 'API versions', false))
  return [
    ...errors,
    ...validateResources(rule.resources ?? [], `${path}.resources`),
    ...oneOf(rule.scope, scopes, `${path}.scope`),
  ]
}

function validateWords(
  words: readonly string[] | undefined,
  path: string,
  what: string,
  mayBeEmpty: boolean,
): readonly FieldError[] {
  const given = words ?? []
  const errors: FieldError[] = []
  if (given.length === 0) errors.push(required(path))
  if (given.length > 1 && given.includes('*')) {
    errors.push(invalid(path, given, `if '*' is present, must not specify other ${what}`))
  }
  if (mayBeEmpty) return errors
  return [...errors, ...given.flatMap((word, index) => (word === '' ? [required(`${path}[${index}]`)] : []))]
}

function validateResources(resources: readonly string[], path: string): readonly FieldError[] {
  const errors: FieldError[] = resources.length === 0 ? [required(path)] : []
  const wholes = new Set<string>()
  const everywhere = new Set<string>()
  for (const [index, resource] of resources.entries()) {
    if (resource === '') {
      errors.push(required(`${path}[${index}]`))
      continue
    }
    const slash = resource.indexOf('/')
    if (slash < 0) continue
    const [name, sub] = [resource.slice(0, slash), resource.slice(slash + 1)]
    const complaint = (present: string): FieldError =>
      invalid(`${path}[${index}]`, resource, `if '${present}' is present, must not specify ${resource}`)
    if (wholes.has(name)) errors.push(complaint(`${name}/*`))
    if (everywhere.has(sub)) errors.push(complaint(`*/${sub}`))
    if (sub === '*') wholes.add(name)
    if (name === '*') everywhere.add(sub)
  }
  if (resources.length > 1 && resources.includes('*/*')) {
    errors.push(invalid(path, resources, "if '*/*' is present, must not specify other resources"))
  }
  const lastPlain = resources.findLast((resource) => resource !== '' && !resource.includes('/'))
  if (resources.includes('*') && lastPlain !== undefined && lastPlain !== '*') {
    errors.push(invalid(path, resources, "if '*' is present, must not specify other resources without subresources"))
  }
  return errors
}

export function defaultRules(rules: Draft<RuleWithOperations>[] | undefined): void {
  for (const rule of rules ?? []) rule.scope ??= '*'
}

/** `rules` were there before: their expressions are not judged again. */
export function validateMatchConditions(
  conditions: readonly MatchCondition[] | undefined,
  hasParams: boolean,
  path: string,
): readonly FieldError[] {
  const given = conditions ?? []
  const errors: FieldError[] = []
  if (given.length > matchConditionsMax) errors.push(tooMany(path, given.length, matchConditionsMax))
  const names = new Set<string>()
  for (const [index, { name, expression }] of given.entries()) {
    const at = `${path}[${index}]`
    errors.push(...validateCondition(expression, hasParams, `${at}.expression`))
    if (name === '') errors.push(required(`${at}.name`))
    else errors.push(...complain(`${at}.name`, name, qualifiedName(name)))
    if (name !== '' && names.has(name)) errors.push(duplicate(`${at}.name`, name))
    names.add(name)
  }
  return errors
}

function validateCondition(expression: string, hasParams: boolean, path: string): readonly FieldError[] {
  const trimmed = expression.trim()
  if (trimmed === '') return [required(path)]
  const env = admissionEnvironment({ hasParams, hasAuthorizer: true })
  const { complaint } = compileAdmission(trimmed, env, boolType)
  return complaint === undefined ? [] : [invalid(path, trimmed, complaint)]
}

export function defaultMatchResources(match: Draft<MatchResources> | undefined): void {
  if (match === undefined) return
  match.matchPolicy ??= 'Equivalent'
  match.namespaceSelector ??= {}
  match.objectSelector ??= {}
  defaultRules(match.resourceRules)
  defaultRules(match.excludeResourceRules)
}

export function validateMatchResources(match: MatchResources | undefined, path: string): readonly FieldError[] {
  if (match === undefined) return []
  return [
    ...requiredOneOf(match.matchPolicy, matchPolicies, `${path}.matchPolicy`),
    ...validateSelector(match.namespaceSelector, `${path}.namespaceSelector`),
    ...validateSelector(match.objectSelector, `${path}.objectSelector`),
    ...validateNamedRules(match.resourceRules, `${path}.resourceRules`),
    ...validateNamedRules(match.excludeResourceRules, `${path}.excludeResourceRules`),
  ]
}

function validateNamedRules(
  rules: readonly NamedRuleWithOperations[] | undefined,
  path: string,
): readonly FieldError[] {
  return (rules ?? []).flatMap((rule, index) => {
    const errors: FieldError[] = []
    const names = new Set<string>()
    for (const [place, name] of (rule.resourceNames ?? []).entries()) {
      const at = `${path}[${index}].resourceNames[${place}]`
      errors.push(...complain(at, name, pathSegment(name)))
      if (names.has(name)) errors.push(duplicate(at, name))
      names.add(name)
    }
    return [...errors, ...validateRule(rule, `${path}[${index}]`)]
  })
}

export function validateParamKind(kind: ParamKind | undefined, path: string): readonly FieldError[] {
  if (kind === undefined) return []
  const errors: FieldError[] = []
  const { apiVersion = '', kind: name = '' } = kind
  const parts = apiVersion.split('/')
  if (apiVersion === '') errors.push(required(`${path}.apiVersion`))
  else if (parts.length > 2) {
    errors.push(invalid(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`))
  } else {
    const [group, version] = parts.length === 1 ? ['', parts[0]!] : (parts as [string, string])
    if (group !== '') errors.push(...complain(`${path}.apiVersion`, group, joined(dnsSubdomain(group))))
    if (version === '') errors.push(invalid(`${path}.apiVersion`, apiVersion, 'version must be specified'))
    else errors.push(...complain(`${path}.apiVersion`, version, joined(dnsLabel1035(version))))
  }
  if (name === '') errors.push(required(`${path}.kind`))
  else {
    const complaints = joined(dnsLabel1035(name.toLowerCase()))
    const words = complaints.map((each) => `may have mixed case, but should otherwise match: ${each}`)
    errors.push(...complain(`${path}.kind`, name, words))
  }
  return errors
}

function joined(complaints: readonly string[]): readonly string[] {
  return complaints.length === 0 ? [] : [complaints.join(',')]
}

export function validateParamRef(ref: ParamRef | undefined, path: string): readonly FieldError[] {
  if (ref === undefined) return []
  const errors: FieldError[] = []
  const hasName = ref.name !== undefined && ref.name !== ''
  if (hasName) {
    errors.push(...complain(`${path}.name`, ref.name, pathSegment(ref.name)))
    if (ref.selector !== undefined) errors.push(forbidden(`${path}.name`, 'name and selector are mutually exclusive'))
  }
  if (ref.selector !== undefined) {
    errors.push(...validateSelector(ref.selector, `${path}.selector`))
    if (hasName) errors.push(forbidden(`${path}.selector`, 'name and selector are mutually exclusive'))
  }
  if (!hasName && ref.selector === undefined) {
    errors.push(required(path, 'one of name or selector must be specified'))
  }
  const action = ref.parameterNotFoundAction
  if (action === undefined || action === '') return [...errors, required(`${path}.parameterNotFoundAction`)]
  if (action === 'Deny' || action === 'Allow') return errors
  return [...errors, notSupported(`${path}.parameterNotFoundAction`, action, ['Deny', 'Allow'])]
}
