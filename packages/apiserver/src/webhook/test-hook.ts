// A webhook server for tests: HTTPS on loopback, with a certificate of an authority made for it.

import { createServer } from 'node:https'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { AdmissionRequest } from '@aksel/api/types/admission-v1'
import type { Scope } from '@aksel/base/scope'
import { createAuthority, issue } from '@aksel/runtime/pki'

export interface TestHook extends AsyncDisposable {
  readonly port: number
  /** Base64, as configurations want it. */
  readonly caBundle: string
  /** A `clientConfig` for a path of it. */
  clientConfig(path?: string): { readonly url: string; readonly caBundle: string }
}

type Names = Partial<Parameters<typeof issue>[2]>

export async function startHook(scope: Scope, listener: RequestListener, names: Names = {}): Promise<TestHook> {
  const authority = await createAuthority(scope, { commonName: 'webhooks', years: 1 })
  const serving = await issue(scope, authority, {
    commonName: 'hook',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
    ...names,
  })
  const server = createServer({ cert: serving.certificatePem, key: serving.keyPem }, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const caBundle = Buffer.from(authority.certificatePem).toString('base64')
  return {
    port,
    caBundle,
    clientConfig: (path = '/') => ({ url: `https://127.0.0.1:${port}${path}`, caBundle }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** What an admission webhook answers; a patch is given as its operations. */
export interface Answer {
  readonly uid?: string
  readonly allowed?: boolean
  readonly status?: { readonly message?: string; readonly code?: number; readonly reason?: string }
  readonly patch?: readonly unknown[]
  readonly auditAnnotations?: Readonly<Record<string, string>>
  readonly warnings?: readonly string[]
}

/** Answers reviews; the path tells one webhook of the server from another. */
export function admissionListener(
  judge: (request: AdmissionRequest, path: string) => Answer | Promise<Answer>,
): RequestListener {
  return (incoming: IncomingMessage, response: ServerResponse) => {
    void answer(judge, incoming, response)
  }
}

async function answer(
  judge: (request: AdmissionRequest, path: string) => Answer | Promise<Answer>,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const review = (await json(incoming)) as { readonly apiVersion: string; readonly request: AdmissionRequest }
  const { patch, ...judged } = await judge(review.request, new URL(incoming.url!, 'https://hook').pathname)
  const patched =
    patch === undefined ? {} : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(
    JSON.stringify({
      apiVersion: review.apiVersion,
      kind: 'AdmissionReview',
      response: { uid: review.request.uid, allowed: true, ...judged, ...patched },
    }),
  )
}
