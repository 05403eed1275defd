// Answers for the names of one cluster, as the Kubernetes DNS specification (1.1.0) has them. Pure: a view on the
// objects and a question in, an answer out.

import { isIPv4, isIPv6 } from 'node:net'
import type { Answer } from 'dns-packet'
import type { Service, ServicePort } from '@aksel/api/types/core-v1'
import type { Endpoint, EndpointSlice } from '@aksel/api/types/discovery-v1'
import { standardAddress } from '@aksel/api/validation/addresses'
import { canonicalAddress, reverseAddress } from './reverse.ts'

export interface ZoneView {
  service(namespace: string, name: string): Service | undefined
  slices(namespace: string, name: string): readonly EndpointSlice[]
  /** Whether the namespace has any service. */
  hasServices(namespace: string): boolean
  /** The service with this cluster address; IPv6 in eight full groups. */
  serviceAt(address: string): Service | undefined
  /** Slices that hold an endpoint of this address; IPv6 in eight full groups. */
  slicesAt(address: string): readonly EndpointSlice[]
}

export interface ZoneOptions {
  /** `cluster.local`. */
  readonly clusterDomain: string
  /** The server's own address. */
  readonly address: string
  readonly ttlSeconds: number
}

export type ZoneAnswer =
  /** The name is there; without answers it has no record of this type. */
  | { readonly kind: 'found'; readonly answers: readonly Answer[]; readonly additionals: readonly Answer[] }
  | { readonly kind: 'absent' }
  /** An external name: what it leads to has to be asked for elsewhere. */
  | { readonly kind: 'alias'; readonly alias: Answer; readonly target: string }
  /** None of this zone's names. */
  | { readonly kind: 'elsewhere' }

const absent: ZoneAnswer = { kind: 'absent' }
const empty: ZoneAnswer = { kind: 'found', answers: [], additionals: [] }

/** The version of the specification, which clients may ask for. */
const DNS_VERSION = '1.1.0'

export interface ZoneQuestion {
  readonly name: string
  /** `A`, `AAAA`, `SRV`, … */
  readonly type: string
}

interface Asked {
  readonly view: ZoneView
  readonly options: ZoneOptions
  readonly question: ZoneQuestion
}

export function answerFromZone(view: ZoneView, question: ZoneQuestion, options: ZoneOptions): ZoneAnswer {
  const asked: Asked = { view, options, question }
  const name = question.name.toLowerCase().replace(/\.$/, '')
  if (name.endsWith('.in-addr.arpa') || name.endsWith('.ip6.arpa')) return answerReverse(asked, name)
  const zone = options.clusterDomain.toLowerCase()
  if (name === zone) return answerApex(asked)
  if (!name.endsWith(`.${zone}`)) return { kind: 'elsewhere' }
  const labels = name
    .slice(0, -zone.length - 1)
    .split('.')
    .toReversed()
  const [kind, ...rest] = labels
  if (kind === 'svc') return answerServices(asked, rest)
  if (kind === 'pod') return answerPod(asked, rest)
  if (labels.length === 1 && kind === 'dns-version') return records(asked, 'TXT', [DNS_VERSION])
  if (labels.length === 2 && kind === 'dns' && rest[0] === 'ns') return addresses(asked, [options.address])
  return absent
}

/** The record that goes with "there is nothing", and tells how long that may be remembered. */
export function startOfAuthority(options: ZoneOptions, serial: number): Answer {
  const { clusterDomain, ttlSeconds } = options
  return {
    type: 'SOA',
    name: clusterDomain,
    ttl: ttlSeconds,
    data: {
      mname: `ns.dns.${clusterDomain}`,
      rname: `hostmaster.${clusterDomain}`,
      serial,
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: ttlSeconds,
    },
  }
}

