// The first stage: who asks. A client certificate, a bearer token, or nobody in particular.

import { ApiError } from '@aksel/base/errors'
import type { IncomingCall } from '../http/message.ts'
import type { CertificateAuthenticator } from './client-certificate.ts'
import type { RequestHeaderAuthenticator } from './request-header.ts'
import type { TokenVerdict } from './service-account.ts'
import { anonymous, authenticated, type UserInfo } from './user-info.ts'

/** What an authenticator has to say of a request, beside who makes it. */
export interface Notes {
  /** For the audit entry. */
  readonly annotations?: Map<string, string>
  /** Sentences for the Warning header. */
  readonly warnings: Set<string>
}

/** Turns a bearer token into a user; undefined where it is not valid for any of the audiences (the server's own when absent). */
export interface TokenUsers {
  userOf(token: string, audiences?: readonly string[], notes?: Notes): Promise<TokenVerdict | undefined>
}

export interface Authenticators {
  readonly certificates: CertificateAuthenticator
  /** Users that the front proxy names. */
  readonly frontProxy: RequestHeaderAuthenticator
  readonly tokens: TokenUsers
  /** Whether a path may be asked for without credentials. */
  readonly mayBeAnonymous: (path: string) => boolean
}

/** The first that knows the token decides. */
export function firstOf(all: readonly TokenUsers[]): TokenUsers {
  return {
    async userOf(token, audiences, notes) {
      for (const each of all) {
        const verdict = await each.userOf(token, audiences, notes)
        if (verdict !== undefined) return verdict
      }
      return undefined
    },
  }
}

/** Throws Unauthorized where credentials were shown that are no good; without any the caller is anonymous. */
export async function authenticate(
  call: IncomingCall,
  authenticators: Authenticators,
  notes?: Notes,
): Promise<UserInfo> {
  if (call.peer.kind === 'user') return authenticated(call.peer.user)
  if (call.peer.certificate !== undefined) {
    const named = authenticators.frontProxy.userOf(call.peer.certificate, call)
    if (named !== undefined && named !== 'refused') return named
    const user = authenticators.certificates.userOf(call.peer.certificate)
    if (user !== undefined) return user
  }
  const token = bearerToken(call.headers)
  if (token !== undefined) {
    const verdict = await authenticators.tokens.userOf(token, undefined, notes)
    if (verdict !== undefined) return verdict.user
    throw unauthorized()
  }
  if (call.peer.certificate !== undefined || !authenticators.mayBeAnonymous(pathOf(call.url))) throw unauthorized()
  return anonymous
}

function pathOf(url: string): string {
  return url.split('?', 1)[0]!
}

export function unauthorized(): ApiError {
  return new ApiError('Unauthorized', 'Unauthorized')
}

/** What a caller showed that nobody believed, for the audit log: in upstream's words. */
export function attemptsOf({ headers, peer, url }: IncomingCall): string {
  const authorization = headers['authorization'] ?? ''
  const methods = [
    /^basic /i.test(authorization) ? 'basic' : '',
    /^bearer /i.test(authorization) ? 'bearer' : '',
    /[?&]access_token=./.test(url) ? 'access_token' : '',
    peer.kind === 'tls' && peer.certificate !== undefined ? 'x509' : '',
  ].filter((method) => method !== '')
  return methods.length === 0
    ? 'Authentication failed, no credentials provided'
    : `Authentication failed, attempted: ${methods.join(', ')}`
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
