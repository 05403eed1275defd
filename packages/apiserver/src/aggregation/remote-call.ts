// Reaches another API server: its Service by the dialer, TLS with what its APIService says, our client certificate.

import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import type { Duplex } from 'node:stream'
import { connect as connectTls, rootCertificates } from 'node:tls'
import type { APIService } from '@aksel/api/types/apiregistration-v1'
import type { UserInfo } from '../authentication/user-info.ts'
import type { ServiceDialer } from '../webhook/service-dialer.ts'
import { userHeaders, type FrontProxy } from './front-proxy.ts'

export interface RemoteCaller {
  readonly services: ServiceDialer
  readonly frontProxy: FrontProxy
}

/** Rejects with an error that says what is missing. */
export async function openRemote(
  { services, frontProxy }: RemoteCaller,
  { spec }: APIService,
  signal: AbortSignal,
): Promise<Duplex> {
  const { namespace = '', name = '', port = 443 } = spec.service ?? {}
  const stream = await services.dial({ namespace, name, port }, signal)
  const { caBundle = '', insecureSkipTLSVerify = false } = spec
  return new Promise((resolve, reject) => {
    const secure = connectTls({
      socket: stream,
      servername: `${name}.${namespace}.svc`,
      ca: caBundle === '' ? [...rootCertificates] : Buffer.from(caBundle, 'base64').toString('utf8'),
      rejectUnauthorized: !insecureSkipTLSVerify,
      cert: frontProxy.client.certificatePem,
      key: frontProxy.client.keyPem,
    })
    const fail = (error: Error): void => {
      stream.destroy()
      reject(error)
    }
    secure.once('secureConnect', () => resolve(secure))
    secure.once('error', fail)
    stream.once('close', () => reject(new Error('EOF')))
  })
}

export interface RemoteRequest {
  readonly method: string
  readonly path: string
  readonly headers: OutgoingHttpHeaders
  readonly user: UserInfo
  readonly body: AsyncIterable<Uint8Array> | undefined
  readonly signal: AbortSignal
}

/** The answer's head; its body is read from it. */
export function askOver(connection: Duplex, request: RemoteRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      method: request.method,
      path: request.path,
      headers: { ...request.headers, ...(userHeaders(request.user) as OutgoingHttpHeaders) },
      createConnection: () => connection,
      signal: request.signal,
    })
    outgoing.once('response', resolve)
    outgoing.once('error', reject)
    void send(request.body, outgoing).catch((error: Error) => outgoing.destroy(error))
  })
}

async function send(
  body: AsyncIterable<Uint8Array> | undefined,
  outgoing: ReturnType<typeof httpRequest>,
): Promise<void> {
  for await (const piece of body ?? []) {
    if (!outgoing.write(piece)) await new Promise<void>((resolve) => outgoing.once('drain', resolve))
  }
  outgoing.end()
}
