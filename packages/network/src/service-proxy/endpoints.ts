// Which endpoints of a service this node may send to. The rules are kube-proxy's: ready ones first, terminating ones
// that still serve when there is no other, those hinted for this node or zone when every one has a hint.

import type { Endpoint, EndpointSlice } from '@aksel/api/types/discovery-v1'
import type { IpFamily } from '@aksel/base/ip-range'
import { standardAddress } from '@aksel/api/validation/addresses'
import type { Service, ServicePort } from '@aksel/api/types/core-v1'
import { wordsOf } from '../nft/family.ts'
import type { ServiceHealth } from './health-servers.ts'

export interface ProxyNode {
  readonly name: string
  /** Value of the node's label `topology.kubernetes.io/zone`. */
  readonly zone?: string
}

export interface Backend {
  readonly address: string
  readonly port: number
}

export interface Candidate extends Backend {
  readonly endpoint: Endpoint
  readonly isLocal: boolean
}

/** One port of a service with what its packets may be sent to, each list sorted and without doubles. */
export interface PortEndpoints {
  readonly cluster: readonly Candidate[]
  readonly local: readonly Candidate[]
  /** Any endpoint that could be used, here or elsewhere: tells "no endpoints" (reject) from "none here" (drop). */
  readonly hasAny: boolean
}

export function endpointsOf(
  port: ServicePort,
  slices: readonly EndpointSlice[],
  node: ProxyNode,
  family: IpFamily = 4,
): PortEndpoints {
  const ofFamily = slices.filter(({ addressType }) => addressType === wordsOf(family).name)
  const candidates = candidatesOf(port, ofFamily, node.name)
  const cluster = usable(candidates)
  return {
    cluster: nearest(cluster, node),
    local: usable(candidates.filter((candidate) => candidate.isLocal)),
    hasAny: cluster.length > 0,
  }
}

function candidatesOf(port: ServicePort, slices: readonly EndpointSlice[], nodeName: string): readonly Candidate[] {
  const found = new Map<string, Candidate>()
  for (const slice of slices) {
    const slicePort = slice.ports?.find(
      (candidate) =>
        (candidate.name ?? '') === (port.name ?? '') && (candidate.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    )
    if (slicePort?.port === undefined) continue
    for (const endpoint of slice.endpoints ?? []) {
      if (endpoint.addresses[0] === undefined) continue
      const address = standardAddress(endpoint.addresses[0])
      const key = `${address}:${slicePort.port}`
      const known = found.get(key)
      // A pod may stand in two slices while it moves between them; the ready entry is the truth.
      if (known !== undefined && isReady(known.endpoint)) continue
      found.set(key, { address, port: slicePort.port, endpoint, isLocal: endpoint.nodeName === nodeName })
    }
  }
  return [...found.keys()].sort().map((key) => found.get(key)!)
}

function isReady(endpoint: Endpoint): boolean {
  return endpoint.conditions?.ready !== false
}

function isServingWhileTerminating(endpoint: Endpoint): boolean {
  const conditions = endpoint.conditions
  return conditions?.terminating === true && (conditions.serving ?? conditions.ready) !== false
}

function usable(candidates: readonly Candidate[]): readonly Candidate[] {
  const ready = candidates.filter((candidate) => isReady(candidate.endpoint))
  return ready.length > 0 ? ready : candidates.filter((candidate) => isServingWhileTerminating(candidate.endpoint))
}

/** Hints count only when every endpoint has one and one of them names this place. */
function nearest(candidates: readonly Candidate[], node: ProxyNode): readonly Candidate[] {
  const ready = candidates.filter((candidate) => isReady(candidate.endpoint))
  const byNode = (candidate: Candidate): readonly string[] =>
    (candidate.endpoint.hints?.forNodes ?? []).map((hint) => hint.name)
  const byZone = (candidate: Candidate): readonly string[] =>
    (candidate.endpoint.hints?.forZones ?? []).map((hint) => hint.name)
  for (const [namesOf, place] of [
    [byNode, node.name],
    [byZone, node.zone],
  ] as const) {
    if (place === undefined || ready.length === 0 || !ready.every((candidate) => namesOf(candidate).length > 0))
      continue
    const here = ready.filter((candidate) => namesOf(candidate).includes(place))
    if (here.length > 0) return here
  }
  return candidates
}

/** What a load balancer is told at the service's health check port; undefined where it has none. */
export function localHealthOf(
  { metadata, spec }: Service,
  slices: readonly EndpointSlice[],
  nodeName: string,
): ServiceHealth | undefined {
  const { healthCheckNodePort: port = 0 } = spec
  if (port === 0 || spec.type !== 'LoadBalancer' || spec.externalTrafficPolicy !== 'Local') return undefined
  // One endpoint has an entry for each of the service's families.
  const [family = 'IPv4'] = spec.ipFamilies ?? []
  const ready = slices
    .filter(({ addressType }) => addressType === family)
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter((endpoint) => endpoint.nodeName === nodeName && isReady(endpoint))
  const addresses = new Set(ready.flatMap(({ addresses: [first] }) => first ?? []))
  return { port, namespace: metadata.namespace!, name: metadata.name, localEndpoints: addresses.size }
}

/** Whether the service has addresses of its own that a node translates. */
export function isProxied(service: Service): boolean {
  const { type, clusterIP } = service.spec
  return type !== 'ExternalName' && clusterIP !== undefined && clusterIP !== '' && clusterIP !== 'None'
}
