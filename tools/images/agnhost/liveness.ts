// `liveness`: healthy for ten seconds, and sick from then on.

import { serve } from './http.ts'

export function liveness(): void {
  const startedMs = performance.now()
  const seconds = (): number => (performance.now() - startedMs) / 1000
  serve(8080, {
    '/started': () => `${seconds()}s`,
    '/healthz': () => (seconds() > 10 ? { status: 500, body: `error: ${seconds()}` } : 'ok'),
    '/redirect': ({ url }) => ({
      status: 302,
      headers: { location: url.searchParams.get('loc') ?? '/healthz' },
      body: '',
    }),
  })
}
