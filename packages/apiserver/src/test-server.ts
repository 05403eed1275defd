// A server for tests: in memory, with seeded chance, reached in process or over TLS on a free loopback port.

import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { logTo, type LogLine } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { readBody } from '@aksel/client/response-body'
import { createClient } from '@aksel/client/typed-client'
import { createAuthority, createServiceAccountKey, issue, type KeyPair } from '@aksel/runtime/pki'
import { createMemoryStore } from '@aksel/store/memory-store'
import type { Store } from '@aksel/store/store'
import { createApiServer, type ApiServer } from './server.ts'
import type { ApiServerOptions } from './server-options.ts'
import type { UserInfo } from './authentication/user-info.ts'

export interface TestServer extends AsyncDisposable {
  readonly server: ApiServer
  readonly scope: Scope
  readonly store: Store
  readonly authority: KeyPair
  /** Errors that the server logged: tests expect none. */
  readonly lines: readonly LogLine[]
  readonly audit: readonly Readonly<Record<string, unknown>>[]
  /** A client in process; an administrator when no user is given. */
  client(user?: UserInfo): Client
  /** A raw request in process. */
  ask(path: string, options?: AskOptions): Promise<Asked>
}

export interface AskOptions {
  readonly method?: string
  readonly user?: UserInfo
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON unless it is text. */
  readonly body?: unknown
}

export interface Asked {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** The body as JSON. */
  readonly json: Readonly<Record<string, unknown>>
}

export const admin: UserInfo = { name: 'masterclient', groups: ['system:masters'] }

export function testScope(lines: LogLine[], signal: AbortSignal): Scope {
  return { clock: systemClock(), random: systemRandom(), log: logTo((line) => void lines.push(line)), signal }
}

export async function startTestServer(options: Partial<ApiServerOptions> = {}): Promise<TestServer> {
  const stop = new AbortController()
  const lines: LogLine[] = []
  const audit: Readonly<Record<string, unknown>>[] = []
  const scope = options.scope ?? testScope(lines, stop.signal)
  const store = options.store ?? createMemoryStore(scope)
  const authority = await createAuthority(scope, { commonName: 'ca', years: 1 })
  const server = await createApiServer({
    scope,
    store,
    keyPrefix: 'clusters/test/',
    kubernetesVersion: '1.35.7',
    serviceCidr: '10.0.0.0/16',
    advertiseAddress: '10.224.0.1',
    advertisePort: 443,
    clientAuthority: authority.certificatePem,
    serviceAccounts: { issuer: 'https://cluster.test', key: await createServiceAccountKey() },
    audit: (entry) => void audit.push(entry),
    ...options,
  })
  return {
    server,
    scope,
    store,
    authority,
    lines,
    audit,
    client: (user = admin) => createClient(server.transportFor(user)),
    ask: (path, request = {}) => ask(server, path, request),
    async [Symbol.asyncDispose]() {
      await server.close()
      if (options.store === undefined) await store[Symbol.asyncDispose]()
      stop.abort()
    },
  }
}

async function ask(
  server: ApiServer,
  path: string,
  { method, user = admin, headers, body }: AskOptions,
): Promise<Asked> {
  const bytes = body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const response = await server.transportFor(user).send({
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    path,
    headers: { ...(bytes === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(bytes === undefined ? {} : { body: bytes }),
  })
  const text = Buffer.from(await readBody(response.body)).toString('utf8')
  return {
    status: response.status,
    headers: response.headers,
    text,
    get json() {
      return JSON.parse(text) as Readonly<Record<string, unknown>>
    },
  }
}

/** A TLS port of the server, and a certificate for a user. */
export async function listenForTest(test: TestServer): Promise<{ readonly url: string; readonly port: number }> {
  const serving = await issue(test.scope, test.authority, {
    commonName: 'kube-apiserver',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
  })
  const listener = await test.server.listen({
    host: '127.0.0.1',
    port: 0,
    tls: { certPem: serving.certificatePem, keyPem: serving.keyPem, caPem: test.authority.certificatePem },
  })
  return { url: `https://127.0.0.1:${listener.port}`, port: listener.port }
}

export function clientCertificate(test: TestServer, user: UserInfo): Promise<KeyPair> {
  return issue(test.scope, test.authority, {
    commonName: user.name,
    organizations: [...user.groups],
    usages: ['client'],
    days: 1,
  })
}

/** A kubeconfig, as JSON, for a user of the server over TLS; the server listens from then on. */
export async function kubeconfigFor(test: TestServer, user: UserInfo): Promise<Readonly<Record<string, unknown>>> {
  const { url } = await listenForTest(test)
  const { certificatePem, keyPem } = await clientCertificate(test, user)
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const cluster = { server: url, 'certificate-authority-data': base64(test.authority.certificatePem) }
  const credentials = { 'client-certificate-data': base64(certificatePem), 'client-key-data': base64(keyPem) }
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'test', user: credentials }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  }
}
