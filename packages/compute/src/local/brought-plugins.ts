// Machines without a network plug-in: the folders where their user's brings itself, and the reference plug-ins that it finds there.

import { access, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ledger } from '@aksel/host/ledger'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import { networkPluginFolders, PLUGIN_CONFIGURATIONS, PLUGIN_PROGRAMS } from '@aksel/provider/network-plugin-folders'
import type { MachinePaths } from './machine-files.ts'
import { recordOnce } from './record-once.ts'

/** Debian's, of the package containernetworking-plugins. */
const REFERENCE_PLUGINS = '/usr/lib/cni'

/** What containerd is told: configurations that the user's plug-in writes, and wrappers of its programs. */
export function cniFolders({ paths, spec }: { readonly paths: MachinePaths; readonly spec: MachineSpec }): {
  readonly cniConfigDirectory: string
  readonly cniBinaryDirectory?: string
} {
  if (spec.podNetwork?.kind !== 'none') return { cniConfigDirectory: paths.cniConfigDirectory }
  return {
    cniConfigDirectory: join(paths.agentRoot, PLUGIN_CONFIGURATIONS),
    cniBinaryDirectory: paths.cniWrappers,
  }
}

/** Below the agent's folder; every machine has them, so that no pod's hostPath is the host's. */
export async function ensurePluginFolders(agentRoot: string): Promise<void> {
  const folders = [...Object.values(networkPluginFolders), PLUGIN_CONFIGURATIONS, PLUGIN_PROGRAMS]
  for (const folder of folders) await mkdir(join(agentRoot, folder), { recursive: true })
}

/** As on AKS's nodes, the reference plug-ins are there for plug-ins to build on. A user may put others in their place. */
export async function bringPlugins(ledger: Ledger, { agentRoot, cniWrappers }: MachinePaths): Promise<void> {
  await mkdir(cniWrappers, { recursive: true })
  // Where wrapped plug-ins have the machine's folders mounted, in a view of their own.
  for (const place of Object.keys(networkPluginFolders)) {
    if (await isThere(place)) continue
    await recordOnce(ledger, 'host', { kind: 'empty-folder', path: place })
    await mkdir(place, { recursive: true })
  }
  for (const name of await readdir(REFERENCE_PLUGINS)) {
    const program = join(agentRoot, PLUGIN_PROGRAMS, name)
    if (await isThere(program)) continue
    await writeFile(program, `#!/bin/sh\nexec ${join(REFERENCE_PLUGINS, name)} "$@"\n`, { mode: 0o755 })
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
