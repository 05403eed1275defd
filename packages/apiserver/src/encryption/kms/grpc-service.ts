// Asks a KMS v2 plug-in over gRPC on its Unix socket.

import * as grpc from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import type { Clock } from '@aksel/base/clock'
import { kmsProto, KmsError, type KmsService, type KmsStatus } from './protocol.ts'

export interface KmsAddress {
  /** `unix:///run/kms.sock`; `unix:///@name` for a socket that has no file. */
  readonly endpoint: string
  /** For each call. */
  readonly timeoutMs: number
}

/** Nothing is sent until the first call; the plug-in may come and go. */
export function connectKms(clock: Clock, { endpoint, timeoutMs }: KmsAddress): KmsService {
  const { root } = protobuf.parse(kmsProto, { keepCase: false })
  const { methods } = root.lookupService('v2.KeyManagementService')
  const client = new grpc.Client(socketOf(endpoint), grpc.credentials.createInsecure(), {
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 1_000,
    'grpc.default_authority': 'localhost',
    'grpc.use_local_subchannel_pool': 1,
  })
  const call = <Answer>(name: string, request: object): Promise<Answer> => {
    const { requestType, responseType } = methods[name]!
    const [asked, answered] = [requestType, responseType].map((type) => root.lookupType(`v2.${type}`)) as [
      protobuf.Type,
      protobuf.Type,
    ]
    const metadata = new grpc.Metadata({ waitForReady: true })
    return new Promise((resolve, reject) => {
      const sent = client.makeUnaryRequest(
        `/v2.KeyManagementService/${name}`,
        (value: object) => Buffer.from(asked.encode(value).finish()),
        (bytes) => answered.decode(bytes) as unknown as Answer,
        request,
        metadata,
        (error, answer) => {
          const isLate = !timer.pending
          timer[Symbol.dispose]()
          if (error === null) resolve(answer!)
          else reject(isLate ? late(error) : kmsError(error))
        },
      )
      // By the clock that was handed in, which a deadline of gRPC's would not go by.
      const timer = clock.after(timeoutMs, () => sent.cancel())
    })
  }
  return {
    status: () => call<KmsStatus>('Status', {}),
    encrypt: (uid, plaintext) => call('Encrypt', { plaintext, uid }),
    async decrypt(uid, { ciphertext, keyId, annotations }) {
      const request = { ciphertext, uid, keyId, annotations }
      return (await call<{ readonly plaintext: Uint8Array }>('Decrypt', request)).plaintext
    },
    [Symbol.dispose]: () => client.close(),
  }
}

/** gRPC's own name of the socket. */
function socketOf(endpoint: string): string {
  const path = endpoint.slice('unix://'.length)
  return path.startsWith('/@') ? `unix:\0${path.slice(2)}` : `unix:${path}`
}

const transient = new Set([grpc.status.UNAVAILABLE, grpc.status.DEADLINE_EXCEEDED, grpc.status.RESOURCE_EXHAUSTED])

/** As Go's gRPC prints an error: `rpc error: code = FailedPrecondition desc = …`. */
function kmsError(error: grpc.ServiceError): KmsError {
  const name = grpc.status[error.code]
    .toLowerCase()
    .replaceAll(/(?:^|_)([a-z])/g, (_all, letter: string) => letter.toUpperCase())
  return new KmsError(`rpc error: code = ${name} desc = ${error.details}`, transient.has(error.code), error)
}

function late(error: grpc.ServiceError): KmsError {
  return new KmsError('rpc error: code = DeadlineExceeded desc = context deadline exceeded', true, error)
}
