// The network around the nodes, as Azure has it: security groups, routes, and subnets without an address left.

import { listed } from '../words.ts'
import { describeCommand, inNamespace, type Found, type Subject } from '../finding.ts'
import { eventLine, refOf, type Picture } from '../picture.ts'
import type { FlowVerdict, HopVerdict, SubnetView, Surroundings } from '../surroundings.ts'

export function virtualNetwork({ surroundings }: Picture): readonly Found[] {
  if (surroundings === undefined) return []
  return [
    ...surroundings.flows.flatMap((flow) => blocked(flow) ?? []),
    ...surroundings.hops.flatMap((hop) => lost(hop) ?? []),
    ...surroundings.subnets.flatMap((subnet) => full(subnet) ?? []),
    ...failedPools(surroundings),
  ]
}

const blockedWords: Readonly<Record<FlowVerdict['purpose'], string>> = {
  registries: 'Nodes reach nothing outside: images cannot be pulled.',
  'node-to-node': 'Nodes do not reach each other: logs, exec and traffic between pods fail.',
  service: 'Nobody reaches the service from outside: connections time out.',
}

function blocked(flow: FlowVerdict): Found | undefined {
  if (flow.access === 'Allow') return undefined
  const { purpose, node, direction, remote, port, rule, securityGroup, service } = flow
  const subject: Subject = service === undefined ? { kind: 'Node', name: node } : { kind: 'Service', ...service }
  const way = direction === 'Inbound' ? `from ${remote}` : `to ${remote}`
  return {
    id: 'network/security-group-blocks',
    subject,
    symptom: blockedWords[purpose],
    cause: `Rule "${rule}" of network security group "${securityGroup}" denies ${direction.toLowerCase()} TCP ${way}, port ${port}.`,
    evidence: [
      { subject: { kind: 'Node', name: node }, line: `ipFlowVerify ${direction} ${remote}:${port}: Deny by ${rule}` },
    ],
    fix: `Add a rule with a lower priority number that allows it${direction === 'Inbound' ? `: az network nsg rule create --nsg-name ${securityGroup} --direction Inbound --destination-port-ranges ${port}` : ''}, or change "${rule}".`,
    commands: [
      `az network nsg rule list --nsg-name ${securityGroup} --include-default -o table`,
      ...(service === undefined ? [] : [describeCommand(subject)]),
    ],
    confidence: 'certain',
  }
}

function lost(hop: HopVerdict): Found | undefined {
  const { purpose, node, destination, nextHopType, nextHopAddress, routeTable, to } = hop
  const subject: Subject = { kind: 'Node', name: to?.node ?? node }
  const table = routeTable.split('/').at(-1) ?? ''
  const evidence = [
    {
      subject: { kind: 'Node', name: node },
      line: `nextHop ${destination}: ${nextHopType}${nextHopAddress === undefined ? '' : ` ${nextHopAddress}`} (${table})`,
    },
  ]
  const commands = [
    ...(table === '' || table === 'System Route'
      ? []
      : [`az network route-table route list --route-table-name ${table} -o table`]),
    'aksel flows --follow --verdict DROPPED',
  ]
  if (purpose === 'outside')
    return nextHopType !== 'None'
      ? undefined
      : {
          id: 'network/route-missing',
          subject,
          symptom: 'Nothing outside is reached: images cannot be pulled, and names outside are not found.',
          cause:
            table === 'System Route' || table === ''
              ? 'No route leads out of the subnet.'
              : `A route of table "${table}" drops what leaves the subnet: its next hop is None.`,
          evidence,
          fix: 'Give 0.0.0.0/0 a next hop: the firewall of outbound type userDefinedRouting, or Internet.',
          commands,
          confidence: 'certain',
        }
  if (nextHopType === 'VirtualAppliance' && nextHopAddress === to?.address) return undefined
  return {
    id: 'network/route-missing',
    subject,
    symptom: `Pods of node "${to?.node}" are not reached from other nodes.`,
    cause:
      nextHopType === 'VirtualAppliance'
        ? `The route to its pods (${destination}) leads to ${nextHopAddress}, and the node has ${to?.address}.`
        : `No route leads to its pods (${destination}): the packet would go to ${nextHopType}.`,
    evidence,
    fix: `Add a route for the node's podCIDR with next hop VirtualAppliance ${to?.address}.`,
    commands: [`kubectl get node ${to?.node} -o jsonpath='{.spec.podCIDR}'`, ...commands],
    confidence: 'certain',
  }
}

