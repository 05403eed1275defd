// Names outside the cluster are asked for at other servers, packet for packet: only the id changes.

import { createSocket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { connect, isIP, isIPv6 } from 'node:net'
import type { Scope } from '@aksel/base/scope'
import { frame, FrameReader } from './framing.ts'

export interface Server {
  readonly address: string
  readonly port: number
}

const TIMEOUT_MS = 2000
const PORT = 53

/** `10.1.2.3`, `10.1.2.3:5353`, `dns://10.1.2.3`, `fd00::1`, `[fd00::1]:53`; undefined for what is no address. */
export function parseServer(text: string): Server | undefined {
  const bare = text.replace(/^dns:\/\//, '')
  if (isIP(bare) !== 0) return { address: bare, port: PORT }
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(bare) ?? []
  const address = bracketed ?? plain ?? ''
  return isIP(address) === 0 || Number(port) > 65_535 ? undefined : { address, port: Number(port) }
}

/** The answer's bytes with the query's id. Rejects when the server does not answer in time. */
export function askServer(scope: Scope, query: Buffer, server: Server, transport: 'udp' | 'tcp'): Promise<Buffer> {
  return transport === 'udp' ? askByUdp(scope, query, server) : askByTcp(scope, query, server)
}

/**
 * Servers that a node can reach, from a resolv.conf. A loopback address is a resolver on the host, which does not
 * listen in the node's network; then systemd-resolved's list of real servers is read, as the kubelet would.
 */
export async function readUpstreamServers(
  files: readonly string[] = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'],
): Promise<readonly Server[]> {
  for (const file of files) {
    const servers = parseResolvConf(await readFile(file, 'utf8').catch(() => ''))
    const reachable = servers.filter((server) => isIP(server) !== 0 && !server.startsWith('127.') && server !== '::1')
    if (reachable.length > 0) return reachable.map((address) => ({ address, port: PORT }))
  }
  return []
}

export function parseResolvConf(text: string): readonly string[] {
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]!)
}

/** Search domains of a resolv.conf, as the last `search` line has them. */
export function parseSearch(text: string): readonly string[] {
  const lines = [...text.matchAll(/^\s*(?:search|domain)[ \t]+(.+)$/gm)]
  return (lines.at(-1)?.[1] ?? '').split(/\s+/).filter((name) => name !== '' && name !== '.')
}

/** Resolves with the first value given to `done`; rejects after the timeout. */
function withDeadline<T>(
  scope: Scope,
  server: Server,
  start: (done: (value: T) => void, failed: (error: unknown) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = start(
      (value) => end(() => resolve(value)),
      (error) => end(() => reject(error as Error)),
    )
    const timer = scope.clock.after(TIMEOUT_MS, () =>
      end(() => reject(new Error(`The DNS server ${server.address} did not answer within ${TIMEOUT_MS} ms`))),
    )
    let isOver = false
    const end = (settle: () => void): void => {
      if (isOver) return
      isOver = true
      timer[Symbol.dispose]()
      stop()
      settle()
    }
  })
}

function askByUdp(scope: Scope, query: Buffer, server: Server): Promise<Buffer> {
  // A fresh socket and id for each query, so that a forged answer has to guess both.
  const id = Buffer.from(scope.random.nextBytes(2))
  const sent = Buffer.concat([id, query.subarray(2)])
  return withDeadline<Buffer>(scope, server, (done, failed) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
    socket.on('error', failed)
    socket.on('message', (answer, from) => {
      if (from.address !== server.address || answer.length < 12 || !answer.subarray(0, 2).equals(id)) return
      done(Buffer.concat([query.subarray(0, 2), answer.subarray(2)]))
    })
    socket.send(sent, server.port, server.address)
    return () => socket.close()
  })
}

function askByTcp(scope: Scope, query: Buffer, server: Server): Promise<Buffer> {
  return withDeadline<Buffer>(scope, server, (done, failed) => {
    const socket = connect({ host: server.address, port: server.port })
    const reader = new FrameReader()
    socket.on('error', failed)
    socket.on('close', () => failed(new Error(`The DNS server ${server.address} closed the connection`)))
    socket.on('data', (chunk: Buffer) => {
      const [answer] = reader.push(chunk)
      if (answer !== undefined && answer.length >= 12) done(answer)
    })
    socket.write(frame(query))
    return () => {
      socket.removeAllListeners('close')
      socket.destroy()
    }
  })
}
