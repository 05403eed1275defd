// For whom an endpoint is meant: hints by which a node's proxy prefers what is near. By the service's `trafficDistribution`, or in
// shares of the zones' processors where `service.kubernetes.io/topology-mode: Auto` asks for that.

import type { Node, Service } from '@aksel/api/types/core-v1'
import type { Endpoint, EndpointHints } from '@aksel/api/types/discovery-v1'
import { quantityMilli } from '@aksel/base/quantity'
import type { EndpointGroup } from './endpoints-of.ts'
import { moves, sharesOf } from './zone-shares.ts'

export interface Hinted {
  readonly groups: readonly EndpointGroup[]
  /** Why there are none although they were asked for. */
  readonly refused?: string
  /** They are shared out among zones. */
  readonly isShared: boolean
}

const modeAnnotation = 'service.kubernetes.io/topology-mode'
const oldModeAnnotation = 'service.kubernetes.io/topology-aware-hints'

export function asksForShares({ metadata }: Service): boolean {
  const { [modeAnnotation]: mode, [oldModeAnnotation]: old } = metadata.annotations ?? {}
  return ['auto', 'Auto'].includes(mode ?? old ?? '')
}

/** `zoneCpus`: processors of each zone's ready nodes; undefined where a node does not say, or is nowhere. */
export function withHints(
  service: Service,
  groups: readonly EndpointGroup[],
  zoneCpus: ReadonlyMap<string, number> | undefined,
): Hinted {
  if (asksForShares(service)) return sharedOut(groups, zoneCpus)
  const { trafficDistribution } = service.spec
  switch (trafficDistribution) {
    case 'PreferClose':
    case 'PreferSameZone':
      return { groups: mapEndpoints(groups, hintsOfZone), isShared: false }
    case 'PreferSameNode':
      return { groups: mapEndpoints(groups, hintsOfNode), isShared: false }
    default:
      return { groups, isShared: false }
  }
}

function hintsOfZone({ zone }: Endpoint): EndpointHints | undefined {
  return zone === undefined ? undefined : { forZones: [{ name: zone }] }
}

/** A proxy that finds nothing on its node falls back to its zone. */
function hintsOfNode(endpoint: Endpoint): EndpointHints | undefined {
  const { nodeName } = endpoint
  const zone = hintsOfZone(endpoint)
  return nodeName === undefined ? zone : { ...zone, forNodes: [{ name: nodeName }] }
}

function mapEndpoints(
  groups: readonly EndpointGroup[],
  hintsOf: (endpoint: Endpoint) => EndpointHints | undefined,
): readonly EndpointGroup[] {
  const hinted = (endpoint: Endpoint): Endpoint => {
    const hints = hintsOf(endpoint)
    return hints === undefined ? endpoint : { ...endpoint, hints }
  }
  return groups.map(({ ports, endpoints }) => ({ ports, endpoints: endpoints.map(hinted) }))
}

/** Each ready endpoint serves its own zone, but for those that are lent to zones with more processors than endpoints. */
function sharedOut(groups: readonly EndpointGroup[], zoneCpus: ReadonlyMap<string, number> | undefined): Hinted {
  const ready = groups.flatMap(({ endpoints }) => endpoints).filter(({ conditions }) => conditions?.ready === true)
  const refuse = (refused: string): Hinted => ({ groups, refused, isShared: false })
  if (zoneCpus === undefined)
    return refuse('Insufficient Node information: allocatable CPU or zone not specified on one or more nodes')
  if (zoneCpus.size < 2) return refuse('Nodes only ready in one zone')
  const counts = `(${ready.length} endpoints, ${zoneCpus.size} zones)`
  if (ready.length < zoneCpus.size) return refuse(`Insufficient number of endpoints ${counts}`)
  if (ready.some(({ zone = '' }) => zone === '')) return refuse('One or more endpoints do not have a zone specified')
  const shares = sharesOf(zoneCpus, ready.length)
  if (shares === undefined)
    return refuse(
      `Unable to allocate minimum required endpoints to each zone without exceeding overload threshold ${counts}`,
    )
  const lent = lend(ready, moves(shares, countsByZone(ready)))
  return {
    groups: mapEndpoints(groups, (endpoint) => {
      if (endpoint.conditions?.ready !== true) return undefined
      return { forZones: [{ name: lent.get(endpoint) ?? endpoint.zone! }] }
    }),
    isShared: true,
  }
}

function countsByZone(endpoints: readonly Endpoint[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { zone } of endpoints) counts.set(zone!, (counts.get(zone!) ?? 0) + 1)
  return counts
}

/** The endpoints that serve another zone than their own: the last ones of each zone that gives. */
function lend(
  endpoints: readonly Endpoint[],
  wanted: readonly { readonly from: string; readonly to: string }[],
): ReadonlyMap<Endpoint, string> {
  const lent = new Map<Endpoint, string>()
  for (const { from, to } of wanted) {
    const endpoint = endpoints.findLast((one) => one.zone === from && !lent.has(one))
    if (endpoint !== undefined) lent.set(endpoint, to)
  }
  return lent
}

/** Processors by zone, over ready nodes that run workloads; undefined where one says neither how many nor where it is. */
export function cpusByZone(nodes: readonly Node[]): ReadonlyMap<string, number> | undefined {
  const cpus = new Map<string, number>()
  for (const { metadata, status } of nodes) {
    const labels = metadata.labels ?? {}
    if (controlPlaneLabels.some((label) => labels[label] !== undefined)) continue
    if (!(status?.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True')) continue
    const zone = labels['topology.kubernetes.io/zone'] ?? ''
    const milli = milliOf(status?.allocatable?.['cpu'])
    if (zone === '' || milli === 0) return undefined
    cpus.set(zone, (cpus.get(zone) ?? 0) + milli)
  }
  return cpus
}

const controlPlaneLabels = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master']

function milliOf(cpu: string | number | undefined): number {
  try {
    return cpu === undefined ? 0 : Number(quantityMilli(String(cpu)))
  } catch {
    return 0
  }
}