/** A node more than there are: an upgrade brings one, too. */
function full({ name, addressPrefix, usable, taken, perNode, pools }: SubnetView): Found | undefined {
  if (perNode === 0 || taken === 0 || usable - taken >= perNode) return undefined
  const subject: Subject = { kind: 'Subnet', name }
  const left = Math.max(0, usable - taken)
  return {
    id: 'network/addresses-exhausted',
    subject,
    symptom: `No further node fits into subnet "${name}": scaling and upgrades fail.`,
    cause: `${addressPrefix} has ${usable} addresses to give, ${taken} are taken and ${left} left; one more node of ${listed(pools)} takes ${perNode}.`,
    evidence: [{ subject, line: `addressPrefix ${addressPrefix}: ${taken} of ${usable} taken` }],
    fix: 'Take the pool to a larger subnet, lower maxPods, or use overlay networking: its pods take no addresses of the subnet.',
    commands: ['aksel az network plan --help', `az network vnet subnet list -o table`],
    confidence: 'certain',
  }
}

function failedPools({ pools, cluster }: Surroundings): readonly Found[] {
  return pools.flatMap(({ name, error }): readonly Found[] => {
    if (error === undefined) return []
    const subject: Subject = { kind: 'NodePool', name }
    const isAddresses = /SubnetIsFull|InsufficientSubnetSize/.test(error.code)
    return [
      {
        id: isAddresses ? 'network/addresses-exhausted' : 'nodes/pool-failed',
        subject,
        symptom: `Node pool "${name}" did not become what was ordered.`,
        cause: `${error.code}: ${error.message}`,
        evidence: [{ subject, line: 'provisioningState: Failed' }],
        fix: isAddresses
          ? 'Order fewer nodes, or take the pool to a larger subnet.'
          : 'Do as the message says, then order the pool again.',
        commands: [`az aks nodepool show --cluster-name ${cluster} -n ${name}`],
        confidence: 'certain',
      },
    ]
  })
}

const noAddress =
  /no (?:free |available )?(?:IP|address)|no IP addresses available|addresses? (?:are|is) (?:all )?(?:used up|exhausted)|failed to allocate for range/i

/** Pods whose node has no address left for them. */
export function addressless(picture: Picture): readonly Found[] {
  return picture.pods.flatMap((pod): readonly Found[] => {
    if (pod.status?.phase !== 'Pending' || pod.spec.nodeName === undefined) return []
    const subject = refOf('Pod', pod)
    const event = picture.events.find(
      ({ reason, message, involvedObject }) =>
        reason === 'FailedCreatePodSandBox' &&
        involvedObject.kind === 'Pod' &&
        involvedObject.name === subject.name &&
        involvedObject.namespace === subject.namespace &&
        noAddress.test(message ?? ''),
    )
    if (event === undefined) return []
    return [
      {
        id: 'network/addresses-exhausted',
        subject,
        symptom: 'The pod does not start: it gets no address.',
        cause: `Node "${pod.spec.nodeName}" has given all the addresses that it has for pods.`,
        evidence: [{ subject, line: eventLine(event) }],
        fix: 'Let fewer pods onto the node (maxPods of its pool), or give the cluster a larger pod range or subnet.',
        commands: [
          describeCommand(subject),
          `kubectl get pods -A --field-selector spec.nodeName=${pod.spec.nodeName}`,
          `kubectl get events${inNamespace(subject)} --field-selector reason=FailedCreatePodSandBox`,
        ],
        confidence: 'certain',
      },
    ]
  })
}
