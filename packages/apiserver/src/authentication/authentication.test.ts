// Who a caller is: client certificates and service-account tokens, each refused once it no longer holds.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { systemClock, type Clock } from '@aksel/base/clock'
import { createClient } from '@aksel/client/typed-client'
import { readBody } from '@aksel/client/response-body'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { listenForTest, startTestServer, testScope, type Asked, type TestServer } from '../test-server.ts'

/** Real timers, and a wall clock that can be moved. */
class MovedClock implements Clock {
  readonly #real = systemClock()
  offsetMs = 0

  now(): number {
    return this.#real.now() + this.offsetMs
  }

  monotonicMs(): number {
    return this.#real.monotonicMs()
  }

  after(delayMs: number, fire: () => void): ReturnType<Clock['after']> {
    return this.#real.after(delayMs, fire)
  }
}

const whoAmI = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
const HOUR_MS = 3_600_000

void suite('authentication', () => {
  const clock = new MovedClock()
  const stop = new AbortController()
  const scope = { ...testScope([], stop.signal), clock }
  let server: TestServer
  let url: string

  before(async () => {
    server = await startTestServer({ scope })
    ;({ url } = await listenForTest(server))
    await server.ask('/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } })
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    stop.abort()
  })

  interface Credentials {
    readonly certPem?: string
    readonly keyPem?: string
    readonly token?: string
  }

  /** Asks over TLS who the server takes us for. */
  async function asked(credentials: Credentials): Promise<readonly [number, unknown]> {
    await using transport = createHttpsTransport({
      server: url,
      caPem: server.authority.certificatePem,
      ...credentials,
    })
    const body = Buffer.from('{}')
    const headers = { 'content-type': 'application/json' }
    const response = await createClient(transport).send({ method: 'POST', path: whoAmI, body, headers })
    const json = JSON.parse(Buffer.from(await readBody(response.body)).toString()) as {
      readonly status: { readonly userInfo?: unknown }
      readonly message?: string
    }
    return [response.status, json.status.userInfo ?? json.message]
  }

  async function token(body: unknown = { spec: { audiences: [] } }): Promise<string> {
    const answer = await server.ask('/api/v1/namespaces/default/serviceaccounts/default/token', { body })
    return tokenOf(answer)
  }

  function tokenOf(answer: Asked): string {
    assert.equal(answer.status, 201, answer.text)
    return (answer.json['status'] as { readonly token: string }).token
  }

  void test('a client certificate names the user and its groups', async () => {
    const { certificatePem, keyPem } = await issue(scope, server.authority, {
      commonName: 'ann',
      organizations: ['devs', 'ops'],
      usages: ['client'],
      days: 1,
    })
    const [status, user] = await asked({ certPem: certificatePem, keyPem })
    const { username, groups } = user as { readonly username: string; readonly groups: readonly string[] }
    assert.deepEqual([status, username, groups], [201, 'ann', ['devs', 'ops', 'system:authenticated']])
  })

  void test('a certificate of another authority, or one for servers, is refused', async () => {
    const stranger = await createAuthority(scope, { commonName: 'ca', years: 1 })
    const forged = await issue(scope, stranger, { commonName: 'ann', usages: ['client'], days: 1 })
    assert.deepEqual(await asked({ certPem: forged.certificatePem, keyPem: forged.keyPem }), [401, 'Unauthorized'])
    const serving = await issue(scope, server.authority, { commonName: 'ann', usages: ['server'], days: 1 })
    assert.deepEqual(await asked({ certPem: serving.certificatePem, keyPem: serving.keyPem }), [401, 'Unauthorized'])
  })

  void test("a certificate is judged by the cluster's clock", async () => {
    const { certificatePem, keyPem } = await issue(scope, server.authority, {
      commonName: 'ann',
      usages: ['client'],
      days: 1,
    })
    clock.offsetMs = 25 * HOUR_MS
    assert.deepEqual(await asked({ certPem: certificatePem, keyPem }), [401, 'Unauthorized'])
    clock.offsetMs = 0
    assert.equal((await asked({ certPem: certificatePem, keyPem }))[0], 201)
  })

  void test('nobody in particular is anonymous, and may not create reviews', async () => {
    const [status, message] = await asked({})
    assert.equal(status, 403)
    assert.match(String(message), /User "system:anonymous" cannot create resource "selfsubjectreviews"/)
  })

  void test('a token names its service account; a changed, foreign or late one is refused', async () => {
    const good = await token()
    const [status, user] = await asked({ token: good })
    assert.equal(status, 201)
    const { username, groups } = user as { readonly username: string; readonly groups: readonly string[] }
    assert.equal(username, 'system:serviceaccount:default:default')
    assert.deepEqual(groups, ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'])
    const [head, , signature] = good.split('.')
    const claims = Buffer.from(
      JSON.stringify({ iss: 'https://cluster.test', sub: 'system:serviceaccount:kube-system:admin' }),
    )
    const forged = `${head}.${claims.toString('base64url')}.${signature}`
    assert.deepEqual(await asked({ token: forged }), [401, 'Unauthorized'])
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims.toString('base64url')}.`
    assert.deepEqual(await asked({ token: unsigned }), [401, 'Unauthorized'])
    clock.offsetMs = HOUR_MS + 1000
    assert.deepEqual(await asked({ token: good }), [401, 'Unauthorized'])
    clock.offsetMs = 0
  })

  void test('a token for another audience is none for this server', async () => {
    assert.deepEqual(await asked({ token: await token({ spec: { audiences: ['vault'] } }) }), [401, 'Unauthorized'])
  })

  void test('a token dies with the object that it is bound to', async () => {
    const secrets = '/api/v1/namespaces/default/secrets'
    await server.ask(secrets, { body: { metadata: { name: 'bound' } } })
    const boundObjectRef = { kind: 'Secret', apiVersion: 'v1', name: 'bound' }
    const bound = await token({ spec: { audiences: [], boundObjectRef } })
    assert.equal((await asked({ token: bound }))[0], 201)
    await server.ask(`${secrets}/bound`, { method: 'DELETE' })
    assert.deepEqual(await asked({ token: bound }), [401, 'Unauthorized'])
  })

  void test('a token dies with its account, and does not come alive with a new one of the same name', async () => {
    const accounts = '/api/v1/namespaces/default/serviceaccounts'
    await server.ask(accounts, { body: { metadata: { name: 'brief' } } })
    const brief = tokenOf(await server.ask(`${accounts}/brief/token`, { body: { spec: { audiences: [] } } }))
    assert.equal((await asked({ token: brief }))[0], 201)
    await server.ask(`${accounts}/brief`, { method: 'DELETE' })
    assert.equal((await asked({ token: brief }))[0], 401)
    await server.ask(accounts, { body: { metadata: { name: 'brief' } } })
    assert.equal((await asked({ token: brief }))[0], 401)
  })

  void test('a TokenReview tells whose token it is', async () => {
    const review = (spec: unknown): Promise<Asked> =>
      server.ask('/apis/authentication.k8s.io/v1/tokenreviews', { body: { spec } })
    const good = (await review({ token: await token() })).json['status'] as {
      readonly authenticated: boolean
      readonly user: { readonly username: string }
    }
    assert.deepEqual([good.authenticated, good.user.username], [true, 'system:serviceaccount:default:default'])
    assert.deepEqual((await review({ token: 'nonsense' })).json['status'], {
      user: {},
      error: '[invalid bearer token]',
    })
  })

  void test('a token lives ten minutes at least', async () => {
    const answer = await server.ask('/api/v1/namespaces/default/serviceaccounts/default/token', {
      body: { spec: { audiences: [], expirationSeconds: 60 } },
    })
    assert.equal(answer.status, 422)
    assert.match(
      String(answer.json['message']),
      /spec\.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes$/,
    )
  })

  void test('tokens can be checked with the published keys', async () => {
    const { createLocalJWKSet, jwtVerify } = await import('jose')
    const { json } = await server.ask('/openid/v1/jwks')
    const keys = createLocalJWKSet(json as unknown as Parameters<typeof createLocalJWKSet>[0])
    const { payload } = await jwtVerify(await token(), keys, {
      issuer: 'https://cluster.test',
      audience: 'https://cluster.test',
    })
    assert.equal(payload.sub, 'system:serviceaccount:default:default')
  })

  void test('every request leaves one audit entry that names the user', async () => {
    const countBefore = server.audit.length
    await server.ask('/api/v1/namespaces/default/secrets/x', { user: { name: 'eve', groups: [] } })
    const [entry, ...more] = server.audit.slice(countBefore)
    assert.equal(more.length, 0)
    const { code } = entry!['responseStatus'] as { readonly code: number }
    assert.deepEqual(
      [entry!['verb'], entry!['user'], code, entry!['objectRef']],
      [
        'get',
        { username: 'eve', groups: ['system:authenticated'] },
        403,
        { resource: 'secrets', namespace: 'default', name: 'x', apiVersion: 'v1' },
      ],
    )
  })
})
