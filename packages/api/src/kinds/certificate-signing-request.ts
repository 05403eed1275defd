// CertificateSigningRequest: who asks is written by the server; approving and signing go through doors of their own.

import { formatTime } from '@aksel/base/clock'
import { draftOf, type Draft } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { KindRules, SubresourceUpdate, WriteContext } from '../kind-row.ts'
import { ageOf, humanDuration } from '../times.ts'
import type { CertificateSigningRequest } from '../types/certificates-v1.ts'
import { dnsSubdomain } from '../validation/names.ts'
import { unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

type Request = CertificateSigningRequest

const durationMin = 600
const decisions = ['Approved', 'Denied']
/** Sorted, as upstream shows its set. */
const allUsages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
]

function stampRequester({ spec }: Draft<Request>, { user }: WriteContext): void {
  spec.username = user.name
  if (user.uid === undefined) delete spec.uid
  else spec.uid = user.uid
  spec.groups = [...(user.groups ?? [])]
  if (user.extra === undefined) delete spec.extra
  else spec.extra = Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]]))
}

function validate({ spec }: Request): readonly FieldError[] {
  const errors: FieldError[] = []
  if ((spec.request ?? '') === '')
    errors.push(invalid('spec.request', '', 'PEM block type must be CERTIFICATE REQUEST'))
  else if (!atob(spec.request).includes('-----BEGIN CERTIFICATE REQUEST-----')) {
    errors.push(invalid('spec.request', spec.request, 'PEM block type must be CERTIFICATE REQUEST'))
  }
  const usages = spec.usages ?? []
  if (usages.length === 0) errors.push(required('spec.usages'))
  for (const [index, usage] of usages.entries())
    if (!allUsages.includes(usage)) errors.push(notSupported(`spec.usages[${index}]`, usage, allUsages))
    else if (usages.indexOf(usage) < index) errors.push(duplicate(`spec.usages[${index}]`, usage))
  errors.push(...validateSigner(spec.signerName))
  const seconds = spec.expirationSeconds
  if (seconds !== undefined && seconds < durationMin)
    errors.push(
      invalid(
        'spec.expirationSeconds',
        seconds,
        `may not specify a duration less than ${durationMin} seconds (10 minutes)`,
      ),
    )
  return errors
}

export function validateSigner(signer: string): readonly FieldError[] {
  if (signer === '') return [required('spec.signerName')]
  const [domain = '', path = '', ...more] = signer.split('/')
  if (path === '' || more.length > 0)
    return [
      invalid(
        'spec.signerName',
        signer,
        'must be a fully qualified domain and path of the form "example.com/signer-name"',
      ),
    ]
  if (signer === 'kubernetes.io/legacy-unknown')
    return [invalid('spec.signerName', signer, 'the legacy signerName is not allowed via this API version')]
  return dnsSubdomain(domain).map((complaint) => invalid('spec.signerName', domain, complaint))
}

function decisionsOf(request: Request): readonly unknown[] {
  return (request.status?.conditions ?? []).filter(({ type }) => decisions.includes(type))
}

function validateConditions({ status }: Request): readonly FieldError[] {
  const errors: FieldError[] = []
  const conditions = status?.conditions ?? []
  for (const [index, { type, status: value }] of conditions.entries()) {
    const path = `status.conditions[${index}]`
    if (type === '') errors.push(required(`${path}.type`))
    if (value === '') errors.push(required(`${path}.status`))
    else if (decisions.includes(type) && value !== 'True') errors.push(notSupported(`${path}.status`, value, ['True']))
    if (conditions.findIndex((one) => one.type === type) < index) errors.push(duplicate(`${path}.type`, type))
    if (
      decisions.includes(type) &&
      conditions.slice(0, index).some((one) => one.type !== type && decisions.includes(one.type))
    ) {
      errors.push(invalid(`${path}.type`, type, 'Approved and Denied conditions are mutually exclusive'))
    }
  }
  return errors
}

function stampConditions(next: Draft<Request>, old: Request, { nowMs }: WriteContext): void {
  for (const condition of next.status?.conditions ?? []) {
    condition.lastUpdateTime ??= formatTime(nowMs)
    const before = (old.status?.conditions ?? []).find(
      ({ type, status }) => type === condition.type && status === condition.status,
    )
    condition.lastTransitionTime ??= before?.lastTransitionTime ?? formatTime(nowMs)
  }
}

const approval: SubresourceUpdate<Request> = {
  prepareForUpdate(next, old, context) {
    next.spec = draftOf(old.spec) as Draft<Request>['spec']
    const conditions = next.status?.conditions
    next.status = draftOf(old.status ?? {}) as NonNullable<Draft<Request>['status']>
    if (conditions !== undefined) next.status.conditions = conditions
    stampConditions(next, old, context)
  },
  validateUpdate(next, old) {
    const errors: FieldError[] = [...validateConditions(next)]
    for (const type of decisions) {
      const had = (old.status?.conditions ?? []).some((one) => one.type === type)
      const has = (next.status?.conditions ?? []).some((one) => one.type === type)
      if (had && !has)
        errors.push(
          forbidden('status.conditions', `updates may not remove a condition of type ${JSON.stringify(type)}`),
        )
    }
    return errors
  },
}

const status: SubresourceUpdate<Request> = {
  prepareForUpdate(next, old, context) {
    next.spec = draftOf(old.spec) as Draft<Request>['spec']
    stampConditions(next, old, context)
  },
  validateUpdate(next, old) {
    const errors: FieldError[] = [...validateConditions(next)]
    if (!deepEqual(decisionsOf(next), decisionsOf(old))) {
      errors.push(
        forbidden('status.conditions', 'updates may not add or remove a condition of type "Approved" or "Denied"'),
      )
    }
    const before = old.status?.certificate ?? ''
    return before === '' ? errors : [...errors, ...unchanged(next.status?.certificate, before, 'status.certificate')]
  },
}

function conditionText({ status: current }: Request): string {
  const has = (type: string): boolean => (current?.conditions ?? []).some((one) => one.type === type)
  const word = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending'
  return `${word}${has('Failed') ? ',Failed' : ''}${(current?.certificate ?? '') === '' ? '' : ',Issued'}`
}

export const certificateSigningRequestRules: KindRules<Request> = {
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  prepareForCreate: stampRequester,
  prepareForUpdate(next, old) {
    next.spec = draftOf(old.spec) as Draft<Request>['spec']
  },
  validateCreate: validate,
  validateUpdate: () => [],
  ignoredFields: { approval: ['spec'] },
  subresourceUpdates: { approval, status },
  columns: [
    nameColumn,
    ageColumn,
    column('SignerName', 'Who shall sign.'),
    column('Requestor', 'Who asks.'),
    column('RequestedDuration', 'How long the certificate shall hold.'),
    column('Condition', 'What became of it.'),
  ],
  cells: (request, nowMs) => [
    request.metadata.name,
    ageOf(request.metadata.creationTimestamp, nowMs),
    request.spec.signerName,
    request.spec.username ?? '',
    request.spec.expirationSeconds === undefined ? '<none>' : humanDuration(request.spec.expirationSeconds * 1000),
    conditionText(request),
  ],
  selectableFields: ({ spec }) => ({ 'spec.signerName': spec.signerName }),
}
