// Application routing as the resource provider orders it: its image on the cluster's machines, its objects in the cluster.

import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { installApplicationRouting, type ApplicationRoutingWish } from '@aksel/network/application-routing/install'
import { architectureOf, writeArchive } from '@aksel/node/images/builder'
import { HAPROXY, INOTIFYWAIT, ingressProxyImage } from '@aksel/node/images/ingress-proxy'
import type { HostParts } from './host-parts.ts'

const BUSYBOX = '/bin/busybox'

/** Idempotent. Rejects where the host lacks what the proxies are made of. */
export async function ensureApplicationRouting(
  scope: Scope,
  { host, dataDir }: { readonly host: HostParts | undefined; readonly dataDir: string },
  cluster: { readonly id: string; readonly client: Client; readonly wish: ApplicationRoutingWish },
): Promise<void> {
  const { wish } = cluster
  // Simulated nodes pull nothing: their proxies are as simulated as they are.
  if (host !== undefined && (wish.ingress || wish.gatewayClass)) await bringImage(scope, host, dataDir, cluster.id)
  await installApplicationRouting(cluster.client, wish)
}

async function bringImage(scope: Scope, host: HostParts, dataDir: string, clusterId: string): Promise<void> {
  const folder = join(dataDir, 'images', 'extra')
  if (!existsSync(join(folder, 'ingress-proxy.tar'))) {
    const missing = [HAPROXY, INOTIFYWAIT].filter((path) => !existsSync(path))
    if (missing.length > 0) {
      throw new Error(
        `Application routing needs Debian's packages haproxy and inotify-tools: ${missing.join(', ')} is missing`,
      )
    }
    await mkdir(folder, { recursive: true })
    const options = { architecture: architectureOf(process.arch), busyboxPath: BUSYBOX }
    await writeArchive(folder, 'ingress-proxy', await ingressProxyImage(scope, options))
  }
  // A start of a machine that runs imports what it has not yet; one that is made later does so by itself.
  const running = host.machines.list(clusterId).filter(({ state }) => state === 'Running')
  for (const { name } of running) await host.machines.start(scope, clusterId, name)
}
