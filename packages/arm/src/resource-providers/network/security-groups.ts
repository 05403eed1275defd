// Network security groups: their rules, those that every group has, and what Azure refuses of them.

import { isAddress, readRange } from '@aksel/base/ipv4'
import { securityProtocols, securityTags, type SecurityRule } from '@aksel/provider/fabric'
import type { Json } from '../../records.ts'
import { textAt } from '../body.ts'
import { inUse, missingField, refused } from './network-errors.ts'
import { readTexts, readWord, type ChildType, type NetworkType } from './network-type.ts'
import { childrenOf, type ChildDocument } from './network-references.ts'
import { subnetsWith, type NetworkWorld } from './network-world.ts'

const nameOfType = 'Microsoft.Network/networkSecurityGroups'
const priorityLeast = 100
const priorityMost = 4096

/** As Azure makes them: the ends of both lists. */
export const defaultRules: readonly ChildDocument[] = [
  defaultRule(
    'AllowVnetInBound',
    65000,
    'Inbound',
    'Allow',
    'VirtualNetwork',
    'VirtualNetwork',
    'Allow inbound traffic from all VMs in VNET',
  ),
  defaultRule(
    'AllowAzureLoadBalancerInBound',
    65001,
    'Inbound',
    'Allow',
    'AzureLoadBalancer',
    '*',
    'Allow inbound traffic from azure load balancer',
  ),
  defaultRule('DenyAllInBound', 65500, 'Inbound', 'Deny', '*', '*', 'Deny all inbound traffic'),
  defaultRule(
    'AllowVnetOutBound',
    65000,
    'Outbound',
    'Allow',
    'VirtualNetwork',
    'VirtualNetwork',
    'Allow outbound traffic from all VMs to all VMs in VNET',
  ),
  defaultRule(
    'AllowInternetOutBound',
    65001,
    'Outbound',
    'Allow',
    '*',
    'Internet',
    'Allow outbound traffic from all VMs to Internet',
  ),
  defaultRule('DenyAllOutBound', 65500, 'Outbound', 'Deny', '*', '*', 'Deny all outbound traffic'),
]

function defaultRule(
  name: string,
  priority: number,
  direction: string,
  access: string,
  sourceAddressPrefix: string,
  destinationAddressPrefix: string,
  description: string,
): ChildDocument {
  return {
    name,
    properties: {
      description,
      protocol: '*',
      sourcePortRange: '*',
      destinationPortRange: '*',
      sourceAddressPrefix,
      destinationAddressPrefix,
      access,
      priority,
      direction,
      sourcePortRanges: [],
      destinationPortRanges: [],
      sourceAddressPrefixes: [],
      destinationAddressPrefixes: [],
    },
  }
}

const securityRule: ChildType = {
  path: 'securityRules',
  kept: false,
  write: (given, context) => readRule(given, context.childId),
  show: (child) => child.properties,
}

function readRule(given: Json, id: string): Json {
  const { priority } = given
  if (typeof priority !== 'number') throw missingField(id, 'priority')
  if (!Number.isInteger(priority) || priority < priorityLeast || priority > priorityMost) {
    throw refused(
      'SecurityRuleInvalidPriority',
      `Security rule has invalid Priority. Value provided: ${priority}. Allowed range ${priorityLeast}-${priorityMost}.`,
    )
  }
  for (const side of ['source', 'destination'] as const) {
    for (const prefix of sideOf(given, id, side, 'AddressPrefix', 'AddressPrefixes')) judgePrefix(prefix, id)
    for (const range of sideOf(given, id, side, 'PortRange', 'PortRanges')) judgePorts(range)
  }
  return {
    ...given,
    protocol: readWord(given, 'protocol', { id, words: securityProtocols }),
    access: readWord(given, 'access', { id, words: ['Allow', 'Deny'] }),
    direction: readWord(given, 'direction', { id, words: ['Inbound', 'Outbound'] }),
    priority,
    sourcePortRanges: readTexts(given, 'sourcePortRanges'),
    destinationPortRanges: readTexts(given, 'destinationPortRanges'),
    sourceAddressPrefixes: readTexts(given, 'sourceAddressPrefixes'),
    destinationAddressPrefixes: readTexts(given, 'destinationAddressPrefixes'),
  }
}

