// Sign-ins that wait for somebody with a browser (RFC 8628): kept in the store, so that they outlive a restart and are seen by every server.

import { timingSafeEqual } from 'node:crypto'
import type { Scope } from '@aksel/base/scope'
import { secretHash } from '../resource-providers/directory/directory.ts'
import { keys, type ResourceStore } from '../store-keyspace.ts'

export const deviceCodeSeconds = 900
export const pollSeconds = 5
/** Who asks needs no credential: what waits must not grow without end. */
export const waitingMax = 200

/** Azure's are as long; the letters make no words and look like nothing else. */
const userCodeLength = 9
const userCodeAlphabet = 'BCDFGHJKLMNPQRSTVWXZ23456789'
const secretBytes = 32

/** Who approved it, and by which secret: when that is taken away, what came of it ends. */
export interface Approval {
  readonly appId: string
  readonly secretHash: string
}

export interface DeviceSignIn {
  readonly kind: 'deviceSignIn'
  readonly userCode: string
  readonly secretHash: string
  /** The program that asks. */
  readonly clientId: string
  readonly expiresMs: number
  /** How long it must wait between two questions. */
  readonly intervalSeconds: number
  readonly askedMs?: number
  readonly answer?: 'declined' | Approval
}

export interface Begun {
  readonly deviceCode: string
  readonly userCode: string
}

/** Undefined where too many wait already. */
export async function beginSignIn(scope: Scope, store: ResourceStore, clientId: string): Promise<Begun | undefined> {
  const nowMs = scope.clock.now()
  const all = await store.list<DeviceSignIn>(keys.deviceSignIns)
  const over = all.filter(({ value }) => value.expiresMs <= nowMs)
  await store.removeAll(over)
  if (all.length - over.length >= waitingMax) return undefined
  while (true) {
    const userCode = Array.from(
      scope.random.nextBytes(userCodeLength),
      (byte) => userCodeAlphabet[byte % userCodeAlphabet.length],
    ).join('')
    const secret = Buffer.from(scope.random.nextBytes(secretBytes)).toString('base64url')
    const value: DeviceSignIn = {
      kind: 'deviceSignIn',
      userCode,
      secretHash: secretHash(secret),
      clientId,
      expiresMs: nowMs + deviceCodeSeconds * 1000,
      intervalSeconds: pollSeconds,
    }
    const key = keys.deviceSignIn(userCode)
    if (await store.commit([{ kind: 'put', key, value, expected: 0 }]))
      return { userCode, deviceCode: `${userCode}.${secret}` }
  }
}

/** The sign-in that waits for an answer to this code, however it was typed. */
export async function waitingFor(scope: Scope, store: ResourceStore, typed: string): Promise<DeviceSignIn | undefined> {
  const userCode = typed.replaceAll(/[\s-]/g, '').toUpperCase()
  if (!new RegExp(`^[${userCodeAlphabet}]{${userCodeLength}}$`).test(userCode)) return undefined
  const found = (await store.get<DeviceSignIn>(keys.deviceSignIn(userCode)))?.value
  return found !== undefined && found.answer === undefined && scope.clock.now() < found.expiresMs ? found : undefined
}

/** False: it is over, or was answered by somebody else meanwhile. */
export async function answerSignIn(
  scope: Scope,
  store: ResourceStore,
  userCode: string,
  answer: 'declined' | Approval,
): Promise<boolean> {
  let answered = false
  await store.update<DeviceSignIn>(keys.deviceSignIn(userCode), (current) => {
    answered = current.answer === undefined && scope.clock.now() < current.expiresMs
    return answered ? { ...current, answer } : undefined
  })
  return answered
}

export type Polled =
  | { readonly kind: 'unknown' | 'expired' | 'pending' | 'slow' | 'declined' }
  | { readonly kind: 'approved'; readonly by: Approval }

/** What the program is told that waits; an answer is told once. */
export function judgePoll(signIn: DeviceSignIn, nowMs: number): Polled {
  if (nowMs >= signIn.expiresMs) return { kind: 'expired' }
  if (signIn.answer === 'declined') return { kind: 'declined' }
  if (signIn.answer !== undefined) return { kind: 'approved', by: signIn.answer }
  const { askedMs = Number.NEGATIVE_INFINITY, intervalSeconds } = signIn
  // A second of grace: programs count from the answer that they got, and clocks differ.
  return { kind: nowMs - askedMs < (intervalSeconds - 1) * 1000 ? 'slow' : 'pending' }
}

export async function pollSignIn(
  scope: Scope,
  store: ResourceStore,
  asked: { readonly deviceCode: string; readonly clientId: string },
): Promise<Polled> {
  const [userCode = '', secret = ''] = asked.deviceCode.split('.')
  return store.decide<Polled>(async () => {
    const stored = await store.get<DeviceSignIn>(keys.deviceSignIn(userCode))
    if (stored === undefined || !isSame(stored.value.secretHash, secretHash(secret)))
      return { changes: [], result: { kind: 'unknown' } }
    const { key, value, modRevision } = stored
    if (value.clientId.toLowerCase() !== asked.clientId.toLowerCase())
      return { changes: [], result: { kind: 'unknown' } }
    const nowMs = scope.clock.now()
    const result = judgePoll(value, nowMs)
    if (result.kind !== 'pending' && result.kind !== 'slow')
      return { changes: [{ kind: 'delete', key, expected: modRevision }], result }
    const intervalSeconds = value.intervalSeconds + (result.kind === 'slow' ? pollSeconds : 0)
    const next: DeviceSignIn = { ...value, askedMs: nowMs, intervalSeconds }
    return { changes: [{ kind: 'put', key, value: next, expected: modRevision }], result }
  })
}

function isSame(left: string, right: string): boolean {
  return timingSafeEqual(Buffer.from(left, 'hex'), Buffer.from(right, 'hex'))
}
