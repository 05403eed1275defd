// Names outside the cluster are asked for at the node's own servers, packet for packet: only the id changes.

import { createSocket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Scope } from '@aksel/base/scope'
import { isAddress } from '../ipv4.ts'
import { frame, FrameReader } from './framing.ts'

export interface Upstream {
  /** The answer's bytes with the query's id. Rejects when no server answers in time. */
  ask(scope: Scope, query: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer>
}

const TIMEOUT_MS = 2000
const PORT = 53

/** `10.1.2.3`, or `10.1.2.3:5353`. Servers are asked in order; the next one when one is silent. */
export function upstreamServers(servers: readonly string[]): Upstream {
  return {
    async ask(scope, query, transport) {
      let failure: unknown = new Error(
        'Cannot resolve names outside the cluster: the node has no DNS server that it can reach',
      )
      for (const server of servers) {
        const [address, port] = server.split(':') as [string, string | undefined]
        const target = { address, port: port === undefined ? PORT : Number(port) }
        try {
          return await (transport === 'udp' ? askByUdp(scope, query, target) : askByTcp(scope, query, target))
        } catch (error) {
          failure = error
        }
      }
      throw failure
    },
  }
}

/**
 * Servers that a node can reach, from a resolv.conf. A loopback address is a resolver on the host, which does not
 * listen in the node's network; then systemd-resolved's list of real servers is read, as the kubelet would.
 */
export async function readUpstreamServers(
  files: readonly string[] = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'],
): Promise<readonly string[]> {
  for (const file of files) {
    const servers = parseResolvConf(await readFile(file, 'utf8').catch(() => ''))
    const reachable = servers.filter((server) => isAddress(server) && !server.startsWith('127.'))
    if (reachable.length > 0) return reachable
  }
  return []
}

export function parseResolvConf(text: string): readonly string[] {
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]!)
}

interface Target {
  readonly address: string
  readonly port: number
}

/** Resolves with the first value given to `done`; rejects after the timeout. */
function withDeadline<T>(
  scope: Scope,
  target: Target,
  start: (done: (value: T) => void, failed: (error: unknown) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = start(
      (value) => end(() => resolve(value)),
      (error) => end(() => reject(error as Error)),
    )
    const timer = scope.clock.after(TIMEOUT_MS, () =>
      end(() => reject(new Error(`The DNS server ${target.address} did not answer within ${TIMEOUT_MS} ms`))),
    )
    const end = (settle: () => void): void => {
      timer[Symbol.dispose]()
      stop()
      settle()
    }
  })
}

function askByUdp(scope: Scope, query: Buffer, target: Target): Promise<Buffer> {
  // A fresh socket and id for each query, so that a forged answer has to guess both.
  const id = Buffer.from(scope.random.nextBytes(2))
  const sent = Buffer.concat([id, query.subarray(2)])
  return withDeadline<Buffer>(scope, target, (done, failed) => {
    const socket = createSocket('udp4')
    socket.on('error', failed)
    socket.on('message', (answer, from) => {
      if (from.address !== target.address || answer.length < 12 || !answer.subarray(0, 2).equals(id)) return
      done(Buffer.concat([query.subarray(0, 2), answer.subarray(2)]))
    })
    socket.send(sent, target.port, target.address)
    return () => socket.close()
  })
}

function askByTcp(scope: Scope, query: Buffer, target: Target): Promise<Buffer> {
  return withDeadline<Buffer>(scope, target, (done, failed) => {
    const socket = connect({ host: target.address, port: target.port })
    const reader = new FrameReader()
    socket.on('error', failed)
    socket.on('close', () => failed(new Error(`The DNS server ${target.address} closed the connection`)))
    socket.on('data', (chunk: Buffer) => {
      const [answer] = reader.push(chunk)
      if (answer !== undefined) done(answer)
    })
    socket.write(frame(query))
    return () => {
      socket.removeAllListeners('close')
      socket.destroy()
    }
  })
}
