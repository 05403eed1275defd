// Certificates: who may approve, sign or attest for a signer, and that nobody asks for the masters' group.

import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import type { PodCertificateRequest } from '@aksel/api/types/certificates-v1beta1'
import { deepEqual } from '@aksel/api/deep-equal'
import { forbiddenError } from '../refusals.ts'
import type { AdmissionContext, AdmissionPlugin, AdmissionRequest } from './admission.ts'

const group = 'certificates.k8s.io'

function isRequest({ row }: AdmissionRequest): boolean {
  return row.group === group && row.plural === 'certificatesigningrequests'
}

function isOfPod({ row }: AdmissionRequest): boolean {
  return row.group === group && row.plural === 'podcertificaterequests'
}

/** The signer itself, or all of its domain. */
async function mayActFor(
  verb: string,
  signer: string,
  { user }: AdmissionRequest,
  { authorizer }: AdmissionContext,
): Promise<boolean> {
  for (const name of [signer, `${signer.split('/')[0]!}/*`]) {
    const { verdict } = await authorizer.authorize({
      user,
      verb,
      isResource: true,
      group,
      version: '*',
      resource: 'signers',
      subresource: '',
      namespace: '',
      name,
      path: '',
    })
    if (verdict === 'allow') return true
  }
  return false
}

async function assertMay(
  verb: string,
  what: string,
  signer: string,
  request: AdmissionRequest,
  context: AdmissionContext,
): Promise<void> {
  if (await mayActFor(verb, signer, request, context)) return
  throw forbiddenError(request.row, request.name, `user not permitted to ${what} signerName ${JSON.stringify(signer)}`)
}

export const certificateApproval: AdmissionPlugin = {
  name: 'CertificateApproval',
  handles: (request) => request.operation === 'UPDATE' && request.subresource === 'approval' && isRequest(request),
  validate: (request, context) =>
    assertMay(
      'approve',
      'approve requests with',
      (request.old as CertificateSigningRequest).spec.signerName,
      request,
      context,
    ),
}

export const certificateSigning: AdmissionPlugin = {
  name: 'CertificateSigning',
  handles: (request) =>
    request.operation === 'UPDATE' && request.subresource === 'status' && (isRequest(request) || isOfPod(request)),
  async validate(request, context) {
    if (isOfPod(request)) {
      const now = (request.object as unknown as PodCertificateRequest).status
      const before = request.old as PodCertificateRequest
      const isSame = deepEqual(now ?? {}, before.status ?? {})
      if (!isSame) await assertMay('sign', 'sign requests with', before.spec.signerName, request, context)
      return
    }
    const next = request.object as unknown as CertificateSigningRequest
    const old = request.old as CertificateSigningRequest
    const isSame =
      next.status?.certificate === old.status?.certificate &&
      deepEqual(next.status?.conditions ?? [], old.status?.conditions ?? [])
    if (!isSame) await assertMay('sign', 'sign requests with', old.spec.signerName, request, context)
  },
}

const clientSigner = 'kubernetes.io/kube-apiserver-client'
const masters = 'system:masters'

export const certificateSubjectRestriction: AdmissionPlugin = {
  name: 'CertificateSubjectRestriction',
  handles: (request) => request.operation === 'CREATE' && request.subresource === '' && isRequest(request),
  validate(request) {
    const { spec } = request.object as unknown as CertificateSigningRequest
    if (spec.signerName !== clientSigner || !organizationsOf(spec.request).includes(masters)) return
    const text = `use of ${clientSigner} signer with ${masters} group is not allowed`
    throw forbiddenError(request.row, request.object?.metadata.name ?? '', text)
  },
}

/** OBJECT IDENTIFIER 2.5.4.10, the organisation of a distinguished name. */
const organizationOid = Buffer.from([0x06, 0x03, 0x55, 0x04, 0x0a])

/** Organisations named anywhere in a PEM request given as base64: a name, a tag, a length and the text. */
function organizationsOf(request: string): readonly string[] {
  const pem = Buffer.from(request, 'base64').toString('latin1')
  const body = /-----BEGIN CERTIFICATE REQUEST-----([^-]+)-----END/.exec(pem)?.[1] ?? ''
  const der = Buffer.from(body.replaceAll(/\s/g, ''), 'base64')
  const found: string[] = []
  for (let at = der.indexOf(organizationOid); at >= 0; at = der.indexOf(organizationOid, at + 1)) {
    const tag = der[at + organizationOid.length]
    const length = der[at + organizationOid.length + 1] ?? 0
    const start = at + organizationOid.length + 2
    const bytes = der.subarray(start, start + length)
    // A BMPString has two bytes a character; all others hold ASCII or UTF-8.
    found.push(tag === 0x1e ? Buffer.from(bytes).swap16().toString('utf16le') : bytes.toString('utf8'))
  }
  return found
}

export const clusterTrustBundleAttest: AdmissionPlugin = {
  name: 'ClusterTrustBundleAttest',
  handles: ({ operation, row, subresource }) =>
    row.group === group &&
    row.plural === 'clustertrustbundles' &&
    subresource === '' &&
    (operation === 'CREATE' || operation === 'UPDATE'),
  async validate(request, context) {
    const { spec } = request.object as unknown as { readonly spec?: { readonly signerName?: string } }
    const signer = spec?.signerName ?? ''
    if (signer !== '') await assertMay('attest', 'attest for', signer, request, context)
  },
}
