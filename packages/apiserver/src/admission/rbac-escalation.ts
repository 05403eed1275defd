// Nobody hands out rights that they do not have: roles and bindings are checked against what their writer may do.

import { deepEqual } from '@aksel/api/deep-equal'
import type { ClusterRole, PolicyRule, RoleBinding } from '@aksel/api/types/rbac-v1'
import type { Authorizer } from '../authorization/attributes.ts'
import { showRule, uncovered } from '../authorization/policy-rule.ts'
import type { RbacAuthorizer } from '../authorization/rbac.ts'
import { masters } from '../authentication/user-info.ts'
import { forbiddenError, notFoundError } from '../refusals.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'

const group = 'rbac.authorization.k8s.io'
const roles: ReadonlySet<string> = new Set(['roles', 'clusterroles'])

export function rbacEscalation(rbac: RbacAuthorizer, authorizer: Authorizer): AdmissionPlugin {
  const may = async (
    request: AdmissionRequest,
    verb: string,
    resource: string,
    name: string,
    namespace: string,
  ): Promise<boolean> => {
    const attributes = {
      user: request.user,
      verb,
      isResource: true,
      group,
      version: 'v1',
      resource,
      subresource: '',
      namespace,
      name,
      path: '',
    }
    return (await authorizer.authorize(attributes)).verdict === 'allow'
  }
  const assertCovered = async (request: AdmissionRequest, rules: readonly PolicyRule[]): Promise<void> => {
    const owned = await rbac.rulesFor(request.user, request.namespace)
    const missing = uncovered(owned, rules)
    if (missing.length === 0) return
    const groups = request.user.groups.map((one) => JSON.stringify(one)).join(' ')
    const name = request.object?.metadata.name ?? request.name
    throw forbiddenError(
      request.row,
      name,
      `user "${request.user.name}" (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${missing.map(showRule).join('\n')}`,
    )
  }
  return {
    name: 'RBACEscalation',
    handles: ({ operation, row, user }) =>
      row.group === group && operation !== 'DELETE' && !user.groups.includes(masters),
    async validate(request) {
      const { row, namespace, object, old } = request
      if (roles.has(row.plural)) {
        const role = object as unknown as ClusterRole
        const name = role.metadata.name
        const same = old !== undefined && deepEqual((old as ClusterRole).rules ?? [], role.rules ?? [])
        if (same && role.aggregationRule === undefined) return
        if (await may(request, 'escalate', row.plural, name, namespace)) return
        const all: PolicyRule = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }
        await assertCovered(request, role.aggregationRule === undefined ? (role.rules ?? []) : [all])
        return
      }
      const { roleRef } = object as unknown as RoleBinding
      const plural = roleRef.kind === 'Role' ? 'roles' : 'clusterroles'
      if (await may(request, 'bind', plural, roleRef.name, namespace)) return
      const rules = await rbac.rulesOfRole(roleRef, namespace)
      if (rules === undefined) throw notFoundError({ group, plural }, roleRef.name)
      await assertCovered(request, rules)
    },
  }
}
