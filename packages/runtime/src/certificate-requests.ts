// PKCS #10 requests: what one asks for, and a certificate for it by an authority.

import type * as X509 from '@peculiar/x509'
import type { Scope } from '@aksel/base/scope'
import { importAuthorityKey, loadX509, newKeys, newSerialNumber, privateKeyPem, subject, type KeyPair } from './pki.ts'

/** What a request asks for, as far as signers judge it. */
export interface RequestedIdentity {
  readonly commonName: string
  readonly organizations: readonly string[]
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
  readonly emailAddresses: readonly string[]
  readonly uris: readonly string[]
}

export interface SigningOrder {
  /** PEM */
  readonly request: string
  /** Names of `certificates.k8s.io/v1`: `client auth`. Those that name nothing in a certificate are left out. */
  readonly usages: readonly string[]
  readonly durationMs: number
}

/** Bits of KeyUsage (RFC 5280, 4.2.1.3) by the API's names. */
const keyUsages: Readonly<Record<string, number>> = {
  signing: 1,
  'digital signature': 1,
  'content commitment': 2,
  'key encipherment': 4,
  'data encipherment': 8,
  'key agreement': 16,
  'cert sign': 32,
  'crl sign': 64,
  'encipher only': 128,
  'decipher only': 256,
}

/** Object identifiers of ExtendedKeyUsage by the API's names. */
const extendedKeyUsages: Readonly<Record<string, string>> = {
  any: '2.5.29.37.0',
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
  'code signing': '1.3.6.1.5.5.7.3.3',
  'email protection': '1.3.6.1.5.5.7.3.4',
  's/mime': '1.3.6.1.5.5.7.3.4',
  'ipsec end system': '1.3.6.1.5.5.7.3.5',
  'ipsec tunnel': '1.3.6.1.5.5.7.3.6',
  'ipsec user': '1.3.6.1.5.5.7.3.7',
  timestamping: '1.3.6.1.5.5.7.3.8',
  'ocsp signing': '1.3.6.1.5.5.7.3.9',
  'microsoft sgc': '1.3.6.1.4.1.311.10.3.3',
  'netscape sgc': '2.16.840.1.113730.4.1',
}

const BACKDATE_MS = 5 * 60_000
/** A certificate this short or shorter holds for its whole duration from now; a longer one counts from its beginning. */
const SHORT_MS = 8 * 3_600_000

/** A new key (ECDSA P-256) and a request for it, both PEM. */
export async function createRequest(
  wanted: Partial<RequestedIdentity> & { readonly commonName: string },
): Promise<{ readonly requestPem: string; readonly keyPem: string }> {
  const x509 = await loadX509()
  const keys = await newKeys()
  const { organizations = [], dnsNames = [], ipAddresses = [], emailAddresses = [], uris = [] } = wanted
  const named = (type: 'dns' | 'ip' | 'email' | 'url', values: readonly string[]): readonly X509.JsonGeneralName[] =>
    values.map((value) => ({ type, value }))
  const names = [
    ...named('dns', dnsNames),
    ...named('ip', ipAddresses),
    ...named('email', emailAddresses),
    ...named('url', uris),
  ]
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subject(wanted.commonName, organizations),
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)],
  })
  return { requestPem: `${request.toString('pem')}\n`, keyPem: await privateKeyPem(keys.privateKey) }
}

/** Throws for what is no request, or one that its own key did not sign. */
export async function identityOf(requestPem: string): Promise<RequestedIdentity> {
  const x509 = await loadX509()
  const request = new x509.Pkcs10CertificateRequest(requestPem)
  if (!(await request.verify())) throw new Error('unable to verify certificate request signature')
  const names = alternativeNames(x509, request)
  const ofType = (type: string): readonly string[] =>
    names.filter((name) => name.type === type).map(({ value }) => value)
  return {
    commonName: request.subjectName.getField('CN').at(-1) ?? '',
    organizations: request.subjectName.getField('O'),
    dnsNames: ofType('dns'),
    ipAddresses: ofType('ip'),
    emailAddresses: ofType('email'),
    uris: ofType('url'),
  }
}

/** The certificate, PEM, with the request's subject and alternative names; it never outlives the authority. */
export async function signRequest(scope: Scope, authority: KeyPair, order: SigningOrder): Promise<string> {
  const x509 = await loadX509()
  const request = new x509.Pkcs10CertificateRequest(order.request)
  const issuer = new x509.X509Certificate(authority.certificatePem)
  const nowMs = scope.clock.now()
  const endMs = nowMs + order.durationMs - (order.durationMs < SHORT_MS ? 0 : BACKDATE_MS)
  const bits = order.usages.reduce((all, usage) => all | (keyUsages[usage] ?? 0), 0)
  const extended = [...new Set(order.usages.flatMap((usage) => extendedKeyUsages[usage] ?? []))]
  const names = alternativeNames(x509, request)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(scope),
    subject: request.subjectName.toJSON(),
    issuer: issuer.subjectName.toJSON(),
    notBefore: new Date(Math.max(nowMs - BACKDATE_MS, issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(endMs, issuer.notAfter.getTime())),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    publicKey: request.publicKey,
    signingKey: await importAuthorityKey(authority.keyPem),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      ...(bits === 0 ? [] : [new x509.KeyUsagesExtension(bits, true)]),
      ...(extended.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension(extended)]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ],
  })
  const pem = certificate.toString('pem')
  return pem.endsWith('\n') ? pem : `${pem}\n`
}

function alternativeNames(x509: typeof X509, request: X509.Pkcs10CertificateRequest): readonly X509.JsonGeneralName[] {
  return request.extensions
    .filter((extension) => extension instanceof x509.SubjectAlternativeNameExtension)
    .flatMap((extension) => extension.names.toJSON())
}
