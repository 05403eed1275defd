// Who a client certificate speaks for. TLS proves that the caller holds the key; whether the certificate is ours and in
// force is judged here, by the cluster's own clock.

import { X509Certificate } from 'node:crypto'
import type { Clock } from '@aksel/base/clock'
import { authenticated, type UserInfo } from './user-info.ts'

const clientUsage = '1.3.6.1.5.5.7.3.2'
const anyUsage = '2.5.29.37.0'

export interface CertificateAuthenticator {
  /** Undefined for a certificate that another authority signed, that has expired or that is not for clients. */
  userOf(certificate: X509Certificate): UserInfo | undefined
}

/** `authorityPem` may hold several certificates, as during a change of authority. */
export function certificateAuthenticator(clock: Clock, authorityPem: string): CertificateAuthenticator {
  const authorities = splitPem(authorityPem).map((pem) => new X509Certificate(pem))
  /** Signatures are checked once per certificate; validity every time. */
  const verified = new WeakMap<X509Certificate, UserInfo | null>()
  return {
    userOf(certificate) {
      let user = verified.get(certificate)
      if (user === undefined) verified.set(certificate, (user = verify(certificate, authorities)))
      const nowMs = clock.now()
      const inForce = certificate.validFromDate.getTime() <= nowMs && nowMs <= certificate.validToDate.getTime()
      return inForce ? (user ?? undefined) : undefined
    },
  }
}

function verify(certificate: X509Certificate, authorities: readonly X509Certificate[]): UserInfo | null {
  const signer = authorities.find((one) => certificate.checkIssued(one) && certificate.verify(one.publicKey))
  if (signer === undefined) return null
  // Node's name for the list of extended usages.
  const extendedUsages = certificate.keyUsage as readonly string[] | undefined
  if (extendedUsages !== undefined && !extendedUsages.some((one) => one === clientUsage || one === anyUsage))
    return null
  const subject = certificate.toLegacyObject().subject as {
    readonly CN?: string | string[]
    readonly O?: string | string[]
  }
  const name = listOf(subject.CN).at(-1)
  return name === undefined || name === '' ? null : authenticated({ name, groups: listOf(subject.O) })
}

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value]
}

function splitPem(pem: string): readonly string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []
}
