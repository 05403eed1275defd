// Calls to an etcd of several members: one at a time is used, the next when it does not answer in time.

import * as grpc from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import type { Scope } from '@aksel/base/scope'
import { StoreError } from '../store.ts'
import { grpcStatus, isTransient, storeErrorOf, wasNotTried } from './etcd-errors.ts'
import { etcdProto, type WatchResponse } from './etcd-proto.ts'

export interface EtcdClientOptions {
  readonly endpoints: readonly string[]
  /** PEM; absent: no TLS. */
  readonly tls?: {
    readonly ca?: Buffer
    readonly cert?: Buffer
    readonly key?: Buffer
    readonly serverName?: string
  }
  readonly user?: { readonly name: string; readonly password: string }
  /** For one attempt at one member. */
  readonly attemptMs?: number
  /** For a call with all its attempts. */
  readonly callMs?: number
}

/** A member that is paused or cut off is given up after this. */
const ATTEMPT_MS = 2_000
const CALL_MS = 8_000
/** etcd cuts off who asks more often than every 5 s. */
const KEEPALIVE_MS = 6_000
const KEEPALIVE_TIMEOUT_MS = 2_000

interface Rpc {
  readonly path: string
  readonly encode: (value: object) => Buffer
  readonly decode: (bytes: Buffer) => object
}

export type WatchCall = grpc.ClientDuplexStream<object, WatchResponse>

export class EtcdClient implements Disposable {
  readonly #scope: Scope
  readonly #options: EtcdClientOptions
  readonly #root = protobuf.parse(etcdProto, { keepCase: false }).root
  readonly #rpcs = new Map<string, Rpc>()
  readonly #members: readonly grpc.Client[]
  #active = 0
  #token: Promise<string> | undefined

  constructor(scope: Scope, options: EtcdClientOptions) {
    this.#scope = scope
    this.#options = options
    const credentials = credentialsOf(options)
    this.#members = options.endpoints.map((endpoint) => new grpc.Client(endpoint, credentials, channelOptions(options)))
  }

  /** Reads, and writes that may be sent twice, are tried at the next member; other writes only when they were not tried. */
  async call<Answer>(
    method: string,
    request: object,
    { repeatable }: { readonly repeatable: boolean },
  ): Promise<Answer> {
    const { clock, signal } = this.#scope
    const deadlineMs = clock.monotonicMs() + (this.#options.callMs ?? CALL_MS)
    for (let attempt = 1; ; attempt += 1) {
      if (signal.aborted) throw new StoreError('Closed', 'the store is closed')
      const member = this.#active
      try {
        return await this.#attempt<Answer>(member, method, request)
      } catch (error) {
        const failure = error as grpc.ServiceError
        if (failure.code === grpcStatus.unauthenticated && this.#options.user !== undefined && attempt <= 2) {
          this.#token = undefined
          continue
        }
        if (isTransient(failure)) this.leave(member)
        const again = wasNotTried(failure) || (repeatable && isTransient(failure))
        if (!again || clock.monotonicMs() >= deadlineMs) throw storeErrorOf(failure)
        if (attempt % this.#members.length === 0) await pause(this.#scope, Math.min(500, 20 * attempt))
      }
    }
  }

  /** The stream of one watch, at the member in use; the caller sends the request and minds its end. */
  async watch(): Promise<{ readonly call: WatchCall; readonly member: number }> {
    const { path, encode, decode } = this.#rpc('Watch.Watch')
    const member = this.#active
    const metadata = await this.#metadata(member)
    const call = this.#members[member]!.makeBidiStreamRequest(
      path,
      encode,
      decode as (bytes: Buffer) => WatchResponse,
      metadata,
    )
    return { call, member }
  }

  /** The next call goes to the member after this one, unless someone has turned away from it already. */
  leave(member: number): void {
    if (this.#active === member) this.#active = (member + 1) % this.#members.length
  }

  #attempt<Answer>(member: number, method: string, request: object): Promise<Answer> {
    if (this.#options.user === undefined) return this.#unary<Answer>(member, method, request, requireLeader())
    return this.#metadata(member).then((metadata) => this.#unary<Answer>(member, method, request, metadata))
  }

  #unary<Answer>(member: number, method: string, request: object, metadata: grpc.Metadata): Promise<Answer> {
    const { path, encode, decode } = this.#rpc(method)
    const deadline = this.#scope.clock.now() + (this.#options.attemptMs ?? ATTEMPT_MS)
    return new Promise((resolve, reject) => {
      this.#members[member]!.makeUnaryRequest(
        path,
        encode,
        decode,
        request,
        metadata,
        { deadline },
        (error, answer) => {
          if (error === null) resolve(answer as Answer)
          else reject(error)
        },
      )
    })
  }

  async #metadata(member: number): Promise<grpc.Metadata> {
    const metadata = requireLeader()
    const { user } = this.#options
    if (user === undefined) return metadata
    this.#token ??= this.#authenticate(member, user)
    try {
      metadata.set('token', await this.#token)
    } catch (error) {
      this.#token = undefined
      throw error
    }
    return metadata
  }

  async #authenticate(member: number, user: NonNullable<EtcdClientOptions['user']>): Promise<string> {
    const { token } = await this.#unary<{ token: string }>(member, 'Auth.Authenticate', user, new grpc.Metadata())
    return token
  }

  #rpc(method: string): Rpc {
    const known = this.#rpcs.get(method)
    if (known !== undefined) return known
    const [service, name] = method.split('.') as [string, string]
    const { requestType, responseType } = this.#root.lookupService(`etcdserverpb.${service}`).methods[name]!
    const request = this.#root.lookupType(`etcdserverpb.${requestType}`)
    const response = this.#root.lookupType(`etcdserverpb.${responseType}`)
    const rpc: Rpc = {
      path: `/etcdserverpb.${service}/${name}`,
      encode: (value) => Buffer.from(request.encode(value).finish()),
      decode: (bytes) => response.decode(bytes),
    }
    this.#rpcs.set(method, rpc)
    return rpc
  }

  [Symbol.dispose](): void {
    for (const member of this.#members) member.close()
  }
}

/** A member that lost its leader answers at once instead of letting the caller wait. */
function requireLeader(): grpc.Metadata {
  const metadata = new grpc.Metadata()
  metadata.set('hasleader', 'true')
  return metadata
}

function credentialsOf({ tls }: EtcdClientOptions): grpc.ChannelCredentials {
  if (tls === undefined) return grpc.credentials.createInsecure()
  return grpc.credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null)
}

function channelOptions({ tls }: EtcdClientOptions): grpc.ChannelOptions {
  return {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 1_000,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    // Each store has connections of its own: one that hangs must not hold up another.
    'grpc.use_local_subchannel_pool': 1,
    ...(tls?.serverName === undefined
      ? {}
      : { 'grpc.ssl_target_name_override': tls.serverName, 'grpc.default_authority': tls.serverName }),
  }
}

function pause({ clock, signal }: Scope, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer[Symbol.dispose]()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.after(delayMs, done)
    signal.addEventListener('abort', done, { once: true })
  })
}
