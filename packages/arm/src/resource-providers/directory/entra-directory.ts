// The directory as API servers ask it: whose token this is, and what role assignments permit inside a cluster.

import type { Scope } from '@aksel/base/scope'
import type { EntraDirectory, EntraUser } from '@aksel/provider/entra'
import type { Store } from '@aksel/store/store'
import { aksServerId, openTokens, type Identity } from '../../front-door/tokens.ts'
import { keys, ResourceStore } from '../../store-keyspace.ts'
import { dataActionOf, dataScopeOf, managedScopeOf } from '../authorization/data-actions.ts'
import { accessOf } from '../authorization/role-assignments.ts'
import { groupsOf } from './directory-groups.ts'

/** In the words of AKS's guard. */
const notAllowed = 'User does not have access to the resource in Azure. Update role assignment to allow access.'

/** Answers from the store that the front door writes: what was granted holds from the next request on. */
export async function openEntraDirectory(scope: Scope, store: Store, identity: Identity): Promise<EntraDirectory> {
  const resources = new ResourceStore(store)
  const tokens = await openTokens(resources, identity)
  return {
    tenantId: identity.tenantId,
    async userOf(token, tenantId): Promise<EntraUser | undefined> {
      const holder = await tokens.holderOf(scope, token, [aksServerId])
      if (holder === undefined) return undefined
      if (tenantId !== undefined && holder.tenantId.toLowerCase() !== tenantId.toLowerCase()) return undefined
      const { objectId } = holder
      return { name: objectId, objectId, groups: await groupsOf(resources, objectId) }
    },
    async authorize({ clusterId, objectId, request }) {
      const access = await accessOf(resources, clusterId.split('/')[2]!, objectId)
      const wanted = { action: dataActionOf(request), data: true }
      const managed = managedScopeOf(clusterId, request)
      const isManaged = managed !== undefined && (await resources.get(keys.resource(managed))) !== undefined
      const grant =
        access.grantOf(wanted, dataScopeOf(clusterId, request)) ??
        (isManaged ? access.grantOf(wanted, managed) : undefined)
      if (grant === undefined) return { allowed: false, reason: notAllowed }
      const { assignment, role } = grant
      return {
        allowed: true,
        reason: `Access allowed by Azure RBAC Role Assignment ${assignment} of Role ${role.roleName} to user ${objectId}`,
      }
    },
  }
}
