// Calls on the servers behind the desktop: a cluster's API server or the front door, each with its own credentials.

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import type { Duplex, Readable } from 'node:stream'
import { WebSocket } from 'ws'
import type { Transport } from '@aksel/client/transport'
import type { ClusterConnection, Credential } from './kubeconfig-file.ts'

export interface UpstreamCall {
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** Lower-case names. Nothing of the caller's own credentials is among them. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Readable | Uint8Array
  readonly signal?: AbortSignal
}

export class Upstream implements Disposable {
  readonly #connection: ClusterConnection
  readonly #base: URL
  readonly #agents = new Map<string, HttpAgent>()

  constructor(connection: ClusterConnection) {
    this.#connection = connection
    this.#base = new URL(connection.server)
  }

  /** Resolves with the answer's head; its body is read by the caller. Rejects with the socket's error. */
  async send({ method, path, headers, body, signal }: UpstreamCall): Promise<IncomingMessage> {
    const credential = await this.#connection.credential()
    const secure = this.#base.protocol === 'https:'
    const call = (secure ? httpsRequest : httpRequest)(this.#urlOf(path), {
      method,
      agent: this.#agentFor(credential),
      headers: { ...headers, ...authorization(credential) },
      ...(signal === undefined ? {} : { signal }),
    })
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      call.once('response', resolve)
      call.on('error', reject)
    })
    if (body === undefined) call.end()
    else if (body instanceof Uint8Array) call.end(body)
    else body.pipe(call)
    return answered
  }

  async openSocket(path: string, protocols: readonly string[]): Promise<WebSocket> {
    const credential = await this.#connection.credential()
    const url = this.#urlOf(path)
    url.protocol = this.#base.protocol === 'https:' ? 'wss:' : 'ws:'
    return new WebSocket(url, [...protocols], {
      headers: authorization(credential),
      perMessageDeflate: false,
      ...this.#tls(credential),
    })
  }

  /** A connection that the server has turned over to SPDY, which the WebSocket library cannot name. Rejects with the refusal. */
  async openSpdy(path: string, protocol: string): Promise<{ readonly socket: Duplex; readonly head: Buffer }> {
    const credential = await this.#connection.credential()
    const secure = this.#base.protocol === 'https:'
    const call = (secure ? httpsRequest : httpRequest)(this.#urlOf(path), {
      method: 'POST',
      agent: false,
      ...(secure ? this.#tls(credential) : {}),
      headers: {
        ...authorization(credential),
        connection: 'Upgrade',
        upgrade: 'SPDY/3.1',
        'x-stream-protocol-version': protocol,
        'content-length': '0',
      },
    })
    return new Promise((resolve, reject) => {
      call.once('upgrade', (_answer, socket: Duplex, head: Buffer) => resolve({ socket, head }))
      call.once('error', reject)
      call.once('response', (answer) => {
        textIn(answer).then((text) => reject(new Error(text)), reject)
      })
      call.end()
    })
  }

  /** For the libraries that speak through a transport. */
  transport(): Transport {
    return {
      send: async ({ method, path, headers, body, signal }) => {
        const answer = await this.send({
          method,
          path,
          headers: { ...headers, ...(body === undefined ? {} : { 'content-length': String(body.length) }) },
          ...(body === undefined ? {} : { body }),
          ...(signal === undefined ? {} : { signal }),
        })
        return { status: answer.statusCode ?? 0, headers: flat(answer.headers), body: answer }
      },
    }
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy()
  }

  /** Below the server's own path: some serve a cluster under a prefix. */
  #urlOf(path: string): URL {
    return new URL(`${this.#base.pathname.replace(/\/$/, '')}${path}`, this.#base)
  }

  #agentFor(credential: Credential): HttpAgent {
    const key = credential.certPem ?? ''
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const agent =
      this.#base.protocol === 'https:'
        ? new HttpsAgent({ keepAlive: true, ...this.#tls(credential) })
        : new HttpAgent({ keepAlive: true })
    this.#agents.set(key, agent)
    return agent
  }

  #tls({ certPem, keyPem }: Credential) {
    const { caPem, serverName, insecure } = this.#connection
    const host = this.#base.hostname.replaceAll(/^\[|\]$/g, '')
    const servername = serverName ?? (isIP(host) === 0 ? host : undefined)
    return {
      ...(caPem === undefined ? {} : { ca: caPem }),
      ...(certPem === undefined ? {} : { cert: certPem }),
      ...(keyPem === undefined ? {} : { key: keyPem }),
      ...(servername === undefined ? {} : { servername }),
      ...(insecure === true ? { rejectUnauthorized: false } : {}),
    }
  }
}

function authorization({ token }: Credential): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` }
}

export function flat(headers: IncomingMessage['headers']): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) result[name] = Array.isArray(value) ? value.join(', ') : value
  return result
}

/** The words of a Status, or the whole text. */
async function textIn(answer: AsyncIterable<unknown>): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of answer) pieces.push(piece as Buffer)
  const text = Buffer.concat(pieces).toString()
  try {
    return (JSON.parse(text) as { readonly message?: string }).message ?? text
  } catch {
    return text
  }
}
