// Something else that answers on the front door's own port, below a path of its own: the desktop.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

export interface Mount {
  /** Where a browser that asks for `/` is led. */
  readonly home: string
  serves(path: string): boolean
  handle(request: IncomingMessage, response: ServerResponse): void
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
}
