// `serve-hostname`: answers every connection with the name of its pod.

import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import type { Flags } from './flags.ts'
import { serve } from './http.ts'

export function serveHostname(flags: Flags): void {
  const port = flags.number('port', 9376)
  if (flags.isOn('udp')) {
    const socket = createSocket('udp6')
    socket.on('message', (_message, peer) => socket.send(hostname(), peer.port, peer.address))
    socket.bind(port)
  }
  if (flags.isOn('tcp')) createServer((socket) => socket.on('error', () => {}).end(`${hostname()}\n`)).listen(port)
  else if (flags.text('http', 'true') !== 'false') serve(port, { '': () => hostname() })
  if (flags.isOn('close')) process.on('SIGTERM', () => process.exit(0))
}
