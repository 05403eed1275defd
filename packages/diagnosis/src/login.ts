// Why the cluster does not let the caller in: what the certificate or the token says of itself, before any object was read.

import type { Finding } from './finding.ts'

const DAY_MS = 86_400_000
const SOON_DAYS = 14

export interface Login {
  readonly user: string
  /** Of the client certificate, where there is one. */
  readonly certificateEndMs?: number
  readonly token?: string
  readonly nowMs: number
  /** The server's words where it refused the caller. */
  readonly refusal?: string
}

interface Claims {
  readonly iss?: unknown
  readonly aud?: unknown
  readonly exp?: unknown
  readonly nbf?: unknown
}

/** Nothing where the caller was let in and its papers last. */
export function judgeLogin(login: Login): readonly Finding[] {
  const { certificateEndMs, token, nowMs, refusal } = login
  const claims = token === undefined ? undefined : claimsOf(token)
  if (certificateEndMs !== undefined && certificateEndMs <= nowMs)
    return [
      finding(
        login,
        'access/login-expired',
        `The client certificate ended at ${new Date(certificateEndMs).toISOString()}.`,
      ),
    ]
  const exp = secondsOf(claims?.exp)
  if (exp !== undefined && exp * 1000 <= nowMs)
    return [finding(login, 'access/login-expired', `The token ended at ${new Date(exp * 1000).toISOString()}.`)]
  const nbf = secondsOf(claims?.nbf)
  if (nbf !== undefined && nbf * 1000 > nowMs)
    return [
      finding(
        login,
        'access/login-not-yet-valid',
        `The token is valid from ${new Date(nbf * 1000).toISOString()} on; the clocks may differ.`,
      ),
    ]
  if (refusal !== undefined) return [finding(login, 'access/login-refused', refusalCause(token, claims), 'likely')]
  if (certificateEndMs !== undefined && certificateEndMs - nowMs < SOON_DAYS * DAY_MS)
    return [
      finding(
        login,
        'access/login-expires-soon',
        `The client certificate ends at ${new Date(certificateEndMs).toISOString()}.`,
      ),
    ]
  return []
}

function refusalCause(token: string | undefined, claims: Claims | undefined): string {
  if (token === undefined)
    return 'The cluster does not know the authority of the client certificate: it is of another cluster, or its certificates were rotated.'
  if (claims === undefined) return 'The token is no JSON web token: the cluster knows no such word.'
  const audience = Array.isArray(claims.aud) ? claims.aud.join(', ') : textOf(claims.aud)
  return `The cluster does not accept the token of issuer "${textOf(claims.iss)}" for audience "${audience}": it trusts another issuer, another audience, or the key was rotated.`
}

function finding(login: Login, id: string, cause: string, confidence: Finding['confidence'] = 'certain'): Finding {
  const subject = { kind: 'User', name: login.user }
  return {
    id,
    subject,
    alsoAffected: [],
    symptom: id === 'access/login-expires-soon' ? 'The login will be refused soon.' : 'The cluster refuses the login.',
    cause,
    evidence: login.refusal === undefined ? [] : [{ subject, line: login.refusal }],
    fix: 'Get new credentials: az aks get-credentials; for a token ask its issuer, with the audience that the cluster wants.',
    commands: ['kubectl auth whoami', 'kubectl config view --minify'],
    confidence,
  }
}

function claimsOf(token: string): Claims | undefined {
  const [, payload] = token.split('.')
  if (payload === undefined) return undefined
  try {
    return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims
  } catch {
    return undefined
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '(none)'
}

function secondsOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}
