// Which requests come from the desktop's own page. A browser sends cookies for any page that asks: who asks decides, not the cookie.

export interface Asked {
  readonly method: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** `https` or `http`, as this server listens. */
  readonly scheme: 'http' | 'https'
}

/** A page of another origin cannot send it without a preflight, which is never answered. */
export const OWN_HEADER = 'x-aksel-desktop'

const localNames = new Set(['localhost', '127.0.0.1', '[::1]'])

/** The host as a browser on this machine names it: a name that was made to point here from outside is not one of these. */
export function isLocalHost(host: string | undefined): boolean {
  if (host === undefined) return false
  try {
    const { hostname } = new URL(`http://${host}`)
    return localNames.has(hostname) || hostname.endsWith('.localhost')
  } catch {
    return false
  }
}

/** Why a call of the desktop's API may not be answered; undefined where it may. */
export function refuseForeign(asked: Asked, kind: 'call' | 'socket'): string | undefined {
  const host = one(asked.headers['host'])
  if (!isLocalHost(host)) return `the host "${host ?? ''}" is not this machine`
  const origin = one(asked.headers['origin'])
  if (origin !== undefined && origin !== `${asked.scheme}://${host}`) return `the page ${origin} is not the desktop`
  const site = one(asked.headers['sec-fetch-site'])
  if (site !== undefined && site !== 'same-origin') return 'the call comes from another site'
  // A WebSocket cannot carry a header of its own; browsers always send its origin.
  if (kind === 'socket') return origin === undefined ? 'the socket names no origin' : undefined
  return one(asked.headers[OWN_HEADER]) === undefined ? `the header ${OWN_HEADER} is missing` : undefined
}

function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0]
}
