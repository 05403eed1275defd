// `/var/lib/kubelet` is what third-party plug-ins know a node by: their manifests mount folders of it. Several machines
// share a host here, so each has a folder of its own, and that name leads to it: in hostPath volumes, and in every path
// that passes between the agent and a plug-in.

import { join } from 'node:path'
import { isAtOrBelow } from '@aksel/host/mount-table'
import { networkPluginFolders } from '@aksel/provider/network-plugin-folders'

export const kubeletDirectory = '/var/lib/kubelet'

/** Where drivers describe devices to container runtimes; each machine has its own. */
export const cdiDirectory = '/var/run/cdi'

/** Where a path that a plug-in or a manifest names lies on the host. */
export function hostPathOf(rootDirectory: string, path: string): string {
  const clean = join(path)
  if (isAtOrBelow(clean, cdiDirectory)) return join(rootDirectory, 'cdi', clean.slice(cdiDirectory.length))
  for (const [place, folder] of Object.entries(networkPluginFolders)) {
    if (isAtOrBelow(clean, place)) return join(rootDirectory, folder, clean.slice(place.length))
  }
  if (!isAtOrBelow(clean, kubeletDirectory)) return path
  return join(rootDirectory, clean.slice(kubeletDirectory.length))
}

/** What a plug-in calls a path of the host below the agent's folder. */
export function publicPathOf(rootDirectory: string, path: string): string {
  if (!isAtOrBelow(path, rootDirectory)) return path
  return join(kubeletDirectory, path.slice(rootDirectory.length))
}
