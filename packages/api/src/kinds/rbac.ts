// Roles and bindings: who may do what. Their names are parts of paths, so that `system:node` is one.

import type { Draft } from '@aksel/base/draft'
import { invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import { deepEqual } from '../deep-equal.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '../types/rbac-v1.ts'
import { dnsSubdomain, pathSegmentName } from '../validation/names.ts'
import { validateSelector } from '../validation/selectors.ts'
import { complain } from '../validation/values.ts'
import { ageColumn, column, nameColumn, wide } from './columns.ts'

const GROUP = 'rbac.authorization.k8s.io'

function ruleErrors(
  rules: readonly PolicyRule[] | undefined,
  scope: { readonly namespaced: boolean },
): readonly FieldError[] {
  return (rules ?? []).flatMap((rule, index) => {
    const at = `rules[${index}]`
    const errors: FieldError[] = []
    if ((rule.verbs ?? []).length === 0) errors.push(required(`${at}.verbs`, 'verbs must contain at least one value'))
    const paths = rule.nonResourceURLs ?? []
    if (paths.length > 0) {
      if (scope.namespaced)
        errors.push(invalid(`${at}.nonResourceURLs`, paths, 'namespaced rules cannot apply to non-resource URLs'))
      if ([rule.apiGroups, rule.resources, rule.resourceNames].some((list) => (list ?? []).length > 0)) {
        errors.push(
          invalid(`${at}.nonResourceURLs`, paths, 'rules cannot apply to both regular resources and non-resource URLs'),
        )
      }
      return errors
    }
    if ((rule.apiGroups ?? []).length === 0)
      errors.push(required(`${at}.apiGroups`, 'resource rules must supply at least one api group'))
    if ((rule.resources ?? []).length === 0)
      errors.push(required(`${at}.resources`, 'resource rules must supply at least one resource'))
    return errors
  })
}

export const roleRules: KindRules<Role> = {
  group: GROUP,
  version: 'v1',
  kind: 'Role',
  nameRule: pathSegmentName,
  allowCreateOnUpdate: true,
  validateCreate: (role) => ruleErrors(role.rules, { namespaced: true }),
  columns: [nameColumn, column('Created At', 'When it was created.', 'date')],
  cells: (role) => [role.metadata.name, role.metadata.creationTimestamp ?? null],
}

export const clusterRoleRules: KindRules<ClusterRole> = {
  group: GROUP,
  version: 'v1',
  kind: 'ClusterRole',
  nameRule: pathSegmentName,
  allowCreateOnUpdate: true,
  validateCreate(role) {
    const selectors = role.aggregationRule?.clusterRoleSelectors
    const errors = ruleErrors(role.rules, { namespaced: false })
    if (role.aggregationRule === undefined) return errors
    if ((selectors ?? []).length === 0) {
      return [
        ...errors,
        required(
          'aggregationRule.clusterRoleSelectors',
          'at least one clusterRoleSelector required if aggregationRule is non-nil',
        ),
      ]
    }
    return [
      ...errors,
      ...selectors!.flatMap((selector, index) =>
        validateSelector(selector, `aggregationRule.clusterRoleSelectors[${index}]`),
      ),
    ]
  },
  columns: [nameColumn, column('Created At', 'When it was created.', 'date')],
  cells: (role) => [role.metadata.name, role.metadata.creationTimestamp ?? null],
}

interface Binding {
  readonly roleRef: RoleRef
  readonly subjects?: readonly Subject[]
}

function defaultBinding(binding: Draft<Binding>): void {
  if ((binding.roleRef.apiGroup ?? '') === '') binding.roleRef.apiGroup = GROUP
  for (const subject of binding.subjects ?? []) {
    if ((subject.apiGroup ?? '') === '' && subject.kind !== 'ServiceAccount') subject.apiGroup = GROUP
  }
}

function bindingErrors({ roleRef, subjects }: Binding, roles: readonly string[]): readonly FieldError[] {
  const errors: FieldError[] = []
  if (roleRef.apiGroup !== GROUP) errors.push(notSupported('roleRef.apiGroup', roleRef.apiGroup, [GROUP]))
  if (!roles.includes(roleRef.kind)) errors.push(notSupported('roleRef.kind', roleRef.kind, roles))
  if (roleRef.name === '') errors.push(required('roleRef.name'))
  else
    for (const complaint of pathSegmentName(roleRef.name, false))
      errors.push(invalid('roleRef.name', roleRef.name, complaint))
  return [
    ...errors,
    ...(subjects ?? []).flatMap((subject, index) => subjectErrors(subject, `subjects[${index}]`, roles.length === 2)),
  ]
}

function subjectErrors(subject: Subject, at: string, namespaced: boolean): readonly FieldError[] {
  const errors: FieldError[] = subject.name === '' ? [required(`${at}.name`)] : []
  if (subject.kind === 'ServiceAccount') {
    if (subject.name !== '') errors.push(...complain(`${at}.name`, subject.name, dnsSubdomain(subject.name)))
    if ((subject.apiGroup ?? '') !== '') errors.push(notSupported(`${at}.apiGroup`, subject.apiGroup, ['']))
    if (!namespaced && (subject.namespace ?? '') === '') errors.push(required(`${at}.namespace`))
  } else if (subject.kind === 'User' || subject.kind === 'Group') {
    if (subject.apiGroup !== GROUP) errors.push(notSupported(`${at}.apiGroup`, subject.apiGroup, [GROUP]))
  } else {
    errors.push(notSupported(`${at}.kind`, subject.kind, ['Group', 'ServiceAccount', 'User']))
  }
  return errors
}

function roleRefChange(next: Binding, old: Binding): readonly FieldError[] {
  return deepEqual(next.roleRef, old.roleRef) ? [] : [invalid('roleRef', next.roleRef, 'cannot change roleRef')]
}

const bindingColumns = [
  nameColumn,
  column('Role', 'The role that is bound.'),
  ageColumn,
  wide('Users', 'Users that are bound.'),
  wide('Groups', 'Groups that are bound.'),
  wide('ServiceAccounts', 'Service accounts that are bound.'),
]

function bindingCells(binding: RoleBinding | ClusterRoleBinding, nowMs: number): readonly string[] {
  const named = (kind: string): string =>
    (binding.subjects ?? [])
      .filter((subject) => subject.kind === kind)
      .map((subject) => (kind === 'ServiceAccount' ? `${subject.namespace ?? ''}/${subject.name}` : subject.name))
      .join(', ')
  const role = `${binding.roleRef.kind}/${binding.roleRef.name}`
  return [
    binding.metadata.name,
    role,
    ageOf(binding.metadata.creationTimestamp, nowMs),
    named('User'),
    named('Group'),
    named('ServiceAccount'),
  ]
}

export const roleBindingRules: KindRules<RoleBinding> = {
  group: GROUP,
  version: 'v1',
  kind: 'RoleBinding',
  nameRule: pathSegmentName,
  allowCreateOnUpdate: true,
  default: defaultBinding,
  validateCreate: (binding) => bindingErrors(binding, ['ClusterRole', 'Role']),
  validateUpdate: (next, old) => [...bindingErrors(next, ['ClusterRole', 'Role']), ...roleRefChange(next, old)],
  columns: bindingColumns,
  cells: bindingCells,
}

export const clusterRoleBindingRules: KindRules<ClusterRoleBinding> = {
  group: GROUP,
  version: 'v1',
  kind: 'ClusterRoleBinding',
  nameRule: pathSegmentName,
  allowCreateOnUpdate: true,
  default: defaultBinding,
  validateCreate: (binding) => bindingErrors(binding, ['ClusterRole']),
  validateUpdate: (next, old) => [...bindingErrors(next, ['ClusterRole']), ...roleRefChange(next, old)],
  columns: bindingColumns,
  cells: bindingCells,
}
