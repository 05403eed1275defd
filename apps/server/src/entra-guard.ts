// What AKS's guard is to an API server: tokens of the directory become users, and its role assignments are asked last. Whether it
// does either follows the cluster's profile, from one request to the next.

import type { IdentityDirectory } from '@aksel/apiserver/authorities'
import type { EntraDirectory, EntraProfile } from '@aksel/provider/entra'

/** The extra that tells a user of the directory from all others: in AKS's spelling. */
const OBJECT_ID = 'oid'
const noOpinion = 'Azure does not have opinion for this user.'

export function entraGuard(
  directory: EntraDirectory,
  of: { readonly clusterId: string; readonly audience: string; readonly profile: () => EntraProfile | undefined },
): IdentityDirectory {
  return {
    tokens: {
      async userOf(token, audiences = [of.audience]) {
        const profile = of.profile()
        // These tokens are meant for API servers alone: who reviews one for an audience of its own is not told of it.
        if (profile?.signIn !== true || !audiences.includes(of.audience)) return undefined
        const found = await directory.userOf(token, profile.tenantId)
        if (found === undefined) return undefined
        const { name, objectId, groups } = found
        return {
          user: { name, groups: [...groups, 'system:authenticated'], extra: { [OBJECT_ID]: [objectId] } },
          audiences: [of.audience],
        }
      },
    },
    authorizer: {
      isActive: () => of.profile()?.azureRbac === true,
      async authorize({ user, verb, isResource, group, resource, subresource, namespace, path }) {
        if (of.profile()?.azureRbac !== true) return { verdict: 'no opinion', reason: '' }
        const [objectId] = user.extra?.[OBJECT_ID] ?? []
        if (objectId === undefined) return { verdict: 'no opinion', reason: noOpinion }
        const request = { verb, isResource, group, resource, subresource, namespace, path }
        const { allowed, reason } = await directory.authorize({ clusterId: of.clusterId, objectId, request })
        return { verdict: allowed ? 'allow' : 'deny', reason }
      },
    },
  }
}
