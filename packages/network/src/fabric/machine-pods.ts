// Addresses of a machine, and those of a subnet that its pods may have.

import type { Scope } from '@aksel/base/scope'
import { SubnetFullError, type Attachment, type Fabric } from '@aksel/provider/fabric'
import { allocateMachineAddress, allocatePodAddresses, freshKey } from './allocate.ts'
import type { FabricState, MachineState, NetworkState } from './state.ts'

type AttachRequest = Parameters<Fabric['attach']>[1]

/** The machine's place, kept or taken. Without waiting, so that machines attached side by side get different addresses. */
export function placeMachine(
  { random }: Pick<Scope, 'random'>,
  state: FabricState,
  network: NetworkState,
  request: AttachRequest,
): MachineState {
  const known = network.machines[request.machine]
  if (known !== undefined) return moveMachine(network, known, request)
  const { addressPrefix } = network.spec.subnets.find(({ id }) => id === request.subnetId)!
  const machine: MachineState = {
    key: freshKey(state, random),
    subnetId: request.subnetId,
    address: allocateMachineAddress(network, request.subnetId, addressPrefix),
    ...(request.podCidr === undefined ? {} : { podCidr: request.podCidr }),
    ...(request.ipv6PodCidr === undefined ? {} : { ipv6PodCidr: request.ipv6PodCidr }),
  }
  network.machines[request.machine] = machine
  try {
    addPods(network, machine, request)
  } catch (error) {
    delete network.machines[request.machine]
    throw error
  }
  return machine
}

function moveMachine(network: NetworkState, known: MachineState, request: AttachRequest): MachineState {
  if (known.subnetId !== request.subnetId) {
    throw new Error(`Cannot attach "${request.machine}" to ${request.subnetId}: it is attached to ${known.subnetId}`)
  }
  if (request.podCidr === undefined) delete known.podCidr
  else known.podCidr = request.podCidr
  if (request.ipv6PodCidr === undefined) delete known.ipv6PodCidr
  else known.ipv6PodCidr = request.ipv6PodCidr
  addPods(network, known, request)
  return known
}

/** What the machine has stays; the rest of what it is to have is added. */
function addPods(network: NetworkState, machine: MachineState, { podAddresses: wish }: AttachRequest): void {
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

/** Takes these of its pods' addresses from the machine; what went, as a machine with nothing else. */
export function forgetPods(machine: MachineState, addresses: readonly string[]): MachineState {
  const { podCidr: _, ipv6PodCidr: __, pods, ...rest } = machine
  if (pods === undefined) return rest
  const going = pods.addresses.filter((address) => addresses.includes(address))
  machine.pods = { ...pods, addresses: pods.addresses.filter((address) => !going.includes(address)) }
  return { ...rest, pods: { ...pods, addresses: going } }
}

/** What an attachment says of them. */
export function podsOf({ spec }: NetworkState, { pods }: MachineState): Partial<Attachment> {
  const subnet = spec.subnets.find(({ id }) => id === pods?.subnetId)
  if (pods === undefined || subnet === undefined) return {}
  return { podAddresses: pods.addresses, podSubnetPrefix: subnet.addressPrefix }
}