function answerApex(asked: Asked): ZoneAnswer {
  const { clusterDomain, ttlSeconds } = asked.options
  if (asked.question.type === 'SOA')
    return { kind: 'found', answers: [startOfAuthority(asked.options, 0)], additionals: [] }
  if (asked.question.type !== 'NS') return empty
  const server = `ns.dns.${clusterDomain}`
  return {
    kind: 'found',
    answers: [{ type: 'NS', name: asked.question.name, ttl: ttlSeconds, data: server }],
    additionals: [{ type: 'A', name: server, ttl: ttlSeconds, data: asked.options.address }],
  }
}

/** `labels` are read from the right: namespace, service, and what stands before it. */
function answerServices(asked: Asked, labels: readonly string[]): ZoneAnswer {
  const [namespace, name, ...before] = labels
  if (namespace === undefined) return empty
  if (name === undefined) return asked.view.hasServices(namespace) ? empty : absent
  const service = asked.view.service(namespace, name)
  if (service === undefined || before.length > 2) return absent
  if (service.spec.type === 'ExternalName') return before.length === 0 ? answerExternal(asked, service) : absent
  const isHeadless = service.spec.clusterIP === 'None'
  if (before.length === 2) return answerPort(asked, service, { protocol: before[0]!, port: before[1]! })
  if (before.length === 1) return answerEndpoint(asked, service, before[0]!)
  if (asked.question.type === 'SRV') return answerPort(asked, service)
  return isHeadless ? answerHeadless(asked, service) : addresses(asked, clusterAddresses(service))
}

export function clusterAddresses(service: Service): readonly string[] {
  return (service.spec.clusterIPs ?? [service.spec.clusterIP ?? ''])
    .map(standardAddress)
    .filter((each) => isIPv4(each) || isIPv6(each))
}

function answerExternal(asked: Asked, service: Service): ZoneAnswer {
  const target = (service.spec.externalName ?? '').replace(/\.$/, '')
  if (isIPv4(target) || isIPv6(target)) return addresses(asked, [target])
  const { question, options } = asked
  return { kind: 'alias', alias: { type: 'CNAME', name: question.name, ttl: options.ttlSeconds, data: target }, target }
}

function answerHeadless(asked: Asked, service: Service): ZoneAnswer {
  const found = new Set(readyEndpoints(asked.view, service).map(({ address }) => address))
  return found.size === 0 ? absent : addresses(asked, [...found])
}

/** `web-0.web.default.svc`: an endpoint by its host name, or by its address with dashes when it has none. */
function answerEndpoint(asked: Asked, service: Service, host: string): ZoneAnswer {
  const found = readyEndpoints(asked.view, service).filter(
    ({ endpoint, address }) => hostOf(endpoint, address) === host,
  )
  const known = new Set(found.map(({ address }) => address))
  return known.size === 0 ? absent : addresses(asked, [...known])
}

function hostOf(endpoint: Endpoint, address: string): string {
  return endpoint.hostname ?? address.replaceAll(/[.:]/g, '-')
}

interface ReadyEndpoint {
  readonly endpoint: Endpoint
  readonly address: string
  readonly ports: EndpointSlice['ports']
}

function readyEndpoints(view: ZoneView, service: Service): readonly ReadyEndpoint[] {
  const { namespace, name } = service.metadata
  return view
    .slices(namespace!, name)
    .filter((slice) => slice.addressType !== 'FQDN')
    .flatMap((slice) =>
      (slice.endpoints ?? [])
        .filter((endpoint) => endpoint.conditions?.ready !== false && endpoint.addresses[0] !== undefined)
        .map((endpoint) => ({ endpoint, address: standardAddress(endpoint.addresses[0]!), ports: slice.ports ?? [] })),
    )
}

