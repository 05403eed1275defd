// A front door over TLS with fakes behind it, for tests that speak to it as a client would.

import { request } from 'node:https'
import { systemClock, type Clock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { logTo, type LogLine } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { createMemoryStore } from '@aksel/store/memory-store'
import { FakeClusterEngine } from '@aksel/testing/fake-cluster-engine'
import { FakeFabric } from '@aksel/testing/fake-fabric'
import { FakeMachines } from '@aksel/testing/fake-machines'
import { createFrontDoor, type FrontDoor, type FrontDoorOptions } from '../front-door.ts'

export const subscriptionId = '11111111-2222-3333-4444-555555555555'
export const tenantId = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'
export const clientId = '99999999-8888-7777-6666-555555555555'
export const clientSecret = 'correct horse battery staple'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The body as JSON; undefined for an empty one, and for a page. */
  readonly body: Record<string, never> | undefined
}

export interface CallOptions {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** No token is sent when null. */
  readonly token?: string | null
}

export interface OpenedFrontDoor extends AsyncDisposable {
  readonly url: string
  readonly caPem: string
  readonly door: FrontDoor
  readonly engine: FakeClusterEngine
  readonly fabric: FakeFabric
  readonly machines: (simulated: boolean) => FakeMachines
  readonly logLines: readonly LogLine[]
  /** A token of another client than the test's own; rejects with the answer where none is issued. */
  signIn(clientId: string, clientSecret: string): Promise<string>
  /** `path` without host; an api-version is added where there is none. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
}

export interface OpenOptions extends Partial<FrontDoorOptions> {
  readonly neverReady?: (name: string) => boolean
  readonly clock?: Clock
}

export async function openFrontDoor(options: OpenOptions = {}): Promise<OpenedFrontDoor> {
  const stop = new AbortController()
  const logLines: LogLine[] = []
  const scope: Scope = {
    clock: options.clock ?? systemClock(),
    random: systemRandom(),
    log: logTo((line) => logLines.push(line)),
    signal: stop.signal,
  }
  const engine = new FakeClusterEngine(scope)
  const fabric = new FakeFabric()
  const { neverReady, clock: _, ...rest } = options
  const fakes = (kind: 'local' | 'simulated'): FakeMachines =>
    new FakeMachines({ kind, engine, ...(neverReady === undefined ? {} : { neverReady }) })
  const [local, simulated] = [fakes('local'), fakes('simulated')]
  const machines = (wanted: boolean): FakeMachines => (wanted ? simulated : local)
  const store = rest.store ?? createMemoryStore(scope)
  const door = await createFrontDoor(scope, {
    store,
    engine,
    fabric,
    machines,
    identity: { tenantId, clients: [{ clientId, clientSecret }] },
    subscriptions: [{ subscriptionId, displayName: 'Aksel' }],
    prepareCluster: async () => {},
    ...rest,
  })
  const authority = await createAuthority(scope, { commonName: 'test', years: 1 })
  const server = await issue(scope, authority, {
    commonName: 'front door',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
  })
  const url = await door.listen({
    host: '127.0.0.1',
    port: 0,
    tls: { cert: server.certificatePem, key: server.keyPem },
  })
  const send = sender(url, authority.certificatePem)
  const token = await issueToken(send, clientId, clientSecret)
  return {
    url,
    caPem: authority.certificatePem,
    door,
    engine,
    fabric,
    machines,
    logLines,
    signIn: (id, secret) => issueToken(send, id, secret),
    call: (method, path, call = {}) => send(method, withVersion(path), { token, ...call }),
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('The test ended'))
      await door[Symbol.asyncDispose]()
      // One that was handed in may be another front door's too.
      if (rest.store === undefined) await store[Symbol.asyncDispose]()
    },
  }
}

type Send = (method: string, path: string, options: CallOptions) => Promise<Answer>

async function issueToken(send: Send, id: string, secret: string): Promise<string> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: id,
    client_secret: secret,
    scope: 'https://management.azure.com/.default',
  })
  const answer = await send('POST', `/${tenantId}/oauth2/v2.0/token`, { body: form, token: null })
  if (answer.status !== 200) throw new Error(answer.text)
  return (answer.body as unknown as { readonly access_token: string }).access_token
}

function withVersion(path: string): string {
  if (/[?&]api-version=/i.test(path)) return path
  return `${path}${path.includes('?') ? '&' : '?'}api-version=2026-06-01`
}

function sender(url: string, ca: string): Send {
  return (method, path, { body, headers, token }) =>
    new Promise((resolve, reject) => {
      const isForm = body instanceof URLSearchParams
      const text =
        body === undefined
          ? undefined
          : isForm
            ? body.toString()
            : typeof body === 'string'
              ? body
              : JSON.stringify(body)
      const outgoing = request(path.startsWith('//') ? new URL(`${url}${path}`) : new URL(path, url), {
        method,
        ca,
        headers: {
          ...(token === null || token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(text === undefined
            ? {}
            : {
                'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
                'content-length': String(Buffer.byteLength(text)),
              }),
          ...headers,
        },
      })
      outgoing.on('error', reject)
      outgoing.on('response', (incoming) => {
        const pieces: Buffer[] = []
        incoming.on('data', (piece: Buffer) => pieces.push(piece))
        incoming.on('end', () => {
          const all = Buffer.concat(pieces).toString()
          const isJson = all !== '' && /json/.test(incoming.headers['content-type'] ?? 'json')
          const parsed = isJson ? (JSON.parse(all) as Record<string, never>) : undefined
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text: all, body: parsed })
        })
      })
      outgoing.end(text)
    })
}
