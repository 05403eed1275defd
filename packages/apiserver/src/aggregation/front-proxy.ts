// How other API servers know that a request comes from this one: a client certificate of an authority of its own, and headers
// that say who the user is. They read what to believe in the ConfigMap extension-apiserver-authentication.

import type { ConfigMap } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { createAuthority, issue, type KeyPair } from '@aksel/runtime/pki'
import type { UserInfo } from '../authentication/user-info.ts'

export interface FrontProxy {
  /** PEM of the authority that signed the client certificate. */
  readonly authorityPem: string
  readonly client: KeyPair
}

export const clientName = 'front-proxy-client'
const CERTIFICATE_DAYS = 730

export async function newFrontProxy(scope: Scope): Promise<FrontProxy> {
  const authority = await createAuthority(scope, { commonName: 'front-proxy-ca', years: 30 })
  const client = await issue(scope, authority, { commonName: clientName, usages: ['client'], days: CERTIFICATE_DAYS })
  return { authorityPem: authority.certificatePem, client }
}

/** `clientAuthorityPem`: whose client certificates this server believes. */
export function authenticationConfigMap({ authorityPem }: FrontProxy, clientAuthorityPem: string): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
    data: {
      'client-ca-file': clientAuthorityPem,
      'requestheader-allowed-names': JSON.stringify([clientName]),
      'requestheader-client-ca-file': authorityPem,
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-uid-headers': '["X-Remote-Uid"]',
      'requestheader-username-headers': '["X-Remote-User"]',
    },
  }
}

type Headers = Record<string, string | readonly string[]>

/** The headers that name a user; whatever the client itself sent under these names must be gone before. */
export function userHeaders(user: UserInfo): Headers {
  const headers: Headers = { 'x-remote-user': headerText(user.name) }
  if (user.uid !== undefined) headers['x-remote-uid'] = headerText(user.uid)
  if (user.groups.length > 0) headers['x-remote-group'] = user.groups.map(headerText)
  for (const [key, values] of Object.entries(user.extra ?? {}))
    if (values.length > 0) headers[`x-remote-extra-${escapedKey(key)}`] = values.map(headerText)
  return headers
}

export function isUserHeader(name: string): boolean {
  return name.startsWith('x-remote-')
}

/** The bytes of UTF-8, each as one character, as Node writes headers; no value can begin another line. */
function headerText(value: string): string {
  return Buffer.from(value.replaceAll(/[\r\n\0]/g, ' '), 'utf8').toString('latin1')
}

/** Bytes that may not stand in a header's name, as Go escapes them. */
function escapedKey(key: string): string {
  const escaped = (character: string): string =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
  return key.replaceAll(/[^A-Za-z0-9!#$&'*+.^_`|~-]/g, escaped)
}
