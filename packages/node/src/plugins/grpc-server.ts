// A gRPC service of the agent's own at a Unix socket: what plug-ins and monitors of the node ask.

import { chmod, mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type * as Grpc from '@grpc/grpc-js'
import { socketAddress } from './socket-address.ts'

export interface GrpcService {
  /** The text of the .proto file. */
  readonly proto: string
  /** With its package. */
  readonly service: string
  /** By method, as the .proto file names it. What rejects is answered as INVALID_ARGUMENT with its message. */
  readonly handlers: Readonly<Record<string, (request: never) => Promise<object>>>
}

/** A socket that an earlier agent left is taken over. */
export async function serveGrpc(path: string, { proto, service, handlers }: GrpcService): Promise<AsyncDisposable> {
  const [grpc, protobuf] = await Promise.all([import('@grpc/grpc-js'), import('protobufjs')])
  const { root } = protobuf.parse(proto)
  root.resolveAll()
  const methods: Record<string, Grpc.MethodDefinition<object, object>> = {}
  const implementation: Record<string, Grpc.handleUnaryCall<object, object>> = {}
  for (const method of Object.values(root.lookupService(service).methods)) {
    const request = method.resolvedRequestType!
    const answer = method.resolvedResponseType!
    methods[method.name] = {
      path: `/${service}/${method.name}`,
      requestStream: false,
      responseStream: false,
      requestSerialize: (value) => Buffer.from(request.encode(request.fromObject(value)).finish()),
      requestDeserialize: (bytes) => request.toObject(request.decode(bytes), toObject),
      responseSerialize: (value) => Buffer.from(answer.encode(answer.fromObject(value)).finish()),
      responseDeserialize: (bytes) => answer.toObject(answer.decode(bytes), toObject),
    }
    implementation[method.name] = (call, done) => {
      handlers[method.name]!(call.request as never).then(
        (value) => done(null, value),
        (error: Error) => done({ code: grpc.status.INVALID_ARGUMENT, details: error.message }),
      )
    }
  }
  const server = new grpc.Server()
  server.addService(methods, implementation as Grpc.UntypedServiceImplementation)
  await mkdir(dirname(path), { recursive: true, mode: 0o750 })
  await rm(path, { force: true })
  const address = await socketAddress(path)
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${address.path}`, grpc.ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  )
  await chmod(path, 0o600)
  return {
    async [Symbol.asyncDispose]() {
      server.forceShutdown()
      await address[Symbol.asyncDispose]()
    },
  }
}

const toObject = { longs: Number, enums: String, defaults: true, arrays: true, objects: true } as const
