// `az network`: what networks there are, and, by `plan`, how far a design of ranges carries, before anything is made of it.

import { InvalidArgumentError, type Command } from 'commander'
import { readAddress, readRange } from '@aksel/base/ipv4'
import { AzError } from './az-error.ts'
import { addLeaf, parseCount } from './command.ts'
import {
  maxPodsDefaults,
  planNetwork,
  type NetworkDesign,
  type NetworkModel,
  type NetworkPlan,
  type PlanRow,
} from './network-plan.ts'
import type { CommonFlags, Session } from './session.ts'
import { addNetworkResources } from './network-resources.ts'
import { addVirtualNetworks } from './vnet.ts'

interface PlanFlags extends CommonFlags {
  readonly networkPlugin?: string
  readonly networkPluginMode?: string
  readonly podIpAllocationMode: string
  readonly networkPolicy?: string
  readonly vnetPrefixes?: readonly string[]
  readonly subnetPrefix: string
  readonly podSubnetPrefix?: string
  readonly podCidr: string
  readonly serviceCidr: string
  readonly dnsServiceIp: string
  readonly nodeCount: number
  readonly maxPods?: number
  readonly maxSurge: string
  readonly growth?: string
  readonly months: number
}

export function addNetwork(az: Command, session: Session): void {
  const network = az.command('network').description('See and plan the networks of clusters.')
  addVirtualNetworks(network, session)
  addNetworkResources(network, session)
  addLeaf<PlanFlags>(network, session, 'plan', {
    description: 'Tell how many nodes and pods a virtual network, its subnets and the pod CIDR will carry.',
    flags: planFlags,
    format: 'table',
    lines: (plan) => (plan as NetworkPlan).rows.map(line),
    run: async (_, flags) => {
      const plan = planNetwork({ ...flags, ...fromFlags(flags) })
      if ((flags.output ?? 'table') === 'table' && flags.query === undefined) tell(session, plan, flags)
      return plan
    },
  })
}

function planFlags(command: Command): Command {
  return command
    .option(
      '--network-plugin <plugin>',
      'azure (by subnet, unless a mode is given), kubenet or none; an overlay if absent',
    )
    .option('--network-plugin-mode <mode>', 'overlay: pods take addresses of the pod CIDR')
    .option(
      '--pod-ip-allocation-mode <mode>',
      'DynamicIndividual or StaticBlock, with a pod subnet',
      'DynamicIndividual',
    )
    .option('--network-policy <engine>', 'azure, calico, cilium or none')
    .option('--vnet-prefixes <cidr...>', 'address space of the virtual network, 10.224.0.0/12', parseRanges)
    .option('--subnet-prefix <cidr>', 'range of the subnet for nodes', parseCidr, '10.224.0.0/16')
    .option('--pod-subnet-prefix <cidr>', 'range of a subnet for pods', parseCidr)
    .option('--pod-cidr <cidr>', 'range of the pods of an overlay or of kubenet', parseCidr, '10.244.0.0/16')
    .option('--service-cidr <cidr>', 'range of the services', parseCidr, '10.0.0.0/16')
    .option('--dns-service-ip <address>', 'address of the cluster DNS', parseIp, '10.0.0.10')
    .option('-c, --node-count <count>', 'nodes today', parseNatural, 3)
    .option('-m, --max-pods <count>', 'pods on a node; 250, 110 or 30 by the model', parseNatural)
    .option('--max-surge <amount>', 'nodes that an upgrade adds: 2, or 10%', parseAmount, '10%')
    .option('--growth <amount>', 'nodes that come each month: 2, or 5%', parseAmount)
    .option('--months <count>', 'how far to look ahead', parseNatural, 12)
}

