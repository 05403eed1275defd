// Who is signed in: what a session may use stays in this process's memory, and the browser holds only its name, in a cookie that
// no script can read.

import { createHash } from 'node:crypto'
import type { Scope } from '@aksel/base/scope'
import type { ClusterConnection } from './kubeconfig-file.ts'

/** What a person gave. More than one may be held: the server's and those of single clusters. */
export interface Credentials {
  /** A client of the front door. */
  readonly arm?: { readonly clientId: string; readonly clientSecret: string }
  /** Clusters reached with a token or a kubeconfig, by key. */
  readonly clusters: ReadonlyMap<string, ClusterConnection>
}

export interface Session {
  readonly id: string
  credentials: Credentials
  /** Ends what the session has open. */
  readonly ended: AbortController
}

const IDLE_MS = 8 * 3_600_000
const CODE_MS = 120_000
const SESSIONS_MAX = 200

export class Sessions {
  readonly #scope: Scope
  readonly #byHash = new Map<string, { session: Session; usedAtMs: number }>()
  readonly #codes = new Map<string, { credentials: Credentials; untilMs: number }>()

  constructor(scope: Scope) {
    this.#scope = scope
  }

  open(credentials: Credentials): Session {
    this.#forgetIdle()
    if (this.#byHash.size >= SESSIONS_MAX) this.close([...this.#byHash.values()][0]!.session)
    const session: Session = { id: this.#secret(), credentials, ended: new AbortController() }
    this.#byHash.set(hash(session.id), { session, usedAtMs: this.#scope.clock.monotonicMs() })
    return session
  }

  /** The session that a `cookie` header names, while it is used at least every eight hours. */
  find(cookieHeader: string | undefined, cookieName: string): Session | undefined {
    const id = cookieOf(cookieHeader, cookieName)
    if (id === undefined) return undefined
    this.#forgetIdle()
    const found = this.#byHash.get(hash(id))
    if (found === undefined) return undefined
    found.usedAtMs = this.#scope.clock.monotonicMs()
    return found.session
  }

  close(session: Session): void {
    this.#byHash.delete(hash(session.id))
    session.ended.abort(new Error('signed out'))
  }

  /** A word that opens one session, once, within two minutes: what the command line hands to the browser. */
  issueCode(credentials: Credentials): string {
    const code = this.#secret()
    this.#codes.set(hash(code), { credentials, untilMs: this.#scope.clock.monotonicMs() + CODE_MS })
    return code
  }

  redeem(code: string): Credentials | undefined {
    const key = hash(code)
    const found = this.#codes.get(key)
    this.#codes.delete(key)
    return found !== undefined && found.untilMs > this.#scope.clock.monotonicMs() ? found.credentials : undefined
  }

  closeAll(): void {
    for (const { session } of this.#byHash.values()) this.close(session)
    this.#codes.clear()
  }

  #secret(): string {
    return Buffer.from(this.#scope.random.nextBytes(24)).toString('base64url')
  }

  #forgetIdle(): void {
    const nowMs = this.#scope.clock.monotonicMs()
    for (const { session, usedAtMs } of this.#byHash.values()) if (nowMs - usedAtMs > IDLE_MS) this.close(session)
    for (const [key, { untilMs }] of this.#codes) if (untilMs <= nowMs) this.#codes.delete(key)
  }
}

/** Looked up by hash, so that the time of a comparison tells nothing of a name. */
function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}

export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const [key, ...value] = pair.trim().split('=')
    if (key === name) return value.join('=')
  }
  return undefined
}
