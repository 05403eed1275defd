// Users that a front proxy vouches for: its client certificate, of an authority of its own, and headers that name the user.

import type { X509Certificate } from 'node:crypto'
import type { Clock } from '@aksel/base/clock'
import { headerValues, type IncomingCall } from '../http/message.ts'
import { certificateVerifier } from './client-certificate.ts'
import { authenticated, type UserInfo } from './user-info.ts'

export interface RequestHeaderAuthenticator {
  /**
   * Undefined where no front proxy speaks or it names nobody; `refused` for a certificate of its authority in another name
   * than those that may.
   */
  userOf(certificate: X509Certificate, call: IncomingCall): UserInfo | 'refused' | undefined
}

const extraPrefix = 'x-remote-extra-'

/** Upstream's `--requestheader-client-ca-file` and its headers' usual names. */
export function requestHeaderAuthenticator(
  clock: Clock,
  options: { readonly authorityPem: string; readonly allowedNames: readonly string[] },
): RequestHeaderAuthenticator {
  const verified = certificateVerifier(clock, options.authorityPem)
  return {
    userOf(certificate, call) {
      const subject = verified(certificate)
      if (subject === undefined) return undefined
      if (!options.allowedNames.includes(subject.commonName)) return 'refused'
      return userOfHeaders(call)
    },
  }
}

function userOfHeaders(call: IncomingCall): UserInfo | undefined {
  const name = headerValues(call, 'x-remote-user').find((value) => value.trim() !== '')
  if (name === undefined) return undefined
  const uid = headerValues(call, 'x-remote-uid').find((value) => value.trim() !== '')
  const extra = extraHeaders(call, extraPrefix)
  return authenticated({
    name,
    ...(uid === undefined ? {} : { uid }),
    groups: headerValues(call, 'x-remote-group'),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  })
}

/** What headers with this prefix say, by their keys as they were before they were escaped. */
export function extraHeaders(call: IncomingCall, prefix: string): Readonly<Record<string, readonly string[]>> {
  const extra = new Map<string, readonly string[]>()
  for (const header of Object.keys(call.headers)) {
    if (!header.startsWith(prefix)) continue
    const key = unescapedKey(header.slice(prefix.length))
    extra.set(key, [...(extra.get(key) ?? []), ...headerValues(call, header)])
  }
  return Object.fromEntries(extra)
}

/** As it is where it is not escaped. */
function unescapedKey(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}
