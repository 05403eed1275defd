// Sessions at the kubelet's port: the protocols that clients of upstream's kubelet speak, who may, and how they end.

import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import type { Duplex } from 'node:stream'
import { after, before, test } from 'node:test'
import { WebSocket } from 'ws'
import { systemClock } from '@aksel/base/clock'
import { ApiError } from '@aksel/base/errors'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { SpdySession } from '@aksel/runtime/spdy/session'
import { channels, readFrames, writeClose, writeFrame } from '@aksel/runtime/stream-frames'
import type { TunnelCall } from '@aksel/runtime/tunnel'
import { openKubeletServer, type KubeletServer } from './server.ts'
import { streamPathOf } from './streams.ts'

const scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: new AbortController().signal }
let server: KubeletServer
let ca: string
/** What the node was asked, with its parameters. */
const asked: string[] = []
let given = Promise.withResolvers<void>()

before(async () => {
  const authority = await createAuthority(scope, { commonName: 'ca', years: 1 })
  const own = await issue(scope, authority, {
    commonName: 'n1',
    usages: ['server'],
    ipAddresses: ['127.0.0.1'],
    days: 1,
  })
  ca = authority.certificatePem
  server = await openKubeletServer(scope, {
    host: '127.0.0.1',
    port: 0,
    certificate: { certPem: own.certificatePem, keyPem: own.keyPem },
    clientAuthority: ca,
    delegation: {
      authenticate: async (token) => ({ username: token, groups: [] }),
      // WebSockets begin with GET, SPDY with POST: as upstream, each is a verb of its own.
      authorize: async ({ username }, { verb, subresources }) =>
        subresources[0] === 'proxy' && (username === 'admin' || (username === 'reader' && verb === 'get')),
    },
    handler: async (_scope, call) => answer(call),
  })
})
after(() => server[Symbol.asyncDispose]())

/** A node whose commands say what they were given, in capitals, when that ends; and whose ports say it as it comes. */
async function answer(call: TunnelCall): Promise<void> {
  asked.push(`${call.method} ${call.path}?${call.query.toString()}`)
  if (call.path.includes('missing')) throw new ApiError('NotFound', 'pod does not exist')
  call.signal.addEventListener('abort', () => given.resolve())
  call.respond(200)
  const isPort = call.path.startsWith('/portForward')
  if (call.query.get('port') === '81') return writeFrame(call.stream, channels.error, Buffer.from('nobody listens'))
  let all = ''
  if (call.query.has('input') || isPort) {
    // Leaving a loop over them would close the stream.
    const frames = readFrames(call.stream)
    for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
      const { channel, payload } = next.value
      if (channel === channels.close) break
      if (channel === channels.resize) all += payload.toString()
      else if (!isPort) all += payload.toString()
      else await writeFrame(call.stream, channels.stdout, Buffer.from(payload.toString().toUpperCase()))
    }
  }
  if (isPort) return writeClose(call.stream, channels.stdout)
  await writeFrame(call.stream, channels.stdout, Buffer.from(all.toUpperCase()))
  await writeFrame(call.stream, channels.stderr, Buffer.from('warned'))
  const fails = call.query.getAll('command').includes('false')
  const failure = { details: { causes: [{ reason: 'ExitCode', message: '3' }] } }
  const status = fails ? { status: 'Failure', ...failure } : { metadata: {}, status: 'Success' }
  await writeFrame(call.stream, channels.error, Buffer.from(JSON.stringify(status)))
}

function connectSocket(path: string, protocol: string, user = 'admin'): WebSocket {
  const headers = { authorization: `Bearer ${user}` }
  return new WebSocket(`wss://127.0.0.1:${server.port}${path}`, protocol, { ca, headers })
}

async function opened(socket: WebSocket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('unexpected-response', (_request, response: IncomingMessage) => {
      void text(response).then((body) => reject(new Error(`${response.statusCode} ${body.trim()}`)))
    })
    socket.once('error', reject)
  })
}

