// The desktop on the front door's own port: what it is told of this server's clusters.

import type { Scope } from '@aksel/base/scope'
import { currentBuild } from '@aksel/desktop/built-page'
import { createDesktop, type Desktop } from '@aksel/desktop/desktop'
import type { EmbeddedEngine } from './embedded-engine.ts'
import type { FrontDoorIdentity } from './front-door-identity.ts'

export function openDesktop(
  scope: Scope,
  parts: {
    readonly engine: EmbeddedEngine
    readonly identity: FrontDoorIdentity
    readonly repositoryRoot: string
    /** Known once the front door listens. */
    readonly armUrl: () => string
  },
): Desktop {
  const { engine, identity } = parts
  const { subscriptionId, tenantId } = identity
  return createDesktop(scope, {
    scheme: 'https',
    assets: () => currentBuild(parts.repositoryRoot),
    frontDoor: () => ({ url: parts.armUrl(), caPem: identity.authority.certificatePem, tenantId, subscriptionId }),
    endpointOf(group, name) {
      const id =
        `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.ContainerService/managedClusters/${name}`.toLowerCase()
      const status = engine.status(id)
      return status === undefined ? undefined : { server: status.localUrl, caPem: status.certificateAuthority }
    },
    isOwnServer: (server) => engine.ids.some((id) => engine.status(id)?.localUrl === server),
  })
}
