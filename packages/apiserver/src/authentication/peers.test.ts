// Who vouches for a caller besides certificates and accounts: bootstrap tokens, the front proxy, and who acts for another.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { createClient } from '@aksel/client/typed-client'
import { readBody } from '@aksel/client/response-body'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { createAuthority, issue, type KeyPair } from '@aksel/runtime/pki'
import type { FrontProxy } from '../aggregation/front-proxy.ts'
import { clientCertificate, listenForTest, startTestServer, testScope, type TestServer } from '../test-server.ts'

const whoAmI = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
const secrets = '/api/v1/namespaces/kube-system/secrets'
const FUTURE = '2999-01-01T00:00:00Z'

interface Caller {
  readonly key?: KeyPair
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
}

void suite('callers that others vouch for', () => {
  let server: TestServer
  let url: string
  let proxyAuthority: KeyPair
  let proxy: KeyPair

  before(async () => {
    const scope = testScope([], new AbortController().signal)
    proxyAuthority = await createAuthority(scope, { commonName: 'front-proxy-ca', years: 1 })
    proxy = await issue(scope, proxyAuthority, { commonName: 'front-proxy-client', usages: ['client'], days: 1 })
    const frontProxy: FrontProxy = { authorityPem: proxyAuthority.certificatePem, client: proxy }
    server = await startTestServer({ frontProxy })
    ;({ url } = await listenForTest(server))
    const rules = [{ verbs: ['impersonate'], apiGroups: ['*'], resources: ['users', 'uids', 'userextras/team'] }]
    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    await server.ask(`${rbac}/clusterroles`, { body: { metadata: { name: 'actor' }, rules } })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'actor' }
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'actor' }]
    await server.ask(`${rbac}/clusterrolebindings`, { body: { metadata: { name: 'actor' }, roleRef, subjects } })
  })
  after(() => server[Symbol.asyncDispose]())

  async function asked({ key, token, headers = {} }: Caller): Promise<readonly [number, unknown]> {
    await using transport = createHttpsTransport({
      server: url,
      caPem: server.authority.certificatePem,
      ...(key === undefined ? {} : { certPem: key.certificatePem, keyPem: key.keyPem }),
      ...(token === undefined ? {} : { token }),
    })
    const response = await createClient(transport).send({
      method: 'POST',
      path: whoAmI,
      body: Buffer.from('{}'),
      headers: { 'content-type': 'application/json', ...headers },
    })
    const json = JSON.parse(Buffer.from(await readBody(response.body)).toString()) as {
      readonly status: { readonly userInfo?: unknown }
      readonly message?: string
    }
    return [response.status, json.status.userInfo ?? json.message]
  }

  async function bootstrapSecret(id: string, changed: Readonly<Record<string, string>> = {}): Promise<string> {
    const { type = 'bootstrap.kubernetes.io/token', ...fields } = changed
    const stringData = {
      'token-id': id,
      'token-secret': '0123456789abcdef',
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': 'system:bootstrappers:workers',
      expiration: FUTURE,
      ...fields,
    }
    const body = { metadata: { name: `bootstrap-token-${id}` }, type, stringData }
    const answer = await server.ask(secrets, { body })
    assert.equal(answer.status, 201, answer.text)
    return `${id}.0123456789abcdef`
  }

  void test('a bootstrap token names its bearer, until its secret is gone', async () => {
    const token = await bootstrapSecret('abcdef')
    assert.deepEqual(await asked({ token }), [
      201,
      {
        username: 'system:bootstrap:abcdef',
        groups: ['system:bootstrappers', 'system:bootstrappers:workers', 'system:authenticated'],
      },
    ])
    assert.equal((await asked({ token: 'abcdef.0123456789abcdeX' }))[0], 401)
    assert.equal((await asked({ token: 'abcdef.0123456789abcde0' }))[0], 401)
    await server.ask(`${secrets}/bootstrap-token-abcdef`, { method: 'DELETE' })
    assert.equal((await asked({ token }))[0], 401)
  })

  void test('a bootstrap token may ask for a certificate, and for nothing else', async () => {
    const token = await bootstrapSecret('asking')
    await using transport = createHttpsTransport({ server: url, caPem: server.authority.certificatePem, token })
    const client = createClient(transport)
    assert.equal((await client.send({ method: 'GET', path: secrets, headers: {} })).status, 403)
  })

  for (const [id, why, changed] of [
    ['expire', 'that is over', { expiration: '2001-01-01T00:00:00Z' }],
    ['badend', 'whose end cannot be read', { expiration: 'tomorrow' }],
    ['signin', 'that is for signing alone', { 'usage-bootstrap-authentication': 'false' }],
    ['others', 'in a secret of another type', { type: 'Opaque' }],
    ['masters'.slice(0, 6), 'that claims another group', { 'auth-extra-groups': 'system:masters' }],
    ['iddiff', 'that names another id', { 'token-id': 'other0' }],
  ] as const) {
    void test(`a bootstrap token ${why} is refused`, async () => {
      assert.deepEqual(await asked({ token: await bootstrapSecret(id, changed) }), [401, 'Unauthorized'])
    })
  }

  void test('the front proxy says who a user is; nobody else does', async () => {
    const headers = {
      'x-remote-user': Buffer.from('zoë').toString('latin1'),
      'x-remote-uid': 'u-1',
      'x-remote-group': 'devs',
      'x-remote-extra-example.com%2fteam': 'blue',
    }
    const zoe = {
      username: 'zoë',
      uid: 'u-1',
      groups: ['devs', 'system:authenticated'],
      extra: { 'example.com/team': ['blue'] },
    }
    assert.deepEqual(await asked({ key: proxy, headers }), [201, zoe])
    const ann = await clientCertificate(server, { name: 'ann', groups: [] })
    const [status, user] = await asked({ key: ann, headers: { ...headers, 'x-remote-group': 'system:masters' } })
    assert.deepEqual([status, (user as { readonly username: string }).username], [201, 'ann'])
    assert.equal((await asked({ headers }))[0], 403)
  })

  void test('a front proxy in another name, or one that names nobody, is refused', async () => {
    const other = await issue(server.scope, proxyAuthority, { commonName: 'other', usages: ['client'], days: 1 })
    assert.deepEqual(await asked({ key: other, headers: { 'x-remote-user': 'ann' } }), [401, 'Unauthorized'])
    assert.deepEqual(await asked({ key: proxy }), [401, 'Unauthorized'])
  })

  void test('a client certificate is told by its fingerprint', async () => {
    const ann = await clientCertificate(server, { name: 'ann', groups: ['devs'] })
    const [, user] = await asked({ key: ann })
    const { extra } = user as { readonly extra: Readonly<Record<string, readonly string[]>> }
    assert.match(extra['authentication.kubernetes.io/credential-id']![0]!, /^X509SHA256=[0-9a-f]{64}$/)
  })

  void test('acting for another takes the right to each part: name, group, uid and extra', async () => {
    const key = await clientCertificate(server, { name: 'actor', groups: [] })
    const base = { 'impersonate-user': 'carl' }
    const full = { ...base, 'impersonate-uid': '7', 'impersonate-extra-team': 'red' }
    assert.deepEqual(await asked({ key, headers: full }), [
      201,
      { username: 'carl', uid: '7', groups: ['system:authenticated'], extra: { team: ['red'] } },
    ])
    assert.deepEqual(await asked({ key, headers: { ...base, 'impersonate-group': 'a,b' } }), [
      403,
      'groups "a,b" is forbidden: User "actor" cannot impersonate resource "groups" in API group "" at the cluster scope',
    ])
    assert.deepEqual(await asked({ key, headers: { ...base, 'impersonate-extra-scopes': 'x' } }), [
      403,
      'userextras.authentication.k8s.io "x" is forbidden: User "actor" cannot impersonate resource "userextras/scopes" in API group "authentication.k8s.io" at the cluster scope',
    ])
    assert.deepEqual(await asked({ key, headers: { 'impersonate-group': 'devs' } }), [
      500,
      `Internal Server Error: "${whoAmI}": requested [{Group  devs    }] without impersonating a user`,
    ])
    const anonymous = { ...base, 'impersonate-user': 'system:anonymous' }
    assert.equal((await asked({ key, headers: anonymous }))[0], 403)
  })
})
