// Tokens of the machine's identities: asked of the front door at the API server's address, by the certificate of the node.

import { request } from 'node:https'
import { isIP } from 'node:net'
import { anySignal } from '@aksel/base/any-signal'
import type { Scope } from '@aksel/base/scope'
import { FRONT_DOOR_PORT } from '@aksel/provider/instance-metadata'
import type { NodeIdentity } from './credentials.ts'

const ANSWER_MS = 8_000
const ANSWER_BYTES_MAX = 1024 * 1024

export interface IdentityAnswer {
  readonly status: number
  readonly body: string
}

/** Rejects where nobody answers in time. */
export function askIdentities(
  identity: Pick<NodeIdentity, 'server' | 'tls'>,
  port = FRONT_DOOR_PORT,
): (scope: Scope, target: string) => Promise<IdentityAnswer> {
  return (scope, target) => {
    const { certPem, keyPem, caPem } = identity.tls()
    const { hostname } = new URL(identity.server)
    const signal = anySignal([scope.signal, AbortSignal.timeout(ANSWER_MS)])
    const tls = { cert: certPem, key: keyPem, ca: caPem, ...(isIP(hostname) === 0 ? { servername: hostname } : {}) }
    // A connection of its own each: the certificate is the one of now.
    const options = { ...tls, hostname, port, path: target, agent: false, signal } as const
    return new Promise((resolve, reject) => {
      const outgoing = request(options, (response) => {
        const pieces: Buffer[] = []
        let bytes = 0
        response.on('data', (piece: Buffer) => {
          bytes += piece.length
          if (bytes > ANSWER_BYTES_MAX) outgoing.destroy(new Error('the answer is too long'))
          else pieces.push(piece)
        })
        response.on('end', () => resolve({ status: response.statusCode!, body: Buffer.concat(pieces).toString() }))
        response.on('error', reject)
      })
      outgoing.on('error', reject)
      outgoing.end()
    })
  }
}
