// A machine's namespace and its cable into the router.

import { isDeepStrictEqual } from 'node:util'
import type { HostObject } from '@aksel/host/ledger'
import { undoAll } from '@aksel/host/undo'
import type { Scope } from '@aksel/base/scope'
import type { Subnet } from '@aksel/provider/fabric'
import {
  deleteLink,
  ipBatch,
  ipForced,
  namespaceStands,
  setForwarding,
  setSysctls,
  settleAll,
  type FabricHost,
} from './host-commands.ts'
import { IPV6_SYSCTLS, ipv6Machine, ipv6PodRoutes } from './ipv6.ts'
import * as plumbing from './plumbing.ts'
import type { MachineState, NetworkState } from './state.ts'

export interface MachinePlace {
  readonly network: NetworkState
  readonly name: string
  readonly machine: MachineState
  readonly subnet: Subnet
  /** Of the subnet's bridge. */
  readonly slot: number
}

export function machineOwner(virtualNetworkId: string, machine: string): string {
  return `virtual-network/${virtualNetworkId}/machine/${machine}`
}

/** Makes what is missing. A namespace that stands is kept, because containers live in it; a torn cable is made anew. */
export async function ensureMachine(scope: Scope, host: FabricHost, place: MachinePlace): Promise<void> {
  const { network, machine, subnet } = place
  const name = plumbing.namespaceOf(machine)
  const stands = await namespaceStands(scope, host, name)
  if (stands && (await isPlugged(scope, host, machine))) {
    await ipBatch(scope, host, plumbing.routerOf(network), portLines(place))
    // A subnet may have become one of both families.
    return ensureIpv6(scope, host, place)
  }
  const owner = machineOwner(network.spec.id, place.name)
  const object: HostObject = { kind: 'network-namespace', name }
  const isRecorded = host.ledger.entries(owner).some((entry) => isDeepStrictEqual(entry.object, object))
  if (!isRecorded) await host.ledger.record(owner, object)
  if (stands) await unplug(scope, host, network, machine)
  await ipBatch(scope, host, undefined, [
    ...(stands ? [] : [`netns add ${name}`]),
    ...plumbing.machineCable(network, machine),
  ])
  await settleAll([
    ipBatch(scope, host, plumbing.routerOf(network), portLines(place)),
    ipBatch(scope, host, name, plumbing.machineInside(machine, subnet.addressPrefix)),
    setForwarding(scope, host, name),
  ])
  await ensureIpv6(scope, host, place)
}

function portLines({ machine, slot, subnet }: MachinePlace): readonly string[] {
  return [...plumbing.machinePort(machine, slot), ...ipv6PodRoutes(subnet, machine, slot)]
}

async function ensureIpv6(scope: Scope, host: FabricHost, { machine, subnet }: MachinePlace): Promise<void> {
  const lines = ipv6Machine(subnet, machine)
  if (lines.length === 0) return
  const name = plumbing.namespaceOf(machine)
  await setSysctls(scope, host, name, IPV6_SYSCTLS)
  await ipBatch(scope, host, name, lines)
}

export async function removeMachine(
  scope: Scope,
  host: FabricHost,
  place: Pick<MachinePlace, 'network' | 'name' | 'machine'>,
): Promise<void> {
  // First the cable: a namespace that a process still holds would keep it plugged.
  await unplug(scope, host, place.network, place.machine)
  await ipForced(scope, host, plumbing.routerOf(place.network), plumbing.forgottenPods(place.machine))
  const owner = machineOwner(place.network.spec.id, place.name)
  await undoAll(scope, { ledger: host.ledger, owner, run: host.run })
}

/** Both ends of a cable go together, wherever one of them is found. */
async function unplug(scope: Scope, host: FabricHost, network: NetworkState, machine: MachineState): Promise<void> {
  await deleteLink(scope, host, plumbing.routerOf(network), plumbing.portOf(machine))
  await deleteLink(scope, host, plumbing.namespaceOf(machine), 'eth0')
}

interface ShownLink {
  readonly flags: readonly string[]
  readonly addr_info: readonly { readonly local?: string }[]
}

/** As seen from inside: the link carries a signal and has its address. */
async function isPlugged(scope: Scope, host: FabricHost, machine: MachineState): Promise<boolean> {
  const argv = ['ip', '-n', plumbing.namespaceOf(machine), '-json', 'addr', 'show', 'dev', 'eth0']
  const shown = await host.run(scope, argv).catch(() => undefined)
  if (shown === undefined || shown.stdout.trim() === '') return false
  const [link] = JSON.parse(shown.stdout) as readonly ShownLink[]
  return link!.flags.includes('LOWER_UP') && link!.addr_info.some(({ local }) => local === machine.address)
}
