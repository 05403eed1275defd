// What a service asks of its load balancer, from the service, the nodes and what surrounds them.

import type { Node, Service, ServicePort } from '@aksel/api/types/core-v1'
import { standardAddress } from '@aksel/api/validation/addresses'
import { isAddress } from '@aksel/base/ipv4'
import { annotations, isTrue, portAnnotation, textOf, wholeNumber } from './annotations.ts'
import type { LoadBalancerRequest, LoadBalancerRule } from './load-balancers.ts'
import { probeOf } from './probes.ts'

const IDLE_MINUTES = { default: 4, min: 4, max: 100 } as const

/** True for a service that this loop serves: a class of its own names another implementation. */
export function wantsLoadBalancer({ spec, metadata }: Service): boolean {
  return (
    spec.type === 'LoadBalancer' && spec.loadBalancerClass === undefined && metadata.deletionTimestamp === undefined
  )
}

/** Throws an Error that says what of the service cannot be done. */
export function planLoadBalancer(
  service: Service,
  nodes: readonly Node[],
  sourceRanges: readonly string[],
): LoadBalancerRequest {
  const { metadata, spec, status } = service
  // Of a service of both families the balancer serves IPv4, which comes with it.
  if (spec.ipFamilies !== undefined && !spec.ipFamilies.includes('IPv4'))
    throw new Error('load balancers have IPv4 addresses alone: the service has IPv6 alone')
  const common = {
    addresses: nodes
      .filter(isBackend)
      .flatMap((node) => internalAddress(node) ?? [])
      .toSorted(),
    sourceRanges,
    idleTimeoutMinutes: idleTimeout(service),
  }
  const wanted = wantedAddress(service)
  const address = wanted ?? status?.loadBalancer?.ingress?.[0]?.ip
  const isInternal = isTrue(service, annotations.internal)
  const publicAddress = isInternal ? undefined : publicAddressOf(service)
  return {
    id: metadata.uid!,
    service: { namespace: metadata.namespace ?? '', name: metadata.name },
    rules: rulesOf(service, common),
    ...(address === undefined ? {} : { address }),
    ...(wanted === undefined && publicAddress === undefined ? {} : { isShared: true }),
    ...(isInternal ? { internal: subnetOf(service) } : {}),
    ...(publicAddress === undefined ? {} : { publicAddress }),
  }
}

/** The address that the user asks for; the one in force is no wish. Throws for what is no IPv4 address. */
export function wantedAddress(service: Service): string | undefined {
  const wanted = textOf(service, annotations.address) || service.spec.loadBalancerIP
  if (wanted === undefined || wanted === '') return undefined
  const address = standardAddress(wanted)
  if (!isAddress(address)) throw new Error(`load balancers have IPv4 addresses alone: ${wanted}`)
  return address
}

function publicAddressOf(service: Service): LoadBalancerRequest['publicAddress'] {
  const name = textOf(service, annotations.publicName)
  const resourceGroup = textOf(service, annotations.publicGroup)
  if (name === undefined || name === '') return undefined
  return { name, ...(resourceGroup === undefined || resourceGroup === '' ? {} : { resourceGroup }) }
}

function subnetOf(service: Service): { readonly subnet?: string } {
  const subnet = textOf(service, annotations.subnet)
  return subnet === undefined || subnet === '' ? {} : { subnet }
}

function idleTimeout(service: Service): number {
  const { min, max } = IDLE_MINUTES
  try {
    const value = wholeNumber(service, annotations.idleTimeout) ?? IDLE_MINUTES.default
    if (value >= min && value <= max) return value
    throw new Error(
      `idle timeout value must be a whole number representing minutes between ${min} and ${max}, actual value: ${value}`,
    )
  } catch (error) {
    throw new Error(`error parsing idle timeout key: ${annotations.idleTimeout}, err: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

interface Common {
  readonly addresses: readonly string[]
  readonly sourceRanges: readonly string[]
  readonly idleTimeoutMinutes: number
}

function rulesOf(service: Service, common: Common): readonly LoadBalancerRule[] {
  const ports = (service.spec.ports ?? []).filter(({ port }) => !isTrue(service, portAnnotation(port, 'no_lb_rule')))
  const isWhole = isTrue(service, annotations.everyPort) && isTrue(service, annotations.internal)
  if (!isWhole) return ports.map((port) => ruleOf(service, port, common))
  const [first] = ports
  if (first === undefined) return []
  const { addresses, ...rest } = common
  const backends = addresses.map((address) => ({ address }))
  return [{ protocol: 'ALL', port: 0, backends, ...rest, ...affinityOf(service), ...probed(service, first) }]
}

function ruleOf(service: Service, port: ServicePort, { addresses, ...common }: Common): LoadBalancerRule {
  const { protocol = 'TCP', nodePort = 0 } = port
  if (protocol !== 'TCP' && protocol !== 'UDP') {
    throw new Error(`only TCP and UDP are supported by the load balancer: port ${port.port} is ${protocol}`)
  }
  if (nodePort === 0 && isTrue(service, annotations.noFloating)) {
    throw new Error(
      `port ${port.port} has no node port, which ${annotations.noFloating} asks for: set allocateLoadBalancerNodePorts`,
    )
  }
  // Without a node port packets arrive as they were sent, which is what Azure calls a floating IP.
  const backends = addresses.map((address) => (nodePort === 0 ? { address } : { address, port: nodePort }))
  return { protocol, port: port.port, backends, ...common, ...affinityOf(service), ...probed(service, port) }
}

function affinityOf({ spec }: Service): Pick<LoadBalancerRule, 'isBySource'> {
  return spec.sessionAffinity === 'ClientIP' ? { isBySource: true } : {}
}

function probed(service: Service, port: ServicePort): Pick<LoadBalancerRule, 'probe'> {
  const probe = probeOf(service, port)
  return probe === undefined ? {} : { probe }
}

export function isBackend({ metadata, spec, status }: Node): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    metadata.labels?.['node.kubernetes.io/exclude-from-external-load-balancers'] === undefined &&
    !(spec?.taints ?? []).some(({ key }) => key === 'ToBeDeletedByClusterAutoscaler') &&
    (status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True')
  )
}

export function internalAddress({ status }: Node): string | undefined {
  return status?.addresses?.find(({ type }) => type === 'InternalIP')?.address
}
