// The old form of a service's endpoints, which clients of long ago still read: subsets of addresses by the ports they share.

import type { EndpointAddress, EndpointSubset, Pod, Service } from '@aksel/api/types/core-v1'
import { addressesOf, belongsInEndpoints, familiesOf, portsKey, portsOf } from '../endpoint-slice/endpoints-of.ts'
import type { ResolvedPort } from '../endpoint-slice/endpoints-of.ts'
import { isReady, isTerminating } from '../pod-facts.ts'

/** Addresses that one object holds; what is above is cut off and the object says so. */
export const addressesMax = 1000

interface Group {
  readonly ports: readonly ResolvedPort[]
  readonly ready: EndpointAddress[]
  readonly notReady: EndpointAddress[]
}

export function planSubsets(service: Service, pods: readonly Pod[]): readonly EndpointSubset[] {
  const publishesAll = service.spec.publishNotReadyAddresses === true
  const groups = new Map<string, Group>()
  let count = 0
  for (const pod of pods) {
    const [ip] = addressesOf(pod, familiesOf(service)[0]!)
    if (ip === undefined || !belongsInEndpoints(pod) || (isTerminating(pod) && !publishesAll)) continue
    const ports = portsOf(service, pod)
    const isNameless = ports.length === 0 && (service.spec.ports ?? []).length > 0
    if (isNameless || (count += 1) > addressesMax) continue
    const group = groupOf(groups, ports)
    if (publishesAll || isReady(pod)) group.ready.push(addressOf(service, pod, ip))
    else group.notReady.push(addressOf(service, pod, ip))
  }
  return [...groups.entries()]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([, group]) => subsetOf(group))
}

function groupOf(groups: Map<string, Group>, ports: readonly ResolvedPort[]): Group {
  const key = portsKey(ports)
  let group = groups.get(key)
  if (group === undefined) groups.set(key, (group = { ports, ready: [], notReady: [] }))
  return group
}

function subsetOf({ ports, ready, notReady }: Group): EndpointSubset {
  return {
    ...(ready.length === 0 ? {} : { addresses: ready.toSorted(byAddress) }),
    ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.toSorted(byAddress) }),
    ...(ports.length === 0 ? {} : { ports: ports.map(withoutEmptyName) }),
  }
}

function withoutEmptyName({ name, ...port }: ResolvedPort): ResolvedPort {
  return name === undefined || name === '' ? port : { name, ...port }
}

function addressOf(service: Service, { metadata, spec }: Pod, ip: string): EndpointAddress {
  const { hostname = '', subdomain, nodeName } = spec
  const isNamed = hostname !== '' && subdomain === service.metadata.name
  return {
    ip,
    ...(isNamed ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef: { kind: 'Pod', namespace: metadata.namespace!, name: metadata.name, uid: metadata.uid! },
  }
}

function byAddress(left: EndpointAddress, right: EndpointAddress): number {
  return left.ip < right.ip ? -1 : left.ip > right.ip ? 1 : 0
}
