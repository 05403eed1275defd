// External issuers over real TLS: whose tokens are believed, what becomes of their claims, and what is refused.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { isReason } from '@aksel/base/errors'
import { systemClock, type Clock } from '@aksel/base/clock'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { readBody } from '@aksel/client/response-body'
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { listenForTest, startTestServer, testScope, type TestServer } from '../../test-server.ts'
import type { AuthenticationConfiguration, JwtConfiguration } from '@aksel/api/authentication-configuration'
import { judgeConfiguration } from './configuration.ts'
import { startTestIssuer, type TestIssuer } from './test-issuer.ts'

/** Real timers, and a wall clock and a monotonic one that can be moved. */
class MovedClock implements Clock {
  readonly #real = systemClock()
  offsetMs = 0
  now(): number {
    return this.#real.now() + this.offsetMs
  }
  monotonicMs(): number {
    return this.#real.monotonicMs() + this.offsetMs
  }
  after(delayMs: number, fire: () => void): ReturnType<Clock['after']> {
    return this.#real.after(delayMs, fire)
  }
}

const HOUR_MS = 3_600_000
const whoAmI = '/apis/authentication.k8s.io/v1/selfsubjectreviews'

void suite('external issuers', () => {
  const clock = new MovedClock()
  const stop = new AbortController()
  const scope = { ...testScope([], stop.signal), clock }
  let server: TestServer
  let url: string
  let acme: TestIssuer
  let globex: TestIssuer

  before(async () => {
    server = await startTestServer({ scope })
    ;({ url } = await listenForTest(server))
    ;[acme, globex] = await Promise.all([startTestIssuer(scope), startTestIssuer(scope)])
  })
  after(async () => {
    await Promise.all([acme, globex].map((issuer) => issuer[Symbol.asyncDispose]()))
    await server[Symbol.asyncDispose]()
    stop.abort()
  })

  const byClaims = (issuer: TestIssuer, more: Partial<JwtConfiguration> = {}): JwtConfiguration => ({
    issuer: { url: issuer.url, certificateAuthority: issuer.caPem, audiences: ['aksel'] },
    claimMappings: { username: { claim: 'sub', prefix: 'acme:' }, groups: { claim: 'groups', prefix: 'acme:' } },
    ...more,
  })
  const byExpressions = (issuer: TestIssuer): JwtConfiguration => ({
    issuer: {
      url: issuer.url,
      certificateAuthority: issuer.caPem,
      audiences: ['aksel', 'other'],
      audienceMatchPolicy: 'MatchAny',
    },
    claimValidationRules: [
      { claim: 'hd', requiredValue: 'globex.com' },
      { expression: 'claims.exp - claims.nbf <= 86400', message: 'total token lifetime must not exceed 24 hours' },
    ],
    claimMappings: {
      username: { expression: "claims.email_verified ? 'globex:' + claims.email : ''" },
      groups: { expression: "claims.roles.split(',')" },
      uid: { expression: 'claims.oid' },
      extra: [{ key: 'globex.com/tenant', valueExpression: 'claims.tid' }],
    },
    userValidationRules: [
      { expression: "!user.username.startsWith('system:')", message: 'username cannot use reserved system: prefix' },
      { expression: "user.groups.all(group, !group.startsWith('system:'))" },
    ],
  })
  const configure = (configuration: AuthenticationConfiguration): void =>
    server.server.configureAuthentication(configuration)

  async function asked(token?: string, path = whoAmI, method = 'POST'): Promise<readonly [number, unknown]> {
    await using transport = createHttpsTransport({
      server: url,
      caPem: server.authority.certificatePem,
      ...(token === undefined ? {} : { token }),
    })
    const body = method === 'POST' ? { body: Buffer.from('{}') } : {}
    const response = await transport.send({ method, path, headers: { 'content-type': 'application/json' }, ...body })
    const text = Buffer.from(await readBody(response.body)).toString('utf8')
    const json = text.startsWith('{') ? (JSON.parse(text) as { status?: { userInfo?: unknown } }) : {}
    return [response.status, json.status?.userInfo]
  }

  test('two issuers side by side, one by claims and one by expressions', async () => {
    configure({ jwt: [byClaims(acme), byExpressions(globex)] })
    assert.deepEqual(await asked(await acme.sign({ groups: ['dev', 'ops'] }, 'RS256')), [
      201,
      { username: 'acme:jane', groups: ['acme:dev', 'acme:ops', 'system:authenticated'] },
    ])
    const now = Math.floor(clock.now() / 1000)
    const claims = {
      hd: 'globex.com',
      email: 'hank@globex.com',
      email_verified: true,
      roles: 'a,b',
      oid: 'o-1',
      tid: 't-1',
      nbf: now,
    }
    assert.deepEqual(await asked(await globex.sign(claims)), [
      201,
      {
        username: 'globex:hank@globex.com',
        uid: 'o-1',
        groups: ['a', 'b', 'system:authenticated'],
        extra: { 'globex.com/tenant': ['t-1'] },
      },
    ])
    for (const bad of [
      { hd: 'evil.com' },
      { hd: undefined },
      { email_verified: false },
      { roles: 'a,system:masters' },
      { nbf: now - 90_000 },
      { tid: 7 },
      { oid: undefined },
      { aud: 'nobody' },
    ])
      assert.deepEqual(await asked(await globex.sign({ ...claims, ...bad })), [401, undefined], JSON.stringify(bad))
    assert.equal((await asked(await globex.sign({ ...claims, aud: ['x', 'other'] })))[0], 201)
  })

  test('what is not signed by the issuer, for us and for now is refused', async () => {
    configure({ jwt: [byClaims(acme)] })
    const now = Math.floor(clock.now() / 1000)
    const claims = { iss: acme.url, aud: 'aksel', sub: 'jane', exp: now + 600 }
    const { privateKey } = await generateKeyPair('ES256')
    const forged = (kid: string): Promise<string> =>
      new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey)
    const secret = new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'RS256-1' })
    const good = await acme.sign({})
    const [head, body, signature] = good.split('.') as [string, string, string]
    const other = Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url')
    const tokens = {
      'no signature': new UnsecuredJWT(claims).encode(),
      'signature cut off': `${head}.${body}.`,
      'another body': `${head}.${other}.${signature}`,
      'another key with a known name': await forged('ES256-1'),
      'a key that nobody has': await forged('nobody'),
      'a shared secret': await secret.sign(Buffer.from(acme.caPem)),
      'another audience': await acme.sign({ aud: 'someone' }),
      'no audience': await acme.sign({ aud: undefined }),
      'an issuer that is not configured': await globex.sign({}),
      'the issuer of another signer': await globex.sign({ iss: acme.url }),
      over: await acme.sign({ exp: now - 1 }),
      'without an end': await acme.sign({ exp: undefined }),
      'not yet': await acme.sign({ nbf: now + 400 }),
      'no user': await acme.sign({ sub: undefined }),
      'a user that is no text': await acme.sign({ sub: 7 as unknown as string }),
      'no token at all': 'x.y.z',
    }
    for (const [what, token] of Object.entries(tokens)) assert.deepEqual(await asked(token), [401, undefined], what)
    assert.equal((await asked(good))[0], 201)
    assert.equal((await asked(await acme.sign({ nbf: now + 200 })))[0], 201, 'clocks differ by some minutes')
  })

  test('keys are fetched once, again for a new one, and kept while the issuer is away', async () => {
    configure({ jwt: [byClaims(acme)] })
    const before = acme.fetches
    const old = await acme.sign({})
    for (let n = 0; n < 3; n += 1) assert.equal((await asked(old))[0], 201)
    assert.equal(acme.fetches, before + 1)
    await acme.rotate()
    assert.equal((await asked(await acme.sign({})))[0], 401, 'it was asked a moment ago')
    clock.offsetMs += 11_000
    const token = await acme.sign({})
    assert.equal((await asked(token))[0], 201)
    assert.equal(acme.fetches, before + 2)
    assert.equal((await asked(old))[0], 401, 'a key that was taken back')
    acme.isDown = true
    clock.offsetMs += HOUR_MS / 4
    assert.equal((await asked(token))[0], 201)
    acme.isDown = false
    clock.offsetMs += HOUR_MS
    assert.equal((await asked(token))[0], 401, 'it ends all the same')
  })

  test('an issuer may be asked elsewhere than where its tokens say that they come from', async () => {
    const name = 'https://issuer.nowhere.example'
    const elsewhere = '/discovery/.well-known/openid-configuration'
    const document = (issuer: string): { text: string } => ({
      text: JSON.stringify({ issuer, jwks_uri: `${acme.url}/keys` }),
    })
    const { issuer } = byClaims(acme)
    const jwt = [{ ...byClaims(acme), issuer: { ...issuer, url: name, discoveryURL: `${acme.url}${elsewhere}` } }]
    acme.documents.set(elsewhere, document(name))
    configure({ jwt })
    assert.equal((await asked(await acme.sign({ iss: name })))[0], 201)
    assert.equal((await asked(await acme.sign({})))[0], 401)
    // What answers there must speak for the issuer.
    acme.documents.set(elsewhere, document('https://issuer.other.example'))
    configure({})
    configure({ jwt })
    assert.equal((await asked(await acme.sign({ iss: name })))[0], 401)
    acme.documents.clear()
    configure({})
  })

  test('an issuer that does not answer lets nobody in, and is asked again', async () => {
    acme.isDown = true
    configure({ jwt: [byClaims(acme)] })
    const token = await acme.sign({})
    assert.equal((await asked(token))[0], 401)
    acme.isDown = false
    assert.equal((await asked(token))[0], 201)
    const stranger = { ...byClaims(acme), issuer: { ...byClaims(acme).issuer, certificateAuthority: globex.caPem } }
    configure({ jwt: [stranger] })
    assert.equal((await asked(token))[0], 401, 'an authority that did not sign for the issuer')
  })

  test('a change holds from the next request on, and one with faults changes nothing', async () => {
    configure({ jwt: [byClaims(acme)] })
    const token = await acme.sign({})
    assert.equal((await asked(token))[0], 201)
    assert.throws(
      () => configure({ jwt: [byClaims(acme), byClaims(acme)] }),
      (error) => isReason(error, 'Invalid') && /jwt\[1\]\.issuer\.url: Duplicate value/.test((error as Error).message),
    )
    assert.equal((await asked(token))[0], 201)
    configure({ jwt: [byClaims(globex)] })
    assert.equal((await asked(token))[0], 401)
    configure({})
  })

  test('anonymous requests may be kept to some paths', async () => {
    configure({ anonymous: { enabled: true, conditions: [{ path: '/livez' }] } })
    assert.equal((await asked(undefined, '/livez', 'GET'))[0], 200)
    assert.equal((await asked(undefined, '/livez?verbose', 'GET'))[0], 200)
    assert.equal((await asked(undefined, '/readyz', 'GET'))[0], 401)
    assert.equal((await asked(undefined, '/livez/ping', 'GET'))[0], 401)
    configure({ anonymous: { enabled: false } })
    assert.equal((await asked(undefined, '/livez', 'GET'))[0], 401)
    configure({})
    assert.equal((await asked(undefined, '/readyz', 'GET'))[0], 200)
  })

  test('TokenReview knows these tokens for this server alone', async () => {
    configure({ jwt: [byClaims(acme)] })
    const token = await acme.sign({})
    const review = async (audiences?: readonly string[]): Promise<unknown> => {
      const body = { spec: { token, ...(audiences === undefined ? {} : { audiences }) } }
      return (await server.ask('/apis/authentication.k8s.io/v1/tokenreviews', { body })).json['status']
    }
    const user = { username: 'acme:jane', groups: ['system:authenticated'] }
    assert.deepEqual(await review(), { authenticated: true, audiences: ['https://cluster.test'], user })
    assert.equal(((await review(['vault'])) as { authenticated?: boolean }).authenticated ?? false, false)
    configure({})
  })
})

