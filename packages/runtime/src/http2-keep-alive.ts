// A peer that vanished without a word is found by asking: HTTP/2 pings on a session, at the pace of Kubernetes clients.

import type { Http2Session } from 'node:http2'
import type { Clock, Timer } from '@aksel/base/clock'

const PING_EVERY_MS = 30_000
const PING_TIMEOUT_MS = 15_000

/** Destroys the session when a ping stays unanswered for 15 s; ends with the session. */
export function keepAlive(clock: Clock, session: Http2Session): void {
  let timer: Timer = clock.after(PING_EVERY_MS, ask)
  session.once('close', () => timer[Symbol.dispose]())

  function ask(): void {
    if (session.closed || session.destroyed) return
    timer = clock.after(PING_TIMEOUT_MS, () => session.destroy(new Error('http2: client connection lost')))
    session.ping((error) => {
      timer[Symbol.dispose]()
      if (error === null && !session.closed) timer = clock.after(PING_EVERY_MS, ask)
    })
  }
}
