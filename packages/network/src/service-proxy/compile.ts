// One service and its endpoint slices become rows of the node's table. Pure, and per service: a change of one service
// costs that service.

import type { Service, ServicePort } from '@aksel/api/types/core-v1'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import { standardAddress, standardCidr } from '@aksel/api/validation/addresses'
import type { IpFamily } from '@aksel/base/ip-range'
import { familyOf } from '../nft/family.ts'
import { withoutNested } from '../nft/ranges.ts'
import { endpointsOf, isProxied, type Candidate, type PortEndpoints, type ProxyNode } from './endpoints.ts'
import { chainName, hex, ID_SHIFT, MASQUERADE_BIT, OUTSIDE_BIT, type Spread } from './table.ts'

export interface CompileOptions {
  readonly node: ProxyNode
  /** Addresses of the node that node ports are open on. */
  readonly nodeAddresses: readonly string[]
  /** Rows of this family's table; IPv4's when absent. */
  readonly family?: IpFamily
  /** Cluster addresses that something on the node serves itself, such as DNS. */
  readonly servedHere: readonly string[]
}

/** A row `map key → value`; the value of a set's element is ''. */
export interface Row {
  readonly map: string
  readonly key: string
  readonly value: string
}

export interface ServiceRows {
  readonly rows: readonly Row[]
  readonly spreads: readonly Spread[]
}

/** Upstream's default for ClientIP affinity: three hours. */
const AFFINITY_SECONDS = 10_800

interface Work {
  readonly service: Service
  readonly options: CompileOptions
  readonly rows: Row[]
  readonly spreads: Spread[]
}

export function compileService(
  service: Service,
  slices: readonly EndpointSlice[],
  options: CompileOptions,
): ServiceRows {
  const work: Work = { service, options, rows: [], spreads: [] }
  if (!isProxied(service)) return work
  const addresses = clusterAddresses(work)
  // A service of the other family alone has nothing here, not even its node ports.
  if (addresses.length === 0 || addresses.some((address) => options.servedHere.includes(address))) return work
  for (const address of addresses) work.rows.push({ map: 'cluster_ips', key: address, value: '' })
  for (const port of service.spec.ports ?? [])
    compilePort(work, port, endpointsOf(port, slices, options.node, options.family))
  return work
}

function clusterAddresses(work: Work): readonly string[] {
  const { spec } = work.service
  return ofFamily(work, spec.clusterIPs ?? [spec.clusterIP!])
}

/** Those of the table's family, as they are written today. */
function ofFamily({ options: { family = 4 } }: Work, addresses: readonly string[]): readonly string[] {
  return addresses.map(standardAddress).filter((address) => familyOf(address) === family)
}

function compilePort(work: Work, port: ServicePort, endpoints: PortEndpoints): void {
  const { spec } = work.service
  const isInternalLocal = spec.internalTrafficPolicy === 'Local'
  for (const address of clusterAddresses(work)) {
    const backends = isInternalLocal ? endpoints.local : endpoints.cluster
    addFrontend(work, keyOf(address, port.protocol, port.port), { map: 'frontends', backends, bits: 0, endpoints })
  }
  for (const key of externalKeys(work, port)) {
    if (spec.externalTrafficPolicy === 'Local') {
      // From this node and its pods a public address is a short cut to every backend; from outside, to those here.
      addFrontend(work, key, { map: 'frontends', backends: endpoints.cluster, bits: 0, endpoints })
      addFrontend(work, key, { map: 'outside', backends: endpoints.local, bits: OUTSIDE_BIT, endpoints })
    } else {
      addFrontend(work, key, { map: 'frontends', backends: endpoints.cluster, bits: MASQUERADE_BIT, endpoints })
    }
  }
  for (const backend of new Set([...endpoints.cluster, ...endpoints.local])) {
    if (!backend.isLocal) continue
    const key = `${backend.address} . ${backend.address}`
    if (!work.rows.some((row) => row.map === 'hairpins' && row.key === key))
      work.rows.push({ map: 'hairpins', key, value: '' })
  }
}

