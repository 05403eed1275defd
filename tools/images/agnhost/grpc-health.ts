// `grpc-health-checking`: the standard gRPC health service on port 5000, and switches for it over HTTP on port 8080.

import { createServer } from 'node:http2'
import type { Flags } from './flags.ts'
import { serve } from './http.ts'

const SERVING = 1
const NOT_SERVING = 2

export function grpcHealth(flags: Flags): void {
  const state = { status: SERVING }
  const delayMs = flags.number('delay-unhealthy-sec', -1) * 1000
  if (delayMs >= 0) setTimeout(() => (state.status = NOT_SERVING), delayMs)
  const server = createServer()
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    stream.resume()
    stream.on('end', () => {
      const isCheck = headers[':path'] === '/grpc.health.v1.Health/Check'
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      // Status 12 is UNIMPLEMENTED.
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': isCheck ? '0' : '12' }))
      // HealthCheckResponse{status: N}: field 1, varint; five bytes of gRPC framing before it.
      stream.end(isCheck ? Buffer.from([0, 0, 0, 0, 2, 0x08, state.status]) : undefined)
    })
  })
  server.listen(flags.number('port', 5000))
  serve(flags.number('http-port', 8080), {
    '/make-serving': () => ((state.status = SERVING), 'ok'),
    '/make-not-serving': () => ((state.status = NOT_SERVING), 'ok'),
    '/status': () => (state.status === SERVING ? 'SERVING' : 'NOT_SERVING'),
  })
}
