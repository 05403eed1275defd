// What a session over an upgraded connection needs of the request that began it: the same at the API server and at a node's own port.

import type { Duplex } from 'node:stream'

export interface UpgradeCall {
  readonly method: string
  readonly query: URLSearchParams
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal
  /** The client's bare connection, where it asked for `Connection: Upgrade`, with what it sent already. */
  readonly upgrade?: { readonly socket: Duplex; readonly head: Uint8Array }
}
