// Role-based access control from the stored roles and bindings. They are indexed by subject when first needed, and again
// when one of them changes.

import type { KindRow } from '@aksel/api/kind-row'
import type { LabelSelector } from '@aksel/api/types/meta-v1'
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '@aksel/api/types/rbac-v1'
import type { RecordStore } from '../registry/record-store.ts'
import type { UserInfo } from '../authentication/user-info.ts'
import { noOpinion, type Attributes, type Authorizer, type Decision } from './attributes.ts'
import { ruleAllows } from './policy-rule.ts'

export interface RbacRows {
  readonly roles: KindRow
  readonly roleBindings: KindRow
  readonly clusterRoles: KindRow
  readonly clusterRoleBindings: KindRow
}

interface Grant {
  /** '' for the whole cluster. */
  readonly namespace: string
  readonly rules: readonly PolicyRule[]
  /** `ClusterRoleBinding "x" of ClusterRole "y" to Group "z"`, for the reason of an allowance. */
  readonly why: string
}

type GrantIndex = ReadonlyMap<string, readonly Grant[]>

export class RbacAuthorizer implements Authorizer {
  readonly #records: RecordStore
  readonly #rows: RbacRows
  #index: Promise<GrantIndex> | undefined

  constructor(records: RecordStore, rows: RbacRows, signal: AbortSignal) {
    this.#records = records
    this.#rows = rows
    for (const row of Object.values(rows) as KindRow[]) {
      records.onChange(row, signal, () => (this.#index = undefined))
    }
  }

  async authorize(attributes: Attributes): Promise<Decision> {
    const index = await this.#grants()
    for (const grant of grantsOf(index, attributes.user)) {
      if (grant.namespace !== '' && grant.namespace !== attributes.namespace) continue
      if (!attributes.isResource && grant.namespace !== '') continue
      if (grant.rules.some((rule) => ruleAllows(rule, attributes))) {
        return { verdict: 'allow', reason: `RBAC: allowed by ${grant.why}` }
      }
    }
    return noOpinion
  }

  /** All rules that the user has in the namespace, cluster-wide ones included. */
  async rulesFor(user: UserInfo, namespace: string): Promise<readonly PolicyRule[]> {
    const rules: PolicyRule[] = []
    for (const grant of grantsOf(await this.#grants(), user)) {
      if (grant.namespace === '' || grant.namespace === namespace) rules.push(...grant.rules)
    }
    return rules
  }

  /** The rules of a role as a binding in the namespace refers to it; undefined where there is no such role. */
  async rulesOfRole(ref: RoleRef, namespace: string): Promise<readonly PolicyRule[] | undefined> {
    if (ref.kind === 'Role') {
      const record = await this.#records.get(this.#rows.roles, namespace, ref.name)
      return record === undefined ? undefined : ((record.object as Role).rules ?? [])
    }
    const record = await this.#records.get(this.#rows.clusterRoles, '', ref.name)
    if (record === undefined) return undefined
    const all = (await this.#records.list(this.#rows.clusterRoles)).map((one) => one.object as ClusterRole)
    return rulesOfClusterRole(record.object as ClusterRole, all)
  }

  #grants(): Promise<GrantIndex> {
    if (this.#index !== undefined) return this.#index
    const building = this.#build()
    building.catch(() => (this.#index = undefined))
    return (this.#index = building)
  }

  async #build(): Promise<GrantIndex> {
    const read = async <T>(row: KindRow): Promise<readonly T[]> =>
      (await this.#records.list(row)).map((record) => record.object as T)
    const [clusterRoles, roles, clusterRoleBindings, roleBindings] = await Promise.all([
      read<ClusterRole>(this.#rows.clusterRoles),
      read<Role>(this.#rows.roles),
      read<ClusterRoleBinding>(this.#rows.clusterRoleBindings),
      read<RoleBinding>(this.#rows.roleBindings),
    ])
    const rulesByRole = new Map<string, readonly PolicyRule[]>()
    for (const role of clusterRoles)
      rulesByRole.set(roleKey('ClusterRole', '', role.metadata.name), rulesOfClusterRole(role, clusterRoles))
    for (const role of roles)
      rulesByRole.set(roleKey('Role', role.metadata.namespace!, role.metadata.name), role.rules ?? [])
    const index = new Map<string, Grant[]>()
    const add = (kind: string, binding: ClusterRoleBinding | RoleBinding, namespace: string): void => {
      const { roleRef } = binding
      const rules = rulesByRole.get(roleKey(roleRef.kind, roleRef.kind === 'Role' ? namespace : '', roleRef.name))
      if (rules === undefined) return
      const place = namespace === '' ? binding.metadata.name : `${binding.metadata.name}/${namespace}`
      for (const subject of binding.subjects ?? []) {
        const why = `${kind} "${place}" of ${roleRef.kind} "${roleRef.name}" to ${showSubject(subject)}`
        const key = subjectKey(subject, namespace)
        const grants = index.get(key)
        if (grants === undefined) index.set(key, [{ namespace, rules, why }])
        else grants.push({ namespace, rules, why })
      }
    }
    for (const binding of clusterRoleBindings) add('ClusterRoleBinding', binding, '')
    for (const binding of roleBindings) add('RoleBinding', binding, binding.metadata.namespace!)
    return index
  }
}

function* grantsOf(index: GrantIndex, user: UserInfo): Generator<Grant> {
  yield* index.get(`User ${user.name}`) ?? []
  for (const group of user.groups) yield* index.get(`Group ${group}`) ?? []
}

function subjectKey(subject: Subject, namespace: string): string {
  if (subject.kind !== 'ServiceAccount') return `${subject.kind} ${subject.name}`
  return `User system:serviceaccount:${subject.namespace ?? namespace}:${subject.name}`
}

function showSubject(subject: Subject): string {
  return subject.kind === 'ServiceAccount'
    ? `ServiceAccount "${subject.name}/${subject.namespace ?? ''}"`
    : `${subject.kind} "${subject.name}"`
}

function roleKey(kind: string, namespace: string, name: string): string {
  return `${kind} ${namespace} ${name}`
}

/** Its own rules, and those of all roles that its aggregation selects. */
export function rulesOfClusterRole(
  role: ClusterRole,
  all: readonly ClusterRole[],
  visiting = new Set<string>(),
): readonly PolicyRule[] {
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? []
  if (selectors.length === 0) return role.rules ?? []
  visiting.add(role.metadata.name)
  const rules: PolicyRule[] = []
  for (const other of all) {
    if (visiting.has(other.metadata.name) || !selectors.some((one) => selects(one, other.metadata.labels ?? {})))
      continue
    rules.push(...rulesOfClusterRole(other, all, visiting))
  }
  return rules
}

export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false
  return (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
    const value = labels[key]
    if (operator === 'Exists') return value !== undefined
    if (operator === 'DoesNotExist') return value === undefined
    const isIn = value !== undefined && (values ?? []).includes(value)
    return operator === 'In' ? isIn : !isIn
  })
}
