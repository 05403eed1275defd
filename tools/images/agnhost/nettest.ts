// `nettest`: collects who wrote to it, and tells.

import { hostname } from 'node:os'
import type { Flags } from './flags.ts'
import { json, serve } from './http.ts'

export function netTest(flags: Flags): void {
  const received: Record<string, number> = {}
  const log: string[] = []
  serve(flags.number('port', 8080), {
    '/write': async ({ body }) => {
      const { Source: source = '' } = JSON.parse((await body()).toString()) as { Source?: string }
      received[source] = (received[source] ?? 0) + 1
      log.push(`received from ${source}`)
      return json({ Hostname: hostname() })
    },
    '/read': () =>
      json({ Hostname: hostname(), Sent: {}, Received: received, Errors: [], Log: log, StillContactingPeers: false }),
    '/status': () => 'pass',
    '/quit': () => {
      setTimeout(() => process.exit(0), 10)
      return ''
    },
  })
}
