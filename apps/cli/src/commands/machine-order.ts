// `aksel machine boot|reboot|…`: orders to machines, real ones and simulated ones in the same words. Power and disks are the
// front door's; what disturbs a simulated node is a fault that is written on it.

import { nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import { machineOrders, type MachineOrder, type OrderOptions } from '@aksel/provider/machine-orders'
import type { Machine } from '@aksel/provider/machine-provider'
import type { FaultKind } from '@aksel/compute/simulated/faults'
import { ArmClient } from '../arm-client.ts'
import { CommandError } from '../command-error.ts'
import { connectionFile, currentFile, readJsonFile, type ConnectionFile, type CurrentFile } from '../files.ts'
import type { CliOptions } from '../options.ts'
import { healMachines, isSimulated, orderFault, withClient, type MachineChoice } from './machine.ts'

const ZONE = 'topology.kubernetes.io/zone'

/** Throws a CommandError for a word that is no order, and for no machine. */
export async function orderMachines(
  options: CliOptions,
  word: string,
  choice: MachineChoice & OrderOptions,
): Promise<void> {
  if (!machineOrders.includes(word as MachineOrder))
    throw new CommandError(`There is no order "${word}"; the orders are: ${machineOrders.join(', ')}.`, 2)
  const order = word as MachineOrder
  const chosen: Node[] = []
  await withClient(options, async (client) => {
    chosen.push(...chooseMachines((await client.list(nodes)).items, choice))
  })
  const fault = faultOf(order, choice)
  for (const node of chosen) {
    const { name } = node.metadata
    if (isSimulated(node) && fault !== undefined) {
      if (fault === 'none') await healMachines(options, { node: [name] })
      else await orderFault(options, fault, { node: [name] })
      continue
    }
    const { heldBy, state } = await send(options, name, order, choice)
    process.stdout.write(`${name}: ${order} done, ${heldBy === undefined ? state : `${state} until it is booted`}\n`)
  }
}

/** What of a simulated node's faults an order means; undefined: power and disks. */
export function faultOf(order: MachineOrder, { resource }: OrderOptions = {}): FaultKind | 'none' | undefined {
  switch (order) {
    case 'partition':
      return 'lost'
    case 'slow':
      return 'slow-start'
    case 'fill':
      return resource === 'memory' ? 'oom' : 'disk-full'
    case 'heal':
      return 'none'
    case 'boot':
    case 'reboot':
    case 'reimage':
    case 'redeploy':
    case 'stop':
    case 'deallocate':
    case 'kill':
      return undefined
    default:
      return order satisfies never
  }
}

/** Real and simulated ones. */
export function chooseMachines(
  all: readonly Node[],
  { node: names = [], zone, all: every }: MachineChoice,
): readonly Node[] {
  if (names.length === 0 && zone === undefined && every !== true)
    throw new CommandError('Which machines? Give --node NAME, --zone ZONE or --all.', 2)
  const unknown = names.find((name) => !all.some(({ metadata }) => metadata.name === name))
  if (unknown !== undefined) throw new CommandError(`There is no node "${unknown}".`)
  return all.filter(
    ({ metadata }) =>
      every === true || names.includes(metadata.name) || (zone !== undefined && metadata.labels?.[ZONE] === zone),
  )
}

async function send(options: CliOptions, name: string, order: MachineOrder, body: OrderOptions): Promise<Machine> {
  const connection = readJsonFile<ConnectionFile>(connectionFile(options.dataDir))
  const current = readJsonFile<CurrentFile>(currentFile(options.dataDir))
  if (connection === undefined || current === undefined)
    throw new CommandError('There is no current cluster. Run "./aksel up" first.')
  const { bitsPerSecond, leaveBytes, resource } = body
  const cluster = `/subscriptions/${connection.subscriptionId}/resourceGroups/${current.resourceGroup}/providers/Microsoft.ContainerService/managedClusters/${current.cluster}`
  const answer = await new ArmClient(connection).send<Machine>({
    method: 'POST',
    path: `${cluster}/machines/${name}/${order}`,
    body: {
      ...(bitsPerSecond === undefined ? {} : { bitsPerSecond }),
      ...(leaveBytes === undefined ? {} : { leaveBytes }),
      ...(resource === undefined ? {} : { resource }),
    },
  })
  return answer.body
}
