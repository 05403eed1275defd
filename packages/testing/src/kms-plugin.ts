// A KMS v2 plug-in as a test runs it: on a Unix socket, with keys of its own, and with every fault that one can have. Its protocol
// is written down here a second time, from upstream's documentation, so that both sides cannot be wrong together.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as grpc from '@grpc/grpc-js'
import protobuf from 'protobufjs'

const proto = `
syntax = "proto3";
package v2;
message Nothing { }
message Status { string version = 1; string healthz = 2; string key_id = 3; }
message Decrypt { bytes ciphertext = 1; string uid = 2; string key_id = 3; map<string, bytes> annotations = 4; }
message Decrypted { bytes plaintext = 1; }
message Encrypt { bytes plaintext = 1; string uid = 2; }
message Encrypted { bytes ciphertext = 1; string key_id = 2; map<string, bytes> annotations = 3; }
`

export interface KmsCall {
  readonly name: 'Status' | 'Encrypt' | 'Decrypt'
  readonly uid?: string
  readonly keyId?: string
}

/** What it is told to answer; may be changed at any time. */
export interface KmsAnswers {
  /** Of the key that it says and seals with; a new name is a new key. */
  keyId: string
  /** What Encrypt says its key is, where that is another than Status says. */
  encryptKeyId?: string
  version: string
  healthz: string
  /** `silent`: it takes calls and answers none. `failing`: it refuses each. */
  behaviour: 'well' | 'silent' | 'failing'
}

export interface KmsPlugin extends AsyncDisposable {
  /** `unix:///…` */
  readonly endpoint: string
  readonly answers: KmsAnswers
  /** In the order in which they came. */
  readonly calls: readonly KmsCall[]
  /** Whoever is connected is cut off; the keys stay. */
  stop(): void
  start(): Promise<void>
}

type Unary = grpc.handleUnaryCall<Record<string, unknown>, object>

const ANNOTATION = 'kek.plugin.example'

/** Listens when it resolves. `endpoint`: of a socket of its own when absent. */
export async function startKmsPlugin(options: { readonly endpoint?: string } = {}): Promise<KmsPlugin> {
  const folder = await mkdtemp(join(tmpdir(), 'aksel-kms-'))
  const endpoint = options.endpoint ?? `unix://${join(folder, 'kms.sock')}`
  const { root } = protobuf.parse(proto, { keepCase: true })
  const keys = new Map<string, Buffer>()
  const calls: KmsCall[] = []
  const answers: KmsAnswers = { keyId: '1', version: 'v2', healthz: 'ok', behaviour: 'well' }
  const keyOf = (id: string): Buffer => {
    const key = keys.get(id) ?? randomBytes(32)
    keys.set(id, key)
    return key
  }
  const answering =
    (call: (request: Record<string, unknown>) => object): Unary =>
    ({ request }, callback) => {
      const { behaviour } = answers
      try {
        const answer = call(request)
        if (behaviour === 'silent') return
        if (behaviour === 'failing')
          return callback({ code: grpc.status.FAILED_PRECONDITION, details: 'failed precondition - key disabled' })
        callback(null, answer)
      } catch (error) {
        callback({ code: grpc.status.INVALID_ARGUMENT, details: (error as Error).message })
      }
    }
  const handlers: Readonly<Record<KmsCall['name'], Unary>> = {
    Status: answering(() => {
      calls.push({ name: 'Status' })
      return { version: answers.version, healthz: answers.healthz, key_id: answers.keyId }
    }),
    Encrypt: answering(({ plaintext, uid }) => {
      calls.push({ name: 'Encrypt', uid: uid as string })
      const id = answers.encryptKeyId ?? answers.keyId
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', keyOf(id), iv)
      const ciphertext = Buffer.concat([iv, cipher.update(plaintext as Buffer), cipher.final(), cipher.getAuthTag()])
      return { ciphertext, key_id: id, annotations: { [ANNOTATION]: Buffer.from(`kek of ${id}`) } }
    }),
    Decrypt: answering(({ ciphertext, uid, key_id: keyId, annotations }) => {
      calls.push({ name: 'Decrypt', uid: uid as string, keyId: keyId as string })
      const key = keys.get(keyId as string)
      if (key === undefined) throw new Error('no such key')
      const annotation = (annotations as Readonly<Record<string, Buffer>>)[ANNOTATION]
      if (annotation?.toString() !== `kek of ${String(keyId)}`) throw new Error('the annotation is another')
      const bytes = Buffer.from(ciphertext as Uint8Array)
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAuthTag(bytes.subarray(-16))
      return { plaintext: Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]) }
    }),
  }
  let server: grpc.Server | undefined
  const stop = (): void => {
    server?.forceShutdown()
    server = undefined
  }
  const start = async (): Promise<void> => {
    server = new grpc.Server()
    const type = (name: string): protobuf.Type => root.lookupType(`v2.${name}`)
    server.addService(serviceOf(type), handlers)
    const listening = server
    await new Promise<void>((resolve, reject) =>
      listening.bindAsync(endpoint.replace('unix://', 'unix:'), grpc.ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      ),
    )
  }
  await start()
  return {
    endpoint,
    answers,
    calls,
    stop,
    start,
    async [Symbol.asyncDispose]() {
      stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function serviceOf(type: (name: string) => protobuf.Type): grpc.ServiceDefinition {
  const method = (name: KmsCall['name'], asked: string, answered: string): grpc.MethodDefinition<object, object> => ({
    path: `/v2.KeyManagementService/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: (value) => Buffer.from(type(asked).encode(value).finish()),
    requestDeserialize: (bytes) => type(asked).decode(bytes),
    responseSerialize: (value) => Buffer.from(type(answered).encode(value).finish()),
    responseDeserialize: (bytes) => type(answered).decode(bytes),
  })
  return {
    Status: method('Status', 'Nothing', 'Status'),
    Encrypt: method('Encrypt', 'Encrypt', 'Encrypted'),
    Decrypt: method('Decrypt', 'Decrypt', 'Decrypted'),
  }
}