/** All messages until the server closes: by channel, without the empty ones. */
async function messages(socket: WebSocket): Promise<Readonly<Record<number, string>>> {
  const all: Record<number, string> = {}
  socket.on('message', (data: Buffer) => {
    if (data.length > 1) all[data[0]!] = (all[data[0]!] ?? '') + data.subarray(1).toString('latin1')
  })
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return all
}

async function upgradeSpdy(path: string, user = 'admin'): Promise<SpdySession> {
  const headers = {
    authorization: `Bearer ${user}`,
    connection: 'Upgrade',
    upgrade: 'SPDY/3.1',
    'x-stream-protocol-version': path.startsWith('/port') ? 'portforward.k8s.io' : 'v4.channel.k8s.io',
  }
  const call = request({ host: '127.0.0.1', port: server.port, path, method: 'POST', headers, ca, agent: false })
  const socket = await new Promise<Duplex>((resolve, reject) => {
    call.once('upgrade', (_response, taken) => resolve(taken))
    call.once('response', (response) => {
      void text(response).then((body) => reject(new Error(`${response.statusCode} ${body.trim()}`)))
    })
    call.once('error', reject)
    call.end()
  })
  return new SpdySession(socket, { role: 'client' })
}

test('streamPathOf() reads the paths of exec, attach, portForward and run, with and without a uid, and no others', () => {
  const row = (path: string): string => {
    const found = streamPathOf(path)
    return found === undefined ? '' : Object.values(found).join(' ')
  }
  assert.deepEqual(
    [
      '/exec/ns/web/main',
      '/attach/ns/web/u-1/main',
      '/portForward/ns/web',
      '/portForward/ns/web/u-1',
      '/run/a/b/c',
    ].map(row),
    ['exec ns web  main', 'attach ns web u-1 main', 'portForward ns web  ', 'portForward ns web u-1 ', 'run a b  c'],
  )
  assert.deepEqual(
    ['/exec/ns/web', '/exec/ns/web/u/c/x', '/portForward/ns', '/pods', '/exec//web/c', '/exec/a/%/c'].map(row),
    Array(6).fill(''),
  )
})

test('a command runs over a WebSocket: input to its end, both outputs, a status', async () => {
  const socket = connectSocket('/exec/ns/web/main?command=cat&command=-&input=1&output=1&error=1', 'v5.channel.k8s.io')
  await opened(socket)
  const all = messages(socket)
  socket.send(Buffer.from('\0hello'))
  socket.send(Buffer.of(255, 0))
  assert.deepEqual(await all, { 1: 'HELLO', 2: 'warned', 3: '{"metadata":{},"status":"Success"}' })
  assert.equal(asked.at(-1), 'POST /exec/ns/web/main?command=cat&command=-&input=1&output=1&error=1')
})

test('a command runs over SPDY, and a terminal tells its size', async () => {
  const spdy = await upgradeSpdy('/attach/ns/web/u-1/main?input=1&output=1&tty=1')
  const [error, stdin, stdout, resize] = ['error', 'stdin', 'stdout', 'resize'].map((streamtype) =>
    spdy.open({ streamtype }),
  )
  resize!.write('{"Width":80,"Height":24}')
  // Both are read from the beginning: the session may end as soon as it is over.
  const output = Promise.all([text(stdout!), text(error!)])
  stdin!.end('abc')
  const [said, status] = await output
  assert.ok(said.includes('ABC') && said.includes('{"WIDTH":80,"HEIGHT":24}'), said)
  assert.equal(status, '{"metadata":{},"status":"Success"}')
  spdy.destroy()
  assert.match(asked.at(-1)!, /^POST \/attach\/ns\/web\/main\?input=1&output=1&tty=1&uid=u-1$/)
})

