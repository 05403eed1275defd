// Sockets between browser and cluster. A browser opens few connections to one host but many sockets: watches, logs and flows come
// over sockets as well as terminals.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, type RawData, type WebSocketServer } from 'ws'
import { textOf } from './front-door-client.ts'
import type { Upstream } from './upstream.ts'

/** Of a socket that carries the body of a GET: binary messages as pieces come; a refusal is one text message. */
export const STREAM_PROTOCOL = 'stream.aksel.dev'
/** The same, as tables of the server. */
export const TABLE_STREAM_PROTOCOL = 'table.stream.aksel.dev'

const TABLE_TYPE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

const HIGH_WATER_BYTES = 1 << 20
const REFUSED = 4000

/** Accepts the browser's socket and carries it until one side ends or the session does. */
export function bridge(
  server: WebSocketServer,
  asked: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer },
  to: { readonly upstream: Upstream; readonly path: string; readonly ended: AbortSignal },
): void {
  server.handleUpgrade(asked.request, asked.socket, asked.head, (browser) => {
    const close = (): void => browser.close(1001, 'signed out')
    to.ended.addEventListener('abort', close, { once: true })
    browser.once('close', () => to.ended.removeEventListener('abort', close))
    browser.on('error', () => browser.terminate())
    const carried = [STREAM_PROTOCOL, TABLE_STREAM_PROTOCOL].includes(browser.protocol)
      ? carryStream(browser, to)
      : carrySocket(browser, to)
    carried.catch((error: unknown) => refuse(browser, 502, (error as Error).message))
  })
}

async function carryStream(
  browser: WebSocket,
  to: { readonly upstream: Upstream; readonly path: string },
): Promise<void> {
  const stop = new AbortController()
  browser.once('close', () => stop.abort())
  try {
    const headers: Record<string, string> = browser.protocol === TABLE_STREAM_PROTOCOL ? { accept: TABLE_TYPE } : {}
    const answer = await to.upstream.send({ method: 'GET', path: to.path, headers, signal: stop.signal })
    if (answer.statusCode !== 200) return refuse(browser, answer.statusCode ?? 502, await textOf(answer))
    for await (const piece of answer) {
      await sent(browser, piece as Buffer)
      if (browser.readyState !== WebSocket.OPEN) return
    }
    browser.close(1000)
  } catch (error) {
    if (!stop.signal.aborted) throw error
  }
}

/** Resolves at once while the browser keeps up, else when it has taken what was sent. */
function sent(browser: WebSocket, piece: Buffer): Promise<void> | void {
  if (browser.readyState !== WebSocket.OPEN) return
  if (browser.bufferedAmount < HIGH_WATER_BYTES) return browser.send(piece)
  return new Promise((resolve) => browser.send(piece, () => resolve()))
}

async function carrySocket(
  browser: WebSocket,
  to: { readonly upstream: Upstream; readonly path: string },
): Promise<void> {
  const early: { readonly data: RawData; readonly isBinary: boolean }[] = []
  const keep = (data: RawData, isBinary: boolean): void => void early.push({ data, isBinary })
  browser.on('message', keep)
  const cluster = await to.upstream.openSocket(to.path, [browser.protocol])
  cluster.on('unexpected-response', (_call, answer) => {
    textOf(answer).then(
      (text) => refuse(browser, answer.statusCode ?? 502, text),
      () => refuse(browser, 502, 'the answer broke off'),
    )
  })
  cluster.on('error', (error) => refuse(browser, 502, error.message))
  cluster.once('open', () => {
    browser.off('message', keep)
    for (const { data, isBinary } of early) cluster.send(data, { binary: isBinary })
    browser.on('message', (data, isBinary) => cluster.send(data, { binary: isBinary }))
  })
  cluster.on('message', (data, isBinary) => {
    if (browser.readyState !== WebSocket.OPEN) return
    if (browser.bufferedAmount < HIGH_WATER_BYTES) return browser.send(data, { binary: isBinary })
    cluster.pause()
    browser.send(data, { binary: isBinary }, () => cluster.resume())
  })
  cluster.once('close', (code, reason) => browser.close(isSendable(code) ? code : 1000, reason))
  browser.once('close', () => (cluster.readyState === WebSocket.OPEN ? cluster.close(1000) : cluster.terminate()))
}

/** Some codes only say that there was none. */
function isSendable(code: number): boolean {
  return code >= 1000 && code < 5000 && ![1004, 1005, 1006, 1015].includes(code)
}

function refuse(browser: WebSocket, status: number, body: string): void {
  if (browser.readyState !== WebSocket.OPEN) return
  browser.send(JSON.stringify({ status, body: body.slice(0, 64 * 1024) }))
  browser.close(REFUSED)
}
