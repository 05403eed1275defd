// One question of a health probe: a connection over TCP, or an HTTP request that must be answered with 200.

import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { Scope } from '@aksel/base/scope'
import type { ProbePlace } from './health-probes.ts'

/** Undefined for health; else why not. A question takes no longer than its interval. */
export function askBackend(scope: Scope, place: ProbePlace): Promise<string | undefined> {
  return place.probe.protocol === 'Tcp' ? askTcp(scope, place) : askHttp(scope, place)
}

function askTcp(scope: Scope, { host, port, probe }: ProbePlace): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: probe.intervalSeconds * 1000, signal: scope.signal })
    const end = (why?: string): void => {
      resolve(why)
      socket.destroy()
    }
    socket.once('connect', () => end())
    socket.once('timeout', () => end('no answer in time'))
    socket.on('error', (error) => end(wordsOf(error)))
  })
}

function askHttp(scope: Scope, { host, port, probe }: ProbePlace): Promise<string | undefined> {
  const { protocol, path = '/', intervalSeconds } = probe
  return new Promise((resolve) => {
    const options = { host, port, path, agent: false, timeout: intervalSeconds * 1000, signal: scope.signal }
    // Azure's probe looks at the handshake alone, not at who signed.
    const ask = protocol === 'Https' ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options)
    const end = (why?: string): void => {
      resolve(why)
      ask.destroy()
    }
    ask.setHeader('user-agent', 'Load Balancer Agent')
    ask.once('response', ({ statusCode }) => end(statusCode === 200 ? undefined : `HTTP status ${statusCode}`))
    ask.once('timeout', () => end('no answer in time'))
    ask.on('error', (error) => end(wordsOf(error)))
    ask.end()
  })
}

/** Without the address that was connected to, which is the router's and means nothing to anybody. */
function wordsOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') return 'connection refused'
  if (code === 'ECONNRESET') return 'connection reset'
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'no route to host'
  if (code === 'ETIMEDOUT') return 'no answer in time'
  return error.message
}
