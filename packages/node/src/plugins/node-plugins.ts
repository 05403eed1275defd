// The third-party programs that this node works with: storage drivers and device plug-ins, found by their sockets.

import { join } from 'node:path'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { childScope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { CsiDrivers } from '../csi/drivers.ts'
import { CsiMounts } from '../csi/mounts.ts'
import { containerDevices } from '../devices/container-devices.ts'
import type { ContainerDevices } from '../devices/container-devices.ts'
import { DeviceManager } from '../devices/device-manager.ts'
import { servePodResources } from '../devices/pod-resources.ts'
import { DraDrivers } from '../dra/dra-drivers.ts'
import { DraManager } from '../dra/dra-manager.ts'
import { PluginWatcher } from './plugin-watcher.ts'

export interface NodePluginsOptions {
  readonly client: Client
  readonly nodeName: string
  readonly rootDirectory: string
  /** A storage driver has come. */
  readonly onDriver: () => void
  /** What the node has changed. */
  readonly onDevices: () => void
  /** Pods of the node that have not come to an end. */
  readonly pods: () => readonly Pod[]
}

export interface NodePlugins {
  readonly csi: CsiMounts
  readonly devices: ContainerDevices
  readonly dra: DraManager
  /** Until the scope aborts; the node must stand in the API. */
  run(): Promise<void>
}

/** Resolves when it is known what earlier agents gave out. */
export async function startPlugins(parent: Scope, options: NodePluginsOptions): Promise<NodePlugins> {
  const { rootDirectory, pods } = options
  const scope = childScope(parent, { part: 'plugins' })
  const drivers = new CsiDrivers(scope, { ...options, onChange: options.onDriver })
  const manager = new DeviceManager(scope, {
    rootDirectory,
    activePods: () => new Set(pods().map(({ metadata }) => metadata.uid ?? '')),
    onChange: options.onDevices,
  })
  await manager.load()
  const draDrivers = new DraDrivers(scope, { ...options, onChange: options.onDriver })
  const dra = new DraManager({ ...options, drivers: draDrivers })
  await dra.load()
  const watcher = new PluginWatcher(scope, {
    rootDirectory,
    handlers: { CSIPlugin: drivers, DevicePlugin: manager, DRAPlugin: draDrivers },
  })
  return {
    csi: new CsiMounts({ ...options, drivers }),
    devices: containerDevices(rootDirectory, manager, dra),
    dra,
    async run() {
      const socketPath = join(rootDirectory, 'pod-resources', 'kubelet.sock')
      await using _resources = await servePodResources({ socketPath, manager, dra, pods })
      await draDrivers.start()
      await Promise.all([watcher.run(), manager.run()])
      await draDrivers[Symbol.asyncDispose]()
      await drivers[Symbol.asyncDispose]()
    },
  }
}
