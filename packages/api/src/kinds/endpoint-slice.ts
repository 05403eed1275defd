// EndpointSlice: a part of what stands behind a service.

import type { Draft } from '@aksel/base/draft'
import { duplicate, invalid, required, tooMany, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { Endpoint, EndpointSlice } from '../types/discovery-v1.ts'
import { ipComplaint, isIpv4, isLegacyIp, standardAddress } from '../validation/addresses.ts'
import { dnsLabel, dnsSubdomain, qualifiedName } from '../validation/names.ts'
import { complain, requiredOneOf, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { validateReachable } from './endpoints.ts'

const ENDPOINTS_MAX = 1000
const PORTS_MAX = 20_000
const ADDRESSES_MAX = 100
const HINTS_MAX = 8

function setDefaults(slice: Draft<EndpointSlice>): void {
  for (const port of slice.ports ?? []) {
    port.name ??= ''
    port.protocol ??= 'TCP'
  }
}

function validate(slice: EndpointSlice): readonly FieldError[] {
  const errors: FieldError[] = [...requiredOneOf(slice.addressType, ['FQDN', 'IPv4', 'IPv6'], 'addressType')]
  const { endpoints, ports } = slice
  if (endpoints.length > ENDPOINTS_MAX) errors.push(tooMany('endpoints', endpoints.length, ENDPOINTS_MAX))
  if (ports.length > PORTS_MAX) errors.push(tooMany('ports', ports.length, PORTS_MAX))
  for (const [index, endpoint] of endpoints.entries()) {
    errors.push(...validateEndpoint(endpoint, slice.addressType, `endpoints[${index}]`))
  }
  const names = new Set<string>()
  for (const [index, { name = '', protocol, appProtocol }] of ports.entries()) {
    const at = `ports[${index}]`
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name))
    names.add(name)
    if (name !== '') errors.push(...complain(`${at}.name`, name, dnsLabel(name)))
    errors.push(...requiredOneOf(protocol, ['SCTP', 'TCP', 'UDP'], `${at}.protocol`))
    if (appProtocol !== undefined)
      errors.push(...complain(`${at}.appProtocol`, appProtocol, qualifiedName(appProtocol)))
  }
  return errors
}

function validateEndpoint(endpoint: Endpoint, type: string, path: string): readonly FieldError[] {
  const { addresses, hostname, hints } = endpoint
  const errors: FieldError[] = []
  if (addresses.length === 0) errors.push(required(`${path}.addresses`, 'must contain at least 1 address'))
  if (addresses.length > ADDRESSES_MAX) errors.push(tooMany(`${path}.addresses`, addresses.length, ADDRESSES_MAX))
  const seen = new Set<string>()
  for (const [index, address] of addresses.entries()) {
    const at = `${path}.addresses[${index}]`
    errors.push(...validateAddress(address, type, at))
    if (seen.has(address)) errors.push(duplicate(at, address))
    seen.add(address)
  }
  if (hostname !== undefined) errors.push(...complain(`${path}.hostname`, hostname, dnsLabel(hostname)))
  const { nodeName } = endpoint
  if (nodeName !== undefined) errors.push(...complain(`${path}.nodeName`, nodeName, dnsSubdomain(nodeName)))
  const zones = hints?.forZones ?? []
  if (zones.length > HINTS_MAX) errors.push(tooMany(`${path}.hints.forZones`, zones.length, HINTS_MAX))
  return errors
}

function validateAddress(address: string, type: string, path: string): readonly FieldError[] {
  if (type === 'FQDN') return complain(path, address, dnsSubdomain(address))
  if (!isLegacyIp(address)) return [invalid(path, address, ipComplaint)]
  if (isIpv4(standardAddress(address)) !== (type === 'IPv4'))
    return [invalid(path, address, `must be an ${type} address`)]
  return validateReachable(address, path)
}

export const endpointSliceRules: KindRules<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  generationFields: ['endpoints', 'ports', 'addressType'],
  default: setDefaults,
  validateCreate: validate,
  legacyAddresses: ({ addressType, endpoints }) =>
    addressType === 'FQDN'
      ? []
      : endpoints.flatMap(({ addresses }, index) =>
          addresses.map(
            (text, place) => ({ path: `endpoints[${index}].addresses[${place}]`, kind: 'ip', text }) as const,
          ),
        ),
  validateUpdate: (next, old) => [...validate(next), ...unchanged(next.addressType, old.addressType, 'addressType')],
  columns: [
    nameColumn,
    column('AddressType', 'IPv4, IPv6 or FQDN'),
    column('Ports', 'Port numbers'),
    column('Endpoints', 'Addresses'),
    ageColumn,
  ],
  cells: (slice, nowMs) => [
    slice.metadata.name,
    slice.addressType,
    shortList(
      (slice.ports ?? []).map(({ port, name }) => String(port ?? name ?? '')),
      '<unset>',
    ),
    shortList(
      (slice.endpoints ?? []).flatMap(({ addresses }) => addresses),
      '<unset>',
    ),
    ageOf(slice.metadata.creationTimestamp, nowMs),
  ],
}

const SHOWN = 3

function shortList(items: readonly string[], none: string): string {
  if (items.length === 0) return none
  const shown = items.slice(0, SHOWN).join(',')
  return items.length > SHOWN ? `${shown} + ${items.length - SHOWN} more...` : shown
}
