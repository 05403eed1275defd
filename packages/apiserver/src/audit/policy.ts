// Which requests are recorded, and how much of each: upstream's audit policy, read, judged and asked.

import {
  auditLevels,
  auditStages,
  type AuditLevel,
  type AuditPolicy,
  type AuditPolicyRule,
  type AuditStage,
} from '@aksel/api/audit-policy'
import { invalid, notSupported, required, type FieldError } from '@aksel/api/field-errors'
import type { Attributes } from '../authorization/attributes.ts'
import type { UserInfo } from '../authentication/user-info.ts'
import { readConfiguration, type ConfigurationKind } from '../configuration-file.ts'

const rule = {
  level: 'string',
  users: 'strings',
  userGroups: 'strings',
  verbs: 'strings',
  resources: [{ group: 'string', resources: 'strings', resourceNames: 'strings' }],
  namespaces: 'strings',
  nonResourceURLs: 'strings',
  omitStages: 'strings',
  omitManagedFields: 'boolean',
} as const

const policyKind: ConfigurationKind = {
  kind: 'Policy',
  apiVersions: ['audit.k8s.io/v1'],
  fields: { metadata: { name: 'string' }, rules: [rule], omitStages: 'strings', omitManagedFields: 'boolean' },
}

/** Of the file that upstream's `--audit-policy-file` names. Throws an Error in words for its writer. */
export async function readAuditPolicy(text: string): Promise<AuditPolicy> {
  const policy = (await readConfiguration(text, policyKind)) as Partial<AuditPolicy>
  const { rules = [] } = policy
  if (rules.length === 0) throw new Error('loaded illegal policy with 0 rules')
  const faults = policyFaults({ ...policy, rules })
  if (faults.length > 0) throw new Error(faults.map(({ field, message }) => `${field}: ${message}`).join(', '))
  return { ...policy, rules }
}

function policyFaults({ rules, omitStages = [] }: AuditPolicy): readonly FieldError[] {
  return [
    ...stageFaults(omitStages, 'omitStages'),
    ...rules.flatMap((one, at) => [
      ...levelFaults(one.level, `rules[${at}].level`),
      ...urlFaults(one.nonResourceURLs ?? [], `rules[${at}].nonResourceURLs`),
      ...resourceFaults(one.resources ?? [], `rules[${at}].resources`),
      ...stageFaults(one.omitStages ?? [], `rules[${at}].omitStages`),
      ...mixFaults(one, `rules[${at}]`),
    ]),
  ]
}

function levelFaults(level: string, field: string): readonly FieldError[] {
  if (level === undefined || level === '') return [required(field)]
  return (auditLevels as readonly string[]).includes(level) ? [] : [notSupported(field, level, [...auditLevels].sort())]
}

function stageFaults(stages: readonly string[], field: string): readonly FieldError[] {
  return stages.flatMap((stage, at) =>
    (auditStages as readonly string[]).includes(stage)
      ? []
      : [notSupported(`${field}[${at}]`, stage, [...auditStages].sort())],
  )
}

function urlFaults(urls: readonly string[], field: string): readonly FieldError[] {
  return urls.flatMap((url, at) => {
    if (url === '*') return []
    const all: FieldError[] = []
    if (!url.startsWith('/'))
      all.push(invalid(`${field}[${at}]`, url, "non-resource URL rules must begin with a '/' character"))
    if (url.slice(0, -1).includes('*'))
      all.push(
        invalid(`${field}[${at}]`, url, "non-resource URL wildcards '*' must be the final character of the rule"),
      )
    return all
  })
}

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

function resourceFaults(groups: NonNullable<AuditPolicyRule['resources']>, field: string): readonly FieldError[] {
  return groups.flatMap(({ group = '', resources = [], resourceNames = [] }, at) => {
    const all: FieldError[] = []
    if (group !== '' && !subdomain.test(group))
      all.push(invalid(`${field}[${at}].group`, group, 'a lowercase RFC 1123 subdomain is expected'))
    if (resourceNames.length > 0 && resources.length === 0)
      all.push(
        invalid(`${field}[${at}].resourceNames`, resourceNames, 'using resourceNames requires at least one resource'),
      )
    return all
  })
}

