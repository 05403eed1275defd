// The loops of the server that has a cluster's machines: they say what a machine is, and whether it is on.

import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { cloudNodeController } from '@aksel/controllers/cloud-node/controller'
import type { CloudInstances } from '@aksel/controllers/cloud-node/instances'
import { systemAccount } from '@aksel/controllers/identities'
import type { MachineProvider } from '@aksel/provider/machine-provider'
import type { Caches } from '@aksel/runtime/controller'
import { runControllers } from '@aksel/runtime/runner'
import type { ClusterRecord } from './cluster-record.ts'
import type { User } from './control-plane.ts'

/** As on AKS. */
export const CLOUD_NODE_MANAGER = 'cloud-node-manager'

/** The providers, which are opened after the engine: machines speak to its API servers. */
export interface MachinesOfClusters {
  readonly providers: () => readonly MachineProvider[]
}

export async function runMachineLoops(
  scope: Scope,
  options: {
    readonly machines: MachinesOfClusters
    readonly record: ClusterRecord
    readonly client: (user: User) => Client
  },
  caches: Caches,
): Promise<void> {
  const client = options.client(systemAccount(CLOUD_NODE_MANAGER))
  const instances = instancesOf(options.machines, options.record.spec.id)
  await runControllers(scope, { caches, controllers: [cloudNodeController({ client, caches, instances })] })
}

function instancesOf({ providers }: MachinesOfClusters, clusterId: string): CloudInstances {
  return {
    find: (name) => {
      for (const provider of providers()) {
        const { instance } = provider.find(clusterId, name) ?? {}
        if (instance !== undefined) return { ...instance, isShutDown: instance.state === 'Stopped' }
      }
      return undefined
    },
  }
}
