// What a service may say, and what it may not take back.

import { deepEqual } from '../deep-equal.ts'
import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { Service, ServicePort } from '../types/core-v1.ts'
import {
  cidrComplaint,
  ipComplaint,
  isIpAddress,
  isLegacyCidr,
  isLegacyIp,
  standardAddress,
} from '../validation/addresses.ts'
import { validateLabels } from '../validation/metadata.ts'
import { dnsLabel, dnsSubdomain, portName, portNumber, qualifiedName } from '../validation/names.ts'
import { complain, oneOf, requiredOneOf } from '../validation/values.ts'

type Spec = Service['spec']

export function isHeadless(spec: Spec): boolean {
  return spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None'
}

export function isExternallyReachable(spec: Spec): boolean {
  return (
    spec.type === 'LoadBalancer' ||
    spec.type === 'NodePort' ||
    (spec.type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0)
  )
}

export function validateService(service: Service): readonly FieldError[] {
  const { spec } = service
  const errors: FieldError[] = []
  if ((spec.ports ?? []).length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName')
    errors.push(required('spec.ports'))
  errors.push(...validateByType(spec), ...validatePorts(spec))
  errors.push(...validateLabels(spec.selector, 'spec.selector'))
  errors.push(...requiredOneOf(spec.sessionAffinity, ['ClientIP', 'None'], 'spec.sessionAffinity'))
  errors.push(...requiredOneOf(spec.type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'], 'spec.type'))
  const timeout = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds
  if (spec.sessionAffinity === 'ClientIP' && (timeout === undefined || timeout <= 0 || timeout > 86400)) {
    errors.push(
      invalid(
        'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
        timeout,
        'must be greater than 0 and less than 86400',
      ),
    )
  }
  errors.push(...validateAddresses(spec), ...validateTraffic(spec), ...validateLoadBalancer(spec))
  return errors
}

function validateByType(spec: Spec): readonly FieldError[] {
  const errors: FieldError[] = []
  if ((spec.type === 'LoadBalancer' || spec.type === 'NodePort') && isHeadless(spec)) {
    errors.push(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`))
  }
  if (spec.type !== 'ExternalName') return errors
  for (const field of ['clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const) {
    if (spec[field] !== undefined && spec[field].length > 0)
      errors.push(forbidden(`spec.${field}`, 'may not be set for ExternalName services'))
  }
  const name = (spec.externalName ?? '').replace(/\.$/, '')
  if (name === '') errors.push(required('spec.externalName'))
  else errors.push(...complain('spec.externalName', name, dnsSubdomain(name)))
  return errors
}

function validatePorts({ ports = [], type }: Spec): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`
    const before = ports.slice(0, index)
    errors.push(...validatePort(port, path, ports.length > 1))
    if (port.name !== undefined && port.name !== '' && before.some(({ name }) => name === port.name))
      errors.push(duplicate(`${path}.name`, port.name))
    const nodePort = port.nodePort ?? 0
    if (nodePort > 0 && type === 'ClusterIP')
      errors.push(forbidden(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'"))
    if (nodePort > 0 && before.some((one) => one.nodePort === nodePort && one.protocol === port.protocol)) {
      errors.push(duplicate(`${path}.nodePort`, nodePort))
    }
    if (before.some((one) => one.port === port.port && one.protocol === port.protocol)) {
      errors.push(duplicate(path, shownPort(port)))
    }
  }
  return errors
}

/** As upstream shows a port: in the names of its inner form. */
function shownPort({ port, protocol }: ServicePort): object {
  return { Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 }
}

function validatePort(port: ServicePort, path: string, needsName: boolean): readonly FieldError[] {
  const errors: FieldError[] = []
  const name = port.name ?? ''
  if (name !== '') errors.push(...complain(`${path}.name`, name, dnsLabel(name)))
  else if (needsName) errors.push(required(`${path}.name`))
  errors.push(...complain(`${path}.port`, port.port, portNumber(port.port)))
  errors.push(...requiredOneOf(port.protocol, ['TCP', 'UDP', 'SCTP'], `${path}.protocol`))
  const target = port.targetPort ?? 0
  const wrong = typeof target === 'number' ? portNumber(target) : portName(target)
  errors.push(...complain(`${path}.targetPort`, target, wrong))
  if (port.appProtocol !== undefined)
    errors.push(...complain(`${path}.appProtocol`, port.appProtocol, qualifiedName(port.appProtocol)))
  return errors
}

function validateAddresses(spec: Spec): readonly FieldError[] {
  const errors: FieldError[] = []
  const addresses = spec.clusterIPs ?? []
  const primary = spec.clusterIP ?? ''
  if (addresses.length > 0 && primary === '')
    errors.push(required('spec.clusterIP', 'must be set when `clusterIPs` is set'))
  else if (addresses.length > 0 && addresses[0] !== primary) {
    errors.push(invalid('spec.clusterIPs', addresses, 'first value must match `clusterIP`'))
  }
  if (addresses.length > 2) errors.push(invalid('spec.clusterIPs', addresses, 'may only hold up to 2 values'))
  for (const [index, address] of addresses.entries()) {
    const path = `spec.clusterIPs[${index}]`
    if (address === 'None') {
      if (addresses.length > 1)
        errors.push(invalid('spec.clusterIPs', addresses, "'None' must be the first and only value"))
    } else if (!isLegacyIp(address)) errors.push(invalid(path, address, ipComplaint))
  }
  for (const [index, family] of (spec.ipFamilies ?? []).entries()) {
    if (family !== 'IPv4' && family !== 'IPv6')
      errors.push(notSupported(`spec.ipFamilies[${index}]`, family, ['IPv4', 'IPv6']))
    else if (spec.ipFamilies!.indexOf(family) < index) errors.push(duplicate(`spec.ipFamilies[${index}]`, family))
  }
  errors.push(
    ...oneOf(spec.ipFamilyPolicy, ['SingleStack', 'PreferDualStack', 'RequireDualStack'], 'spec.ipFamilyPolicy'),
  )
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    const path = `spec.externalIPs[${index}]`
    const plain = standardAddress(address)
    if (!isLegacyIp(address)) errors.push(invalid(path, address, ipComplaint))
    else if (/^127\.|^::1$/.test(plain))
      errors.push(invalid(path, address, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'))
    else if (/^0\.0\.0\.0$|^::$/.test(plain))
      errors.push(invalid(path, address, 'may not be unspecified (0.0.0.0 or ::)'))
    else if (plain.startsWith('169.254.'))
      errors.push(invalid(path, address, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'))
  }
  return errors
}

function validateTraffic(spec: Spec): readonly FieldError[] {
  const errors: FieldError[] = []
  const policy = spec.externalTrafficPolicy
  if (isExternallyReachable(spec))
    errors.push(...requiredOneOf(policy, ['Cluster', 'Local'], 'spec.externalTrafficPolicy'))
  else if (policy !== undefined)
    errors.push(invalid('spec.externalTrafficPolicy', policy, 'may only be set for externally-accessible services'))
  const wantsHealthPort = spec.type === 'LoadBalancer' && policy === 'Local'
  if ((spec.healthCheckNodePort ?? 0) > 0 && !wantsHealthPort) {
    errors.push(
      invalid(
        'spec.healthCheckNodePort',
        spec.healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    )
  }
  errors.push(...oneOf(spec.internalTrafficPolicy, ['Cluster', 'Local'], 'spec.internalTrafficPolicy'))
  errors.push(
    ...oneOf(spec.trafficDistribution, ['PreferClose', 'PreferSameZone', 'PreferSameNode'], 'spec.trafficDistribution'),
  )
  return errors
}

function validateLoadBalancer(spec: Spec): readonly FieldError[] {
  const errors: FieldError[] = []
  const isBalanced = spec.type === 'LoadBalancer'
  for (const [index, range] of (spec.loadBalancerSourceRanges ?? []).entries()) {
    if (!isLegacyCidr(range.trim()))
      errors.push(invalid(`spec.LoadBalancerSourceRanges[${index}]`, range.trim(), cidrComplaint))
  }
  if ((spec.loadBalancerSourceRanges ?? []).length > 0 && !isBalanced) {
    errors.push(forbidden('spec.LoadBalancerSourceRanges', "may only be used when `type` is 'LoadBalancer'"))
  }
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isBalanced) {
    errors.push(forbidden('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"))
  }
  if (spec.loadBalancerClass !== undefined && !isBalanced) {
    errors.push(forbidden('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'"))
  } else if (spec.loadBalancerClass !== undefined) {
    errors.push(...complain('spec.loadBalancerClass', spec.loadBalancerClass, qualifiedName(spec.loadBalancerClass)))
  }
  return errors
}

export function validateServiceUpdate(next: Service, old: Service): readonly FieldError[] {
  const errors: FieldError[] = []
  const typesKeep = next.spec.type !== 'ExternalName' && old.spec.type !== 'ExternalName'
  const before = old.spec.clusterIPs?.[0] ?? ''
  if (typesKeep && before !== '') {
    const now = next.spec.clusterIPs?.[0] ?? next.spec.clusterIP ?? ''
    if (now === '')
      errors.push(invalid('spec.clusterIPs[0]', next.spec.clusterIPs ?? [], 'primary clusterIP can not be unset'))
    else if (now !== before)
      errors.push(invalid('spec.clusterIPs[0]', next.spec.clusterIPs ?? [], 'may not change once set'))
  }
  if (typesKeep && (old.spec.ipFamilies ?? []).length > 0 && next.spec.ipFamilies?.[0] !== old.spec.ipFamilies?.[0]) {
    errors.push(invalid('spec.ipFamilies[0]', next.spec.ipFamilies?.[0], 'may not change once set'))
  }
  const bothBalanced = next.spec.type === 'LoadBalancer' && old.spec.type === 'LoadBalancer'
  if (bothBalanced && !deepEqual(next.spec.loadBalancerClass, old.spec.loadBalancerClass)) {
    errors.push(invalid('spec.loadBalancerClass', next.spec.loadBalancerClass, 'may not change once set'))
  }
  const oldHealth = old.spec.healthCheckNodePort ?? 0
  if (
    bothBalanced &&
    oldHealth > 0 &&
    next.spec.externalTrafficPolicy === 'Local' &&
    next.spec.healthCheckNodePort !== oldHealth
  ) {
    errors.push(forbidden('spec.healthCheckNodePort', 'field is immutable'))
  }
  return [...errors, ...validateService(next)]
}

/** Ports of a load balancer's status, addresses and modes. */
export function validateServiceStatus({ spec, status }: Service): readonly FieldError[] {
  const errors: FieldError[] = []
  const ingresses = status?.loadBalancer?.ingress ?? []
  if (ingresses.length > 0 && spec.type !== 'LoadBalancer') {
    errors.push(forbidden('status.loadBalancer.ingress', 'may only be used when `spec.type` is "LoadBalancer"'))
  }
  for (const [index, { ip, hostname, ipMode }] of ingresses.entries()) {
    const path = `status.loadBalancer.ingress[${index}]`
    if (ip !== undefined && !isLegacyIp(ip)) errors.push(invalid(`${path}.ip`, ip, ipComplaint))
    if (ip !== undefined && ipMode === undefined)
      errors.push(required(`${path}.ipMode`, 'must be specified when `ip` is set'))
    else if (ip === undefined && ipMode !== undefined)
      errors.push(forbidden(`${path}.ipMode`, 'may not be specified when `ip` is not set'))
    errors.push(...oneOf(ipMode, ['Proxy', 'VIP'], `${path}.ipMode`))
    if (hostname === undefined) continue
    errors.push(...complain(`${path}.hostname`, hostname, dnsSubdomain(hostname)))
    if (isIpAddress(hostname))
      errors.push(invalid(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address'))
  }
  return errors
}
