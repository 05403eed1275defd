// Identity providers as organisations run them: two of the `oidc-provider` package over TLS. People sign in by the authorization
// code flow with PKCE, and kubectl comes with their ID tokens.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { exportJWK, generateKeyPair } from 'jose'
import type { JwtConfiguration } from '@aksel/api/authentication-configuration'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { kubernetesTool } from '@aksel/host/kubernetes-tools'
import { kubeconfigFor, startTestServer, testScope, type TestServer } from '../../test-server.ts'

interface Person {
  readonly email: string
  readonly groups: readonly string[]
}

const people: Readonly<Record<string, Person>> = {
  jane: { email: 'jane@acme.example', groups: ['dev', 'ops'] },
  hank: { email: 'hank@globex.example', groups: [] },
}

interface Organisation extends AsyncDisposable {
  readonly url: string
  readonly caPem: string
  /** The ID token of someone who signs in at this provider. */
  signIn(login: string): Promise<string>
}

const CALLBACK = 'https://localhost/signed-in'

/** `algorithm`: of its ID tokens. */
async function startOrganisation(algorithm: 'ES256' | 'RS256'): Promise<Organisation> {
  const { default: Provider } = await import('oidc-provider')
  const scope = testScope([], new AbortController().signal)
  const authority = await createAuthority(scope, { commonName: 'organisation', years: 1 })
  const names = { commonName: 'idp', ipAddresses: ['127.0.0.1'], usages: ['server'], days: 1 } as const
  const serving = await issue(scope, authority, names)
  const server = createServer({ cert: serving.certificatePem, key: serving.keyPem })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  const provider = new Provider(url, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: algorithm, use: 'sig', kid: 'one' }] },
    clients: [
      {
        client_id: 'kubectl',
        token_endpoint_auth_method: 'none',
        redirect_uris: [CALLBACK],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        id_token_signed_response_alg: algorithm,
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['for tests'] },
    ttl: { IdToken: 600, AccessToken: 600, AuthorizationCode: 60, Interaction: 600, Session: 600, Grant: 600 },
    findAccount: (_context, login) => {
      const person = people[login]
      if (person === undefined) return undefined
      return {
        accountId: login,
        claims: () => ({ sub: login, email_verified: true, ...person, groups: [...person.groups] }),
      }
    },
  })
  server.on('request', provider.callback())
  return {
    url,
    caPem: authority.certificatePem,
    signIn: (login) => signIn({ url, caPem: authority.certificatePem, login }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** What a browser does: follows where it is sent, keeps cookies, fills in the forms. */
async function signIn({ url, caPem, login }: { url: string; caPem: string; login: string }): Promise<string> {
  const jar = new Map<string, string>()
  const ask = (to: string, form?: Readonly<Record<string, string>>): Promise<Visited> => visit(to, { caPem, jar, form })
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    client_id: 'kubectl',
    response_type: 'code',
    scope: 'openid email groups',
    redirect_uri: CALLBACK,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  let page = await ask(`${url}/auth?${query.toString()}`)
  for (let step = 0; step < 12 && page.status !== 400; step += 1) {
    const { location } = page
    if (location?.startsWith(CALLBACK)) {
      const code = new URL(location).searchParams.get('code') ?? ''
      const grant = { grant_type: 'authorization_code', client_id: 'kubectl', redirect_uri: CALLBACK }
      const { text } = await ask(`${url}/token`, { ...grant, code, code_verifier: verifier })
      return (JSON.parse(text) as { readonly id_token: string }).id_token
    }
    if (location !== undefined) page = await ask(new URL(location, url).href)
    else {
      const action = /action="([^"]+)"/.exec(page.text)?.[1] ?? ''
      const prompt = /name="prompt" value="(\w+)"/.exec(page.text)?.[1] ?? ''
      page = await ask(new URL(action, url).href, prompt === 'login' ? { prompt, login, password: 'x' } : { prompt })
    }
  }
  throw new Error(`nobody was signed in: ${page.status} ${page.text}`)
}

interface Visited {
  readonly status: number
  readonly location: string | undefined
  readonly text: string
}

interface Visit {
  readonly caPem: string
  readonly jar: Map<string, string>
  readonly form: Readonly<Record<string, string>> | undefined
}

function visit(to: string, { caPem, jar, form }: Visit): Promise<Visited> {
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
  const type = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }
  return new Promise((resolve, reject) => {
    const outgoing = request(
      to,
      { method: form === undefined ? 'GET' : 'POST', ca: caPem, headers: { cookie, ...type }, agent: false },
      (response) => {
        for (const line of response.headers['set-cookie'] ?? []) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
          if (value === '') jar.delete(name)
          else jar.set(name, value)
        }
        let text = ''
        response.setEncoding('utf8').on('data', (piece: string) => void (text += piece))
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, location: response.headers.location, text }),
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end(form === undefined ? undefined : new URLSearchParams(form).toString())
  })
}

