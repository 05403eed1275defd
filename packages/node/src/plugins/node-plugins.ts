// The third-party programs that this node works with: storage drivers, found by their sockets.

import type { Scope } from '@aksel/base/scope'
import { childScope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { CsiDrivers } from '../csi/drivers.ts'
import { CsiMounts } from '../csi/mounts.ts'
import { PluginWatcher } from './plugin-watcher.ts'

export interface NodePluginsOptions {
  readonly client: Client
  readonly nodeName: string
  readonly rootDirectory: string
  /** A plug-in has come. */
  readonly onChange: () => void
}

export interface NodePlugins {
  readonly csi: CsiMounts
  /** Until the scope aborts; the node must stand in the API. */
  run(): Promise<void>
}

export function startPlugins(parent: Scope, options: NodePluginsOptions): NodePlugins {
  const scope = childScope(parent, { part: 'plugins' })
  const drivers = new CsiDrivers(scope, options)
  const watcher = new PluginWatcher(scope, {
    rootDirectory: options.rootDirectory,
    handlers: { CSIPlugin: drivers },
  })
  return {
    csi: new CsiMounts({ ...options, drivers }),
    async run() {
      await watcher.run()
      await drivers[Symbol.asyncDispose]()
    },
  }
}
