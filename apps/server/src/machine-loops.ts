// The loops of the server that has a cluster's machines: they say what a machine is, and whether it is on, and repair it.

import { nodes } from '@aksel/api/resources'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { servingApprover, servingApprovingController } from '@aksel/controllers/certificates/serving'
import { cloudNodeController } from '@aksel/controllers/cloud-node/controller'
import type { CloudInstances } from '@aksel/controllers/cloud-node/instances'
import { nodeRepairController, remediator, type RepairableMachines } from '@aksel/controllers/node-repair/controller'
import type { RepairPeriods } from '@aksel/controllers/node-repair/judge'
import { systemAccount } from '@aksel/controllers/identities'
import type { MachineProvider } from '@aksel/provider/machine-provider'
import type { Caches } from '@aksel/runtime/controller'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import { runControllers } from '@aksel/runtime/runner'
import type { ClusterRecord } from './cluster-record.ts'
import type { User } from './control-plane.ts'

/** As on AKS. */
export const CLOUD_NODE_MANAGER = 'cloud-node-manager'

/** The providers, which are opened after the engine: machines speak to its API servers. */
export interface MachinesOfClusters {
  readonly providers: () => readonly MachineProvider[]
  /** Whether the resource provider lets a machine be repaired by itself. */
  readonly mayRepair: (clusterId: string, name: string) => Promise<boolean>
  /** Does the work while the cluster's machines are this server's, as often as that begins. Resolves when the scope ends. */
  readonly whileHere: (scope: Scope, clusterId: string, work: (scope: Scope) => Promise<void>) => Promise<void>
  /** AKS's when absent. */
  readonly repairPeriods?: RepairPeriods
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
  const { machines, record, client } = options
  const { id } = record.spec
  const controllers = [
    cloudNodeController({
      client: client(systemAccount(CLOUD_NODE_MANAGER)),
      caches,
      instances: instancesOf(machines, id),
    }),
    servingApprovingController({ client: client({ name: servingApprover, groups: ['system:authenticated'] }), caches }),
    nodeRepairController({
      client: client({ name: remediator, groups: ['system:authenticated'] }),
      caches,
      machines: repairsOf(machines, id),
      ...(machines.repairPeriods === undefined ? {} : { periods: machines.repairPeriods }),
    }),
  ]
  using _telling = tellShortages(scope, options, caches)
  await runControllers(scope, { caches, controllers })
}

/** A node whose pods find no address says why, in the words of the subnet. */
function tellShortages(
  scope: Scope,
  { machines, record, client }: Parameters<typeof runMachineLoops>[1],
  caches: Caches,
): Disposable {
  const telling = new DisposableStack()
  const own = client(systemAccount(CLOUD_NODE_MANAGER))
  const known = caches.of(nodes)
  for (const provider of machines.providers()) {
    const listening = provider.onAddressShortage?.(({ clusterId, name, message }) => {
      const node = clusterId === record.spec.id ? known.get(name) : undefined
      if (node === undefined) return
      const about = referenceTo(nodes, node)
      void recordEvent(scope, own, { about, type: 'Warning', reason: 'SubnetIsFull', message, source: 'azure-cns' })
    })
    if (listening !== undefined) telling.use(listening)
  }
  return telling
}

function repairsOf({ providers, mayRepair }: MachinesOfClusters, clusterId: string): RepairableMachines {
  const holderOf = (name: string): MachineProvider | undefined =>
    providers().find((provider) => provider.find(clusterId, name) !== undefined)
  return {
    mayRepair: async (name) => {
      const machine = holderOf(name)?.find(clusterId, name)
      if (machine === undefined || machine.heldBy !== undefined || machine.state === 'Stopped') return false
      return mayRepair(clusterId, name)
    },
    repair: async (scope, name, repair) => {
      const holder = holderOf(name)
      if (holder === undefined) throw new Error(`There is no machine "${name}" any more`)
      await holder.order(scope, { clusterId, name }, repair, {})
    },
  }
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
