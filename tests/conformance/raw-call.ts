// A request with headers of one's own, and all of its answer, whatever the status.

import { request, type RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'

export interface RawCall {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
}

export interface RawAnswer {
  readonly status: number
  readonly contentType: string
  readonly text: string
}

export async function rawCall(
  config: KubeConfig,
  { method = 'GET', path, headers = {}, body }: RawCall,
): Promise<RawAnswer> {
  const sent = body === undefined ? headers : { 'content-type': 'application/json', ...headers }
  const options: RequestOptions = { method, headers: sent }
  await config.applyToHTTPSOptions(options)
  return new Promise((resolve, reject) => {
    const call = request(
      new URL(path, config.getCurrentCluster()!.server),
      { ...options, headers: sent },
      (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            contentType: response.headers['content-type'] ?? '',
            text: Buffer.concat(pieces).toString(),
          }),
        )
      },
    )
    call.on('error', reject)
    call.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
