// The page and its assets, as the build left them: compressed once, cached for good by the hash in their names.

import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join } from 'node:path'

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/**
 * No script and no style but our own, nothing embeds the page, nothing leaves it. The nonce is for style elements, which the
 * component library makes while it runs.
 */
export function contentSecurityPolicy(nonce: string, origin: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "worker-src 'self'",
    `connect-src 'self' ${origin.replace(/^http/, 'ws')}`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

const everyAnswer = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
} as const

export interface PageRequest {
  /** Folder of the build; absent where there is none yet. */
  readonly assets: string | undefined
  readonly nonce: string
  readonly origin: string
}

export async function servePage(response: ServerResponse, { assets, nonce, origin }: PageRequest): Promise<void> {
  const headers = {
    ...everyAnswer,
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': contentSecurityPolicy(nonce, origin),
  }
  if (assets === undefined) {
    response
      .writeHead(503, headers)
      .end('<!doctype html><title>Aksel</title><p>Run <code>./aksel desktop</code> once.</p>')
    return
  }
  const html = await readFile(join(assets, 'index.html'), 'utf8')
  response.writeHead(200, headers).end(html.replaceAll('__NONCE__', nonce))
}

/** `name` has been taken from the URL: a plain file name and nothing else is believed. */
export async function serveAsset(
  request: IncomingMessage,
  response: ServerResponse,
  folder: string,
  name: string,
): Promise<void> {
  const type = types[extname(name)]
  if (type === undefined || !/^[\w.-]+$/.test(name)) return void response.writeHead(404, everyAnswer).end()
  const path = join(folder, 'assets', name)
  const takesBrotli = /\bbr\b/.test(String(request.headers['accept-encoding'] ?? ''))
  const compressed = takesBrotli ? await readOrNothing(`${path}.br`) : undefined
  const body = compressed ?? (await readOrNothing(path))
  if (body === undefined) return void response.writeHead(404, everyAnswer).end()
  response
    .writeHead(200, {
      ...everyAnswer,
      'content-type': type,
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
      ...(compressed === undefined ? {} : { 'content-encoding': 'br' }),
    })
    .end(body)
}

async function readOrNothing(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch {
    return undefined
  }
}
