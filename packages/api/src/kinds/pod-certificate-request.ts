// PodCertificateRequest: asked by a node for one pod, answered once by its signer; served where gate and version are switched on.

import { draftOf, type Draft } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import { invalid, notSupported, required, tooLong, type FieldError } from '../field-errors.ts'
import type { KindRules, WriteContext } from '../kind-row.ts'
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

type Status = NonNullable<Request['status']>

function answerOf({ conditions = [] }: Status): string | undefined {
  return conditions.find(({ type }) => answers.includes(type))?.type
}

function validateConditions(conditions: NonNullable<Status['conditions']>): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const [index, { type, status }] of conditions.entries()) {
    const path = `status.conditions[${index}]`
    if (!answers.includes(type)) errors.push(notSupported(`${path}.type`, type, answers))
    else {
      const why = `There may be at most one condition with type "Issued", "Denied", or "Failed"`
      if (conditions.slice(0, index).some((other) => answers.includes(other.type)))
        errors.push(invalid(`${path}.type`, type, why))
      if (status !== 'True') errors.push(notSupported(`${path}.status`, status, ['True']))
    }
  }
  return errors
}

/** An answer is given once and whole. Times are those that the signer says: certificates cannot be read in every place that this runs in. */
function validateStatus(next: Request, old: Request, { nowMs }: Pick<WriteContext, 'nowMs'>): readonly FieldError[] {
  const [now, before]: readonly [Status, Status] = [next.status ?? {}, old.status ?? {}]
  const errors = validateConditions(now.conditions ?? [])
  if (errors.length > 0) return errors
  const change = (why: string): readonly FieldError[] => [invalid('status', now, why)]
  if (answerOf(before) !== undefined)
    return deepEqual(now, before) ? [] : change('immutable after PodCertificateRequest is issued, denied, or failed')
  const { conditions: _, ...rest } = now
  switch (answerOf(now)) {
    case 'Issued':
      return validateIssued(rest, old.spec.maxExpirationSeconds, nowMs)
    case undefined:
      return deepEqual(now, before)
        ? []
        : change('status is immutable unless transitioning to "Issued", "Denied", or "Failed"')
    default:
      return Object.values(rest).every((value) => value === undefined || value === '')
        ? []
        : change('non-condition status fields must be empty when denying or failing the PodCertificateRequest')
  }
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const CHAIN_MAX_BYTES = 100 * 1024
const blocks = /-----BEGIN ([^-]*)-----[^-]*-----END \1-----/g

function validateIssued(
  status: Omit<Status, 'conditions'>,
  secondsMax: number | undefined,
  nowMs: number,
): readonly FieldError[] {
  const { certificateChain = '', notBefore, notAfter, beginRefreshAt } = status
  const chain = 'status.certificateChain'
  if (certificateChain.length > CHAIN_MAX_BYTES) return [tooLong(chain, CHAIN_MAX_BYTES)]
  const names = Array.from(certificateChain.matchAll(blocks), ([, name]) => name)
  if (names.length === 0)
    return [invalid(chain, certificateChain, 'issued certificate chain must contain at least one certificate')]
  if (names.some((name) => name !== 'CERTIFICATE'))
    return [
      invalid(chain, certificateChain, 'issued certificate chain must consist entirely of CERTIFICATE PEM blocks'),
    ]
  const agrees = 'must be present and consistent with the issued certificate'
  const missing = [
    ...(notBefore === undefined ? [required('status.notBefore', agrees)] : []),
    ...(notAfter === undefined ? [required('status.notAfter', agrees)] : []),
    ...(beginRefreshAt === undefined
      ? [required('status.beginRefreshAt', 'must be present and in the range [notbefore+10min, notafter-10min]')]
      : []),
  ]
  if (missing.length > 0) return missing
  const [fromMs, toMs, refreshMs] = [notBefore, notAfter, beginRefreshAt].map((time) => Date.parse(time!)) as [
    number,
    number,
    number,
  ]
  if (Math.abs(fromMs - nowMs) >= 5 * MINUTE_MS)
    return [invalid('status.notBefore', notBefore, "must be set to within 5 minutes of kube-apiserver's current time")]
  const lifetime = `${(toMs - fromMs) / 1000}s`
  if (toMs - fromMs < HOUR_MS) return [invalid(chain, lifetime, 'leaf certificate lifetime must be >= 1 hour')]
  if (secondsMax !== undefined && toMs - fromMs > secondsMax * 1000)
    return [invalid(chain, lifetime, `leaf certificate lifetime must be <= spec.maxExpirationSeconds (${secondsMax})`)]
  if (refreshMs < fromMs + 10 * MINUTE_MS)
    return [invalid('status.beginRefreshAt', beginRefreshAt, 'must be at least 10 minutes after status.notBefore')]
  if (refreshMs > toMs - 10 * MINUTE_MS)
    return [invalid('status.beginRefreshAt', beginRefreshAt, 'must be at least 10 minutes before status.notAfter')]
  return []
}

function stateOf(request: Request): string {
  return answerOf(request.status ?? {}) ?? 'Pending'
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
