// `guestbook`: a store of texts by key that a primary copies to its replicas, and the front end that writes to the one and
// reads from the others by their services' names.

import { networkInterfaces } from 'node:os'
import type { Flags } from './flags.ts'
import { json, serve, type Reply, type Request } from './http.ts'

const PRIMARY = 'agnhost-primary'
const REPLICA = 'agnhost-replica'
const CALL_TIMEOUT_MS = 5000
const RETRY_MS = 1000
const REGISTER_MS_MAX = 120_000

export async function guestbook(flags: Flags): Promise<void> {
  const backendPort = flags.number('backend-port', 6379)
  const primary = flags.text('replicaof', flags.text('slaveof', ''))
  const values = new Map<string, string>()
  const replicas = new Set<string>()
  const ask = (host: string, path: string): Promise<string> => askHttp(`http://${host}:${backendPort}/${path}`)
  const copy = (host: string, key: string, value: string): Promise<string> =>
    ask(host, `set?${new URLSearchParams({ key, value }).toString()}`)
  serve(flags.number('http-port', 80), {
    '/get': ({ url }) => json({ data: values.get(url.searchParams.get('key') ?? '') ?? '' }),
    '/set': async ({ url }) => {
      const [key, value] = [url.searchParams.get('key') ?? '', url.searchParams.get('value') ?? '']
      values.set(key, value)
      await Promise.all(Array.from(replicas, (host) => copy(host, key, value)))
      return json({ message: 'Updated' })
    },
    '/register': async ({ url }) => {
      const host = url.searchParams.get('host') ?? ''
      if (host === '') return { status: 400, body: 'host is required' }
      for (const [key, value] of values) await copy(host, key, value)
      replicas.add(host)
      process.stdout.write(`Registered ${host}\n`)
      return json({ data: host })
    },
    '/guestbook': (request) => front(request, ask),
  })
  if (primary !== '') await register(primary, ask)
}

async function front({ url }: Request, ask: (host: string, path: string) => Promise<string>): Promise<Reply> {
  const cmd = url.searchParams.get('cmd') ?? ''
  if (cmd !== 'get' && cmd !== 'set') return { status: 400, body: `unsupported cmd: "${cmd}"` }
  const words = { key: url.searchParams.get('key') ?? '', value: url.searchParams.get('value') ?? '' }
  try {
    const path = `${cmd}?${new URLSearchParams(words).toString()}`
    return { headers: { 'content-type': 'application/json' }, body: await ask(cmd === 'get' ? REPLICA : PRIMARY, path) }
  } catch (error) {
    return { status: 503, body: (error as Error).message }
  }
}

/** Until the primary answers; the container ends when it does not, and is started again. */
async function register(primary: string, ask: (host: string, path: string) => Promise<string>): Promise<void> {
  const own = ownAddress()
  for (let waitedMs = 0; waitedMs < REGISTER_MS_MAX; waitedMs += RETRY_MS) {
    try {
      await ask(primary, `register?host=${own}`)
      process.stdout.write(`Registered to node: ${primary}\n`)
      return
    } catch (error) {
      process.stdout.write(`Not registered yet: ${(error as Error).message}\n`)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
  process.stderr.write('Timed out while registering to the primary.\n')
  process.exit(1)
}

function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const own = all.find(({ internal, family }) => !internal && family === 'IPv4')
  if (own === undefined) throw new Error('This container has no address')
  return own.address
}

async function askHttp(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`)
  return text
}
