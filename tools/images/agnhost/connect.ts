// `connect HOST:PORT`: whether a connection comes about; the word for why not, and an exit code.

import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { parseDuration, type Flags } from './flags.ts'

export async function connectTo(flags: Flags): Promise<void> {
  const target = flags.words[0] ?? ''
  const at = target.lastIndexOf(':')
  const host = target.slice(0, at).replace(/^\[|\]$/g, '')
  const port = Number(target.slice(at + 1))
  const timeoutMs = parseDuration(flags.text('timeout', '10s')) || 10_000
  const protocol = flags.text('protocol', 'tcp')
  const failure = protocol === 'udp' ? await udp(host, port, timeoutMs) : await tcp(host, port, timeoutMs)
  if (failure !== undefined) process.stderr.write(`${failure}\n`)
  process.exit(failure === undefined ? 0 : 1)
}

function wordOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return 'REFUSED'
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return 'DNS'
  return error.code === 'ETIMEDOUT' ? 'TIMEOUT' : `OTHER: ${error.message}`
}

function tcp(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const settle = (word: string | undefined): void => {
      socket.destroy()
      resolve(word)
    }
    socket.setTimeout(timeoutMs, () => settle('TIMEOUT'))
    socket.once('connect', () => settle(undefined))
    socket.once('error', (error: NodeJS.ErrnoException) => settle(wordOf(error)))
  })
}

/** UDP has no connections: the peer must be a netexec, which echoes. */
function udp(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    const settle = (word: string | undefined): void => {
      clearTimeout(timer)
      socket.close()
      resolve(word)
    }
    const timer = setTimeout(() => settle('TIMEOUT'), timeoutMs)
    socket.once('message', () => settle(undefined))
    socket.once('error', (error: NodeJS.ErrnoException) => settle(wordOf(error)))
    socket.connect(port, host, () => socket.send('echo hello'))
  })
}
