// EndpointSlice: a part of what stands behind a service.

import type { Draft } from '@aksel/base/draft'
import { invalid, required, tooMany, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { EndpointSlice } from '../types/discovery-v1.ts'
import { portName } from '../validation/names.ts'
import { complain, oneOf, requiredOneOf, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

const ENDPOINTS_MAX = 1000
const PORTS_MAX = 20_000
const ADDRESSES_MAX = 100

function setDefaults(slice: Draft<EndpointSlice>): void {
  for (const port of slice.ports ?? []) {
    port.name ??= ''
    port.protocol ??= 'TCP'
  }
}

function validate(slice: EndpointSlice): readonly FieldError[] {
  const errors: FieldError[] = [...requiredOneOf(slice.addressType, ['FQDN', 'IPv4', 'IPv6'], 'addressType')]
  if ((slice.endpoints ?? []).length > ENDPOINTS_MAX)
    errors.push(tooMany('endpoints', slice.endpoints!.length, ENDPOINTS_MAX))
  if ((slice.ports ?? []).length > PORTS_MAX) errors.push(tooMany('ports', slice.ports!.length, PORTS_MAX))
  slice.endpoints?.forEach((endpoint, index) => {
    const at = `endpoints[${index}]`
    if (endpoint.addresses.length === 0) errors.push(required(`${at}.addresses`, 'must contain at least 1 address'))
    if (endpoint.addresses.length > ADDRESSES_MAX)
      errors.push(tooMany(`${at}.addresses`, endpoint.addresses.length, ADDRESSES_MAX))
    endpoint.addresses.forEach((address, place) =>
      errors.push(...addressErrors(slice.addressType, address, `${at}.addresses[${place}]`)),
    )
  })
  const names = new Set<string>()
  slice.ports?.forEach((port, index) => {
    const name = port.name ?? ''
    if (names.has(name))
      errors.push({
        reason: 'FieldValueDuplicate',
        field: `ports[${index}].name`,
        message: `Duplicate value: ${JSON.stringify(name)}`,
      })
    names.add(name)
    if (name !== '') errors.push(...complain(`ports[${index}].name`, name, portName(name)))
    errors.push(...oneOf(port.protocol, ['SCTP', 'TCP', 'UDP'], `ports[${index}].protocol`))
  })
  return errors
}

function addressErrors(type: string, address: string, at: string): readonly FieldError[] {
  const isIpv4 = /^(\d{1,3}\.){3}\d{1,3}$/.test(address) && address.split('.').every((part) => Number(part) <= 255)
  if (type === 'IPv4' && !isIpv4) return [invalid(at, address, 'must be a valid IPv4 address')]
  return type === 'IPv6' && !address.includes(':') ? [invalid(at, address, 'must be a valid IPv6 address')] : []
}

export const endpointSliceRules: KindRules<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  generationFields: ['endpoints', 'ports', 'addressType'],
  default: setDefaults,
  validateCreate: validate,
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
