// Endpoints that people write by hand, as the endpoints of slices.

import type { EndpointAddress, EndpointSubset } from '@aksel/api/types/core-v1'
import type { Endpoint, EndpointPort } from '@aksel/api/types/discovery-v1'
import { portsKey } from '../endpoint-slice/endpoints-of.ts'
import type { AddressFamily, EndpointGroup } from '../endpoint-slice/endpoints-of.ts'

/** Addresses of a subset that are mirrored; what is above is left out. */
const addressesMax = 1000

/** The endpoints of one family, by the ports that they share. */
export function mirroredGroups(subsets: readonly EndpointSubset[], family: AddressFamily): readonly EndpointGroup[] {
  const groups = new Map<string, { readonly ports: readonly EndpointPort[]; readonly endpoints: Endpoint[] }>()
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    const mirrored = [
      ...addresses.map((address) => ({ address, ready: true })),
      ...notReadyAddresses.map((address) => ({ address, ready: false })),
    ]
    const own = mirrored.slice(0, addressesMax).filter(({ address }) => familyOf(address) === family)
    if (own.length === 0) continue
    const slicePorts = ports.map((port) => ({ ...port, name: port.name ?? '', protocol: port.protocol ?? 'TCP' }))
    const key = portsKey(slicePorts)
    const group = groups.get(key) ?? { ports: slicePorts, endpoints: [] }
    group.endpoints.push(...own.map(({ address, ready }) => endpointOf(address, ready)))
    groups.set(key, group)
  }
  return [...groups.values()]
}

function familyOf({ ip }: EndpointAddress): AddressFamily {
  return (ip ?? '').includes(':') ? 'IPv6' : 'IPv4'
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined || hostname === '' ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  }
}
