// What a service asks of its load balancer, from the service, the nodes and, for local traffic, where its pods are.

import type { Node, Service, ServicePort } from '@aksel/api/types/core-v1'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import { standardAddress, standardCidr } from '@aksel/api/validation/addresses'
import type { LoadBalancerRequest, LoadBalancerRule } from './load-balancers.ts'

const annotations = {
  internal: 'service.beta.kubernetes.io/azure-load-balancer-internal',
  address: 'service.beta.kubernetes.io/azure-load-balancer-ipv4',
  allowed: 'service.beta.kubernetes.io/azure-allowed-ip-ranges',
} as const

/** True for a service that this loop serves: a class of its own names another implementation. */
export function wantsLoadBalancer({ spec, metadata }: Service): boolean {
  return (
    spec.type === 'LoadBalancer' && spec.loadBalancerClass === undefined && metadata.deletionTimestamp === undefined
  )
}

/** Throws an Error that says what of the service cannot be done. */
export function planLoadBalancer(
  service: Service,
  nodes: readonly Node[],
  slices: readonly EndpointSlice[],
): LoadBalancerRequest {
  const { metadata, spec, status } = service
  const notes = metadata.annotations ?? {}
  if (notes[annotations.internal]?.toLowerCase() === 'true') {
    throw new Error(`internal load balancers are not available: annotation ${annotations.internal}="true"`)
  }
  const addresses = backendAddresses(service, nodes, slices)
  const sourceRanges = rangesOf(spec.loadBalancerSourceRanges ?? [], notes[annotations.allowed])
  const address = wantedAddress(service) ?? status?.loadBalancer?.ingress?.[0]?.ip
  return {
    id: metadata.uid!,
    rules: (spec.ports ?? []).map((port) => ruleOf(service, port, addresses, sourceRanges)),
    ...(address === undefined ? {} : { address }),
  }
}

/** The address that the user asks for; the one in force is no wish. */
export function wantedAddress({ metadata, spec }: Service): string | undefined {
  const wanted = metadata.annotations?.[annotations.address] ?? spec.loadBalancerIP
  return wanted === undefined || wanted === '' ? undefined : standardAddress(wanted)
}

function ruleOf(
  { metadata }: Service,
  { protocol = 'TCP', port, nodePort }: ServicePort,
  addresses: readonly string[],
  sourceRanges: readonly string[],
): LoadBalancerRule {
  if (protocol !== 'TCP' && protocol !== 'UDP') {
    throw new Error(`only TCP and UDP load balancers are supported: port ${port} is ${protocol}`)
  }
  if (nodePort === undefined || nodePort === 0) {
    throw new Error(`service "${metadata.name}" has no node port for port ${port}: set allocateLoadBalancerNodePorts`)
  }
  return { protocol, port, backends: addresses.map((address) => ({ address, port: nodePort })), sourceRanges }
}

function rangesOf(listed: readonly string[], annotated: string | undefined): readonly string[] {
  const extra = (annotated ?? '').split(',').map((range) => range.trim())
  return [...listed.map((range) => range.trim()), ...extra]
    .filter((range) => range !== '')
    .map(standardCidr)
    .toSorted()
}

/** Sorted, so that the same nodes always make the same request. */
function backendAddresses(
  { spec }: Service,
  nodes: readonly Node[],
  slices: readonly EndpointSlice[],
): readonly string[] {
  const usable = nodes.filter(isBackend)
  // With local traffic a health check upstream takes nodes without ready pods out; here they are never in.
  const isLocal = spec.externalTrafficPolicy === 'Local'
  const serving = new Set(isLocal ? slices.flatMap(nodesServing) : [])
  return usable
    .filter(({ metadata }) => !isLocal || serving.has(metadata.name))
    .flatMap((node) => internalAddress(node) ?? [])
    .toSorted()
}

function nodesServing({ endpoints }: EndpointSlice): readonly string[] {
  return endpoints.flatMap(({ conditions, nodeName }) =>
    nodeName !== undefined && conditions?.ready !== false ? [nodeName] : [],
  )
}

export function isBackend({ metadata, spec, status }: Node): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    metadata.labels?.['node.kubernetes.io/exclude-from-external-load-balancers'] === undefined &&
    !(spec?.taints ?? []).some(({ key }) => key === 'ToBeDeletedByClusterAutoscaler') &&
    (status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True')
  )
}

export function internalAddress({ status }: Node): string | undefined {
  return status?.addresses?.find(({ type }) => type === 'InternalIP')?.address
}