function mixFaults(one: AuditPolicyRule, field: string): readonly FieldError[] {
  const { nonResourceURLs = [], resources = [], namespaces = [] } = one
  if (nonResourceURLs.length === 0 || (resources.length === 0 && namespaces.length === 0)) return []
  const why = 'rules cannot apply to both regular resources and non-resource URLs'
  return [invalid(`${field}.nonResourceURLs`, nonResourceURLs, why)]
}

/** What is asked of the policy: `user` is undefined for who could not be authenticated. */
export type AuditedAttributes = Omit<Attributes, 'user'> & { readonly user: UserInfo | undefined }

export interface AuditVerdict {
  readonly level: AuditLevel
  readonly omitStages: ReadonlySet<AuditStage>
  readonly omitManagedFields: boolean
}

export type JudgeAudit = (attributes: AuditedAttributes) => AuditVerdict

/** The first rule that matches decides; where none does, nothing is recorded. */
export function auditJudge(policy: AuditPolicy): JudgeAudit {
  const { rules, omitStages = [], omitManagedFields = false } = policy
  const verdicts = rules.map((one): AuditVerdict => ({
    level: one.level,
    omitStages: new Set([...omitStages, ...(one.omitStages ?? [])]),
    omitManagedFields: one.omitManagedFields ?? omitManagedFields,
  }))
  const nothing: AuditVerdict = { level: 'None', omitStages: new Set(omitStages), omitManagedFields }
  return (attributes) => verdicts[rules.findIndex((one) => matches(one, attributes))] ?? nothing
}

/** Without a policy of the operator's: who asked what, and how it went, once for each request. */
export const defaultAuditPolicy: AuditPolicy = { rules: [{ level: 'Metadata' }], omitStages: ['RequestReceived'] }

/** For whoever does nothing unrecorded: the stage before anything is done is the one that a request can be refused at. */
export const everyStagePolicy: AuditPolicy = { rules: [{ level: 'Metadata' }] }

function matches(one: AuditPolicyRule, attributes: AuditedAttributes): boolean {
  const { users = [], userGroups = [], verbs = [], namespaces = [], resources = [], nonResourceURLs = [] } = one
  const { user, verb } = attributes
  if (users.length > 0 && (user === undefined || !users.includes(user.name))) return false
  if (userGroups.length > 0 && !(user?.groups.some((group) => userGroups.includes(group)) ?? false)) return false
  if (verbs.length > 0 && !verbs.includes(verb)) return false
  if (namespaces.length > 0 || resources.length > 0) return matchesResource(one, attributes)
  if (nonResourceURLs.length > 0)
    return !attributes.isResource && nonResourceURLs.some((spec) => matchesPath(attributes.path, spec))
  return true
}

function matchesPath(path: string, spec: string): boolean {
  return spec === '*' || path === spec || (spec.endsWith('*') && path.startsWith(spec.replace(/\*+$/, '')))
}

function matchesResource({ namespaces = [], resources = [] }: AuditPolicyRule, attributes: AuditedAttributes): boolean {
  const { isResource, namespace, group, resource, subresource, name } = attributes
  if (!isResource || (namespaces.length > 0 && !namespaces.includes(namespace))) return false
  if (resources.length === 0) return true
  const combined = subresource === '' ? resource : `${resource}/${subresource}`
  return resources.some((one) => {
    if ((one.group ?? '') !== group) return false
    const { resources: named = [], resourceNames = [] } = one
    if (named.length === 0) return true
    if (resourceNames.length > 0 && !resourceNames.includes(name)) return false
    return named.some(
      (spec) =>
        spec === combined ||
        spec === '*' ||
        (subresource !== '' && spec === `*/${subresource}`) ||
        spec === `${resource}/*`,
    )
  })
}
