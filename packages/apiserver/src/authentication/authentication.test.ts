// Who a caller is: client certificates and service-account tokens, each refused once it no longer holds.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { systemClock, type Clock } from '@aksel/base/clock'
import { createClient } from '@aksel/client/typed-client'
import { readBody } from '@aksel/client/response-body'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import type { Secret, ServiceAccount } from '@aksel/api/types/core-v1'
import { signLegacyToken } from '@aksel/runtime/legacy-token'
import { createAuthority, createServiceAccountKey, issue } from '@aksel/runtime/pki'
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
  let key: Awaited<ReturnType<typeof createServiceAccountKey>>

  before(async () => {
    key = await createServiceAccountKey()
    server = await startTestServer({ scope, serviceAccounts: { issuer: 'https://cluster.test', key } })
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

  async function reply(
    credentials: Credentials,
  ): Promise<{ status: number; headers: Readonly<Record<string, string>>; text: string }> {
    await using transport = createHttpsTransport({
      server: url,
      caPem: server.authority.certificatePem,
      ...credentials,
    })
    const body = Buffer.from('{}')
    const headers = { 'content-type': 'application/json' }
    const response = await createClient(transport).send({ method: 'POST', path: whoAmI, body, headers })
    const text = Buffer.from(await readBody(response.body)).toString()
    return { status: response.status, headers: response.headers, text }
  }

  /** Asks over TLS who the server takes us for. */
  async function asked(credentials: Credentials): Promise<readonly [number, unknown]> {
    const { status, text } = await reply(credentials)
    const json = JSON.parse(text) as { readonly status: { readonly userInfo?: unknown }; readonly message?: string }
    return [status, json.status.userInfo ?? json.message]
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

  void test('a token that is bound to a pod or a node dies with it', async () => {
    const pods = '/api/v1/namespaces/default/pods'
    const spec = { containers: [{ name: 'c', image: 'c:1' }], nodeName: 'n', terminationGracePeriodSeconds: 0 }
    await server.ask('/api/v1/nodes', { body: { metadata: { name: 'n' } } })
    assert.equal((await server.ask(pods, { body: { metadata: { name: 'p' }, spec } })).status, 201)
    const boundTo = (kind: string, name: string): Promise<string> =>
      token({ spec: { audiences: [], boundObjectRef: { kind, apiVersion: 'v1', name } } })
    const [ofPod, ofNode] = [await boundTo('Pod', 'p'), await boundTo('Node', 'n')]
    const [status, user] = await asked({ token: ofPod })
    assert.equal(status, 201)
    const { extra } = user as { readonly extra: Readonly<Record<string, readonly string[]>> }
    assert.deepEqual(extra['authentication.kubernetes.io/pod-name'], ['p'])
    assert.deepEqual(extra['authentication.kubernetes.io/node-name'], ['n'])
    assert.equal((await asked({ token: ofNode }))[0], 201)
    await server.ask(`${pods}/p?gracePeriodSeconds=0`, { method: 'DELETE' })
    assert.deepEqual(await asked({ token: ofPod }), [401, 'Unauthorized'])
    assert.equal((await server.ask(pods, { body: { metadata: { name: 'p' }, spec } })).status, 201)
    assert.deepEqual(await asked({ token: ofPod }), [401, 'Unauthorized'], 'another pod of the same name')
    await server.ask('/api/v1/nodes/n', { method: 'DELETE' })
    assert.deepEqual(await asked({ token: ofNode }), [401, 'Unauthorized'])
  })

  void test('a token dies a minute after its object began to go, whatever holds that up', async () => {
    const accounts = '/api/v1/namespaces/default/serviceaccounts'
    await server.ask(accounts, { body: { metadata: { name: 'held', finalizers: ['example.com/held'] } } })
    const held = tokenOf(await server.ask(`${accounts}/held/token`, { body: { spec: { audiences: [] } } }))
    assert.equal((await server.ask(`${accounts}/held`, { method: 'DELETE' })).status, 200)
    assert.equal((await asked({ token: held }))[0], 201)
    clock.offsetMs = 62_000
    assert.deepEqual(await asked({ token: held }), [401, 'Unauthorized'])
    clock.offsetMs = 0
  })

  void test('who uses a token past its hour is noted, and so is every token that is given', async () => {
    const pods = '/api/v1/namespaces/default/pods'
    const spec = { containers: [{ name: 'c', image: 'c:1' }] }
    await server.ask(pods, { body: { metadata: { name: 'late' }, spec } })
    // What a projected volume asks for: it holds a year, for clients that never read the file again.
    const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: 'late' }
    const long = await token({ spec: { audiences: [], expirationSeconds: 3607, boundObjectRef } })
    const { jti } = JSON.parse(Buffer.from(long.split('.')[1]!, 'base64url').toString()) as { jti: string }
    const last = (): Readonly<Record<string, string>> =>
      server.audit.at(-1)!['annotations'] as Readonly<Record<string, string>>
    assert.equal(last()['authentication.kubernetes.io/issued-credential-id'], `JTI=${jti}`)
    assert.equal((await asked({ token: long }))[0], 201)
    assert.equal(last()['authentication.k8s.io/stale-token'], undefined)
    clock.offsetMs = 3607_000 + 90_000
    assert.equal((await asked({ token: long }))[0], 201)
    assert.match(
      last()['authentication.k8s.io/stale-token']!,
      /^subject: system:serviceaccount:default:default, seconds after warning threshold: (89|9\d)$/,
    )
    clock.offsetMs = 0
    assert.match((await server.ask('/metrics')).text, /^serviceaccount_stale_tokens_total 1$/m)
  })

  void test('a token out of a secret is believed, noted and warned of, until its secret is declared void', async () => {
    const core = '/api/v1/namespaces/default'
    const made = await server.ask(`${core}/serviceaccounts`, {
      body: { metadata: { name: 'old' }, secrets: [{ name: 'old-token' }] },
    })
    const { metadata } = made.json as unknown as ServiceAccount
    const secret = (name: string): Secret => ({
      metadata: { name, annotations: { 'kubernetes.io/service-account.name': 'old' } },
      type: 'kubernetes.io/service-account-token',
    })
    const put = async (name: string): Promise<string> => {
      const value = signLegacyToken(key, secret(name), { metadata } as ServiceAccount)
      const body = { ...secret(name), data: { token: Buffer.from(value).toString('base64') } }
      assert.equal((await server.ask(`${core}/secrets`, { body })).status, 201)
      return value
    }
    const last = (): Readonly<Record<string, string>> =>
      server.audit.at(-1)!['annotations'] as Readonly<Record<string, string>>
    const [own, manual] = [await put('old-token'), await put('manual')]
    const answer = await reply({ token: own })
    assert.equal(answer.status, 201)
    assert.match(answer.headers['warning'] ?? '', /Use tokens from the TokenRequest API or manually created/)
    assert.equal(last()['authentication.k8s.io/legacy-token'], 'system:serviceaccount:default:old')
    assert.equal(last()['authentication.k8s.io/legacy-token-autogenerated-secret'], 'old-token')
    const other = await reply({ token: manual })
    assert.deepEqual([other.status, other.headers['warning']], [201, undefined])
    assert.equal(last()['authentication.k8s.io/legacy-token-manual-secret'], 'manual')
    const merge = { 'content-type': 'application/merge-patch+json' }
    const labels = { 'kubernetes.io/legacy-token-invalid-since': '2026-01-01' }
    await server.ask(`${core}/secrets/old-token`, { method: 'PATCH', headers: merge, body: { metadata: { labels } } })
    assert.equal((await reply({ token: own })).status, 401)
    await server.ask(`${core}/secrets/manual`, { method: 'DELETE' })
    assert.equal((await reply({ token: manual })).status, 401)
    const { text } = await server.ask('/metrics')
    for (const line of [
      'serviceaccount_legacy_tokens_total 2',
      'serviceaccount_legacy_auto_token_uses_total 1',
      'serviceaccount_legacy_manual_token_uses_total 1',
      'serviceaccount_invalid_legacy_auto_token_uses_total 1',
    ])
      assert.ok(text.split('\n').includes(line), line)
  })

  void test('callers are counted by what came of them', async () => {
    const count = async (labels: string): Promise<number> =>
      Number(new RegExp(`^${labels} (\\d+)$`, 'm').exec((await server.ask('/metrics')).text)?.[1] ?? 0)
    const [failed, people] = [
      await count('authentication_attempts\\{result="failure"\\}'),
      await count('authenticated_user_requests\\{username="email_id"\\}'),
    ]
    await asked({ token: 'nonsense' })
    await server.ask('/version', { user: { name: 'ann@example.com', groups: [] } })
    assert.equal(await count('authentication_attempts\\{result="failure"\\}'), failed + 1)
    assert.equal(await count('authenticated_user_requests\\{username="email_id"\\}'), people + 1)
    assert.ok((await count('authentication_duration_seconds_count\\{result="success"\\}')) > 0)
    assert.ok((await count('authorization_attempts_total\\{result="allowed"\\}')) > 0)
    await server.ask('/api/v1/secrets', { user: { name: 'eve', groups: [] } })
    assert.ok((await count('authorization_attempts_total\\{result="no-opinion"\\}')) > 0)
    const byRbac = 'apiserver_authorization_decisions_total\\{decision="allowed",name="rbac",type="RBAC"\\}'
    const before = await count(byRbac)
    await server.ask('/version', { user: { name: 'ann', groups: [] } })
    assert.equal(await count(byRbac), before + 1)
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
