// The desktop's server side against a made-up API server: who gets in, what is handed on, and what another page cannot do.

import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { WebSocket } from 'ws'
import { createDesktop } from './desktop.ts'
import type { DesktopOptions } from './desktop-options.ts'

const GOOD = 'good-token'

interface Opened extends AsyncDisposable {
  readonly url: string
  readonly apiUrl: string
  /** What reached the API server. */
  readonly seen: { readonly method: string; readonly url: string; readonly headers: IncomingMessage['headers'] }[]
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function open(more: Partial<DesktopOptions> = {}): Promise<Opened> {
  const stop = new AbortController()
  const scope: Scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: stop.signal }
  const seen: Opened['seen'] = []
  const api = createServer((request, response) => {
    seen.push({ method: request.method!, url: request.url!, headers: request.headers })
    const isKnown = request.headers.authorization === `Bearer ${GOOD}`
    const send = (status: number, body: unknown): void =>
      void response
        .writeHead(status, { 'content-type': 'application/json', 'set-cookie': 'evil=1' })
        .end(JSON.stringify(body))
    if (!isKnown) return send(401, { kind: 'Status', message: 'Unauthorized' })
    if (request.url!.endsWith('/selfsubjectreviews')) return send(201, { status: { userInfo: { username: 'jane' } } })
    if (request.url!.includes('watch=true')) {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{"type":"ADDED"}\n')
      return void setImmediate(() => response.end('{"type":"DELETED"}\n'))
    }
    if (request.url!.includes('forbidden')) return send(403, { kind: 'Status', message: 'pods is forbidden' })
    send(200, { kind: 'PodList', items: [] })
  })
  const apiUrl = await listen(api)
  const assets = mkdtempSync(join(tmpdir(), 'aksel-page-'))
  mkdirSync(join(assets, 'assets'))
  writeFileSync(join(assets, 'index.html'), '<meta nonce="__NONCE__">')
  writeFileSync(join(assets, 'assets', 'main-abc.js'), 'plain')
  const desktop = createDesktop(scope, {
    scheme: 'http',
    assets: () => assets,
    endpointOf: (group, name) => (group === 'aksel' && name === 'demo' ? { server: apiUrl, caPem: '' } : undefined),
    isOwnServer: (server) => server === apiUrl,
    ...more,
  })
  const server = createServer((request, response) => desktop.handle(request, response))
  server.on('upgrade', (request, socket, head) => desktop.upgrade(request, socket, head))
  const url = await listen(server)
  return {
    url,
    apiUrl,
    seen,
    async [Symbol.asyncDispose]() {
      stop.abort()
      desktop[Symbol.dispose]()
      for (const each of [server, api]) {
        each.closeAllConnections()
        await new Promise((resolve) => each.close(resolve))
      }
      rmSync(assets, { recursive: true, force: true })
    },
  }
}

const own = { 'x-aksel-desktop': '1' }

async function signIn(
  { url }: Opened,
  body: unknown,
): Promise<{ readonly status: number; readonly cookie: string; readonly text: string; readonly setCookie: string }> {
  const answer = await fetch(`${url}/desktop/api/session`, {
    method: 'POST',
    headers: { ...own, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const setCookie = answer.headers.get('set-cookie') ?? ''
  return { status: answer.status, cookie: setCookie.split(';')[0]!, setCookie, text: await answer.text() }
}

const kubeconfig = (server: string, user: string): string =>
  `current-context: one\ncontexts: [{name: one, context: {cluster: c, user: u, namespace: shop}}]\nclusters: [{name: c, cluster: {server: "${server}"}}]\nusers: [{name: u, user: ${user}}]\n`

test('a token of a cluster opens that cluster; a wrong token and an unknown cluster are told alike', async () => {
  await using opened = await open()
  const good = await signIn(opened, { kind: 'token', cluster: 'aksel/demo', token: GOOD })
  assert.equal(good.status, 200)
  assert.match(good.setCookie, /HttpOnly; SameSite=Strict/)
  assert.ok(!good.text.includes(GOOD), 'the page never sees a credential')
  assert.match(good.text, /"key":"arm\.aksel\.demo"/)
  const wrong = await signIn(opened, { kind: 'token', cluster: 'aksel/demo', token: 'bad' })
  const unknown = await signIn(opened, { kind: 'token', cluster: 'aksel/other', token: GOOD })
  assert.deepEqual([wrong.status, wrong.text], [401, unknown.text])
})

test('calls are handed on with the session’s credential, and nothing of the browser’s', async () => {
  await using opened = await open()
  const { cookie } = await signIn(opened, { kind: 'token', cluster: 'aksel/demo', token: GOOD })
  const answer = await fetch(`${opened.url}/desktop/api/clusters/arm.aksel.demo/api/v1/pods?limit=5`, {
    headers: {
      ...own,
      cookie,
      accept: 'application/json;as=Table',
      authorization: 'Bearer other',
      'impersonate-user': 'root',
    },
  })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('set-cookie'), null)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  const call = opened.seen.at(-1)!
  assert.equal(call.url, '/api/v1/pods?limit=5')
  assert.equal(call.headers.authorization, `Bearer ${GOOD}`)
  assert.equal(call.headers.accept, 'application/json;as=Table')
  assert.equal(call.headers.cookie, undefined)
  assert.equal(call.headers['impersonate-user'], undefined)
})

test('another page, another host and a call without the desktop’s own header are refused', async () => {
  await using opened = await open()
  const { cookie } = await signIn(opened, { kind: 'token', cluster: 'aksel/demo', token: GOOD })
  const path = `${opened.url}/desktop/api/clusters/arm.aksel.demo/api/v1/pods`
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(path, { headers: { cookie, ...headers } })).status
  assert.equal(await status(own), 200)
  assert.equal(await status({}), 403)
  assert.equal(await status({ ...own, origin: 'https://evil.example' }), 403)
  assert.equal(await status({ ...own, 'sec-fetch-site': 'cross-site' }), 403)
  const rebound = await new Promise<number>((resolve, reject) => {
    import('node:http').then(
      ({ get }) =>
        get(path, { headers: { ...own, cookie, host: 'evil.example' } }, (answer) =>
          resolve(answer.resume().statusCode!),
        ).on('error', reject),
      reject,
    )
  })
  assert.equal(rebound, 403)
  assert.equal((await fetch(path, { headers: own })).status, 401)
})

test('a watch comes over a socket of the desktop’s own origin, and a refusal with it', async () => {
  await using opened = await open()
  const { cookie } = await signIn(opened, { kind: 'token', cluster: 'aksel/demo', token: GOOD })
  const socketUrl = `${opened.url.replace('http', 'ws')}/desktop/api/clusters/arm.aksel.demo/api/v1/`
  const read = (
    path: string,
    headers: Record<string, string>,
  ): Promise<{ readonly text: string; readonly refused: string; readonly code: number }> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(socketUrl + path, ['table.stream.aksel.dev'], { headers })
      let [text, refused] = ['', '']
      socket.on('message', (data: Buffer, isBinary) =>
        isBinary ? (text += data.toString()) : (refused = data.toString()),
      )
      socket.on('close', (code) => resolve({ text, refused, code }))
      socket.on('error', reject)
    })
  const origin = opened.url
  const good = await read('pods?watch=true', { cookie, origin })
  assert.deepEqual([good.text, good.code], ['{"type":"ADDED"}\n{"type":"DELETED"}\n', 1000])
  assert.match(String(opened.seen.at(-1)!.headers.accept), /as=Table/)
  const refused = await read('forbidden', { cookie, origin })
  assert.match(refused.refused, /"status":403.*pods is forbidden/)
  await assert.rejects(read('pods?watch=true', { cookie, origin: 'https://evil.example' }), /403/)
  await assert.rejects(read('pods?watch=true', { cookie }), /403/)
  await assert.rejects(read('pods?watch=true', { origin }), /401/)
})