function modelOf(flags: PlanFlags): NetworkModel {
  const { networkPlugin, networkPluginMode, podIpAllocationMode, podSubnetPrefix } = flags
  const plugin = choice('--network-plugin', networkPlugin ?? 'azure', ['azure', 'kubenet', 'none'])
  const allocation = choice('--pod-ip-allocation-mode', podIpAllocationMode, ['dynamicindividual', 'staticblock'])
  if (networkPluginMode !== undefined) choice('--network-plugin-mode', networkPluginMode, ['overlay'])
  const hasPodSubnet = podSubnetPrefix !== undefined
  if (plugin !== 'azure' && (networkPluginMode !== undefined || hasPodSubnet)) {
    throw new AzError('--network-plugin-mode and --pod-subnet-prefix are for --network-plugin azure alone.')
  }
  if (networkPluginMode !== undefined && hasPodSubnet) {
    throw new AzError('Pods of an overlay have no subnet: give either --network-plugin-mode or --pod-subnet-prefix.')
  }
  if (allocation === 'staticblock' && !hasPodSubnet) {
    throw new AzError('--pod-ip-allocation-mode StaticBlock needs --pod-subnet-prefix.')
  }
  if (plugin !== 'azure') return plugin
  if (hasPodSubnet) return allocation === 'staticblock' ? 'podSubnetStatic' : 'podSubnet'
  // As AKS has it: azure by name, without a mode, is addressing by subnet; nothing named at all is an overlay.
  return networkPluginMode === undefined && networkPlugin !== undefined ? 'nodeSubnet' : 'overlay'
}

function fromFlags(flags: PlanFlags): Pick<NetworkDesign, 'model' | 'maxPods' | 'azureNetworkPolicy' | 'vnetPrefixes'> {
  const engine = choice('--network-policy', flags.networkPolicy ?? 'none', ['azure', 'calico', 'cilium', 'none'])
  const model = modelOf(flags)
  return {
    model,
    maxPods: flags.maxPods ?? maxPodsDefaults[model],
    azureNetworkPolicy: engine === 'azure',
    vnetPrefixes: flags.vnetPrefixes ?? ['10.224.0.0/12'],
  }
}

function choice<const T extends string>(flag: string, given: string, known: readonly T[]): T {
  const found = known.find((name) => name === given.toLowerCase())
  if (found !== undefined) return found
  throw new AzError(
    `argument ${flag}: invalid choice: '${given}' (choose from ${known.map((name) => `'${name}'`).join(', ')})`,
    2,
  )
}

function line({
  stage,
  nodes,
  range,
  prefix,
  needed,
  available,
  unit,
  fits,
}: PlanRow): Readonly<Record<string, unknown>> {
  return {
    Stage: stage,
    Nodes: nodes,
    Range: range,
    Prefix: prefix,
    Needed: needed,
    Available: available,
    Unit: unit,
    Fits: fits,
  }
}

/** What the table has no room for goes where az writes its warnings, so that the table stays one. */
function tell(session: Session, plan: NetworkPlan, flags: PlanFlags): void {
  for (const { code, message } of plan.problems) session.terminal.error(`WARNING: (${code}) ${message}\n`)
  if (flags.onlyShowErrors === true) return
  const end = `Carries ${plan.nodesMax} nodes and ${plan.podsMax} pods with room for their upgrade; then ${plan.limitedBy} ends it.`
  const months = plan.monthsCarried === undefined ? 'ten years' : `${plan.monthsCarried} months`
  const growth = flags.growth === undefined ? '' : ` It carries ${months} of growth.`
  session.terminal.error(`${end}${growth}\n`)
}

function parseCidr(text: string): string {
  if (readRange(text) === undefined) throw new InvalidArgumentError(`invalid CIDR: '${text}'`)
  return text
}

/** Commander calls it once for each word. */
function parseRanges(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), parseCidr(text)]
}

function parseIp(text: string): string {
  if (readAddress(text) === undefined) throw new InvalidArgumentError(`invalid IPv4 address: '${text}'`)
  return text
}

function parseNatural(text: string): number {
  const count = parseCount(text)
  if (count < 0) throw new InvalidArgumentError(`invalid value: '${text}' is below zero`)
  return count
}

function parseAmount(text: string): string {
  if (!/^\d+(\.\d+)?%$|^\d+$/.test(text))
    throw new InvalidArgumentError(`invalid value: '${text}' is neither a number nor a share`)
  return text
}
