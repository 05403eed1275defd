// What stands between the members of an etcd in a test: connections that can be cut off by who calls, and made lossy. A member
// tells who it is in the header `X-Server-From` of the requests it makes to another.

import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { fraction, type Random } from '@aksel/base/ids'

/** What TCP waits before it sends a lost segment again. */
const RETRANSMIT_MS = 200

export interface PeerProxy extends AsyncDisposable {
  readonly port: number
  /** Nobody reaches the member. */
  cutAll(): void
  /** The member with this id (hex) does not reach it. */
  cutFrom(member: string): void
  /** This share of what passes is lost at first, and comes later. */
  lose(share: number): void
  heal(): void
}

interface Link {
  readonly sockets: readonly [Socket, Socket]
  from: string | undefined
}

export async function openPeerProxy(random: Random, targetPort: number): Promise<PeerProxy> {
  const links = new Set<Link>()
  const state = { all: false, from: new Set<string>(), loss: 0 }
  const isCut = (from: string | undefined): boolean => state.all || (from !== undefined && state.from.has(from))
  const drop = (link: Link): void => {
    for (const socket of link.sockets) socket.destroy()
    links.delete(link)
  }
  const sweep = (): void => {
    for (const link of links) if (isCut(link.from)) drop(link)
  }
  const forward = (source: Socket, target: Socket): void => {
    let last: Promise<void> = Promise.resolve()
    source.on('data', (piece: Buffer) => {
      const lost = state.loss > 0 && fraction(random) < state.loss
      const again = lost ? new Promise((resolve) => setTimeout(resolve, RETRANSMIT_MS)) : undefined
      // In order, as TCP delivers: what is behind a lost piece waits with it, and is sent again meanwhile where it was lost, too.
      last = last.then(async () => {
        await again
        if (!target.destroyed) target.write(piece)
      })
    })
  }
  const server = createServer((caller) => {
    if (state.all) return void caller.destroy()
    const member = connect(targetPort, '127.0.0.1')
    const link: Link = { sockets: [caller, member], from: undefined }
    links.add(link)
    for (const socket of link.sockets) {
      socket.on('error', () => drop(link))
      socket.on('close', () => drop(link))
    }
    caller.on('data', (piece: Buffer) => {
      const from = /x-server-from: ([0-9a-f]+)/i.exec(piece.toString('latin1'))?.[1]
      if (from !== undefined) link.from = from
      if (isCut(link.from)) drop(link)
    })
    forward(caller, member)
    forward(member, caller)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    cutAll() {
      state.all = true
      sweep()
    },
    cutFrom(member) {
      state.from.add(member)
      sweep()
    },
    lose: (share) => void (state.loss = share),
    heal() {
      state.all = false
      state.from.clear()
      state.loss = 0
    },
    async [Symbol.asyncDispose]() {
      for (const link of links) drop(link)
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