test('faults of a configuration are named as upstream names them', () => {
  const good: JwtConfiguration = {
    issuer: { url: 'https://issuer.example', audiences: ['a'] },
    claimMappings: { username: { claim: 'sub', prefix: '' } },
  }
  const faults = (change: object): readonly string[] =>
    judgeConfiguration({ jwt: [{ ...good, ...change }] }, 'https://cluster.test').map(
      ({ field, message }) => `${field}: ${message}`,
    )
  const issuer = (change: object): object => ({ issuer: { ...good.issuer, ...change } })
  const mappings = (change: object): object => ({ claimMappings: { ...good.claimMappings, ...change } })
  const cases: readonly (readonly [object, string])[] = [
    [issuer({ url: '' }), 'jwt[0].issuer.url: Required value: URL is required'],
    [issuer({ url: 'http://x' }), 'jwt[0].issuer.url: Invalid value: "http://x": URL scheme must be https'],
    [
      issuer({ url: 'https://u:p@x' }),
      'jwt[0].issuer.url: Invalid value: "https://u:p@x": URL must not contain a username or password',
    ],
    [issuer({ url: 'https://x?y' }), 'jwt[0].issuer.url: Invalid value: "https://x?y": URL must not contain a query'],
    [
      issuer({ url: 'https://x#y' }),
      'jwt[0].issuer.url: Invalid value: "https://x#y": URL must not contain a fragment',
    ],
    [
      issuer({ url: 'https://cluster.test' }),
      'jwt[0].issuer.url: Invalid value: "https://cluster.test": URL must not overlap with disallowed issuers: [https://cluster.test]',
    ],
    [
      issuer({ discoveryURL: 'https://issuer.example/' }),
      'jwt[0].issuer.discoveryURL: Invalid value: "https://issuer.example/": discoveryURL must be different from URL',
    ],
    [
      issuer({ audiences: [] }),
      'jwt[0].issuer.audiences: Required value: at least one jwt[0].issuer.audiences is required',
    ],
    [
      issuer({ audiences: ['a', 'b'] }),
      'jwt[0].issuer.audienceMatchPolicy: Invalid value: "": audienceMatchPolicy must be MatchAny for multiple audiences',
    ],
    [
      issuer({ egressSelectorType: 'cluster' }),
      'jwt[0].issuer.egressSelectorType: Unsupported value: "cluster": supported values: "controlplane"',
    ],
    [mappings({ username: {} }), 'jwt[0].claimMappings.username: Required value: claim or expression is required'],
    [
      mappings({ username: { claim: 'sub' } }),
      'jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing',
    ],
    [
      mappings({ username: { expression: 'claims.sub == "x"' } }),
      'jwt[0].claimMappings.username.expression: Invalid value: "claims.sub == \\"x\\"": compilation failed: must evaluate to string',
    ],
    [
      mappings({ extra: [{ key: 'kubernetes.io/x', valueExpression: '"a"' }] }),
      'jwt[0].claimMappings.extra[0].key: Invalid value: "kubernetes.io/x": kubernetes.io, *.kubernetes.io domains are reserved for use by the Kubernetes project',
    ],
    [
      mappings({ extra: [{ key: 'a', valueExpression: '"a"' }] }),
      'jwt[0].claimMappings.extra[0].key: Invalid value: "a": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
    [{ claimValidationRules: [{}] }, 'jwt[0].claimValidationRules[0]: Required value: claim or expression is required'],
    [
      { userValidationRules: [{ expression: 'user.nobody' }] },
      'jwt[0].userValidationRules[0].expression: Invalid value: "user.nobody": compilation failed: ',
    ],
  ]
  assert.deepEqual(faults({}), [])
  for (const [change, expected] of cases) {
    const found = faults(change)
    assert.equal(found.length, 1, JSON.stringify(found))
    assert.ok(found[0]!.startsWith(expected), `${found[0]} where ${expected} was expected`)
  }
  assert.match(
    faults(mappings({ username: { expression: 'claims.email' } })).join(),
    /claims\.email_verified must be used/,
  )
  assert.deepEqual(faults(mappings({ username: { expression: 'claims.email_verified ? claims.email : ""' } })), [])
})
