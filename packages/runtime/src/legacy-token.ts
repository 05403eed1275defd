// Tokens that stand in secrets: they do not expire, and die with the secret or the account. Layout of upstream's legacy claims.

import { createPrivateKey, sign } from 'node:crypto'
import type { Secret, ServiceAccount } from '@aksel/api/types/core-v1'
import type { SigningKey } from './pki.ts'

export const legacyIssuer = 'kubernetes/serviceaccount'

/** The day, `2026-01-31`, on which a token was last used. */
export const lastUsedLabel = 'kubernetes.io/legacy-token-last-used'
/** The day since which a token that nobody used is refused. */
export const invalidSinceLabel = 'kubernetes.io/legacy-token-invalid-since'
/** ConfigMap of kube-system: its key `since` has the day since which uses are noted. */
export const trackingMap = 'kube-apiserver-legacy-service-account-token-tracking'

/** What such a token says. */
export interface LegacyClaims {
  readonly iss: typeof legacyIssuer
  readonly sub: string
  readonly 'kubernetes.io/serviceaccount/namespace': string
  readonly 'kubernetes.io/serviceaccount/secret.name': string
  readonly 'kubernetes.io/serviceaccount/service-account.name': string
  readonly 'kubernetes.io/serviceaccount/service-account.uid': string
}

/** ES256, as all tokens of the cluster are. */
export function signLegacyToken(key: SigningKey, secret: Secret, account: ServiceAccount): string {
  const { namespace = '', name, uid = '' } = account.metadata
  const claims: LegacyClaims = {
    iss: legacyIssuer,
    'kubernetes.io/serviceaccount/namespace': namespace,
    'kubernetes.io/serviceaccount/secret.name': secret.metadata.name,
    'kubernetes.io/serviceaccount/service-account.name': name,
    'kubernetes.io/serviceaccount/service-account.uid': uid,
    sub: `system:serviceaccount:${namespace}:${name}`,
  }
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${encode({ alg: 'ES256', kid: key.keyId })}.${encode(claims)}`
  const privateKey = createPrivateKey(key.privateKeyPem)
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}
