// Readers of large answers that take their time: what a server holds for them meanwhile is its own affair.

import { tlsTo, type RequestLoad } from './requests.ts'

export interface SlowReading extends Pick<RequestLoad, 'host' | 'port' | 'caPem' | 'serverName' | 'path' | 'headers'> {
  readonly readers: number
  readonly bytesPerSecond: number
  readonly durationMs: number
}

/** Bytes read in all. The readers leave before they are done. */
export async function readSlowly(reading: SlowReading): Promise<number> {
  const { path, headers, host, port, readers, bytesPerSecond, durationMs } = reading
  let bytes = 0
  const sockets = await Promise.all(Array.from({ length: readers }, () => tlsTo(reading, 'http/1.1')))
  for (const socket of sockets) {
    const startedMs = performance.now()
    let own = 0
    socket.on('data', (piece: Buffer) => {
      own += piece.length
      bytes += piece.length
      const dueMs = startedMs + (own / bytesPerSecond) * 1000
      const waitMs = dueMs - performance.now()
      if (waitMs <= 0) return
      socket.pause()
      setTimeout(() => socket.resume(), waitMs)
    })
    socket.on('error', () => {})
    const lines = Object.entries({ host: `${host}:${port}`, ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    )
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  }
  await new Promise((resolve) => setTimeout(resolve, durationMs))
  for (const socket of sockets) socket.destroy()
  return bytes
}
