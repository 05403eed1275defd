// What the third-party programs of the plug-in tests share: a gRPC server at a Unix socket, and the registration that a
// node looks for. They know nothing of the product: they run in pods, with the paths that upstream documents.

import { rmSync } from 'node:fs'
import * as grpc from '@grpc/grpc-js'
import protobuf from 'protobufjs'

export type Handlers = Readonly<Record<string, (request: never) => unknown>>

/** Every handler's call is printed as a line of JSON. `{ stream: [...] }` answers a stream that stays open. */
export interface Served {
  readonly proto: string
  readonly service: string
  readonly handlers: Handlers
  /** Methods whose answers are streams: they are handed a function that sends one. */
  readonly streams?: Readonly<Record<string, (send: (answer: object) => void) => void>>
}

export async function serve(path: string, served: readonly Served[]): Promise<grpc.Server> {
  rmSync(path, { force: true })
  const server = new grpc.Server()
  for (const one of served) server.addService(...definition(one))
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${path}`, grpc.ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  )
  return server
}

function definition({
  proto,
  service,
  handlers,
  streams = {},
}: Served): [grpc.ServiceDefinition, grpc.UntypedServiceImplementation] {
  const root = protobuf.parse(proto).root
  root.resolveAll()
  const found = root.lookupService(service)
  const methods: Record<string, grpc.MethodDefinition<object, object>> = {}
  const implementation: Record<string, grpc.UntypedHandleCall> = {}
  for (const method of Object.values(found.methods)) {
    const request = method.resolvedRequestType!
    const answer = method.resolvedResponseType!
    methods[method.name] = {
      path: `/${service}/${method.name}`,
      requestStream: false,
      responseStream: method.responseStream === true,
      requestSerialize: (value) => Buffer.from(request.encode(request.fromObject(value)).finish()),
      requestDeserialize: (bytes) =>
        request.toObject(request.decode(bytes), { longs: Number, enums: String, defaults: true }),
      responseSerialize: (value) => Buffer.from(answer.encode(answer.fromObject(value)).finish()),
      responseDeserialize: (bytes) => answer.toObject(answer.decode(bytes)),
    }
    const stream = streams[method.name]
    if (stream !== undefined) {
      implementation[method.name] = ((call: grpc.ServerWritableStream<object, object>) => {
        console.log(JSON.stringify({ call: method.name }))
        stream((value) => call.write(value))
      }) as grpc.UntypedHandleCall
      continue
    }
    implementation[method.name] = ((call: grpc.ServerUnaryCall<never, object>, done: grpc.sendUnaryData<object>) => {
      console.log(JSON.stringify({ call: method.name, request: call.request }))
      Promise.resolve()
        .then(() => handlers[method.name]!(call.request))
        .then(
          (value) => done(null, (value ?? {}) as object),
          (error: Error) => {
            console.log(JSON.stringify({ failed: method.name, error: error.message }))
            done({ code: grpc.status.INTERNAL, details: error.message })
          },
        )
    }) as grpc.UntypedHandleCall
  }
  return [methods, implementation]
}

const registration = `
syntax = "proto3";
package pluginregistration;
service Registration {
  rpc GetInfo(InfoRequest) returns (PluginInfo) {}
  rpc NotifyRegistrationStatus(RegistrationStatus) returns (RegistrationStatusResponse) {}
}
message InfoRequest {}
message PluginInfo { string type = 1; string name = 2; string endpoint = 3; repeated string supported_versions = 4; }
message RegistrationStatus { bool plugin_registered = 1; string error = 2; }
message RegistrationStatusResponse {}
`

/** As node-driver-registrar does it. */
export function register(info: {
  readonly type: string
  readonly name: string
  readonly endpoint: string
  readonly versions: readonly string[]
  /** Each time the node has taken the plug-in. */
  readonly onRegistered?: () => Promise<void>
}): Promise<grpc.Server> {
  const answer = { type: info.type, name: info.name, endpoint: info.endpoint, supportedVersions: info.versions }
  return serve(`/var/lib/kubelet/plugins_registry/${info.name}-reg.sock`, [
    {
      proto: registration,
      service: 'pluginregistration.Registration',
      handlers: {
        GetInfo: () => answer,
        NotifyRegistrationStatus: async ({ pluginRegistered }: { readonly pluginRegistered: boolean }) => {
          if (pluginRegistered) await info.onRegistered?.()
          return {}
        },
      },
    },
  ])
}
