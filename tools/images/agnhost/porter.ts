// `porter`: one HTTP server for each variable SERVE_PORT_n and SERVE_TLS_PORT_n, answering with its value.

import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { readFileSync } from 'node:fs'
import { listenerOf, type Handler } from './http.ts'

export function porter(): void {
  for (const [name, value = ''] of Object.entries(process.env)) {
    const [, tls, port] = /^SERVE_(TLS_)?PORT_(\d+)$/.exec(name) ?? []
    if (port === undefined) continue
    const listener = listenerOf({ '': body(value) })
    if (tls === undefined) createServer(listener).listen(Number(port))
    else {
      const files = {
        certificate: process.env['CERT_FILE'] ?? 'localhost.crt',
        key: process.env['KEY_FILE'] ?? 'localhost.key',
      }
      createTlsServer({ cert: readFileSync(files.certificate), key: readFileSync(files.key) }, listener).listen(
        Number(port),
      )
    }
  }
}

/** Whatever is asked: the method and path are echoed where the value is a handful of words that tests know. */
function body(value: string): Handler {
  return ({ message, url }) =>
    value === 'echo-request'
      ? {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ Method: message.method, Body: '', path: url.pathname }),
        }
      : {
          headers: { 'content-type': value.startsWith('<') ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8' },
          body: value,
        }
}