/** One value or a list of them, never both and never none. */
function sideOf(given: Json, id: string, side: string, one: string, many: string): readonly string[] {
  const groups = given[`${side}ApplicationSecurityGroups`]
  if (Array.isArray(groups) && groups.length > 0) {
    throw refused(
      'ApplicationSecurityGroupsNotSupported',
      `Security rule ${id} names application security groups, which are not available here.`,
    )
  }
  const single = textAt(given, `${side}${one}`)
  const list = readTexts(given, `${side}${many}`)
  if (single !== undefined && single !== '' && list.length > 0) {
    throw refused(
      'SecurityRuleParameterContainsConflictingValues',
      `Security rule ${id} has both ${side}${one} and ${side}${many}. Only one of them may be set.`,
    )
  }
  const all = single === undefined || single === '' ? list : [single]
  if (all.length === 0) throw missingField(id, `${side}${one}`)
  return all
}

function judgePrefix(prefix: string, id: string): void {
  if (prefix === '*' || isAddress(prefix)) return
  if (securityTags.some((tag) => tag.toLowerCase() === prefix.toLowerCase())) return
  const range = readRange(prefix)
  if (range !== undefined) return
  if (/^[A-Za-z]\w+(?:\.\w+)?$/.test(prefix)) {
    throw refused(
      'SecurityRuleInvalidAddressPrefix',
      `Security rule ${id} has the service tag ${prefix}, which is not known here. Known are: ${securityTags.join(', ')}.`,
    )
  }
  throw refused(
    'SecurityRuleInvalidAddressPrefix',
    `Security rule ${id} has invalid Address prefix. Value provided: ${prefix}`,
  )
}

function judgePorts(text: string): void {
  if (text === '*') return
  const [first, last = first, ...rest] = text.split('-').map((part) => (/^\d{1,5}$/.test(part) ? Number(part) : -1))
  if (rest.length === 0 && first! >= 0 && last! >= first! && last! <= 65_535) return
  throw refused(
    'SecurityRuleInvalidPortRange',
    `Security rule has invalid Port range. Value provided: ${text}. Value should be an integer OR integer range with '-' delimiter. Valid range 0-65535.`,
  )
}

function judgeConflicts(rules: readonly ChildDocument[]): void {
  for (const [index, rule] of rules.entries()) {
    const { priority, direction } = rule.properties
    const other = rules
      .slice(0, index)
      .find(({ properties }) => properties['priority'] === priority && properties['direction'] === direction)
    if (other === undefined) continue
    throw refused(
      'SecurityRuleConflict',
      `Security rule ${rule.name} conflicts with rule ${other.name}. Rules cannot have the same Priority and Direction.`,
    )
  }
}

export const securityGroups: NetworkType = {
  path: 'networkSecurityGroups',
  children: [securityRule],
  envelope: {},
  write: (given) => {
    judgeConflicts(childrenOf(given, 'securityRules'))
    return given
  },
  show: ({ value }, world) => ({
    defaultSecurityRules: defaultRules.map(({ name, properties }) => ({
      id: `${value.id}/defaultSecurityRules/${name}`,
      name,
      type: `${nameOfType}/defaultSecurityRules`,
      properties: { provisioningState: 'Succeeded', ...properties },
    })),
    ...backReferences(world, value.id),
  }),
  judgeDelete: ({ id, name }, world) => {
    const users = subnetsWith(world, 'networkSecurityGroup', id).map((subnet) => subnet.id)
    if (users.length === 0) return
    throw inUse(
      'InUseNetworkSecurityGroupCannotBeDeleted',
      `Network security group ${name}`,
      users,
      'In order to delete the Network security group, remove the association with the resource(s). To learn how to do this, see aka.ms/deletensg.',
    )
  },
}

function backReferences(world: NetworkWorld, id: string): Json {
  const subnets = subnetsWith(world, 'networkSecurityGroup', id).map((subnet) => ({ id: subnet.id }))
  return subnets.length === 0 ? {} : { subnets }
}

/** All rules of a group as the fabric enforces them: the group's own and the default ones, by priority. */
export function compiledRules(properties: Json): readonly SecurityRule[] {
  return [...childrenOf(properties, 'securityRules'), ...defaultRules]
    .map(({ name, properties: rule }) => {
      const both = (one: string, many: string): readonly string[] => {
        const single = textAt(rule, one)
        return single === undefined || single === '' ? readTexts(rule, many) : [single]
      }
      return {
        name,
        priority: Number(rule['priority']),
        direction: rule['direction'] as SecurityRule['direction'],
        access: rule['access'] as SecurityRule['access'],
        protocol: rule['protocol'] as SecurityRule['protocol'],
        sources: both('sourceAddressPrefix', 'sourceAddressPrefixes'),
        sourcePorts: both('sourcePortRange', 'sourcePortRanges'),
        destinations: both('destinationAddressPrefix', 'destinationAddressPrefixes'),
        destinationPorts: both('destinationPortRange', 'destinationPortRanges'),
      }
    })
    .toSorted((left, right) => left.priority - right.priority)
}
