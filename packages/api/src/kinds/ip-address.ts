// IPAddress: one address of the service ranges, and who holds it.

import { required, type FieldError } from '../field-errors.ts'
import type { KindRules, NameRule } from '../kind-row.ts'
import type { IPAddress } from '../types/networking-v1.ts'
import { canonicalAddress } from '../validation/addresses.ts'
import { dnsSubdomain, pathSegment } from '../validation/names.ts'
import { complain, unchanged } from '../validation/values.ts'
import { column, nameColumn } from './columns.ts'

const addressName: NameRule = (name) => {
  const canonical = canonicalAddress(name)
  if (canonical === undefined) return [`ParseAddr(${JSON.stringify(name)}): unable to parse IP`]
  return canonical === name ? [] : ['must be a canonical format IP address']
}

function validate({ spec }: IPAddress): readonly FieldError[] {
  const at = 'spec.parentRef'
  if (spec.parentRef === undefined) return [required(at)]
  const { group = '', resource, name, namespace = '' } = spec.parentRef
  const errors: FieldError[] = group === '' ? [] : [...complain(`${at}.group`, group, dnsSubdomain(group))]
  for (const [field, value] of [
    ['resource', resource],
    ['name', name],
  ] as const) {
    if ((value ?? '') === '') errors.push(required(`${at}.${field}`))
    else errors.push(...complain(`${at}.${field}`, value, pathSegment(value)))
  }
  if (namespace !== '') errors.push(...complain(`${at}.namespace`, namespace, pathSegment(namespace)))
  return errors
}

function parentText({ spec }: IPAddress): string {
  if (spec.parentRef === undefined) return '<none>'
  const { group = '', resource, name, namespace = '' } = spec.parentRef
  return [...(group === '' ? [] : [group]), resource, ...(namespace === '' ? [] : [namespace]), name].join('/')
}

export const ipAddressRules: KindRules<IPAddress> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IPAddress',
  nameRule: addressName,
  validateCreate: validate,
  validateUpdate: (next, old) => unchanged(next.spec.parentRef, old.spec.parentRef, 'spec.parentRef'),
  columns: [nameColumn, column('ParentRef', 'Who holds it: resource, namespace and name.')],
  cells: (address) => [address.metadata.name, parentText(address)],
  selectableFields: ({ spec }) => ({
    'spec.parentRef.resource': spec.parentRef?.resource ?? '',
    'spec.parentRef.name': spec.parentRef?.name ?? '',
  }),
}
