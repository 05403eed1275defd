// What `az aks command invoke` runs in: the image on the cluster's machines, kubectl and helm beside it.

import { existsSync } from 'node:fs'
import type { Scope } from '@aksel/base/scope'
import type { CommandRuntime } from '@aksel/arm/hub'
import { kubernetesTool } from '@aksel/host/kubernetes-tools'
import { architectureOf } from '@aksel/node/images/builder'
import { commandRuntimeImage, commandRuntimeReference, JQ } from '@aksel/node/images/command-runtime'
import { BUSYBOX, bringImage } from './extra-images.ts'
import type { HostParts } from './host-parts.ts'
import type { ServerOptions } from './options.ts'

/** Idempotent. Rejects where the host lacks what the image is made of. */
export async function bringCommandRuntime(
  scope: Scope,
  { host, options }: { readonly host: HostParts; readonly options: ServerOptions },
  clusterId: string,
): Promise<CommandRuntime> {
  const { dataDir, repositoryRoot } = options
  await bringImage(scope, { host, dataDir, clusterId, name: 'command-runtime' }, () => {
    if (!existsSync(JQ)) throw new Error(`Running commands needs Debian's package jq: ${JQ} is missing`)
    return commandRuntimeImage(scope, { architecture: architectureOf(process.arch), busyboxPath: BUSYBOX })
  })
  const tools = await Promise.all(
    (['kubectl', 'helm'] as const).map(async (name) => ({ name, path: await kubernetesTool(repositoryRoot, name) })),
  )
  return { image: commandRuntimeReference, tools }
}
