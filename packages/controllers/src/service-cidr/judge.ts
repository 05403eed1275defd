// Whether a range of service addresses may go: no address out of it may be left without a range.

import type { IPAddress, ServiceCIDR } from '@aksel/api/types/networking-v1'
import { parseIp, parseRange, rangeContains, rangeHolds, type IpRange } from '@aksel/base/ip-range'

const managedByLabel = 'ipaddress.kubernetes.io/managed-by'
const allocator = 'ipallocator.k8s.io'

/** Text that makes no sense is no range: it holds nothing. */
export function rangesOf({ spec }: ServiceCIDR): readonly IpRange[] {
  return (spec?.cidrs ?? []).flatMap((cidr) => parseRange(cidr) ?? [])
}

/** True where all of its addresses lie in other ranges, or it has none that the allocator gave. */
export function mayGo(going: ServiceCIDR, all: readonly ServiceCIDR[], addresses: readonly IPAddress[]): boolean {
  const others = all.filter(({ metadata }) => metadata.name !== going.metadata.name).flatMap(rangesOf)
  const orphaning = rangesOf(going).filter((range) => !others.some((other) => rangeContains(other, range)))
  if (orphaning.length === 0) return true
  return !addresses.some(({ metadata }) => {
    const address = metadata.labels?.[managedByLabel] === allocator ? parseIp(metadata.name) : undefined
    if (address === undefined) return false
    return orphaning.some((range) => rangeHolds(range, address)) && !others.some((range) => rangeHolds(range, address))
  })
}
