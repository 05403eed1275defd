// Where control planes listen on this host. Who listens has the place: it is claimed by listening, and the API server takes the
// socket over, so that of two servers that choose at the same moment only one can have an address.

import { createHash } from 'node:crypto'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { loopbackAddress } from './cluster-record.ts'

export interface Place {
  readonly host: string
  readonly port: number
}

const API_PORT = 443
const FIRST_PORT = 16_443
/** Below those that Linux gives out by itself. */
const PORTS = { from: 10_000, count: 20_000 }

export interface PlaceOptions {
  /** Without root there is no port 443. */
  readonly privileged: boolean
  /** The port of the first cluster where there is no port 443. */
  readonly firstPort?: number
}

/** A loopback address for every cluster. Without root each has a port of its own too. */
export function ownPlace({ privileged, firstPort = FIRST_PORT }: PlaceOptions, index: number): Place {
  return { host: loopbackAddress(index), port: privileged ? API_PORT : firstPort + index }
}

/** Ports that no other folder's servers on this host are likely to have: those of tests and benchmarks, which start and kill many. */
export function firstPortOf(dataDir: string): number {
  return PORTS.from + (createHash('sha256').update(dataDir).digest().readUInt32BE() % PORTS.count)
}

/** Listens there and hangs up on whoever calls; undefined where somebody listens already. Rejects for any other failure. */
export function claim(place: Place): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen(place, () => resolve(server))
  })
}

/** The indexes of this server's clusters, and the sockets of those that do not serve yet. */
export class Places {
  readonly #options: PlaceOptions
  readonly #taken = new Set<number>()
  readonly #claims = new Map<number, Server>()

  constructor(options: PlaceOptions) {
    this.#options = options
  }

  of(index: number): Place {
    return ownPlace(this.#options, index)
  }

  /** Of a cluster that is there already. */
  know(index: number): void {
    this.#taken.add(index)
  }

  /** The lowest index that is free here and whose address nobody on this host listens on; from now on it is ours. */
  async take(): Promise<number> {
    for (let index = 0; ; index += 1) {
      if (this.#taken.has(index)) continue
      this.#taken.add(index)
      const server = await claim(this.of(index)).catch((error: unknown) => {
        this.#taken.delete(index)
        throw error
      })
      if (server !== undefined) {
        this.#claims.set(index, server)
        return index
      }
      this.#taken.delete(index)
    }
  }

  /** The socket that claimed the place, for whoever will serve there; it is his from now on. */
  handOver(index: number): Server | undefined {
    const server = this.#claims.get(index)
    this.#claims.delete(index)
    return server
  }

  free(index: number): void {
    this.handOver(index)?.close()
    this.#taken.delete(index)
  }

  close(): void {
    for (const socket of this.#claims.values()) socket.close()
    this.#claims.clear()
  }
}

/** A port of 127.0.0.1 that nobody had, and its socket. */
export async function anyPlace(): Promise<{ readonly place: Place; readonly socket: Server }> {
  const host = '127.0.0.1'
  const socket = (await claim({ host, port: 0 }))!
  return { place: { host, port: (socket.address() as AddressInfo).port }, socket }
}
