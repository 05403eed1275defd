// What stands between a node and its API server in a test: connections that are slow, lossy, silent or cut off.

import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { fraction, type Random } from '@aksel/base/ids'

/** What TCP waits before it sends a lost segment again. */
const RETRANSMIT_MS = 200

export const faults = ['none', 'delay', 'loss', 'hole', 'cut'] as const
export type Fault = (typeof faults)[number]

export interface FaultProxy extends AsyncDisposable {
  readonly port: number
  /**
   * From now on: `delay` holds each piece up to 300 ms; `loss` loses a third of the pieces at first, which come later; a `hole` takes
   * everything and says nothing until it ends; `cut` breaks what there is and refuses what comes.
   */
  set(fault: Fault): void
}

export async function openFaultProxy(random: Random, targetPort: number): Promise<FaultProxy> {
  const links = new Set<readonly [Socket, Socket]>()
  let fault: Fault = 'none'
  let hole = Promise.withResolvers<void>()
  hole.resolve()
  const holdUp = async (): Promise<void> => {
    if (fault === 'hole') await hole.promise
    const ms =
      fault === 'delay' ? fraction(random) * 300 : fault === 'loss' && fraction(random) < 1 / 3 ? RETRANSMIT_MS : 0
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
  }
  const forward = (source: Socket, target: Socket): void => {
    let last: Promise<void> = Promise.resolve()
    // In order, as TCP delivers.
    source.on('data', (piece: Buffer) => {
      last = last.then(holdUp).then(() => void (target.destroyed || target.write(piece)))
    })
  }
  const drop = (link: readonly [Socket, Socket]): void => {
    for (const socket of link) socket.destroy()
    links.delete(link)
  }
  const server = createServer((caller) => {
    caller.on('error', () => {})
    if (fault === 'cut') return void caller.destroy()
    const link = [caller, connect(targetPort, '127.0.0.1')] as const
    links.add(link)
    for (const socket of link) {
      socket.on('error', () => drop(link))
      socket.on('close', () => drop(link))
    }
    forward(caller, link[1])
    forward(link[1], caller)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    set(wanted) {
      if (wanted === 'hole' && fault !== 'hole') hole = Promise.withResolvers()
      if (wanted !== 'hole') hole.resolve()
      fault = wanted
      if (wanted === 'cut') for (const link of links) drop(link)
    },
    async [Symbol.asyncDispose]() {
      hole.resolve()
      for (const link of links) drop(link)
      server.close()
      await once(server, 'close')
    },
  }
}
