// PodCertificateRequest: asked by a node for one pod, answered once by its signer; served where gate and version are switched on.

import { draftOf, type Draft } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import { invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import type { PodCertificateRequest } from '../types/certificates-v1beta1.ts'
import { column, nameColumn } from './columns.ts'
import { validateSigner } from './certificate-signing-request.ts'

type Request = PodCertificateRequest

/** One of them at most, and for good. */
const answers = ['Issued', 'Denied', 'Failed']
const SECONDS_MIN = 3600
const SECONDS_MAX = 91 * 24 * 3600

function validate({ spec }: Request): readonly FieldError[] {
  const errors: FieldError[] = [...validateSigner(spec.signerName)]
  const names = ['podName', 'podUID', 'serviceAccountName', 'serviceAccountUID', 'nodeName', 'nodeUID'] as const
  for (const name of names) if ((spec[name] ?? '') === '') errors.push(required(`spec.${name}`))
  const seconds = spec.maxExpirationSeconds
  if (seconds !== undefined && (seconds < SECONDS_MIN || seconds > SECONDS_MAX)) {
    const range = `must be in the range [${SECONDS_MIN}, ${SECONDS_MAX}]`
    errors.push(invalid('spec.maxExpirationSeconds', seconds, range))
  }
  return errors
}

function answersOf({ status }: Request): readonly unknown[] {
  return (status?.conditions ?? []).filter(({ type }) => answers.includes(type))
}

function validateStatus(next: Request, old: Request): readonly FieldError[] {
  const errors: FieldError[] = []
  const conditions = next.status?.conditions ?? []
  for (const [index, { type, status }] of conditions.entries()) {
    const path = `status.conditions[${index}]`
    if (!answers.includes(type)) errors.push(notSupported(`${path}.type`, type, answers))
    if (status !== 'True') errors.push(notSupported(`${path}.status`, status, ['True']))
  }
  const given = answersOf(next).length
  if (given > 1) {
    const why = `There may be at most one condition with type "Issued", "Denied", or "Failed"`
    errors.push(invalid('status.conditions', conditions, why))
  }
  if (answersOf(old).length > 0 && !deepEqual(next.status, old.status)) {
    errors.push(invalid('status', next.status, 'immutable after PodCertificateRequest is issued, denied, or failed'))
  }
  return errors
}

function stateOf(request: Request): string {
  return (request.status?.conditions ?? []).find(({ type }) => answers.includes(type))?.type ?? 'Pending'
}

const rulesOf = (version: string): KindRules<Request> => ({
  group: 'certificates.k8s.io',
  version,
  kind: 'PodCertificateRequest',
  validateCreate: validate,
  validateUpdate: (next, old) =>
    deepEqual(next.spec, old.spec) ? [] : [invalid('spec', next.spec, 'field is immutable')],
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<Request>['spec']
      },
      validateUpdate: validateStatus,
    },
  },
  columns: [
    nameColumn,
    column('PodName', 'Whose certificate it is.'),
    column('ServiceAccountName', 'The service account of the pod.'),
    column('NodeName', 'Where the pod is.'),
    column('SignerName', 'Who is to sign.'),
    column('State', 'What became of it.'),
  ],
  cells: (request) => [
    request.metadata.name,
    request.spec.podName,
    request.spec.serviceAccountName,
    request.spec.nodeName,
    request.spec.signerName,
    stateOf(request),
  ],
  selectableFields: ({ spec }) => ({
    'spec.signerName': spec.signerName,
    'spec.podName': spec.podName,
    'spec.nodeName': spec.nodeName,
  }),
})

export const podCertificateRequestRules = rulesOf('v1beta1')
export const alphaPodCertificateRequestRules = rulesOf('v1alpha1')
