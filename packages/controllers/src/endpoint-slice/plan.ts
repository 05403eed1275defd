// Which slices to make, change and delete so that they hold the wanted endpoints with few writes.

import type { Endpoint, EndpointPort, EndpointSlice } from '@aksel/api/types/discovery-v1'
import { isSame } from '../canonical.ts'
import { portsKey } from './endpoints-of.ts'
import type { EndpointGroup } from './endpoints-of.ts'

export const endpointsPerSliceMax = 100

/** What a slice should hold. */
export interface SliceContent {
  readonly ports: readonly EndpointPort[]
  readonly endpoints: readonly Endpoint[]
}

export interface SlicePlan {
  readonly create: readonly SliceContent[]
  readonly update: readonly { readonly slice: EndpointSlice; readonly content: SliceContent }[]
  readonly remove: readonly EndpointSlice[]
}

/**
 * `existing` are the service's slices of one address family. Endpoints stay where they are; new ones fill slices that change
 * anyway, then others with room, then new slices. A service without endpoints keeps one empty slice.
 */
export function planSlices(groups: readonly EndpointGroup[], existing: readonly EndpointSlice[]): SlicePlan {
  const wanted = groups.length === 0 ? [{ ports: [], endpoints: [] }] : groups
  const create: SliceContent[] = []
  const kept: { slice: EndpointSlice; content: SliceContent }[] = []
  const used = new Set<EndpointSlice>()
  for (const group of wanted) {
    const slices = existing.filter(({ ports }) => portsKey(ports ?? []) === portsKey(group.ports))
    const filled = fillGroup(group, slices)
    for (const { slice, content } of filled.kept) {
      used.add(slice)
      kept.push({ slice, content })
    }
    create.push(...filled.create)
  }
  return {
    create,
    update: kept.filter(({ slice, content }) => !isSame(contentOf(slice), content)),
    remove: existing.filter((slice) => !used.has(slice)),
  }
}

export function contentOf({ ports, endpoints }: EndpointSlice): SliceContent {
  return { ports: ports ?? [], endpoints: endpoints ?? [] }
}

interface Bin {
  readonly slice: EndpointSlice
  readonly endpoints: Endpoint[]
  isChanged: boolean
}

function fillGroup(
  { ports, endpoints }: EndpointGroup,
  slices: readonly EndpointSlice[],
): { readonly kept: { slice: EndpointSlice; content: SliceContent }[]; readonly create: readonly SliceContent[] } {
  const missing = new Map(endpoints.map((endpoint) => [targetOf(endpoint), endpoint]))
  const bins = slices.map((slice): Bin => {
    const stay: Endpoint[] = []
    for (const endpoint of slice.endpoints ?? []) {
      const fresh = missing.get(targetOf(endpoint))
      if (fresh === undefined) continue
      missing.delete(targetOf(endpoint))
      stay.push(fresh)
    }
    return { slice, endpoints: stay, isChanged: !isSame(stay, slice.endpoints ?? []) }
  })
  const rest = [...missing.values()]
  // Slices that are written anyway take up first, the fullest of them first.
  const order = bins.toSorted(
    (left, right) => Number(right.isChanged) - Number(left.isChanged) || right.endpoints.length - left.endpoints.length,
  )
  for (const bin of order) bin.endpoints.push(...rest.splice(0, endpointsPerSliceMax - bin.endpoints.length))
  const create: SliceContent[] = []
  while (rest.length > 0) create.push({ ports, endpoints: rest.splice(0, endpointsPerSliceMax) })
  const mayDrop = (index: number): boolean => index > 0 || endpoints.length > 0
  const kept = bins
    .filter((bin, index) => bin.endpoints.length > 0 || !mayDrop(index))
    .map((bin) => ({ slice: bin.slice, content: { ports, endpoints: bin.endpoints } }))
  if (endpoints.length === 0 && bins.length === 0) create.push({ ports, endpoints: [] })
  return { kept, create }
}

function targetOf({ targetRef, addresses }: Endpoint): string {
  return targetRef?.uid ?? addresses.join(',')
}
