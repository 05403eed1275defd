// The standard gRPC health check, for probes that name a gRPC port.

import type { Scope } from '@aksel/base/scope'
import type { CheckResult } from './check.ts'

const proto = `
syntax = "proto3";
package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse {
  enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
  ServingStatus status = 1;
}
service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse); }
`

export interface GrpcCheck {
  readonly host: string
  readonly port: number
  readonly service?: string
  readonly timeoutMs: number
}

export async function checkGrpc(scope: Scope, request: GrpcCheck): Promise<CheckResult> {
  const [grpc, protobuf] = await Promise.all([import('@grpc/grpc-js'), import('protobufjs')])
  const { root } = protobuf.parse(proto)
  const ask = root.lookupType('grpc.health.v1.HealthCheckRequest')
  const answer = root.lookupType('grpc.health.v1.HealthCheckResponse')
  const address = request.host.includes(':') ? `[${request.host}]` : request.host
  const client = new grpc.Client(`${address}:${request.port}`, grpc.credentials.createInsecure())
  return new Promise((resolve) => {
    const done = (result: CheckResult): void => {
      client.close()
      resolve(result)
    }
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      (value: object) => Buffer.from(ask.encode(ask.fromObject(value as Record<string, unknown>)).finish()),
      (bytes: Buffer) => answer.toObject(answer.decode(bytes), { enums: String, defaults: true }) as { status: string },
      { service: request.service ?? '' },
      { deadline: new Date(scope.clock.now() + request.timeoutMs) },
      (error, value) => {
        if (error !== null)
          return done({ healthy: false, output: wordsOf(error, `${address}:${request.port}`, request) })
        if (value?.status === 'SERVING') return done({ healthy: true, output: '' })
        done({ healthy: false, output: `service unhealthy (responded with "${value?.status ?? 'UNKNOWN'}")` })
      },
    )
  })
}

const UNIMPLEMENTED = 12
const DEADLINE_EXCEEDED = 4
/** Nobody listens: upstream's client tries until its time is over, and says so. */
const UNAVAILABLE = 14

function wordsOf(
  error: { readonly code: number; readonly message: string },
  place: string,
  request: GrpcCheck,
): string {
  const seconds = request.timeoutMs / 1000
  if (error.code === UNIMPLEMENTED) {
    return 'error: this server does not implement the grpc health protocol (grpc.health.v1.Health)'
  }
  if (error.code === DEADLINE_EXCEEDED || error.code === UNAVAILABLE)
    return `timeout: failed to connect service "${place}" within ${seconds}s: context deadline exceeded`
  return `error: health rpc probe failed: ${error.message}`
}
