// Where control planes listen on this host.

import { createServer, type AddressInfo } from 'node:net'
import { loopbackAddress } from './cluster-record.ts'

export interface Place {
  readonly host: string
  readonly port: number
}

const API_PORT = 443
const FIRST_PORT = 16_443

/** A loopback address for every cluster. Without root there is no port 443: then each has a port of its own too. */
export function ownPlace({ privileged }: { readonly privileged: boolean }, index: number): Place {
  return { host: loopbackAddress(index), port: privileged ? API_PORT : FIRST_PORT + index }
}

/** Rejects for any failure but a taken address. */
export function canListen(place: Place): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    )
    server.listen(place, () => server.close(() => resolve(true)))
  })
}

/** A port of 127.0.0.1 that nobody has now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
