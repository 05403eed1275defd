// A machine's namespace and its cable into the router.

import { isDeepStrictEqual } from 'node:util'
import type { HostObject } from '@aksel/host/ledger'
import { undoAll } from '@aksel/host/undo'
import type { Scope } from '@aksel/base/scope'
import {
  deleteLink,
  ipBatch,
  ipForced,
  namespaceStands,
  setForwarding,
  settleAll,
  type FabricHost,
} from './host-commands.ts'
import * as plumbing from './plumbing.ts'
import type { MachineState, NetworkState } from './state.ts'

export interface MachinePlace {
  readonly network: NetworkState
  readonly name: string
  readonly machine: MachineState
  /** Of the subnet: its bridge's number, and its range. */
  readonly slot: number
  readonly prefix: string
}

export function machineOwner(virtualNetworkId: string, machine: string): string {
  return `virtual-network/${virtualNetworkId}/machine/${machine}`
}

/** Makes what is missing. A namespace that stands is kept, because containers live in it; a torn cable is made anew. */
export async function ensureMachine(scope: Scope, host: FabricHost, place: MachinePlace): Promise<void> {
  const { network, machine, slot, prefix } = place
  const name = plumbing.namespaceOf(machine)
  const stands = await namespaceStands(scope, host, name)
  if (stands && (await isPlugged(scope, host, machine))) {
    return ipBatch(scope, host, plumbing.routerOf(network), plumbing.machinePort(machine, slot))
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
    ipBatch(scope, host, plumbing.routerOf(network), plumbing.machinePort(machine, slot)),
    ipBatch(scope, host, name, plumbing.machineInside(machine, prefix)),
    setForwarding(scope, host, name),
  ])
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
