// NetworkPolicy: who may talk to pods, and whom they may talk to.

import type { Draft } from '@aksel/base/draft'
import { forbidden, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../types/networking-v1.ts'
import { cidrComplaint, isLegacyCidr } from '../validation/addresses.ts'
import { portName, portNumber } from '../validation/names.ts'
import { selectorText, validateSelector } from '../validation/selectors.ts'
import { complain, oneOf } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import type { LegacyAddress } from '../warnings/addresses.ts'

function setDefaults({ spec }: Draft<NetworkPolicy>): void {
  if (spec === undefined) return
  if ((spec.policyTypes ?? []).length === 0)
    spec.policyTypes = (spec.egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress']
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
    for (const port of rule.ports ?? []) port.protocol ??= 'TCP'
}

function validate({ spec }: NetworkPolicy): readonly FieldError[] {
  const errors: FieldError[] = [...validateSelector(spec?.podSelector, 'spec.podSelector')]
  for (const [index, rule] of (spec?.ingress ?? []).entries())
    errors.push(...validateRule(rule.ports, rule.from, `spec.ingress[${index}]`, 'from'))
  for (const [index, rule] of (spec?.egress ?? []).entries())
    errors.push(...validateRule(rule.ports, rule.to, `spec.egress[${index}]`, 'to'))
  const types = spec?.policyTypes ?? []
  if (types.length > 2)
    return [...errors, invalid('spec.policyTypes', types, 'may not specify more than two policyTypes')]
  for (const [index, type] of types.entries()) {
    if (type !== 'Ingress' && type !== 'Egress')
      errors.push(notSupported(`spec.policyTypes[${index}]`, type, ['Egress', 'Ingress']))
  }
  return errors
}

function validateRule(
  ports: readonly NetworkPolicyPort[] = [],
  peers: readonly NetworkPolicyPeer[] = [],
  path: string,
  side: string,
): readonly FieldError[] {
  return [
    ...ports.flatMap((port, index) => validatePort(port, `${path}.ports[${index}]`)),
    ...peers.flatMap((peer, index) => validatePeer(peer, `${path}.${side}[${index}]`)),
  ]
}

function validatePort({ protocol, port, endPort }: NetworkPolicyPort, path: string): readonly FieldError[] {
  const errors: FieldError[] = [...oneOf(protocol, ['SCTP', 'TCP', 'UDP'], `${path}.protocol`)]
  if (port === undefined)
    return endPort === undefined
      ? errors
      : [...errors, invalid(`${path}.endPort`, endPort, 'may not be specified when `port` is not specified')]
  if (typeof port === 'string') {
    if (endPort !== undefined)
      errors.push(invalid(`${path}.endPort`, endPort, 'may not be specified when `port` is non-numeric'))
    return [...errors, ...complain(`${path}.port`, port, portName(port))]
  }
  errors.push(...complain(`${path}.port`, port, portNumber(port)))
  if (endPort === undefined) return errors
  if (endPort < port) errors.push(invalid(`${path}.endPort`, port, 'must be greater than or equal to `port`'))
  return [...errors, ...complain(`${path}.endPort`, endPort, portNumber(endPort))]
}

function validatePeer(peer: NetworkPolicyPeer, path: string): readonly FieldError[] {
  const errors: FieldError[] = [
    ...validateSelector(peer.podSelector, `${path}.podSelector`),
    ...validateSelector(peer.namespaceSelector, `${path}.namespaceSelector`),
  ]
  const { ipBlock, podSelector, namespaceSelector } = peer
  if (ipBlock === undefined && podSelector === undefined && namespaceSelector === undefined)
    return [...errors, required(path, 'must specify a peer')]
  if (ipBlock === undefined) return errors
  if (podSelector !== undefined || namespaceSelector !== undefined)
    errors.push(forbidden(path, 'may not specify both ipBlock and another peer'))
  return [...errors, ...validateBlock(ipBlock, `${path}.ipBlock`)]
}

function validateBlock({ cidr, except = [] }: IPBlock, path: string): readonly FieldError[] {
  if (cidr === '') return [required(`${path}.cidr`)]
  if (!isLegacyCidr(cidr)) return [invalid(`${path}.cidr`, cidr, cidrComplaint)]
  return except.flatMap((one, index) => {
    const at = `${path}.except[${index}]`
    if (!isLegacyCidr(one)) return [invalid(at, one, cidrComplaint)]
    return isStrictlyInside(one, cidr) ? [] : [invalid(at, one, `must be a strict subset of \`cidr\``)]
  })
}

/** IPv4 ranges are compared by their bits; of IPv6 only the length. */
function isStrictlyInside(inner: string, outer: string): boolean {
  const [innerAddress = '', innerBits = '0'] = inner.split('/')
  const [outerAddress = '', outerBits = '0'] = outer.split('/')
  if (Number(innerBits) <= Number(outerBits)) return false
  if (innerAddress.includes(':') || outerAddress.includes(':'))
    return innerAddress.includes(':') === outerAddress.includes(':')
  const toNumber = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const size = 2 ** (32 - Number(outerBits))
  return Math.floor(toNumber(innerAddress) / size) === Math.floor(toNumber(outerAddress) / size)
}

function blockAddresses(peers: readonly NetworkPolicyPeer[], path: string): readonly LegacyAddress[] {
  return peers.flatMap(({ ipBlock }, index) => {
    if (ipBlock === undefined) return []
    const at = `${path}[${index}].ipBlock`
    return [
      { path: `${at}.cidr`, kind: 'cidr' as const, text: ipBlock.cidr },
      ...(ipBlock.except ?? []).map((text, place) => ({
        path: `${at}.except[${place}]`,
        kind: 'cidr' as const,
        text,
      })),
    ]
  })
}

export const networkPolicyRules: KindRules<NetworkPolicy> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  generationFields: ['spec'],
  default: setDefaults,
  validateCreate: validate,
  legacyAddresses: ({ spec }) => [
    ...(spec?.ingress ?? []).flatMap(({ from = [] }, index) => blockAddresses(from, `spec.ingress[${index}].from`)),
    ...(spec?.egress ?? []).flatMap(({ to = [] }, index) => blockAddresses(to, `spec.egress[${index}].to`)),
  ],
  columns: [nameColumn, column('Pod-Selector', 'The pods that it protects.'), ageColumn],
  cells: ({ metadata, spec }, nowMs) => [
    metadata.name,
    selectorText(spec?.podSelector),
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}
