// `netexec`: answers over HTTP and UDP who and where it is, dials others, and runs commands.

import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseDuration, type Flags } from './flags.ts'
import { json, peerOf, serve, type Reply, type Request } from './http.ts'

export function netExec(flags: Flags): void {
  const state = { ready: true }
  const tls =
    flags.text('tls-cert-file', '') === ''
      ? undefined
      : { certificate: flags.text('tls-cert-file', ''), key: flags.text('tls-private-key-file', '') }
  const server = serve(
    flags.number('http-port', 8080),
    {
      '/': () => `NOW: ${new Date().toISOString()}`,
      '/clientip': ({ message }) => peerOf(message),
      '/dial': dial,
      '/echo': ({ url }) => ({
        status: Number(url.searchParams.get('code') ?? 200),
        body: url.searchParams.get('msg') ?? '',
      }),
      '/exit': ({ url }) => exitSoon(Number(url.searchParams.get('code') ?? 0), url.searchParams.get('wait') ?? '0s'),
      '/healthz': () => (state.ready ? '' : { status: 412, body: '' }),
      '/hostname': () => hostname(),
      '/hostName': () => hostname(),
      '/header': ({ url, message }) => String(message.headers[(url.searchParams.get('key') ?? '').toLowerCase()] ?? ''),
      '/redirect': ({ url }) => ({
        status: Number(url.searchParams.get('code') ?? 302),
        headers: { location: url.searchParams.get('location') ?? '/' },
        body: '',
      }),
      '/shell': shell,
      '/shutdown': () => exitSoon(0, '0s'),
      '/upload': upload,
    },
    tls,
  )
  const udpPort = flags.number('udp-port', 8081)
  if (udpPort > 0) serveUdp(udpPort)
  const delayMs = flags.number('delay-shutdown', 0) * 1000
  process.on('SIGTERM', () => {
    setTimeout(() => {
      server.close()
      process.exit(0)
    }, delayMs)
  })
}

function exitSoon(code: number, wait: string): string {
  setTimeout(() => process.exit(code), Math.max(10, parseDuration(wait)))
  return ''
}

/** UDP: `echo TEXT`, `hostname`, `clientip`. */
function serveUdp(port: number): void {
  const socket = createSocket('udp6')
  socket.on('message', (message, peer) => {
    const [word = '', ...rest] = message.toString().trim().split(' ')
    const address = peer.address.replace(/^::ffff:/, '')
    const answers: Readonly<Record<string, () => string>> = {
      echo: () => rest.join(' '),
      hostname: () => hostname(),
      clientip: () => `${address}:${peer.port}`,
    }
    const reply = answers[word.toLowerCase()]?.()
    if (reply !== undefined) socket.send(reply, peer.port, peer.address)
  })
  socket.bind(port)
}

/** Asks another netexec `request` (a path, or a UDP word) so often, and collects what came back. */
async function dial({ url }: Request): Promise<Reply> {
  const query = url.searchParams
  const host = query.get('host') ?? ''
  const port = Number(query.get('port'))
  const request = query.get('request') ?? 'hostname'
  const protocol = (query.get('protocol') ?? 'http').toLowerCase()
  const tries = Number(query.get('tries') ?? 1)
  const responses: string[] = []
  const errors: string[] = []
  if (host === '' || !Number.isInteger(port)) return { status: 400, body: 'host and port are required' }
  if (protocol !== 'http' && protocol !== 'udp') return { status: 400, body: `unsupported protocol: ${protocol}` }
  for (let count = 0; count < tries; count += 1) {
    try {
      responses.push(protocol === 'udp' ? await askUdp(host, port, request) : await askHttp(host, port, request))
    } catch (error) {
      errors.push((error as Error).message)
    }
  }
  return json({ ...(responses.length > 0 ? { responses } : {}), ...(errors.length > 0 ? { errors } : {}) })
}

const DIAL_TIMEOUT_MS = 5000

async function askHttp(host: string, port: number, path: string): Promise<string> {
  const name = host.includes(':') ? `[${host}]` : host
  const response = await fetch(`http://${name}:${port}/${path}`, { signal: AbortSignal.timeout(DIAL_TIMEOUT_MS) })
  const text = (await response.text()).trim()
  if (!response.ok) throw new Error(`reply status ${response.status}: ${text}`)
  return text
}

function askUdp(host: string, port: number, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    const timer = setTimeout(
      () => settle(() => reject(new Error(`reading from udp connection failed: i/o timeout`))),
      DIAL_TIMEOUT_MS,
    )
    const settle = (then: () => void): void => {
      clearTimeout(timer)
      socket.close()
      then()
    }
    socket.once('message', (message) => settle(() => resolve(message.toString().trim())))
    socket.once('error', (error) => settle(() => reject(error)))
    socket.send(word, port, host, (error) => {
      if (error) settle(() => reject(error))
    })
  })
}

async function shell({ url, message, body }: Request): Promise<Reply> {
  const command =
    url.searchParams.get('shellCommand') ??
    url.searchParams.get('cmd') ??
    (message.method === 'POST' ? new URLSearchParams((await body()).toString()).get('cmd') : null) ??
    ''
  return new Promise((resolve) => {
    execFile('/bin/sh', ['-c', command], (error, stdout, stderr) => {
      const output = stdout + stderr
      resolve(
        json({
          ...(output === '' ? {} : { output }),
          ...(error === null ? {} : { error: `exit status ${error.code ?? 1}` }),
        }),
      )
    })
  })
}

async function upload({ body }: Request): Promise<Reply> {
  const folder = await mkdtemp(join(tmpdir(), 'upload-'))
  const path = join(folder, 'file')
  await writeFile(path, await body(), { mode: 0o755 })
  return json({ output: path })
}
