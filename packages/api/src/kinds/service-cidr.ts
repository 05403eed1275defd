// ServiceCIDR: a range that services get their addresses from.

import { invalid, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { ServiceCIDR } from '../types/networking-v1.ts'
import { canonicalCidr, cidrComplaint, isCidr } from '../validation/addresses.ts'
import { immutableComplaint } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

const oneOfEach = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64'

function isDual(cidrs: readonly string[]): boolean {
  return cidrs.every(isCidr) && cidrs[0]!.includes(':') !== cidrs[1]!.includes(':')
}

function validate({ spec }: ServiceCIDR): readonly FieldError[] {
  const cidrs = spec.cidrs ?? []
  if (cidrs.length === 0) return [required('spec.cidrs', 'at least one CIDR required')]
  if (cidrs.length > 2) return [invalid('spec.cidrs', spec, 'may only hold up to 2 values')]
  if (cidrs.length === 2 && !isDual(cidrs)) return [invalid('spec.cidrs', spec, oneOfEach)]
  return cidrs.flatMap((cidr, index) => {
    const at = `spec.cidrs[${index}]`
    if (!isCidr(cidr)) return [invalid(at, cidr, cidrComplaint)]
    const canonical = canonicalCidr(cidr)
    return canonical === cidr ? [] : [invalid(at, cidr, `must be in canonical form (${JSON.stringify(canonical)})`)]
  })
}

/** A second family may be added; all else stays. */
function validateUpdate(next: ServiceCIDR, old: ServiceCIDR): readonly FieldError[] {
  const [now, before] = [next.spec.cidrs ?? [], old.spec.cidrs ?? []]
  const changed = before.flatMap((cidr, index) =>
    now[index] === cidr ? [] : [invalid(`spec.cidrs[${index}]`, now[index], immutableComplaint)],
  )
  if (now.length === before.length) return changed
  if (before.length !== 1 || now.length !== 2) return [invalid('spec.cidrs', now, immutableComplaint)]
  return isDual(now) ? changed : [...changed, invalid('spec.cidrs', next.spec, oneOfEach)]
}

export const serviceCidrRules: KindRules<ServiceCIDR> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'ServiceCIDR',
  validateCreate: validate,
  validateUpdate,
  columns: [nameColumn, column('CIDRs', 'Its ranges.'), ageColumn],
  cells: ({ metadata, spec }, nowMs) => [
    metadata.name,
    (spec.cidrs ?? []).join(','),
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}
