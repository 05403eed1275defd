// Who a client certificate speaks for. TLS proves that the caller holds the key; whether the certificate is ours and in
// force is judged here, by the cluster's own clock.

import { X509Certificate } from 'node:crypto'
import type { Clock } from '@aksel/base/clock'
import { authenticated, type UserInfo } from './user-info.ts'

const clientUsage = '1.3.6.1.5.5.7.3.2'
const anyUsage = '2.5.29.37.0'
/** Of the subject: the uid of a user (upstream's AllowParsingUserUIDFromCertAuth). */
const uidAttribute = '1.3.6.1.4.1.57683.2'

export interface CertificateAuthenticator {
  /** Undefined for a certificate that another authority signed, that has expired or that is not for clients. */
  userOf(certificate: X509Certificate): UserInfo | undefined
}

export interface CertificateSubject {
  readonly commonName: string
  readonly organizations: readonly string[]
  readonly uid?: string
}

/** `authorityPem` may hold several certificates, as during a change of authority. */
export function certificateAuthenticator(clock: Clock, authorityPem: string): CertificateAuthenticator {
  const verified = certificateVerifier(clock, authorityPem)
  const users = new WeakMap<CertificateSubject, UserInfo>()
  return {
    userOf(certificate) {
      const subject = verified(certificate)
      if (subject === undefined || subject.commonName === '') return undefined
      let user = users.get(subject)
      if (user === undefined) users.set(subject, (user = userOfSubject(subject, certificate)))
      return user
    },
  }
}

/** The subject of a client certificate of these authorities while it is in force. */
export function certificateVerifier(
  clock: Clock,
  authorityPem: string,
): (certificate: X509Certificate) => CertificateSubject | undefined {
  const authorities = splitPem(authorityPem).map((pem) => new X509Certificate(pem))
  /** Signatures are checked once per certificate; validity every time. */
  const verified = new WeakMap<X509Certificate, CertificateSubject | null>()
  return (certificate) => {
    let subject = verified.get(certificate)
    if (subject === undefined) verified.set(certificate, (subject = verify(certificate, authorities)))
    const nowMs = clock.now()
    const inForce = certificate.validFromDate.getTime() <= nowMs && nowMs <= certificate.validToDate.getTime()
    return inForce ? (subject ?? undefined) : undefined
  }
}

function userOfSubject(
  { commonName, organizations, uid }: CertificateSubject,
  { fingerprint256 }: X509Certificate,
): UserInfo {
  return authenticated({
    name: commonName,
    ...(uid === undefined ? {} : { uid }),
    groups: organizations,
    extra: {
      'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint256.replaceAll(':', '').toLowerCase()}`],
    },
  })
}

function verify(certificate: X509Certificate, authorities: readonly X509Certificate[]): CertificateSubject | null {
  const signer = authorities.find((one) => certificate.checkIssued(one) && certificate.verify(one.publicKey))
  if (signer === undefined) return null
  // Node's name for the list of extended usages.
  const extendedUsages = certificate.keyUsage as readonly string[] | undefined
  if (extendedUsages !== undefined && !extendedUsages.some((one) => one === clientUsage || one === anyUsage))
    return null
  const subject = certificate.toLegacyObject().subject as Readonly<Record<string, string | string[] | undefined>>
  const uid = listOf(subject[uidAttribute]).at(0)
  return {
    commonName: listOf(subject['CN']).at(-1) ?? '',
    organizations: listOf(subject['O']),
    ...(uid === undefined || uid === '' ? {} : { uid }),
  }
}

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value]
}

function splitPem(pem: string): readonly string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []
}
