// Hands a connection that changes protocols on to another server: the handshake written again, and from then on bytes.

import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { IncomingCall } from './message.ts'

export interface PassedUpgrade {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | readonly string[]>>
}

export async function passUpgrade(
  upgrade: NonNullable<IncomingCall['upgrade']>,
  connection: Duplex,
  { method, path, headers }: PassedUpgrade,
): Promise<'upgraded'> {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    // No value can begin a line of its own.
    [value].flat().map((one) => `${name}: ${one.replaceAll(/[\r\n]/g, ' ')}`),
  )
  // Two pipelines listen more than Node expects of one stream.
  for (const stream of [connection, upgrade.socket]) stream.setMaxListeners(20)
  connection.write(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  connection.write(upgrade.head)
  await Promise.allSettled([pipeline(upgrade.socket, connection), pipeline(connection, upgrade.socket)])
  return 'upgraded'
}
