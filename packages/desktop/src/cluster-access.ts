// From a cluster's key in a URL to a connection with the session's own rights.

import type { Clock } from '@aksel/base/clock'
import type { FrontDoorClient } from './front-door-client.ts'
import { readKubeconfig, type ClusterConnection } from './kubeconfig-file.ts'
import type { Session } from './sessions.ts'
import { Upstream } from './upstream.ts'

/** A cluster of the front door: `arm.GROUP.NAME`; group names may hold dots, cluster names may not. */
export function armKey(group: string, name: string): string {
  return `arm.${group}.${name}`.toLowerCase()
}

export function parseArmKey(key: string): { readonly group: string; readonly name: string } | undefined {
  const match = /^arm\.(.+)\.([^.]+)$/.exec(key)
  return match === null ? undefined : { group: match[1]!, name: match[2]! }
}

interface Held {
  readonly connection: Promise<ClusterConnection>
  readonly upstream: Promise<Upstream>
  readonly untilMs: number
}

/** Credentials that the front door gave are asked for anew after this time: a cluster may have been made again. */
const KEPT_MS = 300_000

export class ClusterAccess {
  readonly #clock: Clock
  readonly #frontDoor: FrontDoorClient | undefined
  readonly #held = new WeakMap<Session, Map<string, Held>>()

  constructor(clock: Clock, frontDoor: FrontDoorClient | undefined) {
    this.#clock = clock
    this.#frontDoor = frontDoor
  }

  /** Rejects with words for the person where there is no way to that cluster. */
  upstream(session: Session, key: string): Promise<Upstream> {
    return this.#of(session, key).upstream
  }

  connection(session: Session, key: string): Promise<ClusterConnection> {
    return this.#of(session, key).connection
  }

  /** What was kept of it is asked for again next time. */
  forget(session: Session, key: string): void {
    this.#held.get(session)?.delete(key)
  }

  #of(session: Session, key: string): Held {
    const ofSession = this.#held.get(session) ?? new Map<string, Held>()
    this.#held.set(session, ofSession)
    const known = ofSession.get(key)
    if (known !== undefined && known.untilMs > this.#clock.monotonicMs()) return known
    const connection = this.#connect(session, key)
    const upstream = connection.then((each) => {
      const opened = new Upstream(each)
      session.ended.signal.addEventListener('abort', () => opened[Symbol.dispose](), { once: true })
      return opened
    })
    const held = { connection, upstream, untilMs: this.#clock.monotonicMs() + KEPT_MS }
    ofSession.set(key, held)
    upstream.catch(() => ofSession.delete(key))
    return held
  }

  async #connect(session: Session, key: string): Promise<ClusterConnection> {
    const own = session.credentials.clusters.get(key)
    if (own !== undefined) return own
    const named = parseArmKey(key)
    const { arm } = session.credentials
    if (named === undefined || arm === undefined || this.#frontDoor === undefined)
      throw new Error('This session has no credentials for that cluster.')
    const text = await this.#frontDoor.userKubeconfig(arm, named.group, named.name)
    const { current, connections } = readKubeconfig(text, { nowMs: () => this.#clock.now() })
    const found = connections.find(({ name }) => name === current) ?? connections[0]
    return found!
  }
}
