// Endpoints: the elder of EndpointSlice, all addresses of a service in one object.

import type { Draft } from '@aksel/base/draft'
import { invalid, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { Endpoints } from '../types/core-v1.ts'
import { ipComplaint, isLegacyIp } from '../validation/addresses.ts'
import { dnsLabel, portNumber } from '../validation/names.ts'
import { complain, requiredOneOf } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

function setDefaults({ subsets }: Draft<Endpoints>): void {
  for (const port of (subsets ?? []).flatMap(({ ports = [] }) => ports)) port.protocol ??= 'TCP'
}

function validate({ subsets = [] }: Endpoints): readonly FieldError[] {
  return subsets.flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, index) => {
    const path = `subsets[${index}]`
    const errors: FieldError[] = []
    if (addresses.length === 0 && notReadyAddresses.length === 0)
      errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'))
    for (const [field, list] of [
      ['addresses', addresses],
      ['notReadyAddresses', notReadyAddresses],
    ] as const) {
      for (const [place, { ip, hostname }] of list.entries()) {
        const at = `${path}.${field}[${place}]`
        if (!isLegacyIp(ip)) errors.push(invalid(`${at}.ip`, ip, ipComplaint))
        else errors.push(...validateReachable(ip, `${at}.ip`))
        if (hostname !== undefined) errors.push(...complain(`${at}.hostname`, hostname, dnsLabel(hostname)))
      }
    }
    for (const [place, { name = '', port, protocol }] of ports.entries()) {
      const at = `${path}.ports[${place}]`
      if (name === '' && ports.length > 1) errors.push(required(`${at}.name`))
      else if (name !== '') errors.push(...complain(`${at}.name`, name, dnsLabel(name)))
      errors.push(
        ...complain(`${at}.port`, port, portNumber(port)),
        ...requiredOneOf(protocol, ['SCTP', 'TCP', 'UDP'], `${at}.protocol`),
      )
    }
    return errors
  })
}

/** Addresses that lead nowhere, or back to who asks. */
export function validateReachable(ip: string, path: string): readonly FieldError[] {
  if (ip === '0.0.0.0' || ip === '::') return [invalid(path, ip, 'may not be unspecified (0.0.0.0 or ::)')]
  if (ip.startsWith('127.') || ip === '::1')
    return [invalid(path, ip, 'may not be in the loopback range (127.0.0.0/8, ::1/128)')]
  if (ip.startsWith('169.254.'))
    return [invalid(path, ip, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)')]
  return []
}

const shownMax = 3

function endpointsText({ subsets = [] }: Endpoints): string {
  const all = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) =>
          addresses.map(({ ip }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)),
        ),
  )
  if (all.length === 0) return '<none>'
  const shown = all.slice(0, shownMax).join(',')
  return all.length > shownMax ? `${shown} + ${all.length - shownMax} more...` : shown
}

export const endpointsRules: KindRules<Endpoints> = {
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  storagePrefix: 'services/endpoints',
  allowCreateOnUpdate: true,
  default: setDefaults,
  validateCreate: validate,
  legacyAddresses: ({ subsets = [] }) =>
    subsets.flatMap(({ addresses = [], notReadyAddresses = [] }, index) => [
      ...addresses.map(
        ({ ip }, place) => ({ path: `subsets[${index}].addresses[${place}].ip`, kind: 'ip', text: ip }) as const,
      ),
      ...notReadyAddresses.map(
        ({ ip }, place) =>
          ({ path: `subsets[${index}].notReadyAddresses[${place}].ip`, kind: 'ip', text: ip }) as const,
      ),
    ]),
  warnings: () => ['v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
  columns: [nameColumn, column('Endpoints', 'Addresses and ports.'), ageColumn],
  cells: (endpoints, nowMs) => [
    endpoints.metadata.name,
    endpointsText(endpoints),
    ageOf(endpoints.metadata.creationTimestamp, nowMs),
  ],
}
