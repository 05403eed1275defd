// Requests as fast as they are answered, over a number of connections that each keep a number of them under way. HTTP/1.1 is
// written and read by hand: the load must cost less than what it measures.

import { connect as connectHttp2, constants, type ClientHttp2Session } from 'node:http2'
import { connect, type TLSSocket } from 'node:tls'
import { digitsOf, numberMark, templateOf, type Template } from './template.ts'

export interface RequestLoad {
  readonly host: string
  readonly port: number
  readonly caPem: string
  readonly serverName?: string
  readonly protocol: 'h1' | 'h2'
  readonly connections: number
  /** Under way at once on each connection; always 1 with HTTP/1.1. */
  readonly streams: number
  readonly method: string
  /** May hold the number's mark, as may the headers and the body. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Base64, since it comes over a channel of JSON. */
  readonly bodyBase64: string
  readonly firstNumber: number
  /** Numbers come again after so many. */
  readonly numbers?: number
  /** Ends after so many requests, or after this time. */
  readonly requestsMax?: number
  readonly durationMs?: number
  /** The body holds `versionMark`: the resourceVersion of the last answer for this number goes there. */
  readonly versions?: boolean
  /** At most so many a second, evenly. */
  readonly perSecond?: number
}

export interface LoadResult {
  readonly answered: number
  readonly failed: number
  readonly firstFailure: string
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** From when each was due, where so many a second are sent: who had to wait for the one before counts that too. */
  readonly lateP50Ms: number
  readonly lateP99Ms: number
  readonly lateMaxMs: number
  readonly bodyBytes: number
}

interface Sent {
  readonly status: number
  readonly bytes: number
  readonly failure: string
  /** The body, where versions are wanted. */
  readonly text?: string
}

/** What stands for the resourceVersion in a body. */
export const versionMark = '{resourceVersion}'
const versionShape = /"resourceVersion":"(\d+)"/

/** One connection: sends a request, resolves with its status and the bytes of its body. */
interface Connection {
  send(number: number, version?: string): Promise<Sent>
  close(): void
}

export async function runRequests(load: RequestLoad): Promise<LoadResult> {
  const connections = await Promise.all(
    Array.from({ length: load.connections }, () => (load.protocol === 'h1' ? openHttp1(load) : openHttp2(load))),
  )
  const latencies: number[] = []
  const late: number[] = []
  const state = { next: 0, failed: 0, firstFailure: '', bodyBytes: 0 }
  const startedMs = performance.now()
  const endMs = startedMs + (load.durationMs ?? Infinity)
  const requestsMax = load.requestsMax ?? Infinity
  const versions = new Map<number, string>()
  const reader = load.versions === true ? await readerOf(load) : undefined
  const versionOf = async (number: number): Promise<string> => {
    const known = versions.get(number)
    if (known !== undefined) return known
    const { text = '' } = await reader!.send(number)
    return versionShape.exec(text)?.[1] ?? ''
  }
  const lane = async (connection: Connection): Promise<void> => {
    while (state.next < requestsMax && performance.now() < endMs) {
      const order = state.next++
      const dueMs = load.perSecond === undefined ? undefined : startedMs + (order / load.perSecond) * 1000
      if (dueMs !== undefined) await until(dueMs)
      const number = load.firstNumber + (load.numbers === undefined ? order : order % load.numbers)
      const version = load.versions === true ? await versionOf(number) : undefined
      const beganMs = performance.now()
      const { status, bytes, failure, text } = await connection.send(number, version)
      if (text !== undefined) versions.set(number, versionShape.exec(text)?.[1] ?? '')
      const nowMs = performance.now()
      latencies.push(nowMs - beganMs)
      late.push(nowMs - (dueMs ?? beganMs))
      state.bodyBytes += bytes
      if (status >= 200 && status < 300 && failure === '') continue
      state.failed += 1
      state.firstFailure ||= `${status} ${failure}`
    }
  }
  await Promise.all(connections.flatMap((one) => Array.from({ length: load.streams }, () => lane(one))))
  const seconds = (performance.now() - startedMs) / 1000
  for (const connection of connections) connection.close()
  reader?.close()
  const at = quantiles(latencies)
  const lateAt = quantiles(late)
  const { failed, firstFailure, bodyBytes } = state
  return {
    answered: latencies.length - failed,
    failed,
    firstFailure,
    seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    lateP50Ms: lateAt(0.5),
    lateP99Ms: lateAt(0.99),
    lateMaxMs: lateAt(1),
    bodyBytes,
  }
}

/** The value below which a share of them lies; 0 of none. */
function quantiles(values: readonly number[]): (share: number) => number {
  const sorted = values.toSorted((left, right) => left - right)
  return (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

/** Reads what is there before the first update; over HTTP/2, so that many may ask at once. */
function readerOf(load: RequestLoad): Promise<Connection> {
  return openHttp2({ ...load, method: 'GET', bodyBase64: '' })
}

function until(atMs: number): Promise<void> | undefined {
  const waitMs = atMs - performance.now()
  return waitMs <= 0 ? undefined : new Promise((resolve) => setTimeout(resolve, waitMs))
}

export function tlsTo(
  load: Pick<RequestLoad, 'host' | 'port' | 'caPem' | 'serverName'>,
  protocol: string,
): Promise<TLSSocket> {
  const { host, port, caPem, serverName } = load
  const name = serverName === undefined ? {} : { servername: serverName }
  const socket = connect({ host, port, ca: caPem, ALPNProtocols: [protocol], ...name })
  socket.setNoDelay(true)
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket))
    socket.once('error', reject)
  })
}

