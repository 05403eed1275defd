// `az network lb`, `public-ip`, `nsg`, `route-table`, `nat gateway` and what lies in them: seen with the verbs and flags of az.

import type { Command } from 'commander'
import { addLeaf, required } from './command.ts'
import { flatten, type ArmResource } from './resources.ts'
import { get, listAll, subscriptionPath, type CommonFlags, type Session } from './session.ts'

interface Kind {
  /** Words of the command: `lb`, `nat gateway`. */
  readonly words: string
  readonly path: string
  readonly what: string
  readonly row: Row
  readonly children: readonly Child[]
}

interface Child {
  readonly word: string
  readonly path: string
  readonly what: string
  /** Flag that names the parent: `--lb-name`. */
  readonly parentFlag: string
  readonly row: Row
}

type Row = (resource: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>

const common: Row = ({ name, resourceGroup, location, provisioningState }) => ({
  Name: name,
  ResourceGroup: resourceGroup,
  ...(location === undefined ? {} : { Location: location }),
  ProvisioningState: provisioningState,
})

const idsIn = (value: unknown): string => {
  const list = Array.isArray(value) ? (value as readonly { readonly id: string }[]) : []
  return list.map(({ id }) => id.split('/').at(-1)).join(', ')
}

function child(word: string, path: string, what: string, parentFlag: string, row: Row = common): Child {
  return { word, path, what, parentFlag, row }
}

const kinds: readonly Kind[] = [
  {
    words: 'lb',
    path: 'loadBalancers',
    what: 'load balancer',
    row: common,
    children: [
      child('frontend-ip', 'frontendIPConfigurations', 'frontend IP addresses', '--lb-name', (one) => ({
        Name: one['name'],
        PrivateIPAddress: one['privateIPAddress'],
        PublicIP: (one['publicIPAddress'] as { readonly id: string } | undefined)?.id.split('/').at(-1),
        ResourceGroup: one['resourceGroup'],
      })),
      child('rule', 'loadBalancingRules', 'load balancing rules', '--lb-name', (one) => ({
        Name: one['name'],
        Protocol: one['protocol'],
        FrontendPort: one['frontendPort'],
        BackendPort: one['backendPort'],
        ResourceGroup: one['resourceGroup'],
      })),
      child('probe', 'probes', 'health probes', '--lb-name', (one) => ({
        Name: one['name'],
        Protocol: one['protocol'],
        Port: one['port'],
        RequestPath: one['requestPath'],
        IntervalInSeconds: one['intervalInSeconds'],
        NumberOfProbes: one['numberOfProbes'],
      })),
      child('address-pool', 'backendAddressPools', 'backend address pools', '--lb-name', (one) => ({
        Name: one['name'],
        Members: (one['backendIPConfigurations'] as readonly unknown[] | undefined)?.length ?? 0,
        Rules: idsIn(one['loadBalancingRules']),
      })),
      child('outbound-rule', 'outboundRules', 'outbound rules', '--lb-name', (one) => ({
        Name: one['name'],
        Protocol: one['protocol'],
        IdleTimeoutInMinutes: one['idleTimeoutInMinutes'],
        FrontendIPs: idsIn(one['frontendIPConfigurations']),
      })),
    ],
  },
  {
    words: 'public-ip',
    path: 'publicIPAddresses',
    what: 'public IP address',
    row: (one) => ({ ...common(one), IPAddress: one['ipAddress'] }),
    children: [],
  },
  {
    words: 'nsg',
    path: 'networkSecurityGroups',
    what: 'network security group',
    row: common,
    children: [
      child('rule', 'securityRules', 'security rules', '--nsg-name', (one) => ({
        Name: one['name'],
        ResourceGroup: one['resourceGroup'],
        Priority: one['priority'],
        Access: one['access'],
        Protocol: one['protocol'],
        Direction: one['direction'],
        DestinationPortRanges: one['destinationPortRange'] ?? (one['destinationPortRanges'] as string[]).join(', '),
      })),
    ],
  },
  {
    words: 'route-table',
    path: 'routeTables',
    what: 'route table',
    row: common,
    children: [
      child('route', 'routes', 'routes', '--route-table-name', (one) => ({
        AddressPrefix: one['addressPrefix'],
        Name: one['name'],
        NextHopType: one['nextHopType'],
        NextHopIpAddress: one['nextHopIpAddress'],
        ResourceGroup: one['resourceGroup'],
      })),
    ],
  },
  {
    words: 'nat gateway',
    path: 'natGateways',
    what: 'NAT gateway',
    row: (one) => ({ ...common(one), PublicIPs: idsIn(one['publicIpAddresses']) }),
    children: [],
  },
]

interface ListFlags extends CommonFlags {
  readonly resourceGroup?: string
}

interface ShowFlags extends CommonFlags {
  readonly resourceGroup: string
  readonly name: string
}

export function addNetworkResources(network: Command, session: Session): void {
  for (const kind of kinds) {
    const [word, inner] = kind.words.split(' ') as [string, string?]
    const outer = network.command(word).description(`See each ${kind.what}.`)
    const command = inner === undefined ? outer : outer.command(inner).description(`See each ${kind.what}.`)
    addKind(command, session, kind)
  }
}

function addKind(command: Command, session: Session, kind: Kind): void {
  const group = (flags: ListFlags): string =>
    flags.resourceGroup === undefined ? '' : `/resourcegroups/${encodeURIComponent(flags.resourceGroup)}`
  const pathOf = (flags: ListFlags): string =>
    `${subscriptionPath(session, flags)}${group(flags)}/providers/Microsoft.Network/${kind.path}`
  addLeaf<ListFlags>(command, session, 'list', {
    description: `List every ${kind.what}.`,
    flags: (leaf) => leaf.option('-g, --resource-group <name>', 'name of the resource group'),
    row: kind.row,
    run: async (_, flags) => (await listAll<ArmResource>(session, pathOf(flags))).map(flatten),
  })
  addLeaf<ShowFlags>(command, session, 'show', {
    description: `Get the details of a ${kind.what}.`,
    flags: named,
    row: kind.row,
    run: async (_, flags) =>
      flatten(await get<ArmResource>(session, `${pathOf(flags)}/${encodeURIComponent(flags.name)}`)),
  })
  for (const each of kind.children) addChild(command, session, each, pathOf)
}

function addChild(
  command: Command,
  session: Session,
  { word, path, what, parentFlag, row }: Child,
  pathOf: (flags: ListFlags) => string,
): void {
  const inner = command.command(word).description(`See ${what}.`)
  const ofParent = (leaf: Command): Command =>
    leaf
      .addOption(required('-g, --resource-group <name>', 'name of the resource group'))
      .addOption(required(`${parentFlag} <name>`, 'what it lies in'))
  const flagName = parentFlag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  const below = (flags: ListFlags): string =>
    `${pathOf(flags)}/${encodeURIComponent(String((flags as Readonly<Record<string, unknown>>)[flagName]))}/${path}`
  addLeaf<ListFlags>(inner, session, 'list', {
    description: `List ${what}.`,
    flags: ofParent,
    row: row,
    run: async (_, flags) => (await listAll<ArmResource>(session, below(flags))).map(flatten),
  })
  addLeaf<ShowFlags>(inner, session, 'show', {
    description: `Get the details of one of the ${what}.`,
    flags: (leaf) => ofParent(leaf).addOption(required('-n, --name <name>', 'its name')),
    row: row,
    run: async (_, flags) =>
      flatten(await get<ArmResource>(session, `${below(flags)}/${encodeURIComponent(flags.name)}`)),
  })
}

function named(command: Command): Command {
  return command
    .addOption(required('-g, --resource-group <name>', 'name of the resource group'))
    .addOption(required('-n, --name <name>', 'its name'))
}