test('ports are forwarded over SPDY and over channels of a WebSocket, and failures told', async () => {
  const spdy = await upgradeSpdy('/portForward/ns/web')
  const pair = (port: string, requestid: string): readonly [Duplex, Duplex] => [
    spdy.open({ streamtype: 'error', port, requestid }),
    spdy.open({ streamtype: 'data', port, requestid }),
  ]
  const [, data] = pair('80', '1')
  data.end('question')
  assert.equal(await text(data), 'QUESTION')
  const [error, unheard] = pair('81', '2')
  unheard.resume()
  assert.equal(await text(error), 'error forwarding port 81 to pod web, uid : nobody listens')
  spdy.destroy()
  const socket = connectSocket('/portForward/ns/web?port=80&port=81', 'v4.channel.k8s.io')
  await opened(socket)
  const got = new Promise<Buffer>((resolve) => {
    const parts: Buffer[] = []
    socket.on('message', (message: Buffer) => {
      parts.push(message)
      const all = Buffer.concat(parts)
      if (all.includes('QUESTION') && all.includes('nobody listens')) resolve(all)
    })
  })
  socket.send(Buffer.from('\0question'))
  const all = (await got).toString('latin1')
  for (const first of ['\0P\0', '\x01P\0', '\x02Q\0', '\x03Q\0', '\0QUESTION', '\x03error forwarding port 81'])
    assert.ok(all.includes(first), first)
  given = Promise.withResolvers()
  socket.close()
  await given.promise
})

test('a client that leaves ends what it began', async () => {
  given = Promise.withResolvers()
  const socket = connectSocket('/exec/ns/web/main?command=cat&input=1', 'v4.channel.k8s.io')
  await opened(socket)
  socket.terminate()
  await given.promise
})

test('whom the cluster does not let gets no session, by the verb of its protocol', async () => {
  const refused = (user: string, verb: string): object => ({
    message: `403 Forbidden (user=${user}, verb=${verb}, resource=nodes, subresource(s)=[proxy])`,
  })
  const path = '/exec/ns/web/main?command=true&output=1'
  await assert.rejects(opened(connectSocket(path, 'v4.channel.k8s.io', 'nobody')), refused('nobody', 'get'))
  await assert.rejects(upgradeSpdy(path, 'reader'), refused('reader', 'create'))
  await opened(connectSocket(path, 'v4.channel.k8s.io', 'reader'))
})

test('what cannot become a session is told in an answer', async () => {
  const told = (path: string, words: RegExp): Promise<void> =>
    assert.rejects(opened(connectSocket(path, 'v4.channel.k8s.io')), words)
  await told('/exec/ns/missing/main?command=true&output=1', /404 pod does not exist/)
  await told('/exec/ns/web/main?command=true', /400 you must specify at least 1 of stdin, stdout, stderr/)
  await told('/portForward/ns/web', /400 query parameter "port" is required/)
  await told('/portForward/ns/web?port=0x50', /400 unable to parse "0x50" as a port/)
  await assert.rejects(
    opened(connectSocket('/exec/ns/web/main?output=1', 'v9.channel.k8s.io')),
    /400 unable to upgrade: unable to negotiate protocol/,
  )
})

test('a command is run without a stream: its output, or its exit code in words', async () => {
  const run = (command: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const path = `/run/ns/web/main?cmd=${encodeURIComponent(command)}`
      const headers = { authorization: 'Bearer admin' }
      const call = request({ host: '127.0.0.1', port: server.port, path, method: 'POST', headers, ca, agent: false })
      call.once(
        'response',
        (response) => void text(response).then((body) => resolve(`${response.statusCode} ${body.trim()}`), reject),
      )
      call.once('error', reject)
      call.end()
    })
  assert.equal(await run('ls /'), '200 warned')
  assert.match(asked.at(-1)!, /command=ls&command=%2F$/)
  assert.equal(await run('false'), "500 command 'false' exited with 3: warned")
})
