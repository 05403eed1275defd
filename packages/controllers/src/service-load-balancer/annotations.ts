// The annotations of Azure's cloud provider: how their values are read, and those that cannot be carried out here.

import type { Service } from '@aksel/api/types/core-v1'

const PREFIX = 'service.beta.kubernetes.io/'

/** Those that are carried out, by what they say. */
export const annotations = {
  internal: `${PREFIX}azure-load-balancer-internal`,
  subnet: `${PREFIX}azure-load-balancer-internal-subnet`,
  address: `${PREFIX}azure-load-balancer-ipv4`,
  allowedRanges: `${PREFIX}azure-allowed-ip-ranges`,
  allowedTags: `${PREFIX}azure-allowed-service-tags`,
  denyOthers: `${PREFIX}azure-deny-all-except-load-balancer-source-ranges`,
  idleTimeout: `${PREFIX}azure-load-balancer-tcp-idle-timeout`,
  everyPort: `${PREFIX}azure-load-balancer-enable-high-availability-ports`,
  noFloating: `${PREFIX}azure-disable-load-balancer-floating-ip`,
  probeProtocol: `${PREFIX}azure-load-balancer-health-probe-protocol`,
  probePath: `${PREFIX}azure-load-balancer-health-probe-request-path`,
  probeInterval: `${PREFIX}azure-load-balancer-health-probe-interval`,
  probeCount: `${PREFIX}azure-load-balancer-health-probe-num-of-probe`,
  publicName: `${PREFIX}azure-pip-name`,
  publicGroup: `${PREFIX}azure-load-balancer-resource-group`,
} as const

/** What is asked for one port: `port_80_health-probe_interval`. */
export function portAnnotation(port: number, what: string): string {
  return `${PREFIX}port_${port}_${what}`
}

/** Why the others are not carried out; where nothing is lost by that, there is nothing to tell. */
const others: Readonly<Record<string, string | undefined>> = {
  'azure-load-balancer-mode': undefined,
  'azure-load-balancer-mixed-protocols': undefined,
  'azure-load-balancer-disable-tcp-reset': 'Azure retired it: idle connections are always reset',
  'azure-shared-securityrule': 'every service has rules of its own',
  'azure-load-balancer-configurations': 'a cluster has one load balancer',
  'azure-pip-prefix-id': 'addresses come from one range, not from prefixes',
  'azure-pip-prefix-id-ipv6': 'load balancers have IPv4 addresses alone',
  'azure-pip-name-ipv6': 'load balancers have IPv4 addresses alone',
  'azure-load-balancer-ipv6': 'load balancers have IPv4 addresses alone',
  'azure-dns-label-name': 'nobody answers for names below cloudapp.azure.com here',
  'azure-pip-tags': 'the addresses of services have the tags of the provider alone',
  'azure-pip-ip-tags': 'addresses have no tags of routing',
  'azure-additional-public-ips': 'a service has one address',
  'azure-disable-load-balancer-security-group-rules': 'what may come in is decided by the load balancer itself',
}

export interface Unsupported {
  readonly annotation: string
  readonly why: string
}

/** Annotations of the service that ask Azure for something that is not carried out here, in the order of their names. */
export function unsupportedAnnotations({ metadata }: Service): readonly Unsupported[] {
  const known = new Set<string>(Object.values(annotations))
  return Object.keys(metadata.annotations ?? {})
    .filter((name) => name.startsWith(`${PREFIX}azure-`) && !known.has(name))
    .toSorted()
    .flatMap((annotation) => {
      const name = annotation.slice(PREFIX.length)
      if (name.startsWith('azure-pls-')) return [{ annotation, why: 'there are no private link services' }]
      if (!Object.hasOwn(others, name)) return [{ annotation, why: 'Azure does not know it' }]
      const why = others[name]
      return why === undefined ? [] : [{ annotation, why }]
    })
}

/** Undefined where it is absent. */
export function textOf({ metadata }: Service, name: string): string | undefined {
  return metadata.annotations?.[name]?.trim()
}

/** True for `true` in any case, as Azure reads it; anything else is no. */
export function isTrue(service: Service, name: string): boolean {
  return textOf(service, name)?.toLowerCase() === 'true'
}

/** Undefined where it is absent or empty. Throws where it is no whole number. */
export function wholeNumber(service: Service, name: string): number | undefined {
  const text = textOf(service, name)
  if (text === undefined || text === '') return undefined
  if (!/^[+-]?\d+$/.test(text)) {
    throw new Error(`error value: ${text}: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  }
  return Number(text)
}

/** Items between commas, without empty ones. */
export function listOf(service: Service, name: string): readonly string[] {
  return (textOf(service, name) ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
