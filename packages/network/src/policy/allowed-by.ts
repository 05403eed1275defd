// Whether a policy lets a conversation pass, for those who show it. Pure; the kernel judges by what `compile.ts` makes of the same.

import type { LabelSelector } from '@aksel/api/types/meta-v1'
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '@aksel/api/types/networking-v1'
import { standardCidr } from '@aksel/api/validation/addresses'
import { parseIp, parseRange, rangeHolds } from '@aksel/base/ip-range'
import type { NetworkPolicyEngine } from '@aksel/provider/machine-provider'
import { matchesSelector, type Labels } from '@aksel/runtime/selectors'
import type { PolicyPod, Protocol } from './groups.ts'

export interface Conversation {
  readonly source: string
  readonly destination: string
  /** Absent for what has no ports. */
  readonly to?: { readonly protocol: Protocol; readonly port: number }
}

export interface PolicyWorld {
  readonly engine: NetworkPolicyEngine
  podAt(address: string): PolicyPod | undefined
  isNode(address: string): boolean
  namespaceLabels(name: string): Labels | undefined
}

export function letsPass(
  { metadata, spec }: NetworkPolicy,
  direction: 'ingress' | 'egress',
  conversation: Conversation,
  world: PolicyWorld,
): boolean {
  const isIngress = direction === 'ingress'
  const peer = isIngress ? conversation.source : conversation.destination
  const rules = isIngress
    ? (spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
    : (spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }))
  return rules.some(
    ({ peers = [], ports = [] }) =>
      (peers.length === 0 || peers.some((each) => isPeer(each, metadata.namespace!, peer, world))) &&
      (ports.length === 0 || ports.some((each) => isPort(each, conversation, world))),
  )
}

function isPeer(
  { ipBlock, namespaceSelector, podSelector }: NetworkPolicyPeer,
  own: string,
  address: string,
  world: PolicyWorld,
): boolean {
  const pod = world.podAt(address)
  if (ipBlock !== undefined) {
    if (world.engine === 'cilium' && (pod !== undefined || world.isNode(address))) return false
    return isWithin(ipBlock.cidr, address) && !(ipBlock.except ?? []).some((range) => isWithin(range, address))
  }
  if (pod === undefined) return false
  const isNamespace =
    namespaceSelector === undefined
      ? pod.namespace === own
      : isSelected(namespaceSelector, world.namespaceLabels(pod.namespace))
  return isNamespace && (podSelector === undefined || matchesSelector(podSelector, pod.labels))
}

function isSelected(selector: LabelSelector, labels: Labels | undefined): boolean {
  return labels !== undefined && matchesSelector(selector, labels)
}

function isWithin(cidr: string, address: string): boolean {
  const range = parseRange(standardCidr(cidr))
  const value = parseIp(address)
  return range !== undefined && value !== undefined && rangeHolds(range, value)
}

function isPort(
  { protocol = 'TCP', port, endPort }: NetworkPolicyPort,
  { destination, to }: Conversation,
  world: PolicyWorld,
): boolean {
  if (to === undefined || to.protocol !== protocol.toLowerCase()) return false
  if (port === undefined) return true
  if (typeof port === 'number') return to.port >= port && to.port <= (endPort ?? port)
  const named = world.podAt(destination)?.namedPorts ?? []
  return named.some((each) => each.name === port && each.protocol === to.protocol && each.port === to.port)
}
