// `proxy` of nodes, pods and services: an HTTP request passed on through the node's network, upgrades included.

import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { connect as connectTls } from 'node:tls'
import { ApiError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { ApiResponse } from '@aksel/client/transport'
import { passUpgrade } from '../http/pass-upgrade.ts'
import type { ConnectCall, ConnectOptions } from '../connect-handler.ts'
import { callNode } from './node-call.ts'
import { findProxyTarget } from './proxy-target.ts'
import type { ProxyTarget } from './proxy-target.ts'
import { rewritten } from './rewrite-links.ts'

/** RFC 9110, 7.6.1: these concern one connection alone. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export async function answerProxy(
  scope: Scope,
  options: ConnectOptions,
  call: ConnectCall,
): Promise<ApiResponse | 'upgraded'> {
  if (call.resource === 'nodes') return askNode(options, call)
  const target = await findProxyTarget(scope.random, options, call)
  const query = new URLSearchParams({ host: target.host, port: String(target.port) }).toString()
  const path = `/dial?${query}`
  const dialled = await callNode(options, target.nodeName, { method: 'POST', path, signal: call.signal })
  const connection = target.scheme === 'https' ? overTls(dialled.stream) : dialled.stream
  if (call.upgrade !== undefined) return changeProtocols(call, target, connection)
  const answer = await passRequest(call, target, connection)
  const prefix = `/api/v1/namespaces/${call.namespace}/${call.resource}/${call.name}/proxy`
  return rewritten(answer, { prefix, host: `${target.host}:${target.port}` })
}

/** The node's own endpoints, `/pods`, `/healthz` and their like. */
async function askNode(options: ConnectOptions, call: ConnectCall): Promise<ApiResponse> {
  if (call.upgrade !== undefined) throw new ApiError('BadRequest', 'Cannot upgrade a connection to a node itself')
  const path = pathWithQuery(call)
  // Through this door nobody reaches addresses: that is what the other proxies check pods and services for.
  const { pathname } = new URL(path, 'http://node')
  const [, route = ''] = pathname.split('/')
  if (isInternal(route)) throw new ApiError('Forbidden', `Cannot reach ${pathname} of a node through its proxy`)
  const response = await callNode(options, call.name, { method: call.method, path, signal: call.signal })
  void pipeline(call.body, response.stream).catch(() => {})
  return { status: response.status, headers: endToEnd(response.headers), body: response.stream }
}

/** Judged as the agent reads it: dots resolved, escapes undone; what cannot be read is refused too. */
function isInternal(route: string): boolean {
  try {
    return ['dial', 'exec', 'attach', 'portforward'].includes(decodeURIComponent(route).toLowerCase())
  } catch {
    return true
  }
}

function passRequest(call: ConnectCall, target: ProxyTarget, connection: Duplex): Promise<ApiResponse> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      method: call.method,
      path: pathWithQuery(call),
      headers: { ...endToEnd(call.headers), host: `${target.host}:${target.port}` },
      createConnection: () => connection,
      signal: call.signal,
    })
    outgoing.once('response', (response: IncomingMessage) => {
      const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as const)
      resolve({
        status: response.statusCode ?? 502,
        headers: endToEnd(Object.fromEntries(headers)),
        body: response as AsyncIterable<Uint8Array>,
      })
    })
    outgoing.once('error', (error) =>
      reject(new ApiError('ServiceUnavailable', `error trying to reach service: ${error.message}`, { cause: error })),
    )
    pipeline(call.body, outgoing).catch((error: Error) => outgoing.destroy(error))
  })
}

/** The client's own handshake, written again, and from then on bytes. */
function changeProtocols(call: ConnectCall, target: ProxyTarget, connection: Duplex): Promise<'upgraded'> {
  const { connection: _hop, upgrade, ...rest } = call.headers
  const headers = {
    ...endToEnd(rest),
    host: `${target.host}:${target.port}`,
    connection: 'Upgrade',
    upgrade: upgrade ?? '',
  }
  return passUpgrade(call.upgrade!, connection, { method: call.method, path: pathWithQuery(call), headers })
}

/** Pods' certificates are signed by nobody we know; upstream's proxy does not judge them either. */
function overTls(stream: Duplex): Duplex {
  return connectTls({ socket: stream, rejectUnauthorized: false })
}

function pathWithQuery(call: ConnectCall): string {
  const query = call.query.toString()
  const path = call.proxyPath === '' ? '/' : call.proxyPath
  return query === '' ? path : `${path}?${query}`
}

function endToEnd(headers: Readonly<Record<string, string>>): Record<string, string> {
  // The client's credentials are for us, not for what runs in a pod.
  const kept = Object.entries(headers).filter(([name]) => !hopByHop.has(name) && name !== 'authorization')
  return Object.fromEntries(kept.filter(([name]) => !name.startsWith(':')))
}
