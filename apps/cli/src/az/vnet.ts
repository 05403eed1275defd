// `az network vnet`: the networks that clusters were given, and their subnets.

import type { Command } from 'commander'
import { addLeaf, required } from './command.ts'
import { flatten, resourceGroupOf, type ArmResource } from './resources.ts'
import { get, listAll, subscriptionPath, type CommonFlags, type Session } from './session.ts'

interface GroupFlags extends CommonFlags {
  readonly resourceGroup: string
}

interface ListFlags extends CommonFlags {
  readonly resourceGroup?: string
}

interface NetworkFlags extends GroupFlags {
  readonly name: string
}

interface SubnetsFlags extends GroupFlags {
  readonly vnetName: string
}

interface SubnetFlags extends SubnetsFlags {
  readonly name: string
}

interface CheckFlags extends NetworkFlags {
  readonly ipAddress: string
}

const pathOf = (session: Session, flags: GroupFlags, network: string): string =>
  `${networksPath(session, flags)}/${encodeURIComponent(network)}`

function networksPath(session: Session, flags: ListFlags): string {
  const group = flags.resourceGroup === undefined ? '' : `/resourcegroups/${encodeURIComponent(flags.resourceGroup)}`
  return `${subscriptionPath(session, flags)}${group}/providers/Microsoft.Network/virtualNetworks`
}

const networkRow = (network: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  Name: network['name'],
  ResourceGroup: resourceGroupOf(String(network['id'])),
  Location: network['location'],
  NumSubnets: (network['subnets'] as readonly unknown[]).length,
  Prefixes: (network['addressSpace'] as { readonly addressPrefixes: readonly string[] }).addressPrefixes.join(', '),
})

const subnetRow = (subnet: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  Name: subnet['name'],
  ResourceGroup: subnet['resourceGroup'],
  AddressPrefix: subnet['addressPrefix'],
  ProvisioningState: subnet['provisioningState'],
})

const inGroup = (command: Command): Command =>
  command.addOption(required('-g, --resource-group <name>', 'name of the resource group'))

const named = (command: Command): Command => inGroup(command).addOption(required('-n, --name <name>', 'its name'))

const ofNetwork = (command: Command): Command =>
  inGroup(command).addOption(required('--vnet-name <name>', 'name of the virtual network'))

export function addVirtualNetworks(network: Command, session: Session): void {
  const vnet = network.command('vnet').description('See virtual networks.')
  addLeaf<ListFlags>(vnet, session, 'list', {
    description: 'List virtual networks.',
    flags: (command) => command.option('-g, --resource-group <name>', 'name of the resource group'),
    row: networkRow,
    run: async (_, flags) => (await listAll<ArmResource>(session, networksPath(session, flags))).map(flatten),
  })
  addLeaf<NetworkFlags>(vnet, session, 'show', {
    description: 'Get the details of a virtual network.',
    flags: named,
    row: networkRow,
    run: async (_, flags) => flatten(await get<ArmResource>(session, pathOf(session, flags, flags.name))),
  })
  addLeaf<CheckFlags>(vnet, session, 'check-ip-address', {
    description: 'Check if a private IP address is available for use within a virtual network.',
    flags: (command) => named(command).addOption(required('--ip-address <address>', 'the address')),
    run: (_, flags) =>
      get(
        session,
        `${pathOf(session, flags, flags.name)}/checkIPAddressAvailability?ipAddress=${encodeURIComponent(flags.ipAddress)}`,
      ),
  })
  const subnet = vnet.command('subnet').description('See the subnets of a virtual network.')
  addLeaf<SubnetsFlags>(subnet, session, 'list', {
    description: 'List the subnets in a virtual network.',
    flags: ofNetwork,
    row: subnetRow,
    run: async (_, flags) =>
      (await listAll<ArmResource>(session, `${pathOf(session, flags, flags.vnetName)}/subnets`)).map(flatten),
  })
  addLeaf<SubnetFlags>(subnet, session, 'show', {
    description: 'Show details of a subnet.',
    flags: (command) => ofNetwork(command).addOption(required('-n, --name <name>', 'name of the subnet')),
    row: subnetRow,
    run: async (_, flags) => {
      const path = `${pathOf(session, flags, flags.vnetName)}/subnets/${encodeURIComponent(flags.name)}`
      return flatten(await get<ArmResource>(session, path))
    },
  })
}
