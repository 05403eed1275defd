// Addresses of a subnet that the pods of a machine may have.

import { SubnetFullError, type Attachment, type Fabric } from '@aksel/provider/fabric'
import { allocatePodAddresses } from './allocate.ts'
import type { MachineState, NetworkState } from './state.ts'

type AttachRequest = Parameters<Fabric['attach']>[1]

/** What the machine has stays; the rest of what it is to have is added. */
export function addPods(network: NetworkState, machine: MachineState, { podAddresses: wish }: AttachRequest): void {
  if (wish === undefined) return
  const subnet = network.spec.subnets.find(({ id }) => id === wish.subnetId)
  if (subnet === undefined) throw new Error(`The VNet ${network.spec.id} has no subnet ${wish.subnetId} for pods`)
  const held = machine.pods?.addresses ?? []
  const missing = wish.count - held.length
  if (missing <= 0) return
  const more = allocatePodAddresses(network, subnet.addressPrefix, { count: missing, inBlocks: wish.inBlocks })
  if (more === undefined) throw new SubnetFullError(wish.subnetId, subnet.addressPrefix, missing)
  machine.pods = { subnetId: wish.subnetId, addresses: [...held, ...more] }
}

/** What an attachment says of them. */
export function podsOf({ spec }: NetworkState, { pods }: MachineState): Partial<Attachment> {
  const subnet = spec.subnets.find(({ id }) => id === pods?.subnetId)
  if (pods === undefined || subnet === undefined) return {}
  return { podAddresses: pods.addresses, podSubnetPrefix: subnet.addressPrefix }
}
