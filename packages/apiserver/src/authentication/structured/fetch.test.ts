// What an API server asks of an identity provider is bounded: where it goes, for how long, and how much it takes.

import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { testScope } from '../../test-server.ts'
import { fetchJson, fetchText } from './fetch.ts'

void suite('a request to an identity provider', () => {
  const stop = new AbortController()
  const asked: string[] = []
  let provider: Server
  let caPem: string
  let url: string

  before(async () => {
    const scope = testScope([], stop.signal)
    const authority = await createAuthority(scope, { commonName: 'ca', years: 1 })
    const serving = await issue(scope, authority, {
      commonName: 'provider',
      ipAddresses: ['127.0.0.1'],
      usages: ['server'],
      days: 1,
    })
    caPem = authority.certificatePem
    provider = createServer({ cert: serving.certificatePem, key: serving.keyPem }, (request, response) => {
      const path = request.url ?? ''
      asked.push(path)
      if (path === '/elsewhere') response.writeHead(302, { location: `${url}/keys` }).end()
      else if (path === '/keys') response.end('{"keys":[]}')
      else if (path === '/words') response.end('no JSON')
      else if (path === '/broken') response.writeHead(500).end()
      else if (path === '/huge') endless(response)
      // Nobody answers at /silent.
    })
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve))
    url = `https://127.0.0.1:${(provider.address() as AddressInfo).port}`
  })
  after(() => {
    provider.closeAllConnections()
    provider.close()
    stop.abort()
  })

  const ask = (path: string, signal = stop.signal): Promise<unknown> => fetchJson(`${url}${path}`, { caPem, signal })

  void test('goes to one place, by TLS, and follows nobody elsewhere', async () => {
    assert.deepEqual(await ask('/keys'), { keys: [] })
    asked.length = 0
    await assert.rejects(ask('/elsewhere'), { message: `${url}/elsewhere answered 302` })
    assert.deepEqual(asked, ['/elsewhere'])
    await assert.rejects(fetchText(url.replace('https:', 'http:'), { signal: stop.signal }), /https:/)
    await assert.rejects(fetchJson(`${url}/keys`, { signal: stop.signal }), /certificate/)
  })

  void test('takes JSON in an answer that is one, and no more than a mebibyte', async () => {
    await assert.rejects(ask('/words'), { message: `${url}/words did not answer with JSON` })
    await assert.rejects(ask('/broken'), { message: `${url}/broken answered 500` })
    await assert.rejects(ask('/huge'), { message: `${url}/huge answered with more than 1048576 bytes` })
  })

  void test('ends when nobody answers, and with the server', async () => {
    const signal = stop.signal
    await assert.rejects(fetchText(`${url}/silent`, { caPem, signal, timeoutMs: 30 }), { name: 'AbortError' })
    const gone = new AbortController()
    const pending = ask('/silent', gone.signal)
    gone.abort()
    await assert.rejects(pending, { name: 'AbortError' })
  })
})

function endless(response: NodeJS.WritableStream): void {
  const piece = Buffer.alloc(64 * 1024, 0x20)
  const more = (): void => {
    while (response.write(piece));
  }
  response.on('drain', more)
  more()
}