function externalKeys(work: Work, port: ServicePort): readonly string[] {
  const { service, options } = work
  const keys: string[] = []
  for (const address of ofFamily(work, service.spec.externalIPs ?? [])) {
    keys.push(keyOf(address, port.protocol, port.port))
  }
  if (service.spec.type === 'LoadBalancer') {
    for (const ingress of service.status?.loadBalancer?.ingress ?? []) {
      const [address] = ofFamily(work, ingress.ip === undefined ? [] : [ingress.ip])
      if (address === undefined || ingress.ipMode === 'Proxy') continue
      const key = keyOf(address, port.protocol, port.port)
      keys.push(key)
      restrict(work, key)
    }
  }
  if (service.spec.type === 'NodePort' || service.spec.type === 'LoadBalancer') {
    const { nodePort } = port
    if (nodePort !== undefined && nodePort !== 0) {
      keys.push(...ofFamily(work, options.nodeAddresses).map((address) => keyOf(address, port.protocol, nodePort)))
    }
  }
  return [...new Set(keys)]
}

function addFrontend(
  work: Work,
  key: string,
  frontend: {
    readonly map: 'frontends' | 'outside'
    readonly backends: readonly Candidate[]
    readonly bits: number
    readonly endpoints: PortEndpoints
  },
): void {
  const { map, backends, bits, endpoints } = frontend
  if (backends.length === 0) {
    // Nobody anywhere is refused at once; nobody here, as the policy asks, is silence. From outside only, because
    // the same address may lead on for this node's own pods.
    if (!endpoints.hasAny) work.rows.push({ map: 'blocked', key, value: 'goto refused' })
    else work.rows.push({ map, key, value: 'drop' })
    return
  }
  const seconds = affinitySeconds(work.service)
  const spread: Spread = {
    count: backends.length,
    bits,
    ...(seconds === undefined ? {} : { affinitySeconds: seconds }),
  }
  work.spreads.push(spread)
  work.rows.push({ map, key, value: `goto ${chainName(spread)}` })
  const ids = seconds === undefined ? undefined : idsOf(backends)
  for (const [index, backend] of backends.entries()) {
    const target = `${backend.address} . ${backend.port}`
    const drawn = `${key} . ${hex(index + bits)}`
    if (ids === undefined) {
      work.rows.push({ map: 'backends', key: drawn, value: target })
    } else {
      const mark = hex(ids[index]! * 2 ** ID_SHIFT + bits)
      work.rows.push(
        { map: 'ids', key: drawn, value: mark },
        { map: 'backends', key: `${key} . ${mark}`, value: target },
      )
    }
  }
}

function affinitySeconds(service: Service): number | undefined {
  if (service.spec.sessionAffinity !== 'ClientIP') return undefined
  return service.spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS
}

/** Sixteen bits per backend that stay the same while others come and go; 0 is left out, a clash takes the next free. */
export function idsOf(backends: readonly { readonly address: string; readonly port: number }[]): readonly number[] {
  const taken = new Set<number>()
  return backends.map((backend) => {
    let id = fnv16(`${backend.address}:${backend.port}`)
    while (id === 0 || taken.has(id)) id = (id + 1) & 0xffff
    taken.add(id)
    return id
  })
}

/** FNV-1a, folded to sixteen bits. */
function fnv16(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  }
  return (hash >>> 16) ^ (hash & 0xffff)
}

function restrict(work: Work, key: string): void {
  const texts = (work.service.spec.loadBalancerSourceRanges ?? []).map((text) => standardCidr(text.trim()))
  if (texts.length === 0) return
  // Ranges of the other family restrict this one too: who names some means nobody else.
  work.rows.push({ map: 'restricted', key, value: '' })
  for (const range of withoutNested(texts, work.options.family ?? 4))
    work.rows.push({ map: 'allowed', key: `${key} . ${range}`, value: '' })
}

function keyOf(address: string, protocol: string | undefined, port: number): string {
  return `${address} . ${(protocol ?? 'TCP').toLowerCase()} . ${port}`
}
