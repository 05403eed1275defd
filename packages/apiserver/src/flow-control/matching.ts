// Which flow a request belongs to: the first flow schema, by precedence, that has a rule for who asks and for what.

import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from '@aksel/api/types/flowcontrol-v1'
import type { UserInfo } from '../authentication/user-info.ts'
import type { RequestInfo } from '../request-info.ts'

/** By precedence, then by name, as upstream breaks ties. */
export function byPrecedence(schemas: readonly FlowSchema[]): readonly FlowSchema[] {
  const precedence = ({ spec }: FlowSchema): number => spec?.matchingPrecedence ?? 1000
  return schemas.toSorted((a, b) => precedence(a) - precedence(b) || (a.metadata.name < b.metadata.name ? -1 : 1))
}

export function schemaMatches({ spec }: FlowSchema, user: UserInfo, info: RequestInfo): boolean {
  return (spec?.rules ?? []).some((rule) => ruleMatches(rule, user, info))
}

/** What tells flows of one schema apart. */
export function distinguisherOf({ spec }: FlowSchema, user: UserInfo, info: RequestInfo): string {
  switch (spec?.distinguisherMethod?.type) {
    case 'ByUser':
      return user.name
    case 'ByNamespace':
      return info.namespace
    default:
      return ''
  }
}

function ruleMatches(rule: PolicyRulesWithSubjects, user: UserInfo, info: RequestInfo): boolean {
  if (!rule.subjects.some((subject) => subjectMatches(subject, user))) return false
  return info.isResource
    ? (rule.resourceRules ?? []).some((one) => resourceMatches(one, info))
    : (rule.nonResourceRules ?? []).some((one) => pathMatches(one, info))
}

function subjectMatches(subject: Subject, user: UserInfo): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.user?.name === '*' || subject.user?.name === user.name
    case 'Group':
      return subject.group?.name === '*' || user.groups.includes(subject.group?.name ?? '')
    case 'ServiceAccount': {
      const { namespace = '', name = '' } = subject.serviceAccount ?? {}
      const prefix = `system:serviceaccount:${namespace}:`
      return name === '*' ? user.name.startsWith(prefix) : user.name === `${prefix}${name}`
    }
    default:
      return false
  }
}

function resourceMatches(
  rule: ResourcePolicyRule,
  { verb, group, resource, subresource, namespace }: RequestInfo,
): boolean {
  const combined = subresource === '' ? resource : `${resource}/${subresource}`
  return (
    has(rule.verbs, verb) &&
    has(rule.apiGroups, group) &&
    has(rule.resources, combined) &&
    (namespace === '' ? rule.clusterScope === true : has(rule.namespaces ?? [], namespace))
  )
}

function pathMatches({ verbs, nonResourceURLs }: NonResourcePolicyRule, { verb, path }: RequestInfo): boolean {
  if (!has(verbs, verb)) return false
  return nonResourceURLs.some(
    (url) => url === '*' || url === path || (url.endsWith('/*') && path.startsWith(url.slice(0, -1))),
  )
}

function has(list: readonly string[], value: string): boolean {
  return list.includes('*') || list.includes(value)
}