/** SRV records: for a port by `_name._protocol`, or for every port of the service. */
function answerPort(
  asked: Asked,
  service: Service,
  wanted?: { readonly protocol: string; readonly port: string },
): ZoneAnswer {
  if (wanted !== undefined && !(wanted.protocol.startsWith('_') && wanted.port.startsWith('_'))) return absent
  const isWanted = (port: Pick<ServicePort, 'name' | 'protocol'>): boolean =>
    wanted === undefined ||
    (wanted.port === `_${(port.name ?? '').toLowerCase()}` &&
      wanted.protocol === `_${(port.protocol ?? 'TCP').toLowerCase()}`)
  const base = `${service.metadata.name}.${service.metadata.namespace}.svc.${asked.options.clusterDomain}`
  const targets =
    service.spec.clusterIP === 'None'
      ? readyEndpoints(asked.view, service).flatMap(({ endpoint, address, ports }) =>
          ports
            .filter(isWanted)
            .map((port) => ({ target: `${hostOf(endpoint, address)}.${base}`, port: port.port ?? 0, address })),
        )
      : (service.spec.ports ?? [])
          .filter(isWanted)
          .flatMap((port) => clusterAddresses(service).map((address) => ({ target: base, port: port.port, address })))
  if (targets.length === 0) return absent
  if (asked.question.type !== 'SRV') return empty
  const ttl = asked.options.ttlSeconds
  const weight = Math.max(1, Math.floor(100 / targets.length))
  const hosts = new Map(targets.map(({ target, address }) => [`${target} ${address}`, { target, address }]))
  return {
    kind: 'found',
    answers: targets.map(({ target, port }) => ({
      type: 'SRV',
      name: asked.question.name,
      ttl,
      data: { priority: 0, weight, port, target },
    })),
    additionals: [...hosts.values()].map(({ target, address }) => ({
      type: isIPv6(address) ? 'AAAA' : 'A',
      name: target,
      ttl,
      data: address,
    })),
  }
}

/** `10-244-1-7.default.pod`: the address stands in the name; no pod is looked up, as AKS has it (`pods insecure`). */
function answerPod(asked: Asked, labels: readonly string[]): ZoneAnswer {
  if (labels.length < 2) return empty
  const [ipv4, ipv6] = [labels[1]!.replaceAll('-', '.'), labels[1]!.replaceAll('-', ':')]
  const address = [ipv4, ipv6].find((each) => isIPv4(each) || isIPv6(each))
  return labels.length === 2 && address !== undefined ? addresses(asked, [address]) : absent
}

/** Addresses that the cluster does not know are somebody else's. */
function answerReverse(asked: Asked, name: string): ZoneAnswer {
  const address = reverseAddress(name)
  if (address === undefined) return { kind: 'elsewhere' }
  const { view, options } = asked
  const service = view.serviceAt(address)
  const names = new Set<string>()
  if (service !== undefined)
    names.add(`${service.metadata.name}.${service.metadata.namespace}.svc.${options.clusterDomain}`)
  for (const slice of service === undefined ? view.slicesAt(address) : []) {
    const owner = slice.metadata.labels?.['kubernetes.io/service-name']
    const endpoint = slice.endpoints.find(
      (candidate) => canonicalAddress(standardAddress(candidate.addresses[0] ?? '')) === address,
    )
    if (owner === undefined || endpoint === undefined) continue
    names.add(
      `${hostOf(endpoint, endpoint.addresses[0]!)}.${owner}.${slice.metadata.namespace}.svc.${options.clusterDomain}`,
    )
  }
  return names.size === 0 ? { kind: 'elsewhere' } : records(asked, 'PTR', [...names])
}

/** Of one family each: the other one's records are none of this type. */
function addresses(asked: Asked, values: readonly string[]): ZoneAnswer {
  const { question, options } = asked
  const wanted = values.filter((value) =>
    question.type === 'AAAA' ? isIPv6(value) : question.type === 'A' && isIPv4(value),
  )
  const type = question.type as 'A' | 'AAAA'
  return {
    kind: 'found',
    answers: wanted.map((data) => ({ type, name: question.name, ttl: options.ttlSeconds, data })),
    additionals: [],
  }
}

function records(asked: Asked, type: 'PTR' | 'TXT', values: readonly string[]): ZoneAnswer {
  const { question, options } = asked
  if (question.type !== type) return empty
  return {
    kind: 'found',
    answers: values.map((data) => ({ type, name: question.name, ttl: options.ttlSeconds, data })),
    additionals: [],
  }
}