async function openHttp1(load: RequestLoad): Promise<Connection> {
  const socket = await tlsTo(load, 'http/1.1')
  const template = http1Template(load)
  let answered: ((answer: Sent) => void) | undefined
  const kept: Buffer[] = []
  let head: Buffer = Buffer.alloc(0)
  let missing = -1
  let status = 0
  let length = 0
  const finish = (failure: string): void => {
    const resolve = answered
    answered = undefined
    const text = load.versions === true ? { text: Buffer.concat(kept.splice(0)).toString('latin1') } : {}
    resolve?.({ status, bytes: length, failure, ...text })
  }
  socket.on('data', (piece: Buffer) => {
    let bytes = piece
    if (missing < 0) {
      head = head.length === 0 ? bytes : Buffer.concat([head, bytes])
      const end = head.indexOf('\r\n\r\n')
      if (end === -1) return
      const text = head.toString('latin1', 0, end)
      status = Number(text.slice(9, 12))
      const declared = /\r\ncontent-length: (\d+)/i.exec(text)
      if (declared === null) return finish('an answer without a length')
      length = Number(declared[1])
      missing = length
      bytes = head.subarray(end + 4)
      head = Buffer.alloc(0)
    }
    missing -= bytes.length
    if (load.versions === true) kept.push(bytes)
    if (missing > 0) return
    missing = -1
    finish('')
  })
  socket.on('error', (error) => finish(error.message))
  socket.on('close', () => finish('the connection was closed'))
  return {
    send(number, version) {
      return new Promise((resolve) => {
        answered = resolve
        socket.write((version === undefined ? template : http1Template(load, version)).render(number))
      })
    },
    close: () => socket.destroy(),
  }
}

const DIGITS = 9

function http1Template(load: RequestLoad, version?: string): Template {
  const body = bodyOf(load, version)
  const marks = body.toString('latin1').split(numberMark).length - 1
  const sentBytes = body.length - marks * (numberMark.length - DIGITS)
  const headers = { host: `${load.serverName ?? load.host}:${load.port}`, ...load.headers }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  if (body.length > 0) lines.push(`content-length: ${sentBytes}\r\n`)
  return templateOf(Buffer.concat([Buffer.from(`${load.method} ${load.path} HTTP/1.1\r\n${lines.join('')}\r\n`), body]))
}

function bodyOf(load: RequestLoad, version?: string): Buffer {
  const body = Buffer.from(load.bodyBase64, 'base64')
  return version === undefined ? body : Buffer.from(body.toString().replace(versionMark, version))
}

async function openHttp2(load: RequestLoad): Promise<Connection> {
  const socket = await tlsTo(load, 'h2')
  const session: ClientHttp2Session = connectHttp2(`https://${load.serverName ?? load.host}:${load.port}`, {
    createConnection: () => socket,
    settings: { initialWindowSize: 1 << 20 },
  })
  session.on('error', () => {})
  const body = templateOf(Buffer.from(load.bodyBase64, 'base64'))
  const hasBody = load.bodyBase64 !== ''
  const isGrpc = load.headers['content-type'] === 'application/grpc'
  const isNumbered = Object.values(load.headers).some((value) => value.includes(numberMark))
  const headersFor = (number: number): Readonly<Record<string, string>> =>
    isNumbered
      ? Object.fromEntries(
          Object.entries(load.headers).map(([name, value]) => [name, value.replace(numberMark, digitsOf(number))]),
        )
      : load.headers
  return {
    send(number, version) {
      return new Promise((resolve) => {
        const kept: Buffer[] = []
        const path = load.path.replace(numberMark, digitsOf(number))
        const stream = session.request(
          { ':method': load.method, ':path': path, ...headersFor(number) },
          { endStream: !hasBody },
        )
        let status = 0
        let bytes = 0
        let failure = ''
        stream.on('response', (headers) => {
          status = Number(headers[':status'])
          if (isGrpc && headers['grpc-status'] !== undefined && headers['grpc-status'] !== '0')
            failure = String(headers['grpc-message'])
        })
        stream.on('trailers', (trailers) => {
          if (isGrpc && trailers['grpc-status'] !== '0') failure = String(trailers['grpc-message'])
        })
        stream.on('data', (piece: Buffer) => {
          bytes += piece.length
          if (load.versions === true) kept.push(piece)
        })
        stream.on('error', (error) => (failure = error.message))
        stream.on('close', () => {
          const text = load.versions === true ? { text: Buffer.concat(kept).toString('latin1') } : {}
          resolve({ status, bytes, failure, ...text })
        })
        if (hasBody) stream.end((version === undefined ? body : templateOf(bodyOf(load, version))).render(number))
      })
    },
    close: () => session.destroy(undefined, constants.NGHTTP2_NO_ERROR),
  }
}
