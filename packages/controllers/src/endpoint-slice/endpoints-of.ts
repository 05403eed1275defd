// The endpoints of a service from its pods: addresses, conditions, and the ports that names stand for in each pod.

import type { Node, Pod, Service } from '@aksel/api/types/core-v1'
import type { Endpoint, EndpointPort } from '@aksel/api/types/discovery-v1'
import { isReady, isTerminal, isTerminating } from '../pod-facts.ts'

export const addressFamilies = ['IPv4', 'IPv6'] as const
export type AddressFamily = (typeof addressFamilies)[number]

/** Endpoints that listen on the same ports. */
export interface EndpointGroup {
  readonly ports: readonly EndpointPort[]
  readonly endpoints: readonly Endpoint[]
}

export function familiesOf({ spec }: Service): readonly AddressFamily[] {
  // In the service's own order: the first is what the old endpoints show.
  const named = (spec.ipFamilies ?? []).filter((name): name is AddressFamily =>
    (addressFamilies as readonly string[]).includes(name),
  )
  return named.length === 0 ? ['IPv4'] : named
}

export function addressesOf({ status }: Pod, family: AddressFamily): readonly string[] {
  const all = (status?.podIPs ?? []).flatMap(({ ip }) => (ip === undefined ? [] : [ip]))
  const found = all.length === 0 && status?.podIP !== undefined ? [status.podIP] : all
  return found.filter((address) => address.includes(':') === (family === 'IPv6')).slice(0, 1)
}

/** True for a pod that has an address and will use it. */
export function belongsInEndpoints(pod: Pod): boolean {
  return !isTerminal(pod) && ((pod.status?.podIP ?? '') !== '' || (pod.status?.podIPs ?? []).length > 0)
}

export function groupEndpoints(
  service: Service,
  pods: readonly Pod[],
  nodeOf: (name: string) => Node | undefined,
  family: AddressFamily,
): readonly EndpointGroup[] {
  const groups = new Map<string, { ports: readonly EndpointPort[]; endpoints: Endpoint[] }>()
  for (const pod of pods) {
    const addresses = addressesOf(pod, family)
    if (!belongsInEndpoints(pod) || addresses.length === 0) continue
    const ports = portsOf(service, pod)
    if (ports.length === 0 && (service.spec.ports ?? []).length > 0) continue
    const endpoint = endpointOf(service, pod, addresses, nodeOf)
    const key = portsKey(ports)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { ports, endpoints: [endpoint] })
    else group.endpoints.push(endpoint)
  }
  return [...groups.values()]
}

/** Equal for equal ports, whatever their order. */
export function portsKey(ports: readonly EndpointPort[]): string {
  const one = ({ name = '', protocol = 'TCP', port = 0, appProtocol = '' }: EndpointPort): string =>
    `${name}/${protocol}/${port}/${appProtocol}`
  return ports.map(one).toSorted().join(',')
}

function endpointOf(
  service: Service,
  pod: Pod,
  addresses: readonly string[],
  nodeOf: (name: string) => Node | undefined,
): Endpoint {
  const serving = isReady(pod)
  const terminating = isTerminating(pod)
  const { nodeName, hostname = '', subdomain } = pod.spec
  const zone = nodeName === undefined ? undefined : nodeOf(nodeName)?.metadata.labels?.['topology.kubernetes.io/zone']
  const isNamed = hostname !== '' && subdomain === service.metadata.name
  return {
    addresses,
    conditions: {
      ready: service.spec.publishNotReadyAddresses === true || (serving && !terminating),
      serving,
      terminating,
    },
    ...(isNamed ? { hostname } : {}),
    targetRef: { kind: 'Pod', namespace: pod.metadata.namespace!, name: pod.metadata.name, uid: pod.metadata.uid! },
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
  }
}

/** A port of a service as a pod has it. */
export interface ResolvedPort extends EndpointPort {
  readonly port: number
}

/** The service's ports as this pod has them; one whose name the pod does not know is left out. */
export function portsOf({ spec }: Service, pod: Pod): readonly ResolvedPort[] {
  return (spec.ports ?? []).flatMap(({ name = '', protocol = 'TCP', port, targetPort, appProtocol }) => {
    const found = findPort(pod, targetPort ?? port, protocol)
    if (found === undefined) return []
    return [{ name, protocol, port: found, ...(appProtocol === undefined ? {} : { appProtocol }) }]
  })
}

function findPort({ spec }: Pod, target: number | string, protocol: string): number | undefined {
  if (typeof target === 'number') return target
  // Init containers that restart always run beside the others: sidecars.
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
  for (const { ports = [] } of [...spec.containers, ...sidecars]) {
    const found = ports.find((port) => port.name === target && (port.protocol ?? 'TCP') === protocol)
    if (found !== undefined) return found.containerPort
  }
  return undefined
}

/** What of a pod its endpoints depend on: other changes need no look. */
export function endpointFacts(pod: Pod): string {
  const { metadata, spec, status } = pod
  const { labels, deletionTimestamp } = metadata
  const { podIP, podIPs } = status ?? {}
  return JSON.stringify([
    labels,
    deletionTimestamp !== undefined,
    spec.nodeName,
    spec.hostname,
    spec.subdomain,
    isTerminal(pod),
    podIP,
    podIPs,
    isReady(pod),
  ])
}
