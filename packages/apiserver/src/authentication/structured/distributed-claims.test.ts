// Groups that a token points to: fetched with the access token it names, believed as their own issuer signs them.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { startTestServer, testScope, type TestServer } from '../../test-server.ts'
import { JwtAuthenticator } from './jwt-authenticator.ts'
import { startTestIssuer, type TestIssuer } from './test-issuer.ts'

void suite('distributed claims', () => {
  let server: TestServer
  let issuer: TestIssuer
  let stranger: TestIssuer
  let authenticator: JwtAuthenticator

  before(async () => {
    server = await startTestServer()
    ;[issuer, stranger] = await Promise.all([startTestIssuer(server.scope), startTestIssuer(server.scope)])
    const scope = testScope([], new AbortController().signal)
    authenticator = new JwtAuthenticator(scope, { ownIssuer: 'https://cluster.test' })
    authenticator.configure({
      jwt: [
        {
          issuer: { url: issuer.url, certificateAuthority: issuer.caPem, audiences: ['aksel'] },
          claimMappings: { username: { claim: 'sub', prefix: '' }, groups: { claim: 'groups', prefix: 'acme:' } },
        },
      ],
    })
  })
  after(async () => {
    await Promise.all([issuer, stranger].map((one) => one[Symbol.asyncDispose]()))
    await server[Symbol.asyncDispose]()
  })

  const pointing = (path: string, more: object = {}): Readonly<Record<string, unknown>> => ({
    _claim_names: { groups: 'graph' },
    _claim_sources: { graph: { endpoint: `${issuer.url}${path}`, ...more } },
  })
  const groupsOf = async (claims: Readonly<Record<string, unknown>>): Promise<readonly string[] | undefined> =>
    (await authenticator.userOf(await issuer.sign(claims)))?.user.groups

  void test('are fetched where the token points, with the access token that it carries', async () => {
    const text = await issuer.sign({ groups: ['dev', 'ops'] })
    issuer.documents.set('/open', { text })
    issuer.documents.set('/graph', { text, bearerToken: 'letmein' })
    const expected = ['acme:dev', 'acme:ops', 'system:authenticated']
    assert.deepEqual(await groupsOf(pointing('/open')), expected)
    assert.deepEqual(await groupsOf(pointing('/graph', { access_token: 'letmein' })), expected)
    assert.equal(await groupsOf(pointing('/graph', { access_token: 'wrong' })), undefined)
    assert.equal(await groupsOf(pointing('/graph')), undefined)
  })

  void test('do not replace what the token says itself, and matter for groups alone', async () => {
    issuer.documents.set('/graph', { text: await issuer.sign({ groups: ['dev'], email: 'x@y' }) })
    assert.deepEqual(await groupsOf({ ...pointing('/graph'), groups: ['own'] }), ['acme:own', 'system:authenticated'])
    const others = { ...pointing('/graph'), _claim_names: { email: 'graph' } }
    assert.deepEqual(await groupsOf(others), ['system:authenticated'])
    const aggregated = { _claim_names: { groups: 'graph' }, _claim_sources: { graph: { JWT: 'x.y.z' } } }
    assert.deepEqual(await groupsOf(aggregated), ['system:authenticated'])
  })

  void test('let nobody in where they cannot be had or do not hold', async () => {
    const now = Math.floor(Date.now() / 1000)
    const documents: Readonly<Record<string, string>> = {
      '/other-audience': await issuer.sign({ groups: ['dev'], aud: 'someone' }),
      '/over': await issuer.sign({ groups: ['dev'], exp: now - 1 }),
      '/without': await issuer.sign({}),
      '/unsigned': `${(await issuer.sign({ groups: ['dev'] })).split('.').slice(0, 2).join('.')}.`,
      '/claims-another-issuer': await stranger.sign({ groups: ['dev'], iss: issuer.url }),
      '/of-a-stranger': await stranger.sign({ groups: ['dev'] }),
      '/nothing': 'nothing at all',
      '/huge': 'x'.repeat(2 * 1024 ** 2),
    }
    for (const [path, text] of Object.entries(documents)) {
      issuer.documents.set(path, { text })
      assert.equal(await groupsOf(pointing(path)), undefined, path)
    }
    const broken: readonly Readonly<Record<string, unknown>>[] = [
      { _claim_names: { groups: 'graph' } },
      { _claim_names: { groups: 'graph' }, _claim_sources: {} },
      { _claim_names: { groups: 7 }, _claim_sources: {} },
      { _claim_names: 'groups', _claim_sources: {} },
      { ...pointing('/graph'), _claim_sources: { graph: { endpoint: 'http://127.0.0.1:1/' } } },
      { ...pointing('/graph'), _claim_sources: { graph: { endpoint: 'file:///etc/passwd' } } },
    ]
    for (const claims of broken) assert.equal(await groupsOf(claims), undefined, JSON.stringify(claims))
  })
})
