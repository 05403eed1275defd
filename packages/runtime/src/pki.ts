// Makes the keys and certificates of a cluster: its authority, the server's and nodes' certificates, the token key.
// The certificate library costs 65 to 160 ms to load, so it is loaded when the first certificate is made.

import type { webcrypto } from 'node:crypto'
import type * as X509 from '@peculiar/x509'
import type { Scope } from '@aksel/base/scope'

export interface KeyPair {
  readonly certificatePem: string
  /** PKCS #8. */
  readonly keyPem: string
}

export const usages = ['client', 'server'] as const
export type Usage = (typeof usages)[number]

export interface AuthorityOptions {
  readonly commonName: string
  readonly years: number
}

export interface CertificateOptions {
  readonly commonName: string
  /** Kubernetes reads these as the user's groups. */
  readonly organizations?: readonly string[]
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
  readonly usages: readonly Usage[]
  readonly days: number
}

export interface SigningKey {
  /** RFC 7638 thumbprint of the public key: the `kid` of tokens signed with it. */
  readonly keyId: string
  /** PKCS #8, ECDSA P-256: tokens are signed with ES256. */
  readonly privateKeyPem: string
  /** SPKI. */
  readonly publicKeyPem: string
}

const DAY_MS = 86_400_000
/** Certificates begin in the past, so that a host whose clock is a little late accepts them. */
const SKEW_MS = 300_000
const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const
const extendedUsages = { client: '1.3.6.1.5.5.7.3.2', server: '1.3.6.1.5.5.7.3.1' } as const

/** A self-signed authority (ECDSA P-256) that may sign leaf certificates only. */
export async function createAuthority(scope: Scope, options: AuthorityOptions): Promise<KeyPair> {
  const x509 = await loadX509()
  const keys = await newKeys()
  const nowMs = scope.clock.now()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(scope),
    name: subject(options.commonName, []),
    notBefore: new Date(nowMs - SKEW_MS),
    notAfter: new Date(nowMs + options.years * 365 * DAY_MS),
    signingAlgorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificatePem: pemOf(certificate.toString('pem')), keyPem: await privateKeyPem(keys.privateKey) }
}

/** A leaf certificate signed by the authority; it never outlives it. */
export async function issue(scope: Scope, authority: KeyPair, options: CertificateOptions): Promise<KeyPair> {
  const x509 = await loadX509()
  const keys = await newKeys()
  const nowMs = scope.clock.now()
  const issuer = new x509.X509Certificate(authority.certificatePem)
  const names = [
    ...(options.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(options.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ]
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(scope),
    subject: subject(options.commonName, options.organizations ?? []),
    issuer: issuer.subjectName.toJSON(),
    notBefore: new Date(Math.max(nowMs - SKEW_MS, issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(nowMs + options.days * DAY_MS, issuer.notAfter.getTime())),
    signingAlgorithm,
    publicKey: keys.publicKey,
    signingKey: await importAuthorityKey(authority.keyPem),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension(options.usages.map((usage) => extendedUsages[usage])),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ],
  })
  return { certificatePem: pemOf(certificate.toString('pem')), keyPem: await privateKeyPem(keys.privateKey) }
}

/** The key that signs service-account tokens (ES256). */
export async function createServiceAccountKey(): Promise<SigningKey> {
  const keys = await newKeys()
  const publicKey = Buffer.from(await crypto.subtle.exportKey('spki', keys.publicKey))
  return {
    keyId: await thumbprint(keys.publicKey),
    privateKeyPem: await privateKeyPem(keys.privateKey),
    publicKeyPem: encodePem('PUBLIC KEY', publicKey),
  }
}

/** The library, loaded when it is first needed. */
export async function loadX509(): Promise<typeof X509> {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

/** A new key of the one kind that Aksel makes. */
export function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])
}

/** 16 random bytes, positive and without leading zero as RFC 5280 wants. */
export function newSerialNumber(scope: Scope): string {
  const bytes = Buffer.from(scope.random.nextBytes(16))
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes.toString('hex')
}

/** A distinguished name: groups as organizations, the user as common name. */
export function subject(commonName: string, organizations: readonly string[]): { readonly [key: string]: string[] }[] {
  return [...organizations.map((organization) => ({ O: [organization] })), { CN: [commonName] }]
}

/** The private key of an authority that `createAuthority` made. */
export async function importAuthorityKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  return crypto.subtle.importKey('pkcs8', der, keyAlgorithm, false, ['sign'])
}

/** PKCS #8. */
export async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  return encodePem('PRIVATE KEY', Buffer.from(await crypto.subtle.exportKey('pkcs8', key)))
}

function encodePem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

function pemOf(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}

async function thumbprint(key: webcrypto.CryptoKey): Promise<string> {
  const { crv, kty, x, y } = await crypto.subtle.exportKey('jwk', key)
  const digest = await crypto.subtle.digest('SHA-256', Buffer.from(JSON.stringify({ crv, kty, x, y })))
  return Buffer.from(digest).toString('base64url')
}
