// A small HTTP server by path, over TCP or TLS.

import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { readFileSync } from 'node:fs'

export interface Request {
  readonly url: URL
  readonly message: IncomingMessage
  readonly body: () => Promise<Buffer>
}

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export type Handler = (request: Request) => Reply | string | Promise<Reply | string>

export interface TlsFiles {
  readonly certificate: string
  readonly key: string
}

/** Serves on all addresses; a path that has no handler goes to `''`, or is answered 404. */
export function serve(port: number, handlers: Readonly<Record<string, Handler>>, tls?: TlsFiles): Server {
  const listener = listenerOf(handlers)
  const server =
    tls === undefined
      ? createServer(listener)
      : createTlsServer({ cert: readFileSync(tls.certificate), key: readFileSync(tls.key) }, listener)
  server.listen(port)
  return server
}

export function listenerOf(handlers: Readonly<Record<string, Handler>>): RequestListener {
  return (message, response) => {
    void answer(handlers, message, response)
  }
}

async function answer(
  handlers: Readonly<Record<string, Handler>>,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(message.url ?? '/', 'http://localhost')
  const handler = handlers[url.pathname] ?? handlers['']
  try {
    const reply =
      handler === undefined ? { status: 404, body: '404 page not found\n' } : await handler(requestOf(url, message))
    const { status = 200, headers = {}, body } = typeof reply === 'string' ? { body: reply } : reply
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers })
    response.end(body)
  } catch (error) {
    response.writeHead(500)
    response.end(`${(error as Error).message}\n`)
  }
}

function requestOf(url: URL, message: IncomingMessage): Request {
  return {
    url,
    message,
    body: async () => {
      const chunks: Buffer[] = []
      for await (const chunk of message) chunks.push(chunk as Buffer)
      return Buffer.concat(chunks)
    },
  }
}

export function json(value: unknown): Reply {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}

/** Address and port of the peer as Go writes them; IPv4 addresses mapped into IPv6 are shown as IPv4. */
export function peerOf(message: IncomingMessage): string {
  const address = (message.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
  return `${address.includes(':') ? `[${address}]` : address}:${message.socket.remotePort}`
}
