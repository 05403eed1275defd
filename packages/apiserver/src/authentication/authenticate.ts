// The first stage: who asks. A client certificate, a bearer token, or nobody in particular.

import { ApiError } from '@aksel/base/errors'
import type { IncomingCall } from '../http/message.ts'
import type { CertificateAuthenticator } from './client-certificate.ts'
import type { TokenAuthenticator } from './service-account.ts'
import { anonymous, authenticated, type UserInfo } from './user-info.ts'

export interface Authenticators {
  readonly certificates: CertificateAuthenticator
  readonly tokens: TokenAuthenticator
}

/** Throws Unauthorized where credentials were shown that are no good; without any the caller is anonymous. */
export async function authenticate(call: IncomingCall, authenticators: Authenticators): Promise<UserInfo> {
  if (call.peer.kind === 'user') return authenticated(call.peer.user)
  if (call.peer.certificate !== undefined) {
    const user = authenticators.certificates.userOf(call.peer.certificate)
    if (user !== undefined) return user
  }
  const token = bearerToken(call.headers)
  if (token !== undefined) {
    const verdict = await authenticators.tokens.userOf(token)
    if (verdict !== undefined) return verdict.user
    throw unauthorized()
  }
  if (call.peer.certificate !== undefined) throw unauthorized()
  return anonymous
}

export function unauthorized(): ApiError {
  return new ApiError('Unauthorized', 'Unauthorized')
}

const protocolToken = /^base64url\.bearer\.authorization\.k8s\.io\.(.+)$/

function bearerToken(headers: Readonly<Record<string, string>>): string | undefined {
  const match = /^bearer\s+(\S+)\s*$/i.exec(headers['authorization'] ?? '')
  if (match !== null) return match[1]
  // Browsers cannot set headers on a WebSocket: they send the token as a subprotocol.
  for (const protocol of (headers['sec-websocket-protocol'] ?? '').split(',')) {
    const found = protocolToken.exec(protocol.trim())
    if (found !== null) return Buffer.from(found[1]!, 'base64url').toString('utf8')
  }
  return undefined
}
