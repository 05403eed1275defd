// The HTTPS server that the API server asks to convert bakeries.

import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { Bakery, OldBakery } from './bakery.ts'
import { convert } from './conversion.ts'

/** PEM, valid for 127.0.0.1; `authority` signed the certificate. */
export interface Certificate {
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

interface ConversionRequest {
  readonly uid: string
  readonly desiredAPIVersion: string
  readonly objects: readonly (Bakery | OldBakery)[]
}

export interface Webhook extends AsyncDisposable {
  readonly clientConfig: { readonly url: string; readonly caBundle: string }
}

export async function startWebhook({ authority, certificate, key }: Certificate): Promise<Webhook> {
  const server = createServer({ cert: certificate, key }, (incoming, response) => {
    json(incoming).then(
      (review) => {
        const { apiVersion, kind, request } = review as { apiVersion: string; kind: string; request: ConversionRequest }
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify({ apiVersion, kind, response: answer(request) }))
      },
      () => response.writeHead(400).end(),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    clientConfig: { url: `https://127.0.0.1:${port}/convert`, caBundle: Buffer.from(authority).toString('base64') },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function answer({ uid, desiredAPIVersion, objects }: ConversionRequest): object {
  try {
    const convertedObjects = objects.map((object) => convert(object, desiredAPIVersion))
    return { uid, result: { status: 'Success' }, convertedObjects }
  } catch (error) {
    return { uid, result: { status: 'Failure', message: (error as Error).message } }
  }
}
