// Many watchers in one process: connections that read what a server pushes and count events, which end in `}` and a newline. A
// few of them also read the time that the writer wrote into each event, for the lag.

import type { TLSSocket } from 'node:tls'
import { tlsTo, type RequestLoad } from './requests.ts'

export interface WatchLoad extends Pick<RequestLoad, 'host' | 'port' | 'caPem' | 'serverName'> {
  /** Undefined: nothing is asked, the server pushes by itself. */
  readonly path?: string
  readonly headers: Readonly<Record<string, string>>
  readonly watchers: number
}

export interface WatchCount {
  readonly events: number
  readonly bytes: number
  readonly lagP50Ms: number
  readonly lagP99Ms: number
  readonly lagMaxMs: number
  /** Watchers whose connection ended. */
  readonly ended: number
}

const BRACE = 0x7d
const NEWLINE = 0x0a
/** Every so many watchers one looks into its events. */
const LAG_EVERY = 25
/** `"sent":"1700000000000.123"`, written by the load's writer. */
const sent = /"sent":"(\d+\.?\d*)"/g

export class Watchers {
  readonly #sockets: TLSSocket[] = []
  #events = 0
  #bytes = 0
  #ended = 0
  #lags: number[] = []
  #waiter: { readonly events: number; readonly resolve: () => void } | undefined

  async open(load: WatchLoad): Promise<void> {
    for (let i = 0; i < load.watchers; i += 25) {
      const some = Array.from({ length: Math.min(25, load.watchers - i) }, (_, j) => this.#open(load, i + j))
      await Promise.all(some)
    }
  }

  async #open(load: WatchLoad, index: number): Promise<void> {
    const socket = await tlsTo(load, 'http/1.1')
    this.#sockets.push(socket)
    const { promise, resolve } = Promise.withResolvers<void>()
    let last = 0
    socket.on('data', (piece: Buffer) => {
      resolve()
      this.#bytes += piece.length
      for (let at = piece.indexOf(NEWLINE); at !== -1; at = piece.indexOf(NEWLINE, at + 1)) {
        if ((at === 0 ? last : piece[at - 1]) === BRACE) this.#events += 1
      }
      last = piece[piece.length - 1]!
      if (index % LAG_EVERY === 0) this.#readLags(piece)
      if (this.#waiter !== undefined && this.#events >= this.#waiter.events) this.#waiter.resolve()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#ended += 1
      resolve()
    })
    if (load.path === undefined) return
    const lines = Object.entries({ host: `${load.host}:${load.port}`, ...load.headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    )
    socket.write(`GET ${load.path} HTTP/1.1\r\n${lines.join('')}\r\n`)
    await promise
  }

  #readLags(piece: Buffer): void {
    const now = performance.timeOrigin + performance.now()
    for (const match of piece.toString('latin1').matchAll(sent)) this.#lags.push(now - Number(match[1]))
  }

  reset(): void {
    this.#events = 0
    this.#bytes = 0
    this.#lags = []
  }

  /** Resolves when so many events arrived since the last reset, or after the time. */
  async until(events: number, deadlineMs: number): Promise<WatchCount> {
    if (this.#events < events) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadlineMs)
        this.#waiter = {
          events,
          resolve: () => {
            clearTimeout(timer)
            resolve()
          },
        }
      })
      this.#waiter = undefined
    }
    const lags = this.#lags.toSorted((left, right) => left - right)
    const at = (share: number): number => lags[Math.min(lags.length - 1, Math.floor(lags.length * share))] ?? 0
    return {
      events: this.#events,
      bytes: this.#bytes,
      lagP50Ms: at(0.5),
      lagP99Ms: at(0.99),
      lagMaxMs: lags.at(-1) ?? 0,
      ended: this.#ended,
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.length = 0
  }
}
