// A client that speaks to a cluster as Headlamp does: a bearer's header for calls, a bearer's subprotocol for sockets.

import { Agent, request } from 'node:https'
import { WebSocket } from 'ws'
import { bearerProtocol, streamProtocol } from './headlamp-calls.ts'

export interface HeadlampAccess {
  readonly server: string
  readonly caPem: string
  readonly token: string
}

/** What does not come in this time never comes. */
const SAID_WITHIN_MS = 60_000

export class HeadlampClient {
  readonly access: HeadlampAccess

  constructor(access: HeadlampAccess) {
    this.access = access
  }

  send(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly text: string }> {
    const { server, caPem, token } = this.access
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    return new Promise((resolve, reject) => {
      const call = request(new URL(path, server), {
        method,
        agent: new Agent({ ca: caPem }),
        headers: { authorization: `Bearer ${token}`, accept: 'application/json', 'content-type': type },
      })
      call.once('error', reject)
      call.once('response', (answer) => {
        const pieces: Buffer[] = []
        answer.on('data', (piece: Buffer) => pieces.push(piece))
        answer.once('error', reject)
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(pieces).toString() }))
      })
      call.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  /** Rejects with status and body where it is no 2xx. */
  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, text } = await this.send(method, path, body)
    if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${text}`)
    return JSON.parse(text) as T
  }

  async stream(
    path: string,
    { more = [], origin }: { readonly more?: readonly string[]; readonly origin?: string } = {},
  ): Promise<Stream> {
    const { server, caPem, token } = this.access
    const socket = new WebSocket(
      `${server.replace('https', 'wss')}${path}`,
      [streamProtocol, ...more, bearerProtocol(token)],
      {
        ca: caPem,
        ...(origin === undefined ? {} : { origin }),
      },
    )
    const stream = new Stream(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    return stream
  }
}

export class Stream implements AsyncDisposable {
  readonly #socket: WebSocket
  readonly #pieces: Buffer[] = []
  #look: () => void = () => {}
  #ended: string | undefined

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => {
      this.#pieces.push(data)
      this.#look()
    })
    socket.on('close', (code, reason) => {
      this.#ended = `${code} ${reason.toString()}`
      this.#look()
    })
  }

  get protocol(): string {
    return this.#socket.protocol
  }

  /** The first message that matches. */
  says(wanted: RegExp): Promise<string> {
    return this.#until(() => this.#pieces.map(String).find((text) => wanted.test(text)))
  }

  /** All that came on the channels of standard output and error, once it matches. */
  hears(wanted: RegExp): Promise<string> {
    return this.#until(() => {
      const text = Buffer.concat(
        this.#pieces.filter(([channel]) => channel === 1 || channel === 2).map((piece) => piece.subarray(1)),
      ).toString()
      return wanted.test(text) ? text : undefined
    })
  }

  type(channel: number, text: string): void {
    this.#socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]))
  }

  #until(find: () => string | undefined): Promise<string> {
    return new Promise((resolve, reject) => {
      const said = (): string => JSON.stringify(Buffer.concat(this.#pieces).toString().slice(-2000))
      const timer = setTimeout(() => reject(new Error(`not said in time: ${said()}`)), SAID_WITHIN_MS)
      this.#look = () => {
        const found = find()
        if (found === undefined && this.#ended === undefined) return
        clearTimeout(timer)
        this.#look = () => {}
        if (found === undefined) reject(new Error(`ended with ${this.#ended}: ${said()}`))
        else resolve(found)
      }
      this.#look()
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket.terminate()
    return Promise.resolve()
  }
}
