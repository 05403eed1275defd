// The client against a real gRPC server on a real Unix socket.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { GrpcError, createGrpcClient } from './grpc.ts'

const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}

const proto = `
syntax = "proto3";
package echo.v1;
enum Mood { CALM = 0; GAY = 1; }
message Inner { string text = 1; }
message Said { string some_text = 1; int64 count = 2; repeated string words = 3; Mood mood = 4; Inner inner = 5; bytes raw = 6; }
service Echo { rpc Say(Said) returns (Said); rpc Stream(Said) returns (stream Said); }
`

type Said = { someText: string; count: number; words: string[]; mood: string; inner: null; raw: Buffer }

/** A server that says back what it hears, refuses the text "refuse" and streams until the client leaves. */
async function startServer(t: TestContext): Promise<{ socketPath: string; cancelled: Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'aksel-grpc-'))
  const socketPath = join(folder, 's.sock')
  const type = protobuf.parse(proto).root.lookupType('echo.v1.Said')
  const method = (name: string, responseStream: boolean) => ({
    path: `/echo.v1.Echo/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: (value: object) =>
      Buffer.from(type.encode(type.fromObject(value as Record<string, unknown>)).finish()),
    requestDeserialize: (bytes: Buffer) => type.decode(bytes),
    responseSerialize: (value: object) =>
      Buffer.from(type.encode(type.fromObject(value as Record<string, unknown>)).finish()),
    responseDeserialize: (bytes: Buffer) => type.decode(bytes),
  })
  const server = new Server()
  const cancelled = Promise.withResolvers<void>()
  server.addService(
    { say: method('Say', false), stream: method('Stream', true) },
    {
      say(call: ServerUnaryCall<Said, object>, answer: sendUnaryData<object>) {
        if (call.request.someText === 'refuse') return answer({ code: status.NOT_FOUND, details: 'no such text' })
        if (call.request.someText === 'wait') return call.on('cancelled', () => cancelled.resolve())
        const tag = call.metadata.get('containerd-namespace')
        answer(null, { someText: `${call.request.someText} ${String(tag[0])}`, count: 2 ** 40 })
      },
      stream(call: ServerWritableStream<Said, object>) {
        call.on('cancelled', () => cancelled.resolve())
        for (const text of ['a', 'b', 'c']) call.write({ someText: text, mood: 1 })
      },
    },
  )
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  )
  t.after(() => {
    server.forceShutdown()
    rmSync(folder, { recursive: true })
  })
  return { socketPath, cancelled: cancelled.promise }
}

const service = { proto: [proto], service: 'echo.v1.Echo', metadata: { 'containerd-namespace': 'k8s.io' } }

test('GrpcClient.unary() answers plain objects with every scalar present and absent messages as null', async (t) => {
  const { socketPath } = await startServer(t)
  using client = await createGrpcClient(scope, { socketPath, ...service })
  assert.deepEqual(await client.unary('Say', { someText: 'hello' }), {
    someText: 'hello k8s.io',
    count: 2 ** 40,
    words: [],
    mood: 'CALM',
    inner: null,
    raw: Buffer.alloc(0),
  })
})

test('GrpcClient.unary() rejects with the code by name, and at once when its signal aborts', async (t) => {
  const { socketPath, cancelled } = await startServer(t)
  using client = await createGrpcClient(scope, { socketPath, ...service })
  await assert.rejects(client.unary('Say', { someText: 'refuse' }), (error: unknown) => {
    assert.ok(error instanceof GrpcError)
    assert.equal(error.code, 'NotFound')
    assert.equal(error.message, 'Say: no such text')
    return true
  })
  const controller = new AbortController()
  const waiting = client.unary('Say', { someText: 'wait' }, { signal: controller.signal })
  await client.unary('Say', { someText: 'x' })
  controller.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  await cancelled
})

test('GrpcClient.serverStream() delivers in order and cancels the call when the loop is left', async (t) => {
  const { socketPath, cancelled } = await startServer(t)
  using client = await createGrpcClient(scope, { socketPath, ...service })
  const seen: string[] = []
  for await (const said of client.serverStream<Said>('Stream', {})) {
    seen.push(`${said.someText} ${said.mood}`)
    if (seen.length === 3) break
  }
  assert.deepEqual(seen, ['a GAY', 'b GAY', 'c GAY'])
  await cancelled
})

test('GrpcClient.unary() rejects as Unavailable where nobody listens', async () => {
  using client = await createGrpcClient(scope, { socketPath: '/nonexistent/aksel.sock', ...service })
  await assert.rejects(
    client.unary('Say', {}),
    (error: unknown) => error instanceof GrpcError && error.code === 'Unavailable',
  )
})
