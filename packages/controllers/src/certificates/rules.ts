// What each of the built-in signers accepts: names and usages, in the words of upstream's signers.

import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import type { RequestedIdentity } from '@aksel/runtime/certificate-requests'

export const clientSigner = 'kubernetes.io/kube-apiserver-client'
export const kubeletClientSigner = 'kubernetes.io/kube-apiserver-client-kubelet'
export const kubeletServingSigner = 'kubernetes.io/kubelet-serving'
export const legacySigner = 'kubernetes.io/legacy-unknown'

export const signers = [clientSigner, kubeletClientSigner, kubeletServingSigner, legacySigner] as const

const nodePrefix = 'system:node:'
const nodesGroup = 'system:nodes'

/** Why the signer refuses; undefined where it signs. */
export function refusal(
  signerName: string,
  identity: RequestedIdentity,
  usages: readonly string[],
): string | undefined {
  switch (signerName) {
    case clientSigner:
      return clientRefusal(usages)
    case kubeletClientSigner:
      return kubeletClientRefusal(identity, usages)
    case kubeletServingSigner:
      return kubeletServingRefusal(identity, usages)
    default:
      // Nothing is asked of what the oldest signer signs.
      return undefined
  }
}

function clientRefusal(usages: readonly string[]): string | undefined {
  const isAllowed = usages.every((usage) => ['client auth', 'digital signature', 'key encipherment'].includes(usage))
  return isAllowed && usages.includes('client auth')
    ? undefined
    : `invalid usages for client certificate: [${usages.join(' ')}]`
}

export function kubeletClientRefusal(identity: RequestedIdentity, usages: readonly string[]): string | undefined {
  if (!isOfNodes(identity)) return 'subject organization is not system:nodes'
  if (identity.dnsNames.length > 0) return 'DNS subjectAltNames are not allowed'
  if (identity.emailAddresses.length > 0) return 'Email subjectAltNames are not allowed'
  if (identity.ipAddresses.length > 0) return 'IP subjectAltNames are not allowed'
  if (identity.uris.length > 0) return 'URI subjectAltNames are not allowed'
  if (!identity.commonName.startsWith(nodePrefix)) return 'subject common name does not begin with system:node:'
  return usageRefusal(usages, 'client auth')
}

function kubeletServingRefusal(identity: RequestedIdentity, usages: readonly string[]): string | undefined {
  if (!isOfNodes(identity)) return 'subject organization is not system:nodes'
  if (identity.dnsNames.length === 0 && identity.ipAddresses.length === 0)
    return 'at least one DNS or IP subjectAltName is required'
  if (identity.emailAddresses.length > 0) return 'Email subjectAltNames are not allowed'
  if (identity.uris.length > 0) return 'URI subjectAltNames are not allowed'
  const usage = usageRefusal(usages, 'server auth')
  if (usage !== undefined) return usage
  return identity.commonName.startsWith(nodePrefix) ? undefined : 'subject common name does not begin with system:node:'
}

function isOfNodes({ organizations }: RequestedIdentity): boolean {
  return organizations.length === 1 && organizations[0] === nodesGroup
}

/** Exactly a signature and the purpose, with the encipherment that RSA keys need or without. */
function usageRefusal(usages: readonly string[], purpose: string): string | undefined {
  const asked = new Set(usages)
  const needed = ['digital signature', purpose]
  const rest = [...asked].filter((usage) => !needed.includes(usage))
  const fits = needed.every((usage) => asked.has(usage)) && rest.every((usage) => usage === 'key encipherment')
  return fits ? undefined : `usages did not match [${['key encipherment', ...needed].toSorted().join(' ')}]`
}

export interface Recognition {
  /** The subresource that the requester must be allowed to create. */
  readonly subresource: 'selfnodeclient' | 'nodeclient'
  readonly message: string
}

/** As what a request could be approved without a person: a node's for itself, or any node's. */
export function recognitions(request: CertificateSigningRequest, identity: RequestedIdentity): readonly Recognition[] {
  const { signerName, usages = [], username } = request.spec ?? {}
  if (signerName !== kubeletClientSigner || kubeletClientRefusal(identity, usages) !== undefined) return []
  const anyNode = {
    subresource: 'nodeclient',
    message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
  } as const
  if (username !== identity.commonName) return [anyNode]
  const own = {
    subresource: 'selfnodeclient',
    message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
  } as const
  return [own, anyNode]
}

export function hasCondition(request: CertificateSigningRequest, ...types: readonly string[]): boolean {
  return (request.status?.conditions ?? []).some(({ type }) => types.includes(type))
}

export function isIssued(request: CertificateSigningRequest): boolean {
  return (request.status?.certificate ?? '') !== ''
}

/** The PEM that stands in a request; what is no base64 gives no PEM. */
export function requestPem({ spec }: CertificateSigningRequest): string {
  return Buffer.from(spec?.request ?? '', 'base64').toString('latin1')
}

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const DURATION_MIN_MS = 600_000

/** How long a certificate holds: what was asked for, at least ten minutes and at most the signer's limit. */
export function durationMs({ spec }: CertificateSigningRequest, maxMs = 365 * DAY_MS): number {
  const { expirationSeconds } = spec ?? {}
  if (expirationSeconds === undefined) return maxMs
  return Math.max(DURATION_MIN_MS, Math.min(expirationSeconds * 1000, maxMs))
}

/** When the request is taken away, in milliseconds; undefined where nothing says since when it stands. */
export function goneAtMs(request: CertificateSigningRequest, expiresMs: number | undefined): number | undefined {
  const conditions = (request.status?.conditions ?? []).filter(({ type }) =>
    ['Approved', 'Denied', 'Failed'].includes(type),
  )
  const limits = conditions.map(({ lastUpdateTime }) => Date.parse(lastUpdateTime ?? '') + HOUR_MS)
  const created = Date.parse(request.metadata.creationTimestamp ?? '') + DAY_MS
  const dates = [
    ...limits,
    ...(conditions.length === 0 ? [created] : []),
    ...(expiresMs === undefined ? [] : [expiresMs]),
  ]
  const known = dates.filter((ms) => !Number.isNaN(ms))
  return known.length === 0 ? undefined : Math.min(...known)
}
