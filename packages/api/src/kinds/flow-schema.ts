// FlowSchema: which requests belong to which priority level, and how they are told apart.

import { draftOf, type Draft } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type {
  FlowSchema,
  FlowSchemaSpec,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from '../types/flowcontrol-v1.ts'
import { dnsLabel, dnsSubdomain } from '../validation/names.ts'
import { complain } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { mandatoryFlowSchemas, matchingPrecedenceMax } from './flow-control-names.ts'

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch']

const subjectFields = { ServiceAccount: 'serviceAccount', User: 'user', Group: 'group' } as const

function validate({ metadata, spec, status }: FlowSchema): readonly FieldError[] {
  const fixed = mandatoryFlowSchemas[metadata.name]
  const errors: FieldError[] = [...validateSpec(metadata.name, spec)]
  if (fixed !== undefined && !deepEqual(withoutUnset(spec), withoutUnset(fixed)))
    errors.push(invalid('spec', spec, `spec of '${metadata.name}' must equal the fixed value`))
  return [...errors, ...validateConditions(status?.conditions)]
}

/** Decoded objects carry no undefined fields, but ours may. */
function withoutUnset(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown
}

function validateSpec(name: string, spec: FlowSchemaSpec): readonly FieldError[] {
  const errors: FieldError[] = []
  const { matchingPrecedence: precedence, distinguisherMethod, priorityLevelConfiguration } = spec
  const at = 'spec.matchingPrecedence'
  if (precedence <= 0) errors.push(invalid(at, precedence, 'must be a positive value'))
  if (precedence > matchingPrecedenceMax)
    errors.push(invalid(at, precedence, `must not be greater than ${matchingPrecedenceMax}`))
  if (precedence === 1 && name !== 'exempt')
    errors.push(invalid(at, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"))
  if (distinguisherMethod !== undefined && !['ByNamespace', 'ByUser'].includes(distinguisherMethod.type))
    errors.push(notSupported('spec.distinguisherMethod.type', distinguisherMethod, ['ByNamespace', 'ByUser']))
  const level = priorityLevelConfiguration.name
  if (level === '') errors.push(required('spec.priorityLevelConfiguration.name', 'must reference a priority level'))
  else errors.push(...complain('spec.priorityLevelConfiguration.name', level, dnsSubdomain(level)))
  return [...errors, ...(spec.rules ?? []).flatMap((rule, index) => validateRule(rule, `spec.rules[${index}]`))]
}

function validateRule(rule: PolicyRulesWithSubjects, path: string): readonly FieldError[] {
  const { subjects, resourceRules = [], nonResourceRules = [] } = rule
  const errors: FieldError[] = subjects.flatMap((subject, index) =>
    validateSubject(subject, `${path}.subjects[${index}]`),
  )
  if (subjects.length === 0) errors.push(required(`${path}.subjects`, 'subjects must contain at least one value'))
  if (resourceRules.length === 0 && nonResourceRules.length === 0)
    errors.push(required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'))
  for (const [index, each] of resourceRules.entries())
    errors.push(...validateResourceRule(each, `${path}.resourceRules[${index}]`))
  for (const [index, each] of nonResourceRules.entries())
    errors.push(...validateNonResourceRule(each, `${path}.nonResourceRules[${index}]`))
  return errors
}

function validateSubject(subject: Subject, path: string): readonly FieldError[] {
  const kinds = Object.keys(subjectFields) as (keyof typeof subjectFields)[]
  const own = kinds.find((kind) => kind === subject.kind)
  if (own === undefined) return [notSupported(`${path}.kind`, subject.kind, kinds.toSorted())]
  const field = subjectFields[own]
  const errors: FieldError[] = []
  const value = subject[field]
  if (value === undefined)
    errors.push(required(`${path}.${field}`, `${field} is required when subject kind is '${own}'`))
  else if (value.name === '') errors.push(required(`${path}.${field}.name`))
  if (own === 'ServiceAccount' && subject.serviceAccount !== undefined) {
    const { name, namespace } = subject.serviceAccount
    if (name !== '' && name !== '*') errors.push(...complain(`${path}.${field}.name`, name, dnsSubdomain(name)))
    if (namespace === '')
      errors.push(required(`${path}.${field}.namespace`, 'must specify namespace for service account'))
    else errors.push(...complain(`${path}.${field}.namespace`, namespace, dnsLabel(namespace)))
  }
  for (const other of ['ServiceAccount', 'User', 'Group'] as const) {
    const name = subjectFields[other]
    if (other !== own && subject[name] !== undefined)
      errors.push(forbidden(`${path}.${name}`, `${name} is forbidden when subject kind is not '${other}'`))
  }
  return errors
}

function validateVerbs(given: readonly string[], path: string): readonly FieldError[] {
  if (given.length === 0) return [required(path, 'verbs must contain at least one value')]
  if (given.includes('*')) return validateAlone(given, path, 'verbs')
  return given.every((verb) => verbs.includes(verb)) ? [] : [notSupported(path, given, verbs)]
}

/** A `*` says it all. */
function validateAlone(given: readonly string[], path: string, what: string): readonly FieldError[] {
  return given.length > 1 && given.includes('*')
    ? [invalid(path, given, `if '*' is present, must not specify other ${what}`)]
    : []
}

function validateNonResourceRule(rule: NonResourcePolicyRule, path: string): readonly FieldError[] {
  const { nonResourceURLs: urls } = rule
  const at = `${path}.nonResourceURLs`
  const errors: FieldError[] = [...validateVerbs(rule.verbs, `${path}.verbs`)]
  if (urls.length === 0) return [...errors, required(at, 'nonResourceURLs must contain at least one value')]
  if (urls.includes('*')) return [...errors, ...validateAlone(urls, at, 'non-resource URLs')]
  return [...errors, ...urls.flatMap((url, index) => validateUrl(url, `${at}[${index}]`))]
}

function validateUrl(url: string, path: string): readonly FieldError[] {
  const wrong = (why: string): readonly FieldError[] => [invalid(path, url, why)]
  if (url === '') return wrong('must not be empty')
  if (url === '/') return []
  if (!url.startsWith('/')) return wrong('must start with slash')
  if (url.includes(' ')) return wrong('must not contain white-space')
  if (url.includes('//')) return wrong('must not contain double slash')
  const stars = url.split('*').length - 1
  return stars > 1 || (stars === 1 && !url.endsWith('/*')) ? wrong('wildcard can only do suffix matching') : []
}

function validateResourceRule(rule: ResourcePolicyRule, path: string): readonly FieldError[] {
  const { apiGroups, resources, namespaces, clusterScope } = rule
  const errors: FieldError[] = [...validateVerbs(rule.verbs, `${path}.verbs`)]
  if (apiGroups.length === 0)
    errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'))
  else errors.push(...validateAlone(apiGroups, `${path}.apiGroups`, 'api groups'))
  if (resources.length === 0)
    errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'))
  else errors.push(...validateAlone(resources, `${path}.resources`, 'resources'))
  const at = `${path}.namespaces`
  if (namespaces.length === 0 && clusterScope !== true)
    errors.push(required(at, 'resource rules that are not cluster scoped must supply at least one namespace'))
  else if (namespaces.includes('*')) errors.push(...validateAlone(namespaces, at, 'namespaces'))
  else {
    for (const [index, namespace] of namespaces.entries()) {
      const wrong = dnsLabel(namespace).map(
        (each) => `each member of this list must be '*' or a DNS-1123 label; ${each}`,
      )
      errors.push(...complain(`${at}[${index}]`, namespace, wrong))
    }
  }
  return errors
}

/** Conditions of either kind of flow control. */
export function validateConditions(conditions: readonly { readonly type?: string }[] = []): readonly FieldError[] {
  const seen = new Set<string>()
  return conditions.flatMap(({ type = '' }, index) => {
    const at = `status.conditions[${index}].type`
    const errors: FieldError[] = seen.has(type) ? [duplicate(at, type)] : []
    seen.add(type)
    return type === '' ? [...errors, required(at, 'must not be empty')] : errors
  })
}

export const flowSchemaRules: KindRules<FlowSchema> = {
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'FlowSchema',
  generationFields: ['spec'],
  default({ spec }: Draft<FlowSchema>) {
    if (spec.matchingPrecedence === 0) spec.matchingPrecedence = 1000
  },
  validateCreate: validate,
  validateUpdate: validate,
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<FlowSchema>['spec']
      },
      validateUpdate: ({ status }) => validateConditions(status?.conditions),
    },
  },
  columns: [
    nameColumn,
    column('PriorityLevel', 'The level that its requests are served at.'),
    column('MatchingPrecedence', 'The schema with the lowest number is asked first.'),
    column('DistinguisherMethod', 'How flows are told apart.'),
    ageColumn,
    column('MissingPL', 'Whether its level does not exist.'),
  ],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    spec.priorityLevelConfiguration.name,
    spec.matchingPrecedence,
    spec.distinguisherMethod?.type ?? '<none>',
    ageOf(metadata.creationTimestamp, nowMs),
    status?.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?',
  ],
}
