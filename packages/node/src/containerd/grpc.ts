// gRPC over a Unix socket, for CRI and for containerd's own API. The libraries are loaded with the first client:
// they cost an agent tens of megabytes, which a program that only asks `--version` should not pay.

import type * as Grpc from '@grpc/grpc-js'
import type * as Protobuf from 'protobufjs'
import { anySignal } from '@aksel/base/any-signal'
import type { Scope } from '@aksel/base/scope'

export interface GrpcClientOptions {
  readonly socketPath: string
  /** The texts of .proto files (imports are not followed), or the root of another client of the same files. */
  readonly proto: readonly string[] | Protobuf.Root
  /** With its package: `runtime.v1.RuntimeService`. */
  readonly service: string
  /** Sent with each call: `{ 'containerd-namespace': 'k8s.io' }`. */
  readonly metadata?: Readonly<Record<string, string>>
  /** For calls that name none; without end when absent. */
  readonly timeoutMs?: number
}

export interface CallOptions {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/**
 * Messages are plain objects with camelCase names. In answers every scalar and list is present; an absent message is
 * null; enums are their names; bytes are Buffers; 64-bit numbers are numbers (nanosecond times lose some nanoseconds).
 */
export interface GrpcClient extends Disposable {
  readonly root: Protobuf.Root
  /** `method` as the .proto file writes it: `RunPodSandbox`. Rejects with a GrpcError. */
  unary<Answer>(method: string, request: object, options?: CallOptions): Promise<Answer>
  /** Ends when the server ends it or when the loop is left; throws a GrpcError. */
  serverStream<Answer>(method: string, request: object, options?: CallOptions): AsyncIterable<Answer>
}

export const grpcCodes = [
  'OK',
  'Cancelled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
] as const
export type GrpcCode = (typeof grpcCodes)[number]

export class GrpcError extends Error {
  readonly code: GrpcCode
  /** The server's own words. */
  readonly details: string

  constructor(code: GrpcCode, method: string, details: string, options?: ErrorOptions) {
    super(`${method}: ${details}`, options)
    this.name = 'GrpcError'
    this.code = code
    this.details = details
  }
}

export function isGrpcCode(error: unknown, ...codes: readonly GrpcCode[]): error is GrpcError {
  return error instanceof GrpcError && codes.includes(error.code)
}

/** The connection is made with the first call and made again when it broke; calls in between reject as `Unavailable`. */
export async function createGrpcClient(scope: Scope, options: GrpcClientOptions): Promise<GrpcClient> {
  const [grpc, protobuf] = await Promise.all([import('@grpc/grpc-js'), import('protobufjs')])
  const root = options.proto instanceof protobuf.Root ? options.proto : new protobuf.Root()
  if (!(options.proto instanceof protobuf.Root)) for (const text of options.proto) protobuf.parse(text, root)
  root.resolveAll()
  return new SocketClient(scope, options, grpc, root)
}

const toObject = { longs: Number, enums: String, defaults: true, arrays: true, objects: true, oneofs: false } as const

/** Answers of CRI that list a full node's pods pass gRPC's usual 4 MiB. */
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024

/** A containerd that restarts is back within a second or two; waiting longer than this between attempts helps no one. */
const RECONNECT_MS_MAX = 2000

class SocketClient implements GrpcClient {
  readonly root: Protobuf.Root
  readonly #scope: Scope
  readonly #client: Grpc.Client
  readonly #service: Protobuf.Service
  readonly #metadata: Grpc.Metadata
  readonly #timeoutMs: number | undefined

  constructor(scope: Scope, options: GrpcClientOptions, grpc: typeof Grpc, root: Protobuf.Root) {
    this.root = root
    this.#scope = scope
    this.#service = root.lookupService(options.service)
    this.#timeoutMs = options.timeoutMs
    this.#metadata = new grpc.Metadata()
    for (const [name, value] of Object.entries(options.metadata ?? {})) this.#metadata.set(name, value)
    this.#client = new grpc.Client(`unix:${options.socketPath}`, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': RECONNECT_MS_MAX,
      // containerd looks at the authority; the default of a Unix socket is its escaped path, which it refuses.
      'grpc.default_authority': 'localhost',
    })
  }

  unary<Answer>(method: string, request: object, options: CallOptions = {}): Promise<Answer> {
    const rpc = this.#method(method)
    return new Promise<Answer>((resolve, reject) => {
      const signal = this.#signal(options)
      if (signal.aborted) return reject(signal.reason as Error)
      const onAbort = (): void => call.cancel()
      const call = this.#client.makeUnaryRequest(
        rpc.path,
        rpc.encode,
        rpc.decode,
        request,
        this.#metadata,
        this.#callOptions(options),
        (error, answer) => {
          signal.removeEventListener('abort', onAbort)
          if (error === null) resolve(answer as Answer)
          else reject(signal.aborted ? (signal.reason as Error) : grpcError(method, error))
        },
      )
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  async *serverStream<Answer>(method: string, request: object, options: CallOptions = {}): AsyncGenerator<Answer> {
    const rpc = this.#method(method)
    const signal = this.#signal(options)
    signal.throwIfAborted()
    const call = this.#client.makeServerStreamRequest(
      rpc.path,
      rpc.encode,
      rpc.decode,
      request,
      this.#metadata,
      this.#callOptions(options),
    )
    const onAbort = (): void => call.cancel()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      for await (const answer of call) yield answer as Answer
    } catch (error) {
      throw signal.aborted ? (signal.reason as Error) : grpcError(method, error as Grpc.ServiceError)
    } finally {
      signal.removeEventListener('abort', onAbort)
      call.cancel()
    }
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }

  #method(name: string): {
    readonly path: string
    readonly encode: (value: object) => Buffer
    readonly decode: (bytes: Buffer) => object
  } {
    const method = this.#service.methods[name]
    if (method === undefined) throw new Error(`Service ${this.#service.fullName.slice(1)} has no method "${name}"`)
    method.resolve()
    const { resolvedRequestType, resolvedResponseType } = method
    return {
      path: `/${this.#service.fullName.slice(1)}/${name}`,
      encode: (value) => {
        const type = resolvedRequestType!
        return Buffer.from(type.encode(type.fromObject(value as Record<string, unknown>)).finish())
      },
      decode: (bytes) => resolvedResponseType!.toObject(resolvedResponseType!.decode(bytes), toObject),
    }
  }

  #signal(options: CallOptions): AbortSignal {
    return options.signal === undefined ? this.#scope.signal : anySignal([this.#scope.signal, options.signal])
  }

  #callOptions(options: CallOptions): Grpc.CallOptions {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs
    return timeoutMs === undefined ? {} : { deadline: new Date(this.#scope.clock.now() + timeoutMs) }
  }
}

function grpcError(method: string, error: Partial<Grpc.ServiceError>): Error {
  const code = error.code === undefined ? undefined : grpcCodes[error.code]
  if (code === undefined) return error as Error
  return new GrpcError(code, method, error.details ?? error.message ?? code, { cause: error })
}
