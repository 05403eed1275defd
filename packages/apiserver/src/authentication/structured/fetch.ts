// One request to an identity provider: over TLS, without following redirects, bounded in time and in size.

import { request } from 'node:https'
import { anySignal } from '@aksel/base/any-signal'

export interface FetchOptions {
  /** PEM; the system's authorities when absent. */
  readonly caPem?: string
  readonly bearerToken?: string
  readonly accept?: string
  readonly signal: AbortSignal
  /** From the first byte asked to the last one answered. Default 10 s. */
  readonly timeoutMs?: number
}

/** One GET over TLS; rejects for anything but a 200 with JSON. */
export type FetchJson = (url: string, options: FetchOptions) => Promise<unknown>

/** One GET over TLS; rejects for anything but a 200. */
export type FetchText = (url: string, options: FetchOptions) => Promise<string>

const FETCH_TIMEOUT_MS = 10_000
const BODY_MAX_BYTES = 1024 ** 2

export const fetchText: FetchText = (
  url,
  { caPem, bearerToken, accept = '*/*', signal, timeoutMs = FETCH_TIMEOUT_MS },
) =>
  new Promise((resolve, reject) => {
    const limited = anySignal([signal, AbortSignal.timeout(timeoutMs)])
    const options = {
      signal: limited,
      headers: { accept, ...(bearerToken === undefined ? {} : { authorization: `Bearer ${bearerToken}` }) },
      ...(caPem === undefined ? {} : { ca: caPem }),
    }
    const outgoing = request(url, options, (response) => {
      const pieces: Buffer[] = []
      let bytes = 0
      response.on('data', (piece: Buffer) => {
        pieces.push(piece)
        bytes += piece.length
        if (bytes > BODY_MAX_BYTES)
          outgoing.destroy(new Error(`${url} answered with more than ${BODY_MAX_BYTES} bytes`))
      })
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`${url} answered ${response.statusCode}`))
        resolve(Buffer.concat(pieces).toString('utf8'))
      })
    })
    outgoing.on('error', reject)
    outgoing.end()
  })

export const fetchJson: FetchJson = async (url, options) => {
  const text = await fetchText(url, { ...options, accept: 'application/json' })
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new Error(`${url} did not answer with JSON`)
  }
}
