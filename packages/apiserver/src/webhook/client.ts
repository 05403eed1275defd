// Calls webhooks: one POST of JSON to a URL or to a Service of the cluster, with a deadline and a bounded answer. Admission
// and conversion share it; the words for what went wrong are those that Go's HTTP client and upstream's REST client use.

import { Agent, request as httpsRequest, type RequestOptions } from 'node:https'
import { Agent as PlainAgent, request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { connect as connectTls, rootCertificates } from 'node:tls'
import { anySignal } from '@aksel/base/any-signal'
import { parseJson } from '@aksel/base/json'
import type { Scope } from '@aksel/base/scope'
import type { ClientMetrics } from '../client-metrics.ts'
import { goNetworkError, serverRefusal } from './words.ts'
import type { ServiceDialer } from './service-dialer.ts'

/** Where a webhook is, as `clientConfig` of configurations and CRDs says it. */
export interface WebhookTarget {
  readonly url?: string
  readonly service?: {
    readonly namespace: string
    readonly name: string
    readonly path?: string
    readonly port?: number
  }
  /** Base64 of PEM; the system's roots where absent. */
  readonly caBundle?: string
}

export interface WebhookCall {
  readonly target: WebhookTarget
  /** Sent as JSON. */
  readonly body: Uint8Array
  readonly timeoutMs: number
  /** What the webhook is told that it has, where that is not the same. */
  readonly saidTimeoutMs?: number
  /** Aborts when the caller is gone. */
  readonly signal?: AbortSignal
}

/** The answer never came or is of no use; the message begins `Post "https://…": ` where a connection was tried. */
export class WebhookCallError extends Error {
  /** True where the deadline ended the call. */
  readonly isTimeout: boolean

  constructor(message: string, options: { readonly cause?: unknown; readonly isTimeout?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'WebhookCallError'
    this.isTimeout = options.isTimeout ?? false
  }
}

export interface WebhookClient extends Disposable {
  /** The answer's JSON. Rejects with a WebhookCallError. */
  post(call: WebhookCall): Promise<unknown>
}

/** The client of a server that calls nobody: each call fails, and says why. */
export function createNoWebhookClient(why: string): WebhookClient {
  return { post: () => Promise.reject(new WebhookCallError(why)), [Symbol.dispose]() {} }
}

/** Answers beyond this are not read: a review with a patch of a whole 3 MiB object fits. */
const responseBytesMax = 12 * 1024 * 1024
/** Idle connections kept per server. */
const idleSocketsMax = 8

/** `services` reaches Services' endpoints; absent, calls to Services fail and say so. */
export function createWebhookClient(
  scope: Scope,
  services: ServiceDialer | undefined,
  metrics?: ClientMetrics,
): WebhookClient {
  const agents = new Map<string, Agent>()
  const plain = new PlainAgent({ keepAlive: true, maxFreeSockets: idleSocketsMax })
  const agentFor = (caBundle: string | undefined): Agent => {
    const key = caBundle ?? ''
    let agent = agents.get(key)
    if (agent === undefined) {
      const ca = caBundle === undefined ? {} : { ca: pemOf(caBundle) }
      agents.set(key, (agent = new Agent({ keepAlive: true, maxFreeSockets: idleSocketsMax, ...ca })))
    }
    return agent
  }
  return {
    post: (call) => post({ scope, services, agentFor, plain, metrics }, call),
    [Symbol.dispose]() {
      for (const agent of agents.values()) agent.destroy()
      plain.destroy()
      agents.clear()
    },
  }
}

interface Tools {
  readonly scope: Scope
  readonly services: ServiceDialer | undefined
  readonly agentFor: (caBundle: string | undefined) => Agent
  readonly plain: PlainAgent
  readonly metrics: ClientMetrics | undefined
}

export function pemOf(caBundle: string): string {
  return Buffer.from(caBundle, 'base64').toString('utf8')
}

/** The URL that messages name, `?timeout=` included. */
export function urlOf({ url, service }: WebhookTarget, timeoutMs: number): URL {
  const base =
    url ?? `https://${service!.name}.${service!.namespace}.svc:${service!.port ?? 443}${pathOf(service!.path)}`
  const address = new URL(base)
  address.searchParams.set('timeout', `${Math.ceil(timeoutMs / 1000)}s`)
  return address
}

function pathOf(path: string | undefined): string {
  if (path === undefined || path === '') return '/'
  return path.startsWith('/') ? path : `/${path}`
}

/** As Go prints it: the port stands even where it is the scheme's own. */
function shownUrl(target: WebhookTarget, address: URL): string {
  if (target.service === undefined) return address.href
  return `https://${address.hostname}:${target.service.port ?? 443}${address.pathname}${address.search}`
}

async function post(tools: Tools, call: WebhookCall): Promise<unknown> {
  const { scope } = tools
  const address = urlOf(call.target, call.saidTimeoutMs ?? call.timeoutMs)
  const shown = shownUrl(call.target, address)
  const deadlineExceeded = (cause?: unknown): WebhookCallError =>
    new WebhookCallError(`Post "${shown}": context deadline exceeded`, { cause, isTimeout: true })
  if (call.timeoutMs <= 0) throw deadlineExceeded()
  const late = new AbortController()
  using _timer = scope.clock.after(call.timeoutMs, () => late.abort())
  const signal = anySignal([late.signal, scope.signal, ...(call.signal === undefined ? [] : [call.signal])])
  const done = tools.metrics?.begin({ method: 'POST', host: address.host, requestBytes: call.body.length })
  let isCounted = false
  try {
    const response = await send(tools, call, address, signal)
    const bytes = await readBounded(response)
    const status = response.statusCode ?? 500
    isCounted = true
    done?.(status, bytes.length)
    if (status < 200 || status > 299) throw new WebhookCallError(serverRefusal(status, bytes))
    return parse(bytes)
  } catch (error) {
    if (!isCounted) done?.()
    if (error instanceof WebhookCallError) throw error
    if (late.signal.aborted) throw deadlineExceeded(error)
    if (signal.aborted) throw new WebhookCallError(`Post "${shown}": context canceled`, { cause: error })
    throw new WebhookCallError(`Post "${shown}": ${goNetworkError(error, address)}`, { cause: error })
  }
}

function parse(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes)
  } catch (error) {
    throw new WebhookCallError(`couldn't get version/kind; json parse error: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

async function send(tools: Tools, call: WebhookCall, address: URL, signal: AbortSignal): Promise<IncomingMessage> {
  const options: RequestOptions = {
    method: 'POST',
    path: `${address.pathname}${address.search}`,
    headers: {
      host: address.host,
      accept: 'application/json, */*',
      'content-type': 'application/json',
      'content-length': call.body.length,
      'user-agent': 'kube-apiserver-admission',
    },
    signal,
  }
  if (call.target.service !== undefined) return sendToService(tools, call, options, signal)
  const where = { hostname: bareHost(address), port: address.port === '' ? undefined : address.port }
  if (address.protocol === 'http:') {
    return answerOf(httpRequest({ ...options, ...where, agent: tools.plain }), call.body)
  }
  return answerOf(httpsRequest({ ...options, ...where, agent: tools.agentFor(call.target.caBundle) }), call.body)
}

function bareHost(address: URL): string {
  return address.hostname.replace(/^\[|\]$/g, '')
}

/** TLS to the name that the Service has, over whatever leads to one of its endpoints. */
async function sendToService(
  { services }: Tools,
  { target, body }: WebhookCall,
  options: RequestOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const service = target.service!
  if (services === undefined) throw new Error('this API server was started without a way to its Services')
  const dialled = await services.dial({ ...service, port: service.port ?? 443 }, signal)
  const serverName = `${service.name}.${service.namespace}.svc`
  try {
    const secure = await overTls(dialled, serverName, target.caBundle)
    const answer = await answerOf(httpRequest({ ...options, createConnection: () => secure }), body)
    answer.once('close', () => dialled.destroy())
    return answer
  } catch (error) {
    dialled.destroy()
    throw error
  }
}

function overTls(stream: Duplex, servername: string, caBundle: string | undefined): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const ca = caBundle === undefined ? [...rootCertificates] : pemOf(caBundle)
    const secure = connectTls({ socket: stream, servername, ca })
    secure.once('secureConnect', () => resolve(secure))
    secure.once('error', reject)
    stream.once('close', () => reject(new Error('EOF')))
  })
}

function answerOf(outgoing: ClientRequest, body: Uint8Array): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve)
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

async function readBounded(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > responseBytesMax) {
      response.destroy()
      throw new WebhookCallError(`the response is larger than ${responseBytesMax} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