void suite('identity providers of two organisations', () => {
  let server: TestServer
  let directory: string
  let program: string
  let acme: Organisation
  let globex: Organisation

  before(async () => {
    program = await kubernetesTool(join(import.meta.dirname, '../../../../..'), 'kubectl')
    server = await startTestServer()
    directory = await mkdtemp(join(tmpdir(), 'aksel-oidc-'))
    const config = await kubeconfigFor(server, { name: 'nobody', groups: [] })
    await writeFile(join(directory, 'config'), JSON.stringify({ ...config, users: [{ name: 'test', user: {} }] }))
    ;[acme, globex] = await Promise.all([startOrganisation('ES256'), startOrganisation('RS256')])
    const subjects = [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'acme:dev' }]
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }
    const bindings = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings'
    assert.equal((await server.ask(bindings, { body: { metadata: { name: 'dev' }, roleRef, subjects } })).status, 201)
  })
  after(async () => {
    await Promise.all([acme, globex].map((organisation) => organisation[Symbol.asyncDispose]()))
    await server[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  const byClaims = (): JwtConfiguration => ({
    issuer: { url: acme.url, certificateAuthority: acme.caPem, audiences: ['kubectl'] },
    claimMappings: { username: { claim: 'sub', prefix: 'acme:' }, groups: { claim: 'groups', prefix: 'acme:' } },
  })
  const byExpressions = (): JwtConfiguration => ({
    issuer: { url: globex.url, certificateAuthority: globex.caPem, audiences: ['kubectl'] },
    claimValidationRules: [{ expression: "claims.email.endsWith('@globex.example')", message: 'not of globex' }],
    claimMappings: {
      username: { expression: "claims.email_verified ? 'globex:' + claims.email : ''" },
      uid: { claim: 'sub' },
    },
  })

  function kubectl(token: string, ...args: readonly string[]): Promise<string> {
    const env = { ...process.env, KUBECONFIG: join(directory, 'config'), HOME: directory }
    return new Promise((resolve) => {
      execFile(program, [`--token=${token}`, ...args], { cwd: directory, env, timeout: 60_000 }, (_error, out, err) =>
        resolve((out + err).trim()),
      )
    })
  }

  void test('let their people in, each as its configuration says, at once and without a restart', async () => {
    const [jane, hank] = await Promise.all([acme.signIn('jane'), globex.signIn('hank')])
    const unknown = 'error: You must be logged in to the server (Unauthorized)'
    assert.equal(await kubectl(jane, 'auth', 'whoami'), unknown)
    server.server.configureAuthentication({ jwt: [byClaims()] })
    assert.equal(
      await kubectl(jane, 'auth', 'whoami', '-o', 'jsonpath={.status.userInfo}'),
      '{"groups":["acme:dev","acme:ops","system:authenticated"],"username":"acme:jane"}',
    )
    assert.equal(await kubectl(hank, 'auth', 'whoami'), unknown)
    server.server.configureAuthentication({ jwt: [byClaims(), byExpressions()] })
    assert.equal(
      await kubectl(hank, 'auth', 'whoami', '-o', 'jsonpath={.status.userInfo}'),
      '{"groups":["system:authenticated"],"uid":"hank","username":"globex:hank@globex.example"}',
    )
    assert.equal(await kubectl(jane, 'get', 'pods'), 'No resources found in default namespace.')
    assert.equal(
      await kubectl(hank, 'get', 'pods'),
      'Error from server (Forbidden): pods is forbidden: User "globex:hank@globex.example" cannot list resource "pods" in API group "" in the namespace "default"',
    )
  })

  void test('vouch for nobody of the other, nor for who breaks their rules', async () => {
    server.server.configureAuthentication({ jwt: [byClaims(), byExpressions()] })
    const unknown = 'error: You must be logged in to the server (Unauthorized)'
    const guest = await globex.signIn('jane')
    assert.equal(await kubectl(guest, 'auth', 'whoami'), unknown)
    const [, body = '', signature = ''] = guest.split('.')
    const [head = ''] = (await acme.signIn('jane')).split('.')
    assert.equal(await kubectl(`${head}.${body}.${signature}`, 'auth', 'whoami'), unknown)
    server.server.configureAuthentication({
      jwt: [{ ...byClaims(), issuer: { ...byClaims().issuer, audiences: ['another'] } }],
    })
    assert.equal(await kubectl(await acme.signIn('jane'), 'auth', 'whoami'), unknown)
  })
})
