// Application routing as the resource provider orders it: its image on the cluster's machines, its objects in the cluster.

import { existsSync } from 'node:fs'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { installApplicationRouting, type ApplicationRoutingWish } from '@aksel/network/application-routing/install'
import { architectureOf } from '@aksel/node/images/builder'
import { HAPROXY, INOTIFYWAIT, ingressProxyImage } from '@aksel/node/images/ingress-proxy'
import type { ImageSpec } from '@aksel/node/images/oci-archive'
import { BUSYBOX, bringImage } from './extra-images.ts'
import type { HostParts } from './host-parts.ts'

/** Idempotent. Rejects where the host lacks what the proxies are made of. */
export async function ensureApplicationRouting(
  scope: Scope,
  { host, dataDir }: { readonly host: HostParts | undefined; readonly dataDir: string },
  cluster: { readonly id: string; readonly client: Client; readonly wish: ApplicationRoutingWish },
): Promise<void> {
  const { wish } = cluster
  // Simulated nodes pull nothing: their proxies are as simulated as they are.
  if (host !== undefined && (wish.ingress || wish.gatewayClass)) {
    const image = { host, dataDir, clusterId: cluster.id, name: 'ingress-proxy' }
    await bringImage(scope, image, () => proxyImage(scope))
  }
  await installApplicationRouting(cluster.client, wish)
}

async function proxyImage(scope: Scope): Promise<ImageSpec> {
  const missing = [HAPROXY, INOTIFYWAIT].filter((path) => !existsSync(path))
  if (missing.length > 0) {
    throw new Error(
      `Application routing needs Debian's packages haproxy and inotify-tools: ${missing.join(', ')} is missing`,
    )
  }
  return ingressProxyImage(scope, { architecture: architectureOf(process.arch), busyboxPath: BUSYBOX })
}
