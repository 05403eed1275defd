// What a bootstrap token's secret says, read as upstream reads it.

import { createHmac } from 'node:crypto'
import type { Secret } from '@aksel/api/types/core-v1'

export const tokenNamespace = 'kube-system'
const secretType = 'bootstrap.kubernetes.io/token'
const namePrefix = 'bootstrap-token-'
const idForm = /^[a-z0-9]{6}$/
const secretForm = /^[a-z0-9]{16}$/

export interface SigningToken {
  readonly id: string
  readonly secret: string
}

/** Not every secret is a token: these are, by type and place. */
export function isTokenSecret({ metadata, type }: Secret): boolean {
  return metadata.namespace === tokenNamespace && type === secretType
}

function field(secret: Secret, name: string): string {
  return Buffer.from(secret.data?.[name] ?? '', 'base64').toString('utf8')
}

/** When it ends, in milliseconds; undefined where it never does. What cannot be read as a time has ended. */
export function expiryOf(secret: Secret): number | undefined {
  const text = field(secret, 'expiration')
  if (text === '') return undefined
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text)
  const ms = isTime ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? -Infinity : ms
}

/** The token that it signs by; undefined where it is not meant for that, is malformed, leaves or has ended. */
export function signingTokenOf(secret: Secret, nowMs: number): SigningToken | undefined {
  if (!isTokenSecret(secret) || secret.metadata.deletionTimestamp !== undefined) return undefined
  const id = field(secret, 'token-id')
  const value = field(secret, 'token-secret')
  if (!idForm.test(id) || !secretForm.test(value) || secret.metadata.name !== namePrefix + id) return undefined
  if ((expiryOf(secret) ?? Infinity) <= nowMs || field(secret, 'usage-bootstrap-signing') !== 'true') return undefined
  return { id, secret: value }
}

/** JWS in compact form without its payload: HMAC-SHA256 by the token's secret, named by the token's id. */
export function detachedSignature(content: string, { id, secret }: SigningToken): string {
  const header = Buffer.from(JSON.stringify({ alg: 'HS256', kid: id })).toString('base64url')
  const payload = Buffer.from(content).toString('base64url')
  const signature = createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url')
  return `${header}..${signature}`
}