test('a kubeconfig opens its clusters; without signing in to the server none elsewhere, no file and no program', async () => {
  await using opened = await open()
  const good = await signIn(opened, { kind: 'kubeconfig', text: kubeconfig(opened.apiUrl, `{token: ${GOOD}}`) })
  assert.match(good.text, /"name":"one".*"namespace":"shop"/)
  const refusal = async (text: string): Promise<string> =>
    (JSON.parse((await signIn(opened, { kind: 'kubeconfig', text })).text) as { message: string }).message
  assert.match(await refusal(kubeconfig('http://169.254.169.254', `{token: ${GOOD}}`)), /is no cluster of this server/)
  assert.match(await refusal(kubeconfig(opened.apiUrl, '{tokenFile: /etc/shadow}')), /names the file \/etc\/shadow/)
  assert.match(await refusal(kubeconfig(opened.apiUrl, '{exec: {command: id}}')), /runs a program/)
  assert.match(await refusal(kubeconfig(opened.apiUrl, '{token: bad}')), /accepts its credentials/)
  assert.match(await refusal('{'), /is no YAML/)
})

test('signing out ends the session and its sockets', async () => {
  await using opened = await open()
  const { cookie } = await signIn(opened, { kind: 'token', cluster: 'aksel/demo', token: GOOD })
  const answer = await fetch(`${opened.url}/desktop/api/session`, { method: 'DELETE', headers: { ...own, cookie } })
  assert.match(answer.headers.get('set-cookie') ?? '', /Max-Age=0/)
  const after = await fetch(`${opened.url}/desktop/api/clusters/arm.aksel.demo/api/v1/pods`, {
    headers: { ...own, cookie },
  })
  assert.equal(after.status, 401)
})

test('the page allows scripts and styles of its own alone, and nobody may embed it', async () => {
  await using opened = await open()
  const answer = await fetch(`${opened.url}/desktop/c/x/list/pods`)
  const policy = answer.headers.get('content-security-policy') ?? ''
  const nonce = /'nonce-([^']+)'/.exec(policy)?.[1]
  assert.equal(await answer.text(), `<meta nonce="${nonce}">`)
  assert.match(policy, /default-src 'none'; script-src 'self';/)
  assert.match(policy, /frame-ancestors 'none'/)
  assert.doesNotMatch(policy, /unsafe/)
  assert.notEqual((await fetch(`${opened.url}/desktop/`)).headers.get('content-security-policy'), policy)
  assert.equal(await (await fetch(`${opened.url}/desktop/assets/main-abc.js`)).text(), 'plain')
  assert.equal((await fetch(`${opened.url}/desktop/assets/..%2Findex.html`)).status, 404)
})

test('a code opens one session, once', async () => {
  const connection = { name: 'mine', server: 'http://127.0.0.1:1', credential: () => Promise.resolve({}) }
  const stop = new AbortController()
  const scope: Scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: stop.signal }
  using desktop = createDesktop(scope, {
    scheme: 'http',
    assets: () => undefined,
    kubeconfig: { current: 'mine', connections: [connection] },
  })
  const server = createServer((request, response) => desktop.handle(request, response))
  const url = await listen(server)
  const code = desktop.issueCode()
  const redeem = (): Promise<Response> =>
    fetch(`${url}/desktop/api/session`, { method: 'POST', headers: own, body: JSON.stringify({ kind: 'code', code }) })
  const first = await redeem()
  assert.match(await first.text(), /"mode":"kubeconfig".*"name":"mine"/)
  assert.equal((await redeem()).status, 401)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
